package linepay_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/payrack/payrack/plugins/providers/linepay"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

func (s sandboxed) online(paymentType, version, columns string) provider.Call {
	c := s.call(version, columns)
	c.PaymentType = paymentType
	return c
}

// begin requests an online payment of 250 TWD and returns its id.
func (s sandboxed) begin(version, order, columns string, edit func(*provider.PayRequest)) string {
	s.t.Helper()
	r := onlineRequest(s.t, version, columns, edit)
	r.Call, r.Reference = s.online(linepay.TypeOnline, version, columns), provider.Reference{OrderID: order}
	answer := s.Pay(s.t.Context(), r)
	if answer.Outcome() != provider.OutcomeRequiresAction {
		s.t.Fatalf("request: outcome %v, failure %+v, native %s", answer.Outcome(), answer.Failure(), answer.Native().Body)
	}
	if !strings.HasPrefix(answer.Result().Action.WebURL, s.url+"/") {
		s.t.Errorf("the payer is sent to %s", answer.Result().Action.WebURL)
	}
	return answer.Result().Reference.TransactionID
}

// approve lets the customer approve and returns where the customer is sent.
func (s sandboxed) approve(id, body string) *url.URL {
	s.t.Helper()
	var done struct {
		ConfirmURL string `json:"confirm_url"`
	}
	s.control("linepay/"+id+"/approve", body, &done)
	u, err := url.Parse(done.ConfirmURL)
	if err != nil {
		s.t.Fatal(err)
	}
	return u
}

func (s sandboxed) state(paymentType, version string, about provider.Kind, ref provider.Reference) *provider.Findings {
	s.t.Helper()
	a := s.Search(s.t.Context(), provider.SearchRequest{Call: s.online(paymentType, version, `{}`), Reference: ref, About: about})
	if a.Findings == nil {
		s.t.Fatalf("search about %s: %+v, native %s", about, a.Failure, a.Native.Body)
	}
	return a.Findings
}

func onlineVersions() []string { return []string{"v2", "v3", "v4"} }

func TestOnlinePaymentAgreesWithTheSandbox(t *testing.T) {
	t.Parallel()
	for _, version := range onlineVersions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := openSandbox(t)
			id := s.begin(version, "O1", `{}`, nil)
			ref := provider.Reference{OrderID: "O1", TransactionID: id}
			if f := s.state(linepay.TypeOnline, version, provider.KindPay, ref); f.Finding != provider.FindingAwaitingPayer {
				t.Errorf("before the approval: %+v", f)
			}
			back := s.approve(id, `{"method":"SPLIT"}`)
			if back.Query().Get("transactionId") != id || !strings.HasPrefix(back.String(), ours+"?") || (version != "v2") != (back.Query().Get("orderId") == "O1") {
				t.Errorf("the payer comes back to %s", back)
			}
			if f := s.state(linepay.TypeOnline, version, provider.KindPay, ref); version != "v2" && f.Finding != provider.FindingPayerApproved {
				t.Errorf("after the approval: %+v", f)
			}
			c := s.online(linepay.TypeOnline, version, `{}`)
			confirmed := do(t, s.openProvider, provider.KindConfirm, c, ref, whole)
			if r := confirmed.Result(); confirmed.Outcome() != provider.OutcomeApproved || r.Captured == nil || *r.Captured != whole || r.Mandate != nil {
				t.Fatalf("confirm: outcome %v, %+v, %+v, native %s", confirmed.Outcome(), r, confirmed.Failure(), confirmed.Native().Body)
			}
			if again := do(t, s.openProvider, provider.KindConfirm, c, ref, whole); again.Outcome() != provider.OutcomeUnknown || again.Result().Code != "1172" {
				t.Errorf("confirm again: %v, %+v", again.Outcome(), again.Result())
			}
			for _, about := range []provider.Kind{provider.KindConfirm, provider.KindRefund} {
				if f := s.state(linepay.TypeOnline, version, about, ref); f.Finding != provider.FindingFound || *f.Captured != whole || f.Refunded.Units != 0 {
					t.Errorf("search about %s: %+v", about, f)
				}
			}
			for _, units := range []int64{30, 20} {
				if a := do(t, s.openProvider, provider.KindRefund, c, ref, provider.Money{Units: units, Currency: "TWD"}); a.Outcome() != provider.OutcomeApproved {
					t.Errorf("refund: %v, %+v, %+v", a.Outcome(), a.Result(), a.Failure())
				}
			}
			if f := s.state(linepay.TypeOnline, version, provider.KindRefund, ref); f.Refunded.Units != 50 || len(f.Movements) != 2 || *f.Captured != whole {
				t.Errorf("after the refunds: %+v", f)
			}
			if a := do(t, s.openProvider, provider.KindRefund, c, ref, whole); a.Outcome() != provider.OutcomeUnknown || a.Result().Code != "1164" {
				t.Errorf("refund of too much: %v, %+v", a.Outcome(), a.Result())
			}
		})
	}
}

