package linepay_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/providers/linepay"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// resolving is one search of the resolver: what LINE Pay answers to the paths it may ask, and what follows.
type resolving struct {
	paymentType, version string
	about                provider.Kind
	ref                  provider.Reference
	answers              map[string]string
	want                 *provider.Findings
	native               string
	requests             int
}

const (
	noRecord = `{"returnCode":"1150","returnMessage":"Transaction record not found."}`
	held     = `,"payStatus":"AUTHORIZATION","authorizationExpireDate":"2026-08-18T09:00:00Z"`
	refunds  = `,"refundList":[{"refundTransactionId":12,"refundAmount":-30,"refundTransactionDate":"2026-07-19T09:00:00Z"},` +
		`{"refundTransactionId":11,"refundAmount":-20,"refundTransactionDate":"2026-07-18T09:30:00Z"}]`
)

// shown is LINE Pay's record of a payment of 240 by card and 10 in points.
func shown(members string) string {
	return `{"returnCode":"0000","returnMessage":"Success.","info":[{"transactionId":` + txn + `,"orderId":"PMX-0001","transactionDate":"2026-07-18T09:00:00Z",` +
		`"transactionType":"PAYMENT","currency":"TWD","productName":"拿鐵","payInfo":[{"method":"CREDIT_CARD","amount":240},{"amount":10,"method":"POINT"}]` + members + `}]}`
}

func native(info string) string {
	return `{"returnCode":"0000","returnMessage":"Success.","info":{` + info + `}}`
}

const (
	idAndOrder = `"transactionId":` + txn + `,"orderId":"PMX-0001"`
	paidAt     = `,"transactionDate":"2026-07-18T09:00:00Z"`
	paidBy     = `,"payInfo":[{"method":"CREDIT_CARD","amount":240},{"amount":10,"method":"POINT"}]`
)

func status(code string) string { return `{"returnCode":"` + code + `","returnMessage":"-"}` }

