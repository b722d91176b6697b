package ipass_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/providers/ipass"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

const transactionID = "e2458974869618"

// everything is an answer that would do for any operation of the payment of this package's tests.
func everything(code string) func(map[string]any) reply {
	return func(request map[string]any) reply {
		return reply{clear: fmt.Sprintf(`{"returnCode":%q,"returnMsg":"x","reqId":%q,"transactionId":%q,"cancelTransactionId":"c1","payStatus":"1","amount":229,"orderNumber":%q}`,
			code, request["reqId"], transactionID, orderID)}
	}
}

func reference() provider.Reference {
	return provider.Reference{OrderID: orderID, TransactionID: transactionID, ClientReference: "op-1"}
}

func voidRequest(t *testing.T) provider.VoidRequest {
	t.Helper()
	return provider.VoidRequest{Call: call(t, nil, `{}`), Reference: reference()}
}

func refundRequest(t *testing.T, units int64) provider.RefundRequest {
	t.Helper()
	return provider.RefundRequest{
		Call: call(t, nil, `{}`), Reference: reference(), Amount: provider.Money{Units: units, Currency: "TWD"},
	}
}

func captureRequest(t *testing.T) provider.CaptureRequest {
	t.Helper()
	return provider.CaptureRequest{
		Call: callWith(t, map[string]any{"separate_capture": true}, `{}`), Reference: reference(),
		Amount: provider.Money{Units: 229, Currency: "TWD"},
	}
}

// answered answers with these members after the request's own req_id.
func answered(members string) func(map[string]any) reply {
	return func(request map[string]any) reply {
		return reply{clear: fmt.Sprintf(`{"returnCode":"0000","returnMsg":"成功","reqId":%q,%s}`, request["reqId"], members)}
	}
}