func TestOnlineHoldAgreesWithTheSandbox(t *testing.T) {
	t.Parallel()
	for _, version := range onlineVersions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := openSandbox(t)
			c := s.online(linepay.TypeOnline, version, `{}`)
			var refs []provider.Reference
			for _, order := range []string{"H1", "H2", "H3"} {
				id := s.begin(version, order, `{}`, func(r *provider.PayRequest) { r.Capture = false })
				s.approve(id, `{}`)
				ref := provider.Reference{OrderID: order, TransactionID: id}
				a := do(t, s.openProvider, provider.KindConfirm, c, ref, whole)
				if r := a.Result(); a.Outcome() != provider.OutcomeApproved || r.Captured != nil || *r.Authorized != whole || r.AuthorizationExpires.IsZero() {
					t.Fatalf("confirm: %v, %+v, %+v", a.Outcome(), r, a.Failure())
				}
				refs = append(refs, ref)
			}
			part := provider.Money{Units: 200, Currency: "TWD"}
			if f := s.state(linepay.TypeOnline, version, provider.KindCapture, refs[0]); f.Authorized == nil || *f.Authorized != whole || f.Captured.Units != 0 {
				t.Errorf("held: %+v", f)
			}
			if a := do(t, s.openProvider, provider.KindCapture, c, refs[0], part); a.Outcome() != provider.OutcomeApproved || *a.Result().Captured != part {
				t.Errorf("capture: %v, %+v", a.Outcome(), a.Result())
			}
			if f := s.state(linepay.TypeOnline, version, provider.KindCapture, refs[0]); f.Finding != provider.FindingFound || *f.Captured != part {
				t.Errorf("captured: %+v", f)
			}
			if a := do(t, s.openProvider, provider.KindVoid, c, refs[1], whole); a.Outcome() != provider.OutcomeApproved {
				t.Errorf("void: %v, %+v", a.Outcome(), a.Result())
			}
			if f := s.state(linepay.TypeOnline, version, provider.KindVoid, refs[1]); f.Finding != provider.FindingEnded {
				t.Errorf("voided: %+v", f)
			}
			s.control("faults", `{"operation":"capture","fault":"auto_cancel"}`, nil)
			if a := do(t, s.openProvider, provider.KindCapture, c, refs[2], whole); a.Outcome() != provider.OutcomeUnknown || a.Result().Code != "1199" {
				t.Errorf("capture that releases: %v, %+v", a.Outcome(), a.Result())
			}
			if f := s.state(linepay.TypeOnline, version, provider.KindCapture, refs[2]); f.Finding != provider.FindingEnded {
				t.Errorf("released: %+v", f)
			}
		})
	}
}