func TestResolveOnline(t *testing.T) {
	t.Parallel()
	const asked, details, authorizations = "GET /v3/payments/requests/" + txn + "/check", "GET /v3/payments", "GET /v2/payments/authorizations"
	both := provider.Reference{OrderID: "PMX-0001", TransactionID: txn}
	byID, byOrder := provider.Reference{TransactionID: txn}, provider.Reference{OrderID: "PMX-0001"}
	amount, zero := &provider.Money{Units: 250, Currency: "TWD"}, &provider.Money{Currency: "TWD"}
	paid := &provider.Findings{Finding: provider.FindingFound, Complete: true, Reference: both, Captured: amount, Refunded: zero}
	hold := &provider.Findings{Finding: provider.FindingFound, Complete: true, Reference: both, Authorized: amount, Captured: zero}
	ended := &provider.Findings{Finding: provider.FindingEnded, Complete: true, Reference: both}
	state := func(f provider.Finding) *provider.Findings {
		return &provider.Findings{Finding: f, Complete: true, Reference: byID}
	}
	missing := &provider.Findings{Finding: provider.FindingNotFound, Complete: true}
	for name, c := range map[string]resolving{
		"payer has not come back": {"LINE_PAY", "v3", provider.KindPay, both, map[string]string{asked: status("0000")}, state(provider.FindingAwaitingPayer), "", 1},
		"payer approved":          {"LINE_PAY", "v3", provider.KindPay, both, map[string]string{asked: status("0110")}, state(provider.FindingPayerApproved), "", 1},
		"payer cancelled":         {"LINE_PAY", "v3", provider.KindPay, both, map[string]string{asked: status("0121")}, state(provider.FindingEnded), "", 1},
		"failed":                  {"LINE_PAY", "v3", provider.KindConfirm, both, map[string]string{asked: status("0122")}, state(provider.FindingEnded), "", 1},
		"confirm has not landed":  {"LINE_PAY", "v3", provider.KindConfirm, both, map[string]string{asked: status("0110")}, state(provider.FindingPayerApproved), "", 1},
		"no such request":         {"LINE_PAY", "v3", provider.KindConfirm, both, map[string]string{asked: noRecord}, missing, "", 1},
		"status not documented":   {"LINE_PAY", "v3", provider.KindPay, both, map[string]string{asked: status("0199")}, nil, "", 1},
		"confirmed": {
			"LINE_PAY", "v3", provider.KindConfirm, both,
			map[string]string{asked: status("0123"), details: shown(`,"payStatus":"CAPTURE"`)},
			paid, native(idAndOrder + paidBy), 2,
		},
		"confirmed and held": {
			"LINE_PAY", "v3", provider.KindConfirm, both,
			map[string]string{asked: status("0123"), details: shown(held)},
			hold, native(idAndOrder + paidBy + `,"authorizationExpireDate":"2026-08-18T09:00:00Z"`), 2,
		},
		"confirmed, no record yet":  {"LINE_PAY", "v3", provider.KindConfirm, both, map[string]string{asked: status("0123")}, &provider.Findings{}, "", 2},
		"request that got lost":     {"LINE_PAY", "v3", provider.KindPay, byOrder, nil, missing, "", 1},
		"v2, payer not come back":   {"LINE_PAY", "v2", provider.KindPay, both, nil, &provider.Findings{Finding: provider.FindingAwaitingPayer}, "", 2},
		"v2, confirm not landed":    {"LINE_PAY", "v2", provider.KindConfirm, both, nil, missing, "", 2},
		"v2, confirmed and held":    {"LINE_PAY", "v2", provider.KindConfirm, both, map[string]string{authorizations: shown("")}, hold, native(idAndOrder + paidBy), 2},
		"approved payment":          {"LINE_PREAPPROVED_PAY", "v3", provider.KindPay, byOrder, map[string]string{details: shown("")}, paid, native(idAndOrder + paidAt), 1},
		"no approved payment":       {"LINE_PREAPPROVED_PAY", "v3", provider.KindPay, byOrder, nil, missing, "", 1},
		"capture done":              {"LINE_PAY", "v3", provider.KindCapture, both, map[string]string{details: shown("")}, paid, native(idAndOrder + paidBy), 1},
		"capture not done":          {"LINE_PAY", "v3", provider.KindCapture, both, map[string]string{details: shown(held)}, hold, "", 1},
		"capture released the hold": {"LINE_PAY", "v3", provider.KindCapture, both, map[string]string{details: shown(`,"payStatus":"VOIDED_AUTHORIZATION"`)}, ended, "", 1},
		"void done":                 {"LINE_PAY", "v3", provider.KindVoid, both, map[string]string{details: shown(`,"payStatus":"VOIDED_AUTHORIZATION"`)}, ended, `{"returnCode":"0000","returnMessage":"Success."}`, 1},
		"void not done, v2":         {"LINE_PAY", "v2", provider.KindVoid, both, map[string]string{authorizations: shown("")}, hold, "", 1},
		"refund not done":           {"LINE_PAY", "v3", provider.KindRefund, both, map[string]string{details: shown("")}, paid, "", 1},
		"record that is gone":       {"LINE_PAY", "v3", provider.KindRefund, both, nil, &provider.Findings{}, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.check(t)
		})
	}
}

func (c resolving) check(t *testing.T) {
	t.Helper()
	answers := map[string]reply{}
	for path, body := range c.answers {
		answers[path] = reply{body: body}
	}
	g := newGateway(t, answers)
	got := open(t, g.URL, nil).Search(t.Context(), provider.SearchRequest{
		Call: online(t, c.paymentType, c.version, `{}`), Purpose: provider.PurposeResolve, Reference: c.ref, About: c.about,
	})
	if diff := cmp.Diff(c.want, got.Findings); diff != "" || (c.want == nil) != (got.Failure != nil) {
		t.Errorf("findings (-want +got):\n%s\nfailure %+v", diff, got.Failure)
	}
	if string(got.Native.Body) != c.native {
		t.Errorf("native %s\nwant   %s", got.Native.Body, c.native)
	}
	if sent := g.requests(); len(sent) != c.requests {
		t.Errorf("%d requests were sent, want %d: %+v", len(sent), c.requests, sent)
	}
}

