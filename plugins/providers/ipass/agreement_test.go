package ipass_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/payrack/payrack/plugins/providers/ipass"
	ipasssandbox "github.com/payrack/payrack/plugins/providers/ipass/sandbox"
	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// The sandbox's iPASS was written from the same documents by a reading of its own. The two agree.
type sandboxed struct {
	openProvider

	t          *testing.T
	url        string
	credential json.RawMessage
	account    string
}

func openSandbox(t *testing.T) sandboxed {
	t.Helper()
	server, err := sandbox.New(sandbox.Options{Dir: t.TempDir(), Dialects: []sandbox.Dialect{ipasssandbox.Dialect()}})
	if err != nil {
		t.Fatal(err)
	}
	s := sandboxed{t: t}
	web := httptest.NewServer(server.Handler())
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
	s.control("accounts", `{"provider":"ipass","label":"store"}`, &account)
	s.credential, s.account = account.Credential, account.Public["merchantid"]
	var settings ipass.Settings
	if err := json.Unmarshal(ipasssandbox.Dialect().Settings(web.URL), &settings); err != nil {
		t.Fatal(err)
	}
	settings.Timeouts = ipass.Timeouts{
		Timeouts: provider.Timeouts{Pay: provider.Duration(2 * time.Second), Search: provider.Duration(5 * time.Second)},
		FollowUp: provider.Duration(2 * time.Second),
	}
	p, err := ipass.Open(t.Context(), settings, provider.Host{HTTP: provider.NewClient(provider.ClientOptions{})})
	if err != nil {
		t.Fatal(err)
	}
	opened, ok := p.(openProvider)
	if !ok {
		t.Fatal("the provider does not pay and search")
	}
	s.openProvider = opened
	return s
}

// control posts to the sandbox's control routes.
func (s sandboxed) control(path, body string, into any) {
	s.t.Helper()
	s.ask(http.MethodPost, path, body, into)
}

func (s sandboxed) get(path string, into any) {
	s.t.Helper()
	s.ask(http.MethodGet, path, "", into)
}

// options sets the switches of the account.
func (s sandboxed) options(switches string) {
	s.t.Helper()
	s.control("accounts", `{"provider":"ipass","label":"store","options":`+switches+`}`, nil)
}

func (s sandboxed) ask(method, path, body string, into any) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+"/_sandbox/"+path, bytes.NewBufferString(body))
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

func (s sandboxed) call(columns string) provider.Call {
	c := call(s.t, nil, columns)
	c.Account, c.Credential, c.RequestID = s.account, provider.NewDocument(s.credential), uuid.NewString()
	return c
}

func (s sandboxed) pay(order, columns string) provider.Answer {
	s.t.Helper()
	var code struct {
		Code string `json:"code"`
	}
	s.control("codes", `{"provider":"ipass","carrier":"/ABD.122"}`, &code)
	return s.Pay(s.t.Context(), provider.PayRequest{
		Call: s.call(columns), Reference: provider.Reference{OrderID: order},
		Amount: provider.Money{Units: 229, Currency: "TWD"}, Capture: true, Description: "測試商品", Code: provider.NewSecret(code.Code),
	})
}

func (s sandboxed) search(purpose provider.Purpose, order string) provider.SearchAnswer {
	s.t.Helper()
	return s.Search(s.t.Context(), provider.SearchRequest{
		Call: s.call(`{}`), Purpose: purpose, Reference: provider.Reference{OrderID: order}, About: provider.KindPay,
	})
}

const tillColumns = `{"store_id":"00681","terminal_id":"AB123456"}`

