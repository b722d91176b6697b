package linepay_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/providers/linepay"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// The published sample of a search.
const detailsAnswer = `{
"returnCode": "0000",
"returnMessage": "success",
"info": [
{
"transactionId": 2019049910005496810,
"transactionDate": "2019-04-08T06:31:19Z",
"transactionType": "PAYMENT",
"productName": "test product",
"currency": "THB",
"payInfo": [
{
"method": "BALANCE",
"amount": 100
}
],
"refundList": [
{
"refundTransactionId": 2019049910005497012,
"transactionType": "PARTIAL_REFUND",
"refundAmount": -1,
"refundTransactionDate": "2019-04-08T06:33:17Z"
}
],
"orderId": "20190408001"
}
]
}`

func TestClientSearchPassesDetailsThrough(t *testing.T) {
	t.Parallel()
	refunded := provider.Money{Units: 100, Currency: "THB", Exponent: 2}
	want := &provider.Findings{
		Finding: provider.FindingFound, Complete: true,
		Reference: provider.Reference{OrderID: "20190408001", TransactionID: "2019049910005496810"},
		Captured:  &provider.Money{Units: 10000, Currency: "THB", Exponent: 2},
		Refunded:  &refunded,
		Movements: []provider.Movement{{
			Kind: provider.KindRefund, ID: "2019049910005497012", Amount: refunded, At: time.Date(2019, 4, 8, 6, 33, 17, 0, time.UTC),
		}},
	}
	for target, ref := range map[string]provider.Reference{
		"/v4/payments?orderId=20190408001":                                   {OrderID: "20190408001"},
		"/v4/payments?transactionId=2019049910005496810":                     {TransactionID: "2019049910005496810"},
		"/v4/payments?orderId=20190408001&transactionId=2019049910005496810": {OrderID: "20190408001", TransactionID: "2019049910005496810"},
		"/v4/payments?transactionId=2019049910005497012":                     {TransactionID: "2019049910005497012"}, // the refund's id
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, map[string]reply{"GET /v4/payments": {body: detailsAnswer}})
			answer := open(t, g.URL, nil).Search(t.Context(), searchRequest(t, provider.PurposeClient, ref))
			if diff := cmp.Diff(want, answer.Findings); diff != "" {
				t.Errorf("findings (-want +got):\n%s\nfailure %+v", diff, answer.Failure)
			}
			if string(answer.Native.Body) != detailsAnswer {
				t.Errorf("the answer was changed: %s", answer.Native.Body)
			}
			if sent := g.requests(); len(sent) != 1 || sent[0].target != target {
				t.Errorf("sent %+v", sent)
			}
		})
	}
}

