package linepay_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/payrack/payrack/plugins/providers/linepay"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

const regKey = "RK5C38F19XTF425"

// approvedAnswer is the printed answer to a charge: it names no amount.
const approvedAnswer = `{"returnCode":"0000","returnMessage":"Success.","info":{"transactionId":2017122100022013310,"transactionDate":"2017-12-21T14:09:56Z"}}`

func approvedRequest(t *testing.T, version string, edit func(*provider.PayRequest)) provider.PayRequest {
	t.Helper()
	r := provider.PayRequest{
		Call: online(t, linepay.TypePreapproved, version, `{}`), Reference: provider.Reference{OrderID: "20171221140900"},
		Amount: provider.Money{Units: 1680, Currency: "TWD"}, Capture: true, Description: "Auto Test", MandateToken: provider.NewSecret(regKey),
	}
	if edit != nil {
		edit(&r)
	}
	return r
}

func approvedRecord(members string) string {
	return `{"returnCode":"0000","returnMessage":"Success.","info":[{"transactionId":2017122100022013310,"orderId":"20171221140900",` +
		`"transactionDate":"2017-12-21T14:09:56Z","transactionType":"PAYMENT","currency":"TWD","payInfo":[{"method":"CREDIT_CARD","amount":1680}]` + members + `}]}`
}

func TestApprovedPayment(t *testing.T) {
	t.Parallel()
	paid := provider.Money{Units: 1680, Currency: "TWD"}
	ref := provider.Reference{OrderID: "20171221140900", TransactionID: "2017122100022013310"}
	at := time.Date(2017, 12, 21, 14, 9, 56, 0, time.UTC)
	active := &provider.Mandate{Token: provider.NewSecret(regKey), State: provider.MandateActive, Expires: time.Now().Add(24 * time.Hour)}
	zero := &provider.Money{Currency: "TWD"}
	for name, c := range map[string]struct {
		version, body, records string
		edit                   func(*provider.PayRequest)
		want                   provider.Result
	}{
		"v2": {
			version: "v2", body: `{"productName":"Auto Test","amount":1680,"currency":"TWD","orderId":"20171221140900"}`,
			records: "GET /v2/payments", want: provider.Result{Reference: ref, Captured: &paid, ProviderTime: at, Mandate: active},
		},
		"v3, held": {
			version: "v3", body: `{"productName":"Auto Test","amount":1680,"currency":"TWD","orderId":"20171221140900","capture":false}`,
			records: "GET /v3/payments", edit: func(r *provider.PayRequest) { r.Capture = false },
			want: provider.Result{Reference: ref, Authorized: &paid, Captured: zero, ProviderTime: at, Mandate: active},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status := ""
			if c.edit != nil {
				status = `,"payStatus":"AUTHORIZATION"`
			}
			g := newGateway(t, map[string]reply{
				"POST /" + c.version + "/payments/preapprovedPay/" + regKey + "/payment": {body: approvedAnswer},
				c.records: {body: approvedRecord(status)},
			})
			answer := open(t, g.URL, nil).Pay(t.Context(), approvedRequest(t, c.version, c.edit))
			if answer.Outcome() != provider.OutcomeApproved || string(answer.Native().Body) != approvedAnswer {
				t.Fatalf("outcome %v, failure %+v, native %s", answer.Outcome(), answer.Failure(), answer.Native().Body)
			}
			c.want.Code = "0000"
			if diff := cmp.Diff(&c.want, answer.Result(), secrets(), cmpopts.EquateApproxTime(time.Minute)); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if sent := g.requests(); len(sent) != 2 || sent[0].body != c.body {
				t.Errorf("sent %+v", sent)
			}
		})
	}
}

// Without the records nobody has said how much was paid.
func TestApprovedPaymentThatCannotBeVerified(t *testing.T) {
	t.Parallel()
	for name, records := range map[string]reply{
		"not yet there":   {body: `{"returnCode":"1150","returnMessage":"Transaction record not found."}`},
		"another payment": {body: strings.Replace(approvedRecord(""), "2017122100022013310", "5", 1)},
		"not readable":    {body: "<html>"},
		"500":             {status: 500, body: approvedRecord("")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, map[string]reply{
				"POST /v3/payments/preapprovedPay/" + regKey + "/payment": {body: approvedAnswer}, "GET /v3/payments": records,
			})
			a := open(t, g.URL, nil).Pay(t.Context(), approvedRequest(t, "v3", nil))
			if a.Outcome() != provider.OutcomeUnknown || a.Result() == nil || a.Result().Reference.TransactionID != "2017122100022013310" {
				t.Errorf("outcome %v, result %+v", a.Outcome(), a.Result())
			}
		})
	}
}

