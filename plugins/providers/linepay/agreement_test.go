package linepay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/providers/linepay"
	linepaysandbox "github.com/payrack/payrack/plugins/providers/linepay/sandbox"
	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// The sandbox's LINE Pay was written from the same documents by a reading of its own. The two agree.
type sandboxed struct {
	openProvider

	t          *testing.T
	url        string
	credential json.RawMessage
	account    string
}

func openSandbox(t *testing.T) sandboxed {
	t.Helper()
	return openSandboxBehind(t, func(h http.Handler) http.Handler { return h })
}

// openSandboxBehind is openSandbox with something between the plugin and the sandbox.
func openSandboxBehind(t *testing.T, between func(http.Handler) http.Handler) sandboxed {
	t.Helper()
	server, err := sandbox.New(sandbox.Options{Dir: t.TempDir(), Dialects: []sandbox.Dialect{linepaysandbox.Dialect()}})
	if err != nil {
		t.Fatal(err)
	}
	s := sandboxed{t: t}
	web := httptest.NewServer(between(server.Handler()))
	t.Cleanup(func() {
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	s.url = web.URL
	var account struct {
		Credential json.RawMessage   `json:"credential"`
		Public     map[string]string `json:"public"`
	}
	s.control("accounts", `{"provider":"linepay","label":"store"}`, &account)
	s.credential, s.account = account.Credential, account.Public["channel_id"]
	var settings linepay.Settings
	if err := json.Unmarshal(linepaysandbox.Dialect().Settings(web.URL), &settings); err != nil {
		t.Fatal(err)
	}
	settings.Timeouts = linepay.Timeouts{Pay: provider.Duration(2 * time.Second), Confirm: provider.Duration(2 * time.Second)}
	p, err := linepay.Open(t.Context(), settings, provider.Host{HTTP: provider.NewClient(provider.ClientOptions{})})
	if err != nil {
		t.Fatal(err)
	}
	opened, ok := p.(openProvider)
	if !ok {
		t.Fatal("the provider lacks an operation")
	}
	s.openProvider = opened
	return s
}

func (s sandboxed) control(path, body string, into any) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/_sandbox/"+path, bytes.NewBufferString(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: HTTP %d", path, body, resp.StatusCode)
	}
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s sandboxed) call(version, columns string) provider.Call {
	c := call(s.t, version, columns)
	c.Account, c.Credential = s.account, provider.NewDocument(s.credential)
	return c
}

func (s sandboxed) pay(version, order, columns string, capture bool) provider.Answer {
	s.t.Helper()
	var code struct {
		Code string `json:"code"`
	}
	s.control("codes", `{"provider":"linepay"}`, &code)
	return s.Pay(s.t.Context(), provider.PayRequest{
		Call: s.call(version, columns), Reference: provider.Reference{OrderID: order},
		Amount: provider.Money{Units: 250, Currency: "TWD"}, Capture: capture, Description: "拿鐵", Code: provider.NewSecret(code.Code),
	})
}

func (s sandboxed) search(version string, purpose provider.Purpose, ref provider.Reference) provider.SearchAnswer {
	s.t.Helper()
	return s.Search(s.t.Context(), provider.SearchRequest{Call: s.call(version, `{}`), Purpose: purpose, Reference: ref, About: provider.KindPay})
}