func TestFollowUps(t *testing.T) {
	t.Parallel()
	money := &provider.Money{Units: 29, Currency: "TWD"}
	for name, c := range map[string]struct {
		do      func(openProvider) provider.Answer
		members string
		path    string
		clear   string
		want    provider.Result
		native  string
	}{
		"void": {
			do:      func(p openProvider) provider.Answer { return p.Void(t.Context(), voidRequest(t)) },
			members: `"orderNumber":"` + orderID + `","voidDateTime":"2023-10-11 01:50:00"`,
			path:    "/offline/void", clear: `{"reqId":"` + reqID + `","orderNumber":"` + orderID + `"}`,
			want:   provider.Result{Code: "0000", Reference: provider.Reference{OrderID: orderID}},
			native: `{"return_code":"0000","return_msg":"成功","req_id":"` + reqID + `","void_date_time":"2023-10-11 01:50:00","order_number":"` + orderID + `"}`,
		},
		"refund": {
			do:      func(p openProvider) provider.Answer { return p.Refund(t.Context(), refundRequest(t, 29)) },
			members: `"amount":29,"orderNumber":"` + orderID + `","cancelTransactionId":"c1","cancelDateTime":"2023-10-11 01:50:00","paymentType":"1"`,
			path:    "/offline/refund", clear: `{"reqId":"` + reqID + `","transactionId":"` + transactionID + `","amount":29}`,
			want:   provider.Result{Code: "0000", Reference: provider.Reference{OrderID: orderID, TransactionID: "c1"}, Refunded: money},
			native: `{"return_code":"0000","return_msg":"成功","req_id":"` + reqID + `","cancel_transaction_id":"c1","cancel_date_time":"2023-10-11 01:50:00","payment_type":"1","amount":29,"order_number":"` + orderID + `"}`,
		},
		"capture": {
			do:      func(p openProvider) provider.Answer { return p.Capture(t.Context(), captureRequest(t)) },
			members: `"transactionId":"` + transactionID + `","transactionDateTime":"2023-10-11 01:50:00","amount":229`,
			path:    "/offline/capture", clear: `{"reqId":"` + reqID + `","transactionId":"` + transactionID + `","amount":229}`,
			want: provider.Result{
				Code: "0000", Reference: provider.Reference{TransactionID: transactionID}, Captured: &provider.Money{Units: 229, Currency: "TWD"},
				ProviderTime: time.Date(2023, 10, 10, 17, 50, 0, 0, time.UTC),
			},
			native: `{"transaction_id":"` + transactionID + `","transaction_date_time":"2023-10-11 01:50:00","amount":229,"return_code":"0000","return_msg":"成功","req_id":"` + reqID + `"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, answered(c.members))
			answer := c.do(open(t, g.URL, nil))
			if diff := cmp.Diff(&c.want, answer.Result()); answer.Outcome() != provider.OutcomeApproved || diff != "" {
				t.Errorf("outcome %v, failure %+v, result (-want +got):\n%s", answer.Outcome(), answer.Failure(), diff)
			}
			if got := string(answer.Native().Body); got != c.native {
				t.Errorf("native %s\nwant   %s", got, c.native)
			}
			if sent := g.requests(); len(sent) != 1 || sent[0].path != c.path || sent[0].clear != c.clear {
				t.Errorf("sent %+v\nwant %s", sent, c.clear)
			}
		})
	}
}

// What contradicts the request settles nothing, whatever its code says.
func TestUntrustworthyFollowUpsAreUnknown(t *testing.T) {
	t.Parallel()
	refund := func(p openProvider) provider.Answer { return p.Refund(t.Context(), refundRequest(t, 29)) }
	void := func(p openProvider) provider.Answer { return p.Void(t.Context(), voidRequest(t)) }
	capture := func(p openProvider) provider.Answer { return p.Capture(t.Context(), captureRequest(t)) }
	ok := `{"returnCode":"0000","reqId":"` + reqID + `",`
	for name, c := range map[string]struct {
		do    func(openProvider) provider.Answer
		reply reply
	}{
		"refund without an id":           {refund, reply{clear: ok + `"amount":29}`}},
		"refund with an empty id":        {refund, reply{clear: ok + `"cancelTransactionId":"","amount":29}`}},
		"refund of more":                 {refund, reply{clear: ok + `"cancelTransactionId":"c1","amount":30}`}},
		"refund of less":                 {refund, reply{clear: ok + `"cancelTransactionId":"c1","amount":28}`}},
		"refund of a fraction":           {refund, reply{clear: ok + `"cancelTransactionId":"c1","amount":29.0}`}},
		"refund of another order":        {refund, reply{clear: ok + `"cancelTransactionId":"c1","orderNumber":"OTHER"}`}},
		"refund of another transaction":  {refund, reply{clear: ok + `"cancelTransactionId":"c1","transactionId":"e2"}`}},
		"refund for another request":     {refund, reply{clear: `{"returnCode":"0000","reqId":"x","cancelTransactionId":"c1"}`}},
		"refund without req_id":          {refund, reply{clear: `{"returnCode":"0000","cancelTransactionId":"c1"}`}},
		"decline of another request":     {refund, reply{clear: `{"returnCode":"S402","reqId":"x"}`}},
		"refund undecipherable":          {refund, reply{clear: ok + `"cancelTransactionId":"c1"}`, key: strings.Repeat("k", 32)}},
		"refund, HTTP 500":               {refund, reply{status: http.StatusInternalServerError, clear: ok + `"cancelTransactionId":"c1"}`}},
		"void of another order":          {void, reply{clear: ok + `"orderNumber":"OTHER"}`}},
		"void without req_id":            {void, reply{clear: `{"returnCode":"0000"}`}},
		"void in clear":                  {void, reply{raw: ok + `"orderNumber":"` + orderID + `"}`}},
		"void, HTTP 429":                 {void, reply{status: http.StatusTooManyRequests, raw: `{"returnCode":"S429"}`}},
		"capture of another transaction": {capture, reply{clear: ok + `"transactionId":"e2"}`}},
		"capture of another amount":      {capture, reply{clear: ok + `"transactionId":"` + transactionID + `","amount":228}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, always(c.reply))
			answer := c.do(open(t, g.URL, nil))
			if f := answer.Failure(); answer.Outcome() != provider.OutcomeUnknown || f == nil || f.Effect != provider.EffectPossible || len(answer.Native().Body) != 0 {
				t.Errorf("outcome %v, result %+v, failure %+v, native %s", answer.Outcome(), answer.Result(), f, answer.Native().Body)
			}
		})
	}
}