func TestApprovedPaymentAgreesWithTheSandbox(t *testing.T) {
	t.Parallel()
	for _, version := range onlineVersions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := openSandbox(t)
			id := s.begin(version, "P1", `{"payType":"PREAPPROVED"}`, nil)
			s.approve(id, `{}`)
			confirmed := do(t, s.openProvider, provider.KindConfirm, s.online(linepay.TypeOnline, version, `{}`), provider.Reference{OrderID: "P1", TransactionID: id}, whole)
			if confirmed.Outcome() != provider.OutcomeApproved || confirmed.Result().Mandate == nil {
				t.Fatalf("confirm: %v, %+v, %+v", confirmed.Outcome(), confirmed.Result(), confirmed.Failure())
			}
			made := confirmed.Result().Mandate
			if made.State != provider.MandateActive || made.Label != "VISA ************1234" || len(made.Token.Reveal()) != 15 {
				t.Errorf("mandate %+v of %d characters", made, len(made.Token.Reveal()))
			}
			c := s.online(linepay.TypePreapproved, version, `{}`)
			again := func(order string, capture bool) provider.Answer {
				return s.Pay(t.Context(), approvedRequest(t, version, func(r *provider.PayRequest) {
					r.Call, r.MandateToken, r.Amount, r.Reference.OrderID, r.Capture = c, made.Token, whole, order, capture
				}))
			}
			if a := again("P2", true); a.Outcome() != provider.OutcomeApproved || *a.Result().Captured != whole || a.Result().Reference.OrderID != "P2" {
				t.Errorf("charge: %v, %+v, %+v", a.Outcome(), a.Result(), a.Failure())
			}
			if a := again("P2", true); a.Outcome() != provider.OutcomeUnknown || a.Result().Code != "1172" {
				t.Errorf("charge of a used order: %v, %+v", a.Outcome(), a.Result())
			}
			if a := again("P3", false); a.Outcome() != provider.OutcomeApproved || *a.Result().Authorized != whole {
				t.Errorf("hold: %v, %+v, %+v", a.Outcome(), a.Result(), a.Failure())
			}
			byOrder := provider.Reference{OrderID: "P3"}
			if f := s.state(linepay.TypePreapproved, version, provider.KindPay, byOrder); f.Authorized == nil || *f.Authorized != whole {
				t.Errorf("search: %+v", f)
			}
			if a := do(t, s.openProvider, provider.KindVoid, c, byOrder, whole); a.Outcome() != provider.OutcomeApproved {
				t.Errorf("void by order number: %v, %+v, %+v", a.Outcome(), a.Result(), a.Failure())
			}
			if a := s.CheckMandate(t.Context(), provider.CheckMandateRequest{Call: c, MandateToken: made.Token, AuthorizeCard: true}); a.Mandate == nil || a.Mandate.State != provider.MandateActive {
				t.Errorf("check: %+v", a)
			}
			for range 2 {
				if a := s.ExpireMandate(t.Context(), provider.ExpireMandateRequest{Call: c, MandateToken: made.Token}); a.Mandate == nil || a.Mandate.State != provider.MandateDead {
					t.Errorf("expire: %+v", a)
				}
			}
			if a := again("P4", true); a.Outcome() != provider.OutcomeDeclined || a.Result().Mandate == nil || a.Result().Mandate.State != provider.MandateDead {
				t.Errorf("charge of a dead approval: %v, %+v", a.Outcome(), a.Result())
			}
		})
	}
}