func TestAgreesWithTheSandbox(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v2", "v2.4", "v4"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := openSandbox(t)
			paid := s.pay(version, "A/1?訂單", `{"merchant_device_profile_id":"000030_k1","extras":{"branchName":"信義店"}}`, true)
			if r := paid.Result(); paid.Outcome() != provider.OutcomeApproved || r.Captured == nil || r.Captured.Units != 250 || len(r.Reference.TransactionID) != 19 || r.ProviderTime.IsZero() {
				t.Fatalf("pay: outcome %v, result %+v, failure %+v, native %s", paid.Outcome(), r, paid.Failure(), paid.Native().Body)
			}
			id := paid.Result().Reference.TransactionID
			for _, ref := range []provider.Reference{{OrderID: "A/1?訂單"}, {TransactionID: id}} {
				a := s.search(version, provider.PurposeClient, ref)
				if a.Findings == nil || a.Findings.Reference.TransactionID != id || a.Findings.Captured.Units != 250 {
					t.Errorf("search %+v: %+v, %+v, native %s", ref, a.Findings, a.Failure, a.Native.Body)
				}
				a = s.search(version, provider.PurposeResolve, ref)
				if a.Findings == nil || a.Findings.Finding != provider.FindingFound || a.Findings.Captured.Units != 250 {
					t.Errorf("resolve %+v: %+v, %+v", ref, a.Findings, a.Failure)
				}
			}
			if again := s.pay(version, "A/1?訂單", `{}`, true); again.Outcome() != provider.OutcomeUnknown || again.Result() == nil || again.Result().Code != "1172" {
				t.Errorf("pay again: %v, %+v", again.Outcome(), again.Result())
			}
			held := s.pay(version, "A2", `{}`, false)
			if r := held.Result(); held.Outcome() != provider.OutcomeApproved || r.Captured != nil || r.Authorized.Units != 250 || r.AuthorizationExpires.IsZero() {
				t.Errorf("authorize: %v, %+v, %+v", held.Outcome(), r, held.Failure())
			}
			if a := s.search(version, provider.PurposeResolve, provider.Reference{OrderID: "A2"}); a.Findings == nil || a.Findings.Authorized == nil || a.Findings.Captured == nil || a.Findings.Captured.Units != 0 {
				t.Errorf("resolve an authorization: %+v, %+v", a.Findings, a.Failure)
			}
			if a := s.search(version, provider.PurposeResolve, provider.Reference{OrderID: "nobody"}); a.Findings == nil || a.Findings.Finding != provider.FindingNotFound {
				t.Errorf("resolve an unknown order: %+v, %+v", a.Findings, a.Failure)
			}
		})
	}
}

// Whatever the fault, pay never says more than is true, and the search then settles it.
func TestSandboxFaults(t *testing.T) {
	t.Parallel()
	const lands, neverLands = true, false
	for fault, landed := range map[string]bool{
		"drop_before_commit": neverLands, "drop_after_commit": lands, "http_500_before_commit": neverLands, "http_500_after_commit": lands,
		"garbled": lands, "truncated": lands, "huge_body": lands, "endless_body": lands, "hang_after_commit": lands, "error_shape": lands,
		"code:9000": neverLands, "code:1199": neverLands, "code:1198": neverLands,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			s := openSandbox(t)
			s.control("faults", fmt.Sprintf(`{"provider":"linepay","operation":"pay","fault":%q,"times":1}`, fault), nil)
			if a := s.pay("v4", "F1", `{}`, true); a.Outcome() != provider.OutcomeUnknown {
				t.Errorf("pay: outcome %v, result %+v", a.Outcome(), a.Result())
			}
			want := provider.FindingNotFound
			if landed {
				want = provider.FindingFound
			}
			if a := s.search("v4", provider.PurposeResolve, provider.Reference{OrderID: "F1"}); a.Findings == nil || a.Findings.Finding != want {
				t.Errorf("resolve: %+v, %+v", a.Findings, a.Failure)
			}
		})
	}
	t.Run("ids as text", func(t *testing.T) {
		t.Parallel()
		s := openSandbox(t)
		s.control("faults", `{"provider":"linepay","operation":"pay","fault":"ids_as_strings","times":1}`, nil)
		if a := s.pay("v4", "F2", `{}`, true); a.Outcome() != provider.OutcomeApproved || len(a.Result().Reference.TransactionID) != 19 {
			t.Errorf("outcome %v, result %+v", a.Outcome(), a.Result())
		}
	})
	t.Run("wrong amount and order are reported", func(t *testing.T) {
		t.Parallel()
		s := openSandbox(t)
		s.control("faults", `{"provider":"linepay","operation":"pay","order_id":"F3","fault":"wrong_amount","times":1}`, nil)
		s.control("faults", `{"provider":"linepay","operation":"pay","order_id":"F4","fault":"wrong_order","times":1}`, nil)
		if a := s.pay("v4", "F3", `{}`, true); a.Result() == nil || a.Result().Captured.Units == 250 {
			t.Errorf("result %+v", a.Result())
		}
		if a := s.pay("v4", "F4", `{}`, true); a.Result() == nil || a.Result().Reference.OrderID == "F4" {
			t.Errorf("result %+v", a.Result())
		}
	})
}
