package linepay_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/payrack/payrack/plugins/providers/linepay"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

const txn = "2026071802368895010"

var whole = provider.Money{Units: 250, Currency: "TWD"}

func secrets() cmp.Option {
	return cmp.Comparer(func(a, b provider.Secret) bool { return a.Reveal() == b.Reveal() })
}

// do sends one follow-up.
func do(t *testing.T, p openProvider, kind provider.Kind, c provider.Call, ref provider.Reference, amount provider.Money) provider.Answer {
	t.Helper()
	switch kind { //nolint:exhaustive // the rest are no follow-ups
	case provider.KindConfirm:
		return p.Confirm(t.Context(), provider.ConfirmRequest{Call: c, Reference: ref, Amount: amount})
	case provider.KindCapture:
		return p.Capture(t.Context(), provider.CaptureRequest{Call: c, Reference: ref, Amount: amount})
	case provider.KindVoid:
		return p.Void(t.Context(), provider.VoidRequest{Call: c, Reference: ref})
	case provider.KindRefund:
		return p.Refund(t.Context(), provider.RefundRequest{Call: c, Reference: ref, Amount: amount, RefundIDsSeen: []string{"7"}})
	default:
		t.Fatalf("%s is no follow-up", kind)
		return provider.Answer{}
	}
}

const (
	captureAnswer = `{"returnCode":"0000","returnMessage":"OK","info":{"transactionId":` + txn + `,"orderId":"PMX-0001","payInfo":[{"method":"CREDIT_CARD","amount":240},{"method":"POINT","amount":10}]}}`
	voidAnswer    = `{"returnCode":"0000","returnMessage":"OK"}`
	refundAnswer  = `{"returnCode":"0000","returnMessage":"OK","info":{"refundTransactionId":2026071802368895112,"refundTransactionDate":"2026-07-18T10:00:00Z"}}`
)

// Every follow-up of every type: where it goes, what it says and what is read from the answer.
func TestFollowUps(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 7, 18, 10, 0, 0, 0, time.UTC)
	charge := provider.Reference{OrderID: "PMX-0001", TransactionID: txn}
	refund := provider.Reference{TransactionID: "2026071802368895112"}
	for name, c := range map[string]struct {
		kind                          provider.Kind
		paymentType, version, columns string
		amount                        provider.Money
		path, body, answer            string
		want                          provider.Result
		reference                     provider.Reference
	}{
		"store capture": {
			kind: provider.KindCapture, paymentType: linepay.TypeQRCode, version: "v4", columns: `{"promotionRestriction":{"useLimit":1}}`,
			amount: whole, path: "/v4/payments/orders/A%2FB/capture", body: `{"amount":250,"currency":"TWD","promotionRestriction":{"useLimit":1}}`,
			answer: captureAnswer, reference: provider.Reference{OrderID: "A/B"}, want: provider.Result{Reference: charge, Captured: &whole},
		},
		"store void": {
			kind: provider.KindVoid, paymentType: linepay.TypeQRCode, version: "v2", columns: `{}`, path: "/v2/payments/orders/PMX-0001/void",
			body: `{}`, answer: voidAnswer, reference: charge, want: provider.Result{},
		},
		"store refund": {
			kind: provider.KindRefund, paymentType: linepay.TypeQRCode, version: "v2.4", columns: `{}`,
			amount: provider.Money{Units: 20, Currency: "TWD"}, path: "/v2.4/payments/orders/PMX-0001/refund", body: `{"refundAmount":20}`,
			answer: refundAnswer, reference: charge, want: provider.Result{Reference: refund, ProviderTime: at},
		},
		"online confirm": {
			kind: provider.KindConfirm, paymentType: linepay.TypeOnline, version: "v3", columns: ``, amount: whole,
			path: "/v3/payments/" + txn + "/confirm", body: `{"amount":250,"currency":"TWD"}`, answer: captureAnswer, reference: charge,
			want: provider.Result{Reference: charge, Captured: &whole},
		},
		"online confirm that holds": {
			kind: provider.KindConfirm, paymentType: linepay.TypeOnline, version: "v2", columns: `{}`, amount: whole,
			path: "/v2/payments/" + txn + "/confirm", body: `{"amount":250,"currency":"TWD"}`,
			answer: strings.Replace(captureAnswer, `"payInfo"`, `"authorizationExpireDate":"2026-07-18T10:00:00Z","payInfo"`, 1), reference: charge,
			want: provider.Result{Reference: charge, Authorized: &whole, AuthorizationExpires: at},
		},
		"online capture": {
			kind: provider.KindCapture, paymentType: linepay.TypeOnline, version: "v4", columns: `{"merchant_device_profile_id":"k1"}`,
			amount: provider.Money{Units: 999, Currency: "THB", Exponent: 2}, path: "/v4/payments/authorizations/" + txn + "/capture",
			body:   `{"amount":9.99,"currency":"THB"}`,
			answer: strings.Replace(captureAnswer, `240},{"method":"POINT","amount":10}`, `9.99}`, 1), reference: charge,
			want: provider.Result{Reference: charge, Captured: &provider.Money{Units: 999, Currency: "THB", Exponent: 2}},
		},
		"online void": {
			kind: provider.KindVoid, paymentType: linepay.TypePreapproved, version: "v3", columns: `{}`,
			path: "/v3/payments/authorizations/" + txn + "/void", body: `{}`, answer: voidAnswer, reference: charge, want: provider.Result{},
		},
		"online refund": {
			kind: provider.KindRefund, paymentType: linepay.TypePreapproved, version: "v2", columns: `{}`, amount: whole,
			path: "/v2/payments/" + txn + "/refund", body: `{"refundAmount":250}`, answer: refundAnswer, reference: charge,
			want: provider.Result{Reference: refund, ProviderTime: at},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, map[string]reply{"POST " + c.path: {body: c.answer}})
			answer := do(t, open(t, g.URL, nil), c.kind, online(t, c.paymentType, c.version, c.columns), c.reference, c.amount)
			if answer.Outcome() != provider.OutcomeApproved || string(answer.Native().Body) != c.answer {
				t.Fatalf("outcome %v, failure %+v, native %s", answer.Outcome(), answer.Failure(), answer.Native().Body)
			}
			c.want.Code = "0000"
			if diff := cmp.Diff(&c.want, answer.Result(), secrets()); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if sent := g.requests(); len(sent) != 1 || sent[0].target != c.path || sent[0].body != c.body {
				t.Errorf("sent %+v", sent)
			}
		})
	}
}