func TestApprovedPaymentThatIsNotSent(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	p := open(t, g.URL, nil)
	for name, edit := range map[string]func(*provider.PayRequest){
		"no regKey":  func(r *provider.PayRequest) { r.MandateToken = provider.Secret{} },
		"no order":   func(r *provider.PayRequest) { r.Reference.OrderID = "" },
		"no product": func(r *provider.PayRequest) { r.Description = "" },
		"no amount":  func(r *provider.PayRequest) { r.Amount.Units = 0 },
		"no type":    func(r *provider.PayRequest) { r.Call.PaymentType = "OTHER" },
	} {
		if f := p.Pay(t.Context(), approvedRequest(t, "v3", edit)).Failure(); f == nil || f.Effect != provider.EffectNone {
			t.Errorf("%s: got %+v", name, f)
		}
	}
	if n := len(g.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestMandates(t *testing.T) {
	t.Parallel()
	const check, expire = "GET /v3/payments/preapprovedPay/" + regKey + "/check", "POST /v3/payments/preapprovedPay/" + regKey + "/expire"
	answer := func(code string) string { return fmt.Sprintf(`{"returnCode":%q,"returnMessage":"-"}`, code) }
	for code, c := range map[string]struct{ checked, ended provider.MandateState }{
		"0000": {provider.MandateActive, provider.MandateDead},
		"1190": {provider.MandateDead, provider.MandateDead},
		"1193": {provider.MandateDead, provider.MandateDead},
		"1141": {provider.MandateDead, provider.MandateDead},
		"1154": {}, "1104": {}, "9000": {}, "7777": {}, "1288": {},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, map[string]reply{check: {body: answer(code)}, expire: {body: answer(code)}})
			p := open(t, g.URL, nil)
			token, at := provider.NewSecret(regKey), online(t, linepay.TypePreapproved, "v3", `{}`)
			checked := p.CheckMandate(t.Context(), provider.CheckMandateRequest{Call: at, MandateToken: token, AuthorizeCard: true})
			ended := p.ExpireMandate(t.Context(), provider.ExpireMandateRequest{Call: at, MandateToken: token})
			wantMandate(t, "check", checked, c.checked, answer(code))
			wantMandate(t, "expire", ended, c.ended, answer(code))
			sent := g.requests()
			if len(sent) != 2 || sent[0].target != "/v3/payments/preapprovedPay/"+regKey+"/check?creditCardAuth=true" || sent[1].body != "{}" {
				t.Errorf("sent %+v", sent)
			}
		})
	}
}

func wantMandate(t *testing.T, what string, got provider.MandateAnswer, want provider.MandateState, native string) {
	t.Helper()
	if want == provider.MandateUnspecified {
		if got.Mandate != nil || got.Failure == nil || got.Failure.Code == "" {
			t.Errorf("%s: got %+v, want a failure", what, got)
		}
	} else if got.Mandate == nil || got.Mandate.State != want || got.Mandate.Token.Reveal() != regKey {
		t.Errorf("%s: got %+v, want state %d", what, got.Mandate, want)
	}
	if string(got.Native.Body) != native {
		t.Errorf("%s: native %s", what, got.Native.Body)
	}
}

func TestMandateWithoutACardAuthorization(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	p := open(t, g.URL, nil)
	p.CheckMandate(t.Context(), provider.CheckMandateRequest{Call: online(t, linepay.TypePreapproved, "v2", `{}`), MandateToken: provider.NewSecret(regKey)})
	if sent := g.requests(); len(sent) != 1 || sent[0].target != "/v2/payments/preapprovedPay/"+regKey+"/check" {
		t.Errorf("sent %+v", sent)
	}
	for _, f := range []*provider.Failure{
		p.CheckMandate(t.Context(), provider.CheckMandateRequest{Call: online(t, linepay.TypePreapproved, "v2", `{}`)}).Failure,
		p.ExpireMandate(t.Context(), provider.ExpireMandateRequest{Call: online(t, linepay.TypePreapproved, "v2", `{}`)}).Failure,
	} {
		if f == nil || f.Effect != provider.EffectNone {
			t.Errorf("no regKey: %+v", f)
		}
	}
}