func TestFollowUpsRefusedBeforeSending(t *testing.T) {
	t.Parallel()
	g := newGateway(t, always(reply{clear: success()}))
	p := open(t, g.URL, nil)
	capture := captureRequest(t)
	capture.Call = call(t, nil, `{}`)
	noOrder := voidRequest(t)
	noOrder.Reference = provider.Reference{TransactionID: transactionID}
	noReference := refundRequest(t, 1)
	noReference.Reference = provider.Reference{}
	foreign := refundRequest(t, 1)
	foreign.Call = call(t, map[string]string{"merchantid": "X"}, `{}`)
	dollars := refundRequest(t, 1)
	dollars.Amount.Currency = "USD"
	slip := refundRequest(t, 0)
	slip.Amount = provider.Money{}
	late := voidRequest(t)
	late.Call.NotAfter = time.Now().Add(-time.Second)
	for name, c := range map[string]struct {
		answer provider.Answer
		reason provider.Reason
	}{
		"capture that the set does not allow": {p.Capture(t.Context(), capture), provider.ReasonUnsupported},
		"void without an order":               {p.Void(t.Context(), noOrder), provider.ReasonInvalid},
		"refund of nothing":                   {p.Refund(t.Context(), noReference), provider.ReasonInvalid},
		"refund of another merchant":          {p.Refund(t.Context(), foreign), provider.ReasonAuth},
		"refund of US dollars":                {p.Refund(t.Context(), dollars), provider.ReasonInvalid},
		"refund of less than nothing":         {p.Refund(t.Context(), refundRequest(t, -1)), provider.ReasonInvalid},
		"the printed slip":                    {p.Refund(t.Context(), slip), provider.ReasonInvalid},
		"too late":                            {p.Void(t.Context(), late), provider.ReasonTimeout},
	} {
		if f := c.answer.Failure(); f == nil || f.Effect != provider.EffectNone || f.Reason != c.reason {
			t.Errorf("%s: %+v, want %s and nothing sent", name, f, c.reason)
		}
	}
	if n := len(g.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// After an unknown outcome the transaction id is not known; a search brings it, and moves no money.
func TestRefundFindsTheTransaction(t *testing.T) {
	t.Parallel()
	byOrder := refundRequest(t, 29)
	byOrder.Reference.TransactionID = ""
	g := newGateway(t, everything("0000"))
	// The gateway's answers name 229: the refund is not the subject here.
	byOrder.Amount.Units = 229
	if answer := open(t, g.URL, nil).Refund(t.Context(), byOrder); answer.Outcome() != provider.OutcomeApproved {
		t.Errorf("%+v %+v", answer.Result(), answer.Failure())
	}
	sent := g.requests()
	if len(sent) != 2 || sent[0].path != "/offline/search" || sent[1].path != "/offline/refund" || !strings.Contains(sent[1].clear, transactionID) ||
		strings.Contains(sent[0].clear, reqID) {
		t.Errorf("sent %+v", sent)
	}
	for name, r := range map[string]reply{
		"not found": {clear: `{"returnCode":"S404"}`}, "broken": {raw: "<html>"}, "refused": {clear: `{"returnCode":"9999"}`},
	} {
		g := newGateway(t, always(r))
		f := open(t, g.URL, nil).Refund(t.Context(), byOrder).Failure()
		if n := len(g.requests()); f == nil || f.Effect != provider.EffectNone || n != 1 {
			t.Errorf("%s: %+v after %d requests", name, f, n)
		}
	}
}

// One logical operation has one reqId, also when a client gave none: the gateway and the search know it by it.
func TestRequestIDsAreStable(t *testing.T) {
	t.Parallel()
	g := newGateway(t, everything("9999"))
	p := open(t, g.URL, nil)
	for _, name := range []string{"op-1", "op-1", "op-2"} {
		r := refundRequest(t, 29)
		r.Call.RequestID, r.Reference.ClientReference = "", name
		p.Refund(t.Context(), r)
	}
	var ids []string
	for _, s := range g.requests() {
		var request struct {
			ReqID string `json:"reqId"`
		}
		if err := json.Unmarshal([]byte(s.clear), &request); err != nil || len(request.ReqID) != 36 {
			t.Errorf("%s: %v", s.clear, err)
		}
		ids = append(ids, request.ReqID)
	}
	if len(ids) != 3 || ids[0] != ids[1] || ids[1] == ids[2] {
		t.Errorf("ids %v", ids)
	}
}

// The platform's page of the void shows the refund's path with an order number alone.
func TestPrintedSlip(t *testing.T) {
	t.Parallel()
	g := newGateway(t, answered(`"orderNumber":"`+orderID+`","voidDateTime":"2023-10-11 01:50:00"`))
	p := open(t, g.URL, func(s *ipass.Settings) { s.RefundWithoutAmount = ipass.VoidSlip })
	r := refundRequest(t, 229)
	r.Bare = true
	answer := p.Refund(t.Context(), r)
	if sent := g.requests(); answer.Outcome() != provider.OutcomeApproved || len(sent) != 1 || sent[0].path != "/offline/void" ||
		!strings.Contains(string(answer.Native().Body), "void_date_time") {
		t.Errorf("%+v, sent %+v, native %s", answer.Failure(), sent, answer.Native().Body)
	}
}

func TestFollowUpTooSlow(t *testing.T) {
	t.Parallel()
	g := newGateway(t, always(reply{clear: `{}`, wait: time.Minute}))
	p := open(t, g.URL, func(s *ipass.Settings) { s.Timeouts.FollowUp = provider.Duration(time.Second) })
	for name, answer := range map[string]provider.Answer{
		"void": p.Void(t.Context(), voidRequest(t)), "refund": p.Refund(t.Context(), refundRequest(t, 1)), "capture": p.Capture(t.Context(), captureRequest(t)),
	} {
		if f := answer.Failure(); f == nil || f.Effect != provider.EffectPossible || f.Reason != provider.ReasonTimeout {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