func TestAgreesWithTheSandbox(t *testing.T) {
	t.Parallel()
	s := openSandbox(t)
	paid := s.pay("IXN-訂單1", tillColumns)
	r := paid.Result()
	if paid.Outcome() != provider.OutcomeApproved || r.Captured == nil || r.Captured.Units != 229 || r.Reference.TransactionID == "" || r.ProviderTime.IsZero() || !paid.Native().Sensitive {
		t.Fatalf("pay: outcome %v, result %+v, failure %+v, native %s", paid.Outcome(), r, paid.Failure(), paid.Native().Body)
	}
	for _, purpose := range []provider.Purpose{provider.PurposeClient, provider.PurposeResolve} {
		a := s.search(purpose, "IXN-訂單1")
		if a.Findings == nil || a.Findings.Finding != provider.FindingFound || a.Findings.Reference.TransactionID != r.Reference.TransactionID || a.Findings.Captured.Units != 229 {
			t.Errorf("search: %+v, %+v, native %s", a.Findings, a.Failure, a.Native.Body)
		}
	}
	if again := s.pay("IXN-訂單1", tillColumns); again.Outcome() != provider.OutcomeUnknown || again.Result() == nil || again.Result().Code != "0006" {
		t.Errorf("pay again: %v, %+v", again.Outcome(), again.Result())
	}
	if late := s.pay("IXN2", `{"store_id":"1","terminal_id":"1","pos_date_time":"2099-01-01 00:00:00"}`); late.Outcome() != provider.OutcomeDeclined || late.Result().DeclineCode != "code_invalid" {
		t.Errorf("expired code: %v, %+v, %+v", late.Outcome(), late.Result(), late.Failure())
	}
	if a := s.search(provider.PurposeResolve, "nobody"); a.Findings == nil || a.Findings.Finding != provider.FindingNotFound {
		t.Errorf("resolve an unknown order: %+v, %+v", a.Findings, a.Failure)
	}
}

func TestSandboxRefusesAnotherKey(t *testing.T) {
	t.Parallel()
	s := openSandbox(t)
	for _, set := range []string{
		`{"merchantid":"` + s.account + `","key":"` + key + `"}`, `{"merchantid":"nobody","key":"` + key + `"}`,
	} {
		s.credential = json.RawMessage(set)
		s.account = ""
		if a := s.pay("K1", tillColumns); a.Outcome() != provider.OutcomeDeclined || a.Result().Code != "S401" {
			t.Errorf("outcome %v, result %+v, failure %+v", a.Outcome(), a.Result(), a.Failure())
		}
	}
}

// Whatever the fault, pay never says more than is true, and the search then settles it.
func TestSandboxFaultsOnPay(t *testing.T) {
	t.Parallel()
	const lands, neverLands = true, false
	for fault, landed := range map[string]bool{
		"drop_before_commit": neverLands, "drop_after_commit": lands, "http_500_before_commit": neverLands, "http_500_after_commit": lands,
		"garbled": lands, "truncated": lands, "huge_body": lands, "endless_body": lands, "hang_after_commit": lands,
		"wrong_amount": lands, "wrong_order": lands, "code:9999": neverLands, "code:0042": neverLands,
		"9999_before_commit": neverLands, "9999_after_commit": lands, "garbage_base64": lands, "wrong_key": lands, "flipped_iv": lands,
		"foreign_req_id": lands, "empty_transaction_id": lands, "plain_text": lands,
		"reset_before_commit": neverLands, "reset_after_commit": lands, "hang": neverLands,
		"http_502_before_commit": neverLands, "http_502_after_commit": lands, "http_504_before_commit": neverLands, "http_504_after_commit": lands,
		"duplicate_delivery": lands,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			s := openSandbox(t)
			s.control("faults", fmt.Sprintf(`{"provider":"ipass","operation":"pay","fault":%q,"times":1}`, fault), nil)
			if a := s.pay("F1", tillColumns); a.Outcome() != provider.OutcomeUnknown {
				t.Errorf("pay: outcome %v, result %+v", a.Outcome(), a.Result())
			}
			if n := s.fired(fault); n != 1 {
				t.Errorf("fired %d times", n)
			}
			if ledger := s.ledger("F1"); (ledger == "charge 229,") != landed {
				t.Errorf("ledger %q", ledger)
			}
			want := provider.FindingNotFound
			if landed {
				want = provider.FindingFound
			}
			if a := s.search(provider.PurposeResolve, "F1"); a.Findings == nil || a.Findings.Finding != want {
				t.Errorf("resolve: %+v, %+v", a.Findings, a.Failure)
			}
		})
	}
}

func TestSandboxSpellings(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"pascal_case", "amount_as_string", "extra_fields"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			s := openSandbox(t)
			s.control("faults", fmt.Sprintf(`{"provider":"ipass","operation":"pay","fault":%q,"times":1}`, fault), nil)
			if a := s.pay("F1", tillColumns); a.Outcome() != provider.OutcomeApproved {
				t.Errorf("outcome %v, failure %+v, native %s", a.Outcome(), a.Failure(), a.Native().Body)
			}
		})
	}
}