// The printed answer of a confirm that stores an approval.
const approvalAnswer = `{"returnCode":"0000","returnMessage":"Success.","info":{"transactionId":2017122000021945910,"orderId":"20171220012539",` +
	`"payInfo":[{"method":"CREDIT_CARD","amount":168,"creditCardNickname":"RKBzMpNm","creditCardBrand":"VISA","maskedCreditCardNumber":"************1111"}],` +
	`"regKey":"RK5C38F19XTF425"}}`

func TestConfirmBringsAnApproval(t *testing.T) {
	t.Parallel()
	for environment, life := range map[string]time.Duration{
		provider.EnvironmentLive: 180 * 24 * time.Hour, provider.EnvironmentTest: 24 * time.Hour,
	} {
		t.Run(environment, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, map[string]reply{"POST /v3/payments/2017122000021945910/confirm": {body: approvalAnswer}})
			c := online(t, linepay.TypeOnline, "v3", `{}`)
			c.Environment = environment
			ref := provider.Reference{OrderID: "20171220012539", TransactionID: "2017122000021945910"}
			answer := do(t, open(t, g.URL, nil), provider.KindConfirm, c, ref, provider.Money{Units: 168, Currency: "TWD"})
			want := &provider.Mandate{
				Token: provider.NewSecret("RK5C38F19XTF425"), Label: "VISA ************1111", State: provider.MandateActive,
				Expires: time.Now().Add(life),
			}
			if diff := cmp.Diff(want, answer.Result().Mandate, secrets(), cmpopts.EquateApproxTime(time.Minute)); diff != "" {
				t.Errorf("mandate (-want +got):\n%s", diff)
			}
			if !answer.Native().Sensitive || string(answer.Native().Body) != approvalAnswer {
				t.Errorf("native %+v", answer.Native())
			}
		})
	}
}

