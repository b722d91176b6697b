package ipass_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/providers/ipass"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

func twd(units int64) *provider.Money { return &provider.Money{Units: units, Currency: "TWD"} }

// about is a search of the platform for an operation in doubt.
func about(t *testing.T, kind provider.Kind, set map[string]any) provider.SearchRequest {
	t.Helper()
	r := searchRequest(t, provider.PurposeResolve, nil)
	r.Call, r.About, r.AboutReference = callWith(t, set, `{}`), kind, "op-1"
	return r
}

const refunded = `"payStatus":"3","transactionId":"e1","amount":229,"refundedAmount":50,"cancelList":[` +
	`{"cancelTransactionId":"c1","reqId":"` + reqID + `","amount":29,"cancelDateTime":"2023-10-11 01:50:00"},` +
	`{"cancelTransactionId":"c2","reqId":"9CC197A0-E12C-4AC5-8CC0-0052E09D9999","amount":21,"cancelDateTime":"2023-10-11 01:51:00"}]`

func TestFindingsOfRefunds(t *testing.T) {
	t.Parallel()
	list := []provider.Movement{
		{Kind: provider.KindRefund, ID: "c1", ClientReference: "op-1", Amount: *twd(29), At: time.Date(2023, 10, 10, 17, 50, 0, 0, time.UTC)},
		{Kind: provider.KindRefund, ID: "c2", ClientReference: "9CC197A0-E12C-4AC5-8CC0-0052E09D9999", Amount: *twd(21), At: time.Date(2023, 10, 10, 17, 51, 0, 0, time.UTC)},
	}
	ref := provider.Reference{TransactionID: "e1"}
	found := func(refunded int64, moves []provider.Movement) *provider.Findings {
		return &provider.Findings{Finding: provider.FindingFound, Complete: true, Reference: ref, Captured: twd(229), Refunded: twd(refunded), Movements: moves}
	}
	// Neither a sum nor a list: whether the refund landed cannot be told, and it must not be sent again.
	open := &provider.Findings{Reference: ref}
	for name, c := range map[string]struct {
		members string
		want    *provider.Findings
	}{
		"sum and list":             {refunded, found(50, list)},
		"list only":                {strings.Replace(refunded, `"refundedAmount":50,`, "", 1), found(50, list)},
		"sum only":                 {`"payStatus":"3","transactionId":"e1","amount":229,"refundedAmount":50`, found(50, nil)},
		"none yet":                 {`"payStatus":"1","transactionId":"e1","amount":229,"refundedAmount":0,"cancelList":[]`, found(0, nil)},
		"an empty list":            {`"payStatus":"1","transactionId":"e1","amount":229,"cancelList":[]`, found(0, nil)},
		"all":                      {`"payStatus":"2","transactionId":"e1","amount":229`, found(229, nil)},
		"partly, not told":         {`"payStatus":"3","transactionId":"e1","amount":229`, open},
		"paid, refunds not told":   {`"payStatus":"1","transactionId":"e1","amount":229`, open},
		"sum that is not the list": {strings.Replace(refunded, `"refundedAmount":50`, `"refundedAmount":49`, 1), nil},
		"refund without amount":    {strings.Replace(refunded, `"amount":21,`, "", 1), nil},
		"refund of a fraction":     {strings.Replace(refunded, `"amount":21,`, `"amount":2.1,`, 1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, recorded(c.members))
			answer := openPlain(t, g.URL).Search(t.Context(), about(t, provider.KindRefund, nil))
			if diff := cmp.Diff(c.want, answer.Findings); diff != "" || (c.want == nil) != (answer.Failure != nil) {
				t.Errorf("findings (-want +got):\n%s\nfailure %+v", diff, answer.Failure)
			}
		})
	}
}

func openPlain(t *testing.T, url string) openProvider {
	t.Helper()
	return open(t, url, nil)
}