// Every return code through the sandbox, to a confirm: what the plugin makes of it, LINE Pay's table says.
func TestOnlineCodesThroughTheSandbox(t *testing.T) {
	t.Parallel()
	s := openSandbox(t)
	for code, want := range readCodes(t) {
		if want.class == "OK" {
			continue
		}
		order := "C" + code
		id := s.begin("v3", order, `{}`, nil)
		s.control("faults", `{"operation":"confirm","order_id":"`+order+`","fault":"code:`+code+`","times":1}`, nil)
		a := do(t, s.openProvider, provider.KindConfirm, s.online(linepay.TypeOnline, "v3", `{}`), provider.Reference{OrderID: order, TransactionID: id}, whole)
		expected := want.expect(t, provider.KindConfirm)
		if slices.Contains(want.deviations, "signed=search") {
			expected = "search" // only this one request was refused so
		}
		if got := outcomeWord(a); got != expected || a.Result() == nil || a.Result().Code != code {
			t.Errorf("%s: %s, %+v", code, got, a.Result())
		}
	}
}

func TestPayerWhoDoesNotPay(t *testing.T) {
	t.Parallel()
	s := openSandbox(t)
	c := s.online(linepay.TypeOnline, "v3", `{}`)
	early := provider.Reference{OrderID: "N1", TransactionID: s.begin("v3", "N1", `{}`, nil)}
	if a := do(t, s.openProvider, provider.KindConfirm, c, early, whole); a.Outcome() != provider.OutcomeDeclined || a.Result().Code != "1169" {
		t.Errorf("confirm too early: %v, %+v", a.Outcome(), a.Result())
	}
	away := provider.Reference{OrderID: "N2", TransactionID: s.begin("v3", "N2", `{"redirectUrls":{"confirmUrlType":"NONE"}}`, nil)}
	if back := s.approve(away.TransactionID, `{"decline":"1142"}`); back.String() != "" {
		t.Errorf("with NONE the payer is sent to %s", back)
	}
	if a := do(t, s.openProvider, provider.KindConfirm, c, away, whole); a.Outcome() != provider.OutcomeDeclined || a.Result().DeclineCode != "insufficient_funds" {
		t.Errorf("confirm of a poor payer: %v, %+v", a.Outcome(), a.Result())
	}
	no := provider.Reference{OrderID: "N3", TransactionID: s.begin("v3", "N3", `{}`, nil)}
	s.control("linepay/"+no.TransactionID+"/cancel", `{}`, nil)
	late := provider.Reference{OrderID: "N4", TransactionID: s.begin("v3", "N4", `{}`, nil)}
	s.control("clock", `{"advance":"20m"}`, nil)
	for _, ref := range []provider.Reference{early, away, no, late} {
		if f := s.state(linepay.TypeOnline, "v3", provider.KindPay, ref); f.Finding != provider.FindingEnded {
			t.Errorf("%s: %+v", ref.OrderID, f)
		}
	}
}

// A request that arrives twice is refused the second time, because of what the first has done; that answer is the one that
// the caller gets. It is no refusal: the search shows what happened.
func TestFollowUpsThatArriveTwice(t *testing.T) {
	t.Parallel()
	part := provider.Money{Units: 200, Currency: "TWD"}
	for name, c := range map[string]struct {
		kind   provider.Kind
		amount provider.Money
		holds  bool
		landed func(*provider.Findings) bool
	}{
		"capture":         {provider.KindCapture, whole, true, func(f *provider.Findings) bool { return *f.Captured == whole }},
		"partial capture": {provider.KindCapture, part, true, func(f *provider.Findings) bool { return *f.Captured == part }},
		"void":            {provider.KindVoid, whole, true, func(f *provider.Findings) bool { return f.Finding == provider.FindingEnded }},
		"refund":          {provider.KindRefund, whole, false, func(f *provider.Findings) bool { return *f.Refunded == whole }},
		"partial refund":  {provider.KindRefund, part, false, func(f *provider.Findings) bool { return *f.Refunded == part }},
		"confirm":         {provider.KindConfirm, whole, false, func(f *provider.Findings) bool { return *f.Captured == whole }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openSandbox(t)
			call := s.online(linepay.TypeOnline, "v4", `{}`)
			ref := provider.Reference{OrderID: "T1", TransactionID: s.begin("v4", "T1", `{}`, func(r *provider.PayRequest) { r.Capture = !c.holds })}
			s.approve(ref.TransactionID, `{}`)
			if c.kind != provider.KindConfirm {
				if a := do(t, s.openProvider, provider.KindConfirm, call, ref, whole); a.Outcome() != provider.OutcomeApproved {
					t.Fatalf("confirm: %v, %+v", a.Outcome(), a.Result())
				}
			}
			s.control("faults", `{"operation":"`+string(c.kind)+`","fault":"duplicate_delivery","times":1}`, nil)
			if a := do(t, s.openProvider, c.kind, call, ref, c.amount); a.Outcome() != provider.OutcomeUnknown || a.Result().Code == "0000" {
				t.Errorf("%v, %+v", a.Outcome(), a.Result())
			}
			if f := s.state(linepay.TypeOnline, "v4", c.kind, ref); !c.landed(f) {
				t.Errorf("search: %+v", f)
			}
		})
	}
}