func TestFollowUpsThatAreNotSent(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	p := open(t, g.URL, nil)
	charge := provider.Reference{OrderID: "PMX-0001", TransactionID: txn}
	for name, c := range map[string]struct {
		kind   provider.Kind
		call   provider.Call
		ref    provider.Reference
		amount provider.Money
	}{
		"confirm of nothing":     {provider.KindConfirm, online(t, linepay.TypeOnline, "v3", `{}`), provider.Reference{OrderID: "A"}, whole},
		"id that is no number":   {provider.KindVoid, online(t, linepay.TypeOnline, "v3", `{}`), provider.Reference{TransactionID: "../x"}, whole},
		"store without an order": {provider.KindVoid, online(t, linepay.TypeQRCode, "v4", `{}`), provider.Reference{TransactionID: txn}, whole},
		"no amount":              {provider.KindRefund, online(t, linepay.TypeQRCode, "v4", `{}`), charge, provider.Money{Currency: "TWD"}},
		"other decimals":         {provider.KindCapture, online(t, linepay.TypeOnline, "v4", `{}`), charge, provider.Money{Units: 1, Currency: "TWD", Exponent: 2}},
		"promotion online":       {provider.KindRefund, online(t, linepay.TypeOnline, "v4", `{"promotionRestriction":{}}`), charge, whole},
		"columns not readable":   {provider.KindVoid, online(t, linepay.TypeOnline, "v4", `{"merchant_device_profile_id":1}`), charge, whole},
		"another version":        {provider.KindVoid, online(t, linepay.TypeOnline, "v2.4", `{}`), charge, whole},
	} {
		f := do(t, p, c.kind, c.call, c.ref, c.amount).Failure()
		if f == nil || f.Effect != provider.EffectNone || f.Detail == "" {
			t.Errorf("%s: got %+v", name, f)
		}
	}
	if n := len(g.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// The charge's own answer got lost, so that only the order number is known.
func TestFollowUpFindsTheTransaction(t *testing.T) {
	t.Parallel()
	record := `{"returnCode":"0000","returnMessage":"OK","info":[{"transactionId":` + txn + `,"orderId":"PMX-0001","currency":"TWD","transactionType":"PAYMENT","payStatus":"CAPTURE","payInfo":[{"amount":250}]}]}`
	g := newGateway(t, map[string]reply{
		"GET /v3/payments": {body: record}, "POST /v3/payments/" + txn + "/refund": {body: refundAnswer},
	})
	c, ref := online(t, linepay.TypePreapproved, "v3", `{}`), provider.Reference{OrderID: "PMX-0001"}
	if a := do(t, open(t, g.URL, nil), provider.KindRefund, c, ref, whole); a.Outcome() != provider.OutcomeApproved {
		t.Errorf("outcome %v, failure %+v", a.Outcome(), a.Failure())
	}
	empty := newGateway(t, nil)
	f := do(t, open(t, empty.URL, nil), provider.KindRefund, c, ref, whole).Failure()
	if sent := empty.requests(); f == nil || f.Effect != provider.EffectNone || len(sent) != 1 || sent[0].method != "GET" {
		t.Errorf("got %+v after %+v", f, sent)
	}
}

func TestFollowUpsThatStayOpen(t *testing.T) {
	t.Parallel()
	charge := provider.Reference{OrderID: "PMX-0001", TransactionID: txn}
	for name, c := range map[string]struct {
		kind         provider.Kind
		path, answer string
	}{
		"confirm of another payment": {provider.KindConfirm, "/v3/payments/" + txn + "/confirm", strings.Replace(captureAnswer, txn, "5", 1)},
		"confirm without amounts":    {provider.KindConfirm, "/v3/payments/" + txn + "/confirm", `{"returnCode":"0000","returnMessage":"-","info":{"transactionId":` + txn + `}}`},
		"capture without amounts":    {provider.KindCapture, "/v3/payments/authorizations/" + txn + "/capture", `{"returnCode":"0000","returnMessage":"-","info":{"transactionId":` + txn + `}}`},
		"refund without an id":       {provider.KindRefund, "/v3/payments/" + txn + "/refund", voidAnswer},
		"refund that was there":      {provider.KindRefund, "/v3/payments/" + txn + "/refund", strings.Replace(refundAnswer, "2026071802368895112", "7", 1)},
		"void by nobody":             {provider.KindVoid, "/v3/payments/authorizations/" + txn + "/void", `{"resultCode":0,"statusMessage":"OK"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, map[string]reply{"POST " + c.path: {body: c.answer}})
			a := do(t, open(t, g.URL, nil), c.kind, online(t, linepay.TypeOnline, "v3", `{}`), charge, whole)
			if a.Outcome() != provider.OutcomeUnknown || (a.Failure() != nil && a.Failure().Effect != provider.EffectPossible) {
				t.Errorf("outcome %v, failure %+v", a.Outcome(), a.Failure())
			}
		})
	}
}

func TestTimeoutsOfFollowUps(t *testing.T) {
	t.Parallel()
	g := newGateway(t, map[string]reply{
		"POST /v3/payments/" + txn + "/confirm": {body: captureAnswer, wait: time.Minute},
		"POST /v3/payments/" + txn + "/refund":  {body: refundAnswer, wait: time.Minute},
	})
	short := provider.Duration(time.Second)
	p := open(t, g.URL, func(s *linepay.Settings) { s.Timeouts.Confirm, s.Timeouts.Refund = short, short })
	for _, kind := range []provider.Kind{provider.KindConfirm, provider.KindRefund} {
		f := do(t, p, kind, online(t, linepay.TypeOnline, "v3", `{}`), provider.Reference{TransactionID: txn}, whole).Failure()
		if f == nil || f.Effect != provider.EffectPossible || f.Reason != provider.ReasonTimeout {
			t.Errorf("%s: got %+v", kind, f)
		}
	}
}
