package e2e_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// status is what the public plane answers to a harmless question with a token.
func (p *platform) status(token string) (int, string) {
	p.t.Helper()
	a := p.do(http.MethodGet, p.HTTPURL+"/v2/payments?order_number=NONE", nil, "Authorization", "Bearer "+token)
	return a.status, a.member("code")
}

// tokenFor asks the token endpoint and gives back the whole answer.
func (p *platform) tokenFor(id, secret string) answer {
	p.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}
	return p.do(http.MethodPost, p.TokenURL, []byte(form.Encode()), "Content-Type", "application/x-www-form-urlencoded", "Authorization", "")
}

// A client's secret leaked: the client is switched off, its tokens end though their hour is not over, a new client takes its
// place, and who did it stands in the log.
func TestALeakedClientIsSwitchedOff(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	before := p.token
	if status, code := p.status(before); status != http.StatusOK {
		t.Fatalf("before: %d %s", status, code)
	}

	out := p.cli(0, "", "client", "disable", p.ClientID, "--data", p.dir)
	if !strings.Contains(out, " true ") || !strings.Contains(out, "refused from now on") {
		t.Errorf("disable said %s", out)
	}
	if status, code := p.status(before); status != http.StatusUnauthorized || code != "invalid_token" {
		t.Errorf("the token from before the client was disabled: %d %s", status, code)
	}
	if a := p.tokenFor(p.ClientID, p.ClientSecret); a.status != http.StatusUnauthorized || a.member("error") != "invalid_client" {
		t.Errorf("a new token: %s", a)
	}
	if list := p.cli(0, "", "client", "list", "--data", p.dir); !strings.Contains(list, "DISABLED") || !strings.Contains(list, " true ") {
		t.Errorf("the list hides it: %s", list)
	}

	var fresh struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	decode(t, []byte(p.cli(0, "", "client", "add", "--company", p.CompanyID, "--name", "till 2", "-o", "json", "--data", p.dir)), &fresh)
	if a := p.tokenFor(fresh.ID, fresh.Secret); a.status != http.StatusOK {
		t.Errorf("the client in its place: %s", a)
	}

	p.cli(0, "", "client", "enable", p.ClientID, "--data", p.dir)
	if status, code := p.status(before); status != http.StatusOK {
		t.Errorf("the token from before, after enable: %d %s", status, code)
	}
	if a := p.tokenFor(p.ClientID, p.ClientSecret); a.status != http.StatusOK {
		t.Errorf("a new token after enable: %s", a)
	}
	p.cli(3, "there is no such client; payrack client list", "client", "disable", "cl_nobody", "--data", p.dir)

	if log := p.output.String(); strings.Count(log, p.ClientID) < 2 || !strings.Contains(log, "/admin/v1/clients/:id") {
		t.Errorf("the log does not say who was switched off and on:\n%s", tail(log))
	}
}

// The secret of a provider account leaked: its set is switched off. Nothing new is paid with it, not even by way of the
// company's account; what was paid with it can be given back. New secrets do not switch it on without a word.
func TestALeakedCredentialSetIsSwitchedOff(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	add := func(store string) string {
		return p.cli(0, "", "credential", "add", "--company", p.CompanyID, "--store", store, "--type", "LINE_QRCODE_PAY", "--environment", "test",
			"--set", p.setFile(), "--data", p.dir)
	}
	add("0")
	paid := p.payment(0, "", p.createArgs("LEAK-1", "--store", p.StoreID)...)
	var sets []struct {
		ID          string `json:"id"`
		Store       string `json:"store_id"`
		Type        string `json:"type"`
		Environment string `json:"environment"`
		Disabled    bool   `json:"disabled"`
	}
	decode(t, []byte(p.cli(0, "", "credential", "list", "-o", "json", "--data", p.dir)), &sets)
	var set string
	for _, s := range sets {
		if s.Type == "LINE_QRCODE_PAY" && s.Environment == "test" && s.Store == p.StoreID {
			set = s.ID
		}
	}
	if set == "" {
		t.Fatalf("the store has no set of its own: %+v", sets)
	}
	p.cli(0, "", "credential", "disable", set, "--data", p.dir)
	for _, order := range []string{"LEAK-2", "LEAK-3"} {
		if a := p.post(linePayPath, p.linePay(order)); a.status != http.StatusBadRequest || a.member("code") != "config_missing" || len(p.ledger(order)) != 0 {
			t.Errorf("%s with a set that is off: %s", order, a)
		}
		if order == "LEAK-3" {
			break
		}
		out := add(p.StoreID)
		if !strings.Contains(out, "switched off and stays so: payrack credential enable "+set) {
			t.Errorf("a rotation did not say that the set is off: %s", out)
		}
	}
	if got := p.payment(0, "", "refund", paid.ID, "--amount", "29"); got.State != "PARTIALLY_REFUNDED" {
		t.Errorf("refund with a set that is off: %+v", got)
	}
	if log := p.output.String(); strings.Count(log, set) < 2 || !strings.Contains(log, "/admin/v1/credentials/:id") {
		t.Errorf("the log does not say which set was switched off:\n%s", tail(log))
	}
	p.cli(0, "", "credential", "enable", set, "--data", p.dir)
	if a := p.post(linePayPath, p.linePay("LEAK-4")); a.status != http.StatusOK || len(p.ledger("LEAK-4")) != 1 {
		t.Errorf("after enable: %s", a)
	}
}

// A whole company is shut out, in OAuth's words at the token endpoint, and let in again.
func TestACompanyIsSuspended(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	if out := p.cli(0, "", "company", "suspend", p.CompanyID, "--data", p.dir); !strings.Contains(out, " true ") || !strings.Contains(out, "refused from now on") {
		t.Errorf("suspend said %s", out)
	}
	if status, code := p.status(p.token); status != http.StatusForbidden || code != "company_suspended" {
		t.Errorf("a token from before: %d %s", status, code)
	}
	if a := p.tokenFor(p.ClientID, p.ClientSecret); a.status != http.StatusBadRequest || a.member("error") != "unauthorized_client" {
		t.Errorf("a new token: %s", a)
	}
	p.cli(3, "this company is suspended.*unauthorized_client", "payment", "list", "--data", p.dir)
	p.cli(0, "", "company", "resume", p.CompanyID, "--data", p.dir)
	if status, code := p.status(p.token); status != http.StatusOK {
		t.Errorf("after resume: %d %s", status, code)
	}
	if a := p.tokenFor(p.ClientID, p.ClientSecret); a.status != http.StatusOK {
		t.Errorf("a new token after resume: %s", a)
	}
	p.cli(3, "there is no such company", "company", "suspend", "nobody", "--data", p.dir)
}

// setFile is a file with the credential set of the store.
func (p *platform) setFile() string {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), "set.json")
	set := encode(p.t, map[string]string{"channel_id": p.LinePay.ChannelID, "channel_secret": p.LinePay.ChannelSecret})
	if err := os.WriteFile(path, set, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}