// twice is a proxy that delivers each armed request to LINE Pay twice, and brings the second answer.
type twice struct {
	http.Handler

	armed atomic.Bool
}

func (p *twice) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/_sandbox/") && r.Method == http.MethodPost && p.armed.CompareAndSwap(true, false) {
		body, _ := io.ReadAll(r.Body)
		first := r.Clone(r.Context())
		first.Body, r.Body = io.NopCloser(bytes.NewReader(body)), io.NopCloser(bytes.NewReader(body))
		p.Handler.ServeHTTP(httptest.NewRecorder(), first)
	}
	p.Handler.ServeHTTP(w, r)
}

// A request that a proxy before LINE Pay delivers twice has the same nonce twice. LINE Pay refuses the second one's headers,
// as it refuses those of a wrong secret; the first one has moved the money all the same.
func TestSignedRequestsThatAProxyDeliversTwice(t *testing.T) {
	t.Parallel()
	for _, kind := range []provider.Kind{provider.KindPay, provider.KindConfirm, provider.KindCapture, provider.KindVoid, provider.KindRefund} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			proxy := &twice{}
			s := openSandboxBehind(t, func(h http.Handler) http.Handler {
				proxy.Handler = h
				return proxy
			})
			var a provider.Answer
			if kind == provider.KindPay {
				proxy.armed.Store(true)
				a = s.pay("v4", "T1", `{}`, true)
			} else {
				held := kind == provider.KindCapture || kind == provider.KindVoid
				call := s.online(linepay.TypeOnline, "v3", `{}`)
				ref := provider.Reference{OrderID: "T1", TransactionID: s.begin("v3", "T1", `{}`, func(r *provider.PayRequest) { r.Capture = !held })}
				s.approve(ref.TransactionID, `{}`)
				if kind != provider.KindConfirm {
					do(t, s.openProvider, provider.KindConfirm, call, ref, whole)
				}
				proxy.armed.Store(true)
				a = do(t, s.openProvider, kind, call, ref, whole)
			}
			if a.Outcome() != provider.OutcomeUnknown || a.Result() == nil || a.Result().Code != "1106" {
				t.Errorf("%v, %+v, %+v", a.Outcome(), a.Result(), a.Failure())
			}
		})
	}
}

// A wrong secret is refused at once: nothing was taken, and nobody has to search.
func TestAWrongSecretIsRefused(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	r := payRequest(t, "v4", `{}`)
	r.Call.Credential = credential(t, map[string]string{"channel_id": channelID, "channel_secret": strings.Repeat("x", 32)})
	a := open(t, g.URL, nil).Pay(t.Context(), r)
	if a.Outcome() != provider.OutcomeDeclined || a.Result().DeclineCode != "merchant_configuration" || len(g.requests()) != 2 {
		t.Errorf("%v, %+v after %d requests", a.Outcome(), a.Result(), len(g.requests()))
	}
}