// What the client of the operation in doubt gets when it asks again: the answer that it would have had.
func TestWhatTheOperationWouldHaveAnswered(t *testing.T) {
	t.Parallel()
	paid := `"transactionDateTime":"2024-09-03 14:54:15","originalTransactionId":"e1","payStatus":"1","productDesc":"x","paymentType":"1","orderNumber":"` + orderID +
		`","amount":229,"refundedAmount":0,"electronicInvoiceCarrier":"/ABD.122","cancelList":[]`
	head := `"return_code":"0000","return_msg":"成功","req_id":"` + reqID + `"`
	separate := map[string]any{"separate_capture": true}
	for name, c := range map[string]struct {
		kind    provider.Kind
		set     map[string]any
		members string
		want    string
	}{
		"pay": {
			provider.KindPay, nil, paid,
			`{"transaction_id":"e1","transaction_date_time":"2024-09-03 14:54:15","electronic_invoice_carrier":"/ABD.122","payment_type":"1","amount":229,"order_number":"` + orderID + `",` + head + `}`,
		},
		"pay, with little in the record": {provider.KindPay, nil, `"payStatus":"1","amount":229`, `{"amount":229,` + head + `}`},
		"pay that failed":                {provider.KindPay, nil, `"payStatus":"7"`, ``},
		"pay under way":                  {provider.KindPay, nil, `"payStatus":"0","transactionId":"e1","amount":229`, ``},
		"pay that was reversed":          {provider.KindPay, nil, `"payStatus":"4","transactionId":"e1","amount":229`, ``},
		"pay that only holds":            {provider.KindPay, separate, `"payStatus":"0","transactionId":"e1","amount":229`, `{"transaction_id":"e1","amount":229,` + head + `}`},
		"capture":                        {provider.KindCapture, separate, `"payStatus":"1","transactionId":"e1","amount":229`, `{"transaction_id":"e1","amount":229,` + head + `}`},
		"capture that did not land":      {provider.KindCapture, separate, `"payStatus":"0","transactionId":"e1","amount":229`, ``},
		"void":                           {provider.KindVoid, nil, `"payStatus":"4","transactionId":"e1","orderNumber":"` + orderID + `"`, `{` + head + `,"order_number":"` + orderID + `"}`},
		"void that did not land":         {provider.KindVoid, nil, paid, ``},
		"refund": {
			provider.KindRefund, nil, refunded + `,"paymentType":"1","orderNumber":"` + orderID + `"`,
			`{` + head + `,"cancel_transaction_id":"c1","cancel_date_time":"2023-10-11 01:50:00","payment_type":"1","amount":29,"order_number":"` + orderID + `"}`,
		},
		"refund that is not listed": {provider.KindRefund, nil, strings.Replace(refunded, reqID, "9CC197A0-E12C-4AC5-8CC0-0052E09D0000", 1), ``},
		"refund without a list":     {provider.KindRefund, nil, `"payStatus":"2","transactionId":"e1","amount":229`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, recorded(c.members))
			answer := openPlain(t, g.URL).Search(t.Context(), about(t, c.kind, c.set))
			if got := string(answer.Native.Body); got != c.want || answer.Failure != nil {
				t.Errorf("native %s\nwant   %s\nfailure %+v", got, c.want, answer.Failure)
			}
			if answer.Native.Sensitive != strings.Contains(c.want, "/ABD.122") {
				t.Errorf("sensitive %v", answer.Native.Sensitive)
			}
		})
	}
}

// A hold is a hold only where the credential set separates the capture; elsewhere the same status is open.
func TestFindingsOfAHold(t *testing.T) {
	t.Parallel()
	g := newGateway(t, recorded(`"payStatus":"0","transactionId":"e1","amount":229`))
	want := &provider.Findings{
		Finding: provider.FindingFound, Complete: true, Reference: provider.Reference{TransactionID: "e1"}, Authorized: twd(229), Captured: twd(0),
	}
	answer := openPlain(t, g.URL).Search(t.Context(), about(t, provider.KindCapture, map[string]any{"separate_capture": true}))
	if diff := cmp.Diff(want, answer.Findings); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// A merchant that accepts discounts would otherwise see a discounted payment given back once its answer was lost.
func TestFindingsOfADiscount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		check   string
		kind    provider.Kind
		members string
		want    *provider.Money
	}{
		{"", provider.KindPay, `"payStatus":"1"`, twd(200)},
		{"exact", provider.KindPay, `"payStatus":"1"`, twd(200)},
		{"at_most", provider.KindPay, `"payStatus":"1"`, nil},
		{"at_most", provider.KindPay, `"payStatus":"1","refundedAmount":0`, nil},
		{"at_most", provider.KindPay, `"payStatus":"2"`, twd(200)},
		{"at_most", provider.KindRefund, `"payStatus":"3","refundedAmount":20`, twd(200)},
	} {
		g := newGateway(t, recorded(`"transactionId":"e1","amount":200,`+c.members))
		answer := openPlain(t, g.URL).Search(t.Context(), about(t, c.kind, map[string]any{"amount_check": c.check}))
		if answer.Findings == nil || answer.Findings.Finding != provider.FindingFound {
			t.Fatalf("%+v: %+v", c, answer.Failure)
		}
		if diff := cmp.Diff(c.want, answer.Findings.Captured); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c, diff)
		}
		if c.kind == provider.KindPay && c.members == `"payStatus":"1"` && !strings.Contains(string(answer.Native.Body), `"amount":200`) {
			t.Errorf("what the payer paid is not in %s", answer.Native.Body)
		}
	}
}

// A status that a merchant has learnt about is a setting.
func TestConfiguredPayStatus(t *testing.T) {
	t.Parallel()
	g := newGateway(t, recorded(`"payStatus":"9","transactionId":"e1","amount":229`))
	p := open(t, g.URL, func(s *ipass.Settings) { s.Wire.PayStatus = map[string]string{"9": "reversed"} })
	if a := p.Search(t.Context(), about(t, provider.KindPay, nil)); a.Findings == nil || a.Findings.Finding != provider.FindingEnded {
		t.Errorf("%+v, %+v", a.Findings, a.Failure)
	}
}