// Refunds are negative in LINE Pay's record and in no order; what is told is their sum, and the newest is the one in doubt.
func TestResolveRefunds(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"LINE_QRCODE_PAY": shown(refunds), "LINE_PAY": shown(refunds),
		"LINE_PREAPPROVED_PAY": shown(strings.ReplaceAll(refunds, `Amount":-`, `Amount":`)), // a sign that is missing changes nothing
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, map[string]reply{"GET /v4/payments": {body: body}})
			got := open(t, g.URL, nil).Search(t.Context(), provider.SearchRequest{
				Call: online(t, name, "v4", `{}`), Reference: provider.Reference{OrderID: "PMX-0001", TransactionID: txn}, About: provider.KindRefund,
			})
			if got.Findings == nil || got.Findings.Refunded == nil || got.Findings.Refunded.Units != 50 || len(got.Findings.Movements) != 2 ||
				got.Findings.Movements[0].Amount.Units != 30 || got.Findings.Captured.Units != 250 {
				t.Errorf("findings %+v, failure %+v", got.Findings, got.Failure)
			}
			if want := native(`"refundTransactionId":12,"refundTransactionDate":"2026-07-19T09:00:00Z"`); string(got.Native.Body) != want {
				t.Errorf("native %s, want %s", got.Native.Body, want)
			}
		})
	}
}

// A payment in a store is shown to a client's retry as its own answer would have been.
func TestResolvedStorePaymentLooksLikeItsAnswer(t *testing.T) {
	t.Parallel()
	g := newGateway(t, map[string]reply{
		"GET /v2.4/payments/orders/PMX-0001/check": {body: `{"returnCode":"0000","returnMessage":"-","info":{"status":"COMPLETE","orderId":"PMX-0001"}}`},
		"GET /v2.4/payments":                       {body: shown(`,"paymentProvider":null`)},
	})
	got := open(t, g.URL, nil).Search(t.Context(), provider.SearchRequest{
		Call: online(t, linepay.TypeQRCode, "v2.4", `{}`), Reference: provider.Reference{OrderID: "PMX-0001"}, About: provider.KindPay,
	})
	if want := native(idAndOrder + paidAt + paidBy + `,"paymentProvider":null`); string(got.Native.Body) != want {
		t.Errorf("native %s\nwant   %s", got.Native.Body, want)
	}
}

// A client who searches for an online payment before its confirm reads LINE Pay's own "no such record"; the platform
// learns how far the payer came.
func TestClientSearchBeforeTheConfirm(t *testing.T) {
	t.Parallel()
	g := newGateway(t, map[string]reply{"GET /v3/payments/requests/" + txn + "/check": {body: status("0110")}})
	got := open(t, g.URL, nil).Search(t.Context(), provider.SearchRequest{
		Call: online(t, linepay.TypeOnline, "v3", `{}`), Purpose: provider.PurposeClient, Reference: provider.Reference{TransactionID: txn},
	})
	if got.Findings == nil || got.Findings.Finding != provider.FindingPayerApproved || string(got.Native.Body) != noRecord {
		t.Errorf("got %+v, native %s", got.Findings, got.Native.Body)
	}
}

func TestClientSearchShowsWhatIsHeld(t *testing.T) {
	t.Parallel()
	g := newGateway(t, map[string]reply{"GET /v2/payments/authorizations": {body: shown(held)}})
	got := open(t, g.URL, nil).Search(t.Context(), provider.SearchRequest{
		Call: online(t, linepay.TypeQRCode, "v2", `{}`), Purpose: provider.PurposeClient, Reference: provider.Reference{OrderID: "PMX-0001"},
	})
	if got.Findings == nil || got.Findings.Authorized == nil || got.Findings.Authorized.Units != 250 || string(got.Native.Body) != shown(held) {
		t.Errorf("got %+v, native %s", got.Findings, got.Native.Body)
	}
}