// Whatever the fault, a confirm never says more than is true, and the search then settles it.
func TestConfirmFaults(t *testing.T) {
	t.Parallel()
	for fault, landed := range map[string]bool{
		"drop_before_commit": false, "drop_after_commit": true, "http_500_after_commit": true, "garbled": true, "truncated": true, "error_shape": true,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			s := openSandbox(t)
			ref := provider.Reference{OrderID: "F1", TransactionID: s.begin("v4", "F1", `{}`, nil)}
			s.approve(ref.TransactionID, `{}`)
			s.control("faults", `{"operation":"confirm","fault":"`+fault+`","times":1}`, nil)
			if a := do(t, s.openProvider, provider.KindConfirm, s.online(linepay.TypeOnline, "v4", `{}`), ref, whole); a.Outcome() != provider.OutcomeUnknown {
				t.Errorf("confirm: %v, %+v", a.Outcome(), a.Result())
			}
			want := provider.FindingPayerApproved
			if landed {
				want = provider.FindingFound
			}
			if f := s.state(linepay.TypeOnline, "v4", provider.KindConfirm, ref); f.Finding != want {
				t.Errorf("search: %+v", f)
			}
		})
	}
}

// The whole of the sample from 2017: its request, its confirm and its charge, with every member that it prints.
func TestPrintedMembersOfAnApproval(t *testing.T) {
	t.Parallel()
	for _, version := range onlineVersions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := openSandbox(t)
			id := s.begin(version, "20171220012539", `{"productImageUrl":"","payType":"PREAPPROVED"}`, func(r *provider.PayRequest) {
				r.Amount.Units, r.Description, r.Redirect.CancelURL = 168, "test", ""
			})
			s.approve(id, `{}`)
			confirmed := do(t, s.openProvider, provider.KindConfirm, s.online(linepay.TypeOnline, version, ``),
				provider.Reference{OrderID: "20171220012539", TransactionID: id}, provider.Money{Units: 168, Currency: "TWD"})
			wantMembers(t, confirmed.Native().Body, approvalAnswer)
			charged := s.Pay(t.Context(), approvedRequest(t, version, func(r *provider.PayRequest) {
				r.Call, r.MandateToken = s.online(linepay.TypePreapproved, version, `{}`), confirmed.Result().Mandate.Token
			}))
			wantMembers(t, charged.Native().Body, approvedAnswer)
		})
	}
}

// wantMembers compares the members of two answers, not their values: these are made by chance.
func wantMembers(t *testing.T, got []byte, printed string) {
	t.Helper()
	paths := func(raw []byte) map[string]bool {
		var doc any
		if err := json.Unmarshal(raw, &doc); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		found := map[string]bool{}
		collect(doc, "", found)
		return found
	}
	have := paths(got)
	for path := range paths([]byte(printed)) {
		if !have[path] {
			t.Errorf("%s is not in %s", path, got)
		}
	}
}

func collect(v any, at string, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			collect(member, at+"."+name, into)
		}
	case []any:
		for _, item := range v {
			collect(item, at+"[]", into)
		}
	default:
		into[at] = true
	}
}

// The page of the sandbox is for people: its button sends the browser to the shop.
func TestPageOfThePayer(t *testing.T) {
	t.Parallel()
	s := openSandbox(t)
	r := onlineRequest(t, "v3", `{}`, nil)
	r.Call = s.online(linepay.TypeOnline, "v3", `{}`)
	page := s.Pay(t.Context(), r).Result().Action.WebURL
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for i, want := range []int{http.StatusOK, http.StatusSeeOther, http.StatusOK} {
		method, body := http.MethodGet, ""
		if i == 1 {
			method, body = http.MethodPost, "do=approve"
		}
		req, err := http.NewRequestWithContext(t.Context(), method, page, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want || (i == 1 && !strings.HasPrefix(resp.Header.Get("Location"), ours+"?")) {
			t.Errorf("step %d: HTTP %d, to %s", i, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}
