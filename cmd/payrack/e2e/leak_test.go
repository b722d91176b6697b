package e2e_test

import (
	"net/http"
	"net/url"
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