func TestClientSearchThatFindsNothing(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"by code":    `{"returnCode":"1150","returnMessage":"Transaction record not found."}`,
		"empty list": `{"returnCode":"0000","returnMessage":"Success.","info":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, map[string]reply{"GET /v4/payments": {body: body}})
			answer := open(t, g.URL, nil).Search(t.Context(), searchRequest(t, provider.PurposeClient, provider.Reference{OrderID: "x"}))
			if answer.Findings == nil || answer.Findings.Finding != provider.FindingNotFound || string(answer.Native.Body) != body {
				t.Errorf("got %+v, native %s", answer, answer.Native.Body)
			}
		})
	}
}

func TestRefusedSearchKeepsTheAnswer(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	r := searchRequest(t, provider.PurposeClient, provider.Reference{OrderID: "x"})
	r.Call.Credential = credential(t, map[string]string{"channel_id": channelID, "channel_secret": strings.Repeat("f", 32)})
	answer := open(t, g.URL, nil).Search(t.Context(), r)
	if f := answer.Failure; f == nil || f.Code != "1106" || f.Reason != provider.ReasonAuth || !strings.Contains(string(answer.Native.Body), `"1106"`) {
		t.Errorf("got %+v, native %s", answer, answer.Native.Body)
	}
}

func TestUnusableDetailsAreAFailure(t *testing.T) {
	t.Parallel()
	record := func(members string) string {
		return `{"returnCode":"0000","returnMessage":"x","info":[{"orderId":"A","currency":"TWD","transactionType":"PAYMENT",` + members + `}]}`
	}
	for name, c := range map[string]reply{
		"html":                   {body: "<html>"},
		"no info":                {body: `{"returnCode":"0000","returnMessage":"x"}`},
		"info as object":         {body: `{"returnCode":"0000","returnMessage":"x","info":{"transactionId":1}}`},
		"another order":          {body: strings.Replace(record(`"transactionId":1,"payInfo":[]`), `"A"`, `"B"`, 1)},
		"amount as float":        {body: record(`"transactionId":1,"payInfo":[{"amount":1.0}]`)},
		"currency not ours":      {body: strings.Replace(record(`"transactionId":1,"payInfo":[{"amount":1}]`), `"TWD"`, `"EUR"`, 1)},
		"no transaction id":      {body: record(`"payInfo":[{"amount":1}]`)},
		"refund without a value": {body: record(`"transactionId":1,"payInfo":[{"amount":1}],"refundList":[{"refundTransactionId":2}]`)},
		"two payments":           {body: `{"returnCode":"0000","returnMessage":"x","info":[{"transactionId":1},{"transactionId":2}]}`},
		"500":                    {status: http.StatusInternalServerError, body: detailsAnswer},
		"10 MB":                  {body: strings.Repeat(" ", 10<<20)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, map[string]reply{"GET /v4/payments": c})
			answer := open(t, g.URL, nil).Search(t.Context(), searchRequest(t, provider.PurposeClient, provider.Reference{OrderID: "A"}))
			if answer.Failure == nil || answer.Findings != nil || len(answer.Native.Body) != 0 {
				t.Errorf("got %+v, native %s", answer.Findings, answer.Native.Body)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	const check, details, held = "GET /v4/payments/orders/PMX-0001/check", "GET /v4/payments", "GET /v4/payments/authorizations"
	status := func(s string) string {
		return `{"returnCode":"0000","returnMessage":"OK","info":{"status":"` + s + `","orderId":"PMX-0001","transactionId":2026071802368895010,"payInfo":[{"amount":250}]}}`
	}
	record := func(members string) string {
		return `{"returnCode":"0000","returnMessage":"OK","info":[{"transactionId":2026071802368895010,"orderId":"PMX-0001","currency":"TWD","transactionType":"PAYMENT","payInfo":[{"amount":250}]` + members + `}]}`
	}
	none := `{"returnCode":"1150","returnMessage":"Transaction record not found."}`
	ref := provider.Reference{OrderID: "PMX-0001", TransactionID: "2026071802368895010"}
	amount, zero := &provider.Money{Units: 250, Currency: "TWD"}, &provider.Money{Currency: "TWD"}
	for name, c := range map[string]struct {
		check, details, held string
		want                 *provider.Findings
		requests             int
	}{
		"paid":           {status("COMPLETE"), record(""), none, &provider.Findings{Finding: provider.FindingFound, Complete: true, Reference: ref, Captured: amount, Refunded: zero}, 2},
		"captured":       {status("COMPLETE"), record(`,"payStatus":"CAPTURE"`), none, &provider.Findings{Finding: provider.FindingFound, Complete: true, Reference: ref, Captured: amount, Refunded: zero}, 2},
		"authorized":     {status("COMPLETE"), none, record(`,"payStatus":"AUTHORIZATION"`), &provider.Findings{Finding: provider.FindingFound, Complete: true, Reference: ref, Authorized: amount, Captured: zero}, 3},
		"authorized, v2": {status("COMPLETE"), none, record(""), &provider.Findings{Finding: provider.FindingFound, Complete: true, Reference: ref, Authorized: amount, Captured: zero}, 3},
		"voided":         {status("COMPLETE"), none, record(`,"payStatus":"VOIDED_AUTHORIZATION"`), &provider.Findings{Finding: provider.FindingEnded, Complete: true, Reference: ref}, 3},
		"expired":        {status("COMPLETE"), none, record(`,"payStatus":"EXPIRED_AUTHORIZATION"`), &provider.Findings{Finding: provider.FindingEnded, Complete: true, Reference: ref}, 3},
		"no record yet":  {status("COMPLETE"), none, none, &provider.Findings{Finding: provider.FindingInProgress}, 3},
		"refunded": {status("REFUND"), record(`,"refundList":[{"refundTransactionId":"2026071802368895111","refundAmount":-250}]`), none, &provider.Findings{
			Finding: provider.FindingFound, Complete: true, Reference: ref, Captured: amount, Refunded: amount,
			Movements: []provider.Movement{{Kind: provider.KindRefund, ID: "2026071802368895111", Amount: *amount}},
		}, 2},
		"under way":      {status("AUTH_READY"), "", "", &provider.Findings{Finding: provider.FindingInProgress, Reference: ref}, 1},
		"a new status":   {status("SOMETHING"), "", "", &provider.Findings{Finding: provider.FindingInProgress, Reference: ref}, 1},
		"cancelled":      {status("CANCEL"), "", "", &provider.Findings{Finding: provider.FindingEnded, Complete: true, Reference: ref}, 1},
		"failed":         {status("FAIL"), "", "", &provider.Findings{Finding: provider.FindingEnded, Complete: true, Reference: ref}, 1},
		"unknown to it":  {none, "", "", &provider.Findings{Finding: provider.FindingNotFound, Complete: true}, 1},
		"internal error": {`{"returnCode":"9000","returnMessage":"x"}`, "", "", nil, 1},
		"code not known": {`{"returnCode":"7777","returnMessage":"x"}`, "", "", nil, 1},
		"another order":  {strings.Replace(status("FAIL"), "PMX-0001", "PMX-0002", 1), "", "", nil, 1},
		"not JSON":       {"<html>", "", "", nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, map[string]reply{check: {body: c.check}, details: {body: c.details}, held: {body: c.held}})
			answer := open(t, g.URL, nil).Search(t.Context(), searchRequest(t, provider.PurposeResolve, ref))
			if diff := cmp.Diff(c.want, answer.Findings); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if (c.want == nil) != (answer.Failure != nil) {
				t.Errorf("failure %+v", answer.Failure)
			}
			if n := len(g.requests()); n != c.requests {
				t.Errorf("%d requests were sent, want %d", n, c.requests)
			}
		})
	}
}

// The order number is escaped in the path, and what is signed is what was sent: the gateway of the test
// checks the signature over the raw path.
func TestOrderNumbersInThePath(t *testing.T) {
	t.Parallel()
	for order, escaped := range map[string]string{
		"a/b?c#d": "a%2Fb%3Fc%23d", "100%": "100%25", "訂單1": "%E8%A8%82%E5%96%AE1", "a+b&c=d;e": "a+b&c=d%3Be", "a:b@c": "a:b@c", "'\"": "%27%22",
	} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, nil)
			answer := open(t, g.URL, nil).Search(t.Context(), searchRequest(t, provider.PurposeResolve, provider.Reference{OrderID: order}))
			if answer.Findings == nil || answer.Findings.Finding != provider.FindingNotFound {
				t.Errorf("the gateway did not take the signature: %+v", answer.Failure)
			}
			if sent := g.requests(); len(sent) != 1 || (sent[0].target != "/v4/payments/orders/"+escaped+"/check" && !sameEscape(sent[0].target, order)) {
				t.Errorf("sent %+v", sent)
			}
		})
	}
}

// sameEscape accepts any escaping that a server reads as the order number in one path segment.
func sameEscape(target, order string) bool {
	segment := strings.TrimSuffix(strings.TrimPrefix(target, "/v4/payments/orders/"), "/check")
	req, err := http.NewRequest(http.MethodGet, "http://x/"+segment, http.NoBody)
	return err == nil && !strings.ContainsAny(segment, "/?#") && req.URL.Path == "/"+order
}

func TestSearchBoundsAllItsRequestsTogether(t *testing.T) {
	t.Parallel()
	g := newGateway(t, map[string]reply{"GET /v4/payments": {body: detailsAnswer, wait: time.Minute}})
	p := open(t, g.URL, func(s *linepay.Settings) { s.Timeouts.Search = provider.Duration(50 * time.Millisecond) })
	f := p.Search(t.Context(), searchRequest(t, provider.PurposeClient, provider.Reference{OrderID: "20190408001"})).Failure
	if f == nil || f.Reason != provider.ReasonTimeout {
		t.Errorf("got %+v", f)
	}
}
