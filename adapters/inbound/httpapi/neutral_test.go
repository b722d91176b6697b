package httpapi_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
)

// neutral asks the neutral API as a client, with a key.
func (p *plane) neutral(t *testing.T, client, method, target, key, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+p.access.token(t, client))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return p.do(r)
}

// start is a good body that starts a payment, with the given members behind it.
func start(more string) string {
	return `{"type":"DEMO_PAY","order_number":"A-1","amount":{"amount":229,"currency":"TWD"}` + more + `}`
}

func byCode(code string) string { return start(`,"source":{"code":"` + code + `"}`) }

// codeOf is the code of a problem.
func codeOf(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var p struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return p.Code
}

func TestNeutralPaymentReachesTheCore(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	w := p.neutral(t, "till", "POST", "/v2/payments", `"k-1"`, `{
		"type":"DEMO_PAY","store_id":"S1","order_number":"A-1","amount":{"amount":229,"currency":"THB"},"capture":false,
		"source":{"mandate_id":"`+mandateID+`"},"return_url":"https://shop.example/ok","cancel_url":"https://shop.example/no",
		"description":"茶","is_test":false,"provider_data":{"n": 2019049910005496810, "d":1.50},"credentials":{"account_key":"canary"}}`,
		"Prefer", "respond-async, wait=20")
	if w.Code != 404 {
		t.Fatalf("a mandate that nobody has: got %d %s", w.Code, w.Body)
	}
	calls := p.payments.asked()
	if len(calls) != 1 || calls[0].Kind != "pay" {
		t.Fatalf("calls: %+v", calls)
	}
	store, capture := "S1", false
	want := inbound.Native{
		Type: "DEMO_PAY", Store: &store, Environment: company.Live, IdempotencyKey: "k-1", TraceID: "4bf92f3577b34da6a3ce929d0e0e4736",
		Wait: new(20 * time.Second),
		Neutral: &inbound.Neutral{Mandate: mandateID, Values: catalogue.Values{
			Amount: money.Amount{Units: 229, Currency: money.THB}, OrderNumber: "A-1", Capture: &capture,
			ReturnURL: "https://shop.example/ok", CancelURL: "https://shop.example/no", Description: "茶",
			Columns: []byte(`{"n": 2019049910005496810, "d":1.50}`), Credential: []byte(`{"account_key":"canary"}`),
		}},
	}
	got := calls[0].Native
	if got.Render == nil || got.Principal.Company != "acme" {
		t.Errorf("the core got %+v", got)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(inbound.Native{}, "Principal", "Render")); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(w.Body.String()+p.log.String(), "canary") {
		t.Error("a credential was repeated")
	}
}

func TestNeutralPaymentAnswers(t *testing.T) {
	t.Parallel()
	amount := func(n float64) map[string]any { return map[string]any{"amount": n, "currency": "TWD"} }
	tests := []struct {
		name, body string
		status     int
		want       map[string]any
	}{
		{"paid", byCode("1234"), 201, map[string]any{"state": "SUCCEEDED", "amount": amount(229), "captured": amount(229), "is_test": true, "created_at": "2026-11-22T02:00:00.123456Z"}},
		{"authorized", start(`,"capture":false,"source":{"code":"1"}`), 201, map[string]any{"state": "AUTHORIZED", "authorized": amount(229), "captured": amount(0), "capture": false}},
		{"the payer has to act", start(""), 201, map[string]any{"state": "REQUIRES_ACTION", "action": map[string]any{
			"web_url": "https://wallet.example/pay?a=1&b=2", "app_url": "wallet://pay", "expires_at": "2026-11-22T03:00:00.123456Z",
		}}},
		{"nobody knows", byCode(unknownCode), 202, map[string]any{"state": "UNKNOWN", "next_check_at": "2026-11-22T02:00:01.123456Z"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t, nil)
			w := p.neutral(t, "till", "POST", "/v2/payments", "k-1", tt.body)
			var got map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != tt.status {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			for name, want := range tt.want {
				if diff := cmp.Diff(want, got[name]); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
			id, _ := got["id"].(string)
			h := w.Header()
			if id == "" || h.Get("Payrack-Payment-Id") != id || h.Get("Location") != "/v2/payments/"+id || h.Get("Idempotent-Replayed") != "" {
				t.Errorf("headers: %v", h)
			}
			if retry := h.Get("Retry-After"); (retry == "3") != (tt.status == 202) {
				t.Errorf("Retry-After %q", retry)
			}
			if strings.Contains(w.Body.String(), `\u0026`) {
				t.Errorf("escaped: %s", w.Body)
			}
		})
	}
}

func TestDeclinedPayment(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	w := p.neutral(t, "till", "POST", "/v2/payments", "k-1", byCode(declinedCode), "Accept", "application/problem+json")
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 402 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	inside, _ := got["payment"].(map[string]any)
	if inside["state"] != "FAILED" || inside["failure"] != "declined" || inside["id"] != got["payment_id"] || inside["decline_code"] != "insufficient_funds" {
		t.Errorf("payment: %v", inside)
	}
	delete(got, "payment")
	const message = "The provider declined the payment; nothing was charged."
	want := map[string]any{
		"type": "urn:payrack:problem:payment_declined", "title": "Payment Required", "status": 402.0, "detail": message,
		"code": "payment_declined", "provider_code": "1106", "decline_code": "insufficient_funds", "payment_id": inside["id"],
		"message": message, "message_from": "OMNI",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("X-Request-Id") == "" {
		t.Errorf("headers: %v", w.Header())
	}
	if !strings.Contains(p.log.String(), `"code":"payment_declined"`) {
		t.Errorf("log: %s", p.log)
	}
}

// TestReplaysAreTheSame shows that a key brings status and bytes of the first answer, whatever became of the payment.
func TestReplaysAreTheSame(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"paid": byCode("1234"), "declined": byCode(declinedCode), "action": start("")} {
		p := newPlane(t, nil)
		first := p.neutral(t, "till", "POST", "/v2/payments", "k-1", body)
		id := first.Header().Get("Payrack-Payment-Id")
		if name == "paid" {
			if w := p.neutral(t, "till", "POST", "/v2/payments/"+id+"/refunds", "k-2", `{"amount":{"amount":29,"currency":"TWD"},"reason":"broken"}`); w.Code != 200 {
				t.Fatalf("refund: %d %s", w.Code, w.Body)
			}
		}
		again := p.neutral(t, "till", "POST", "/v2/payments", "k-1", body)
		if again.Code != first.Code || again.Body.String() != first.Body.String() || again.Header().Get("Location") != first.Header().Get("Location") {
			t.Errorf("%s: first %d %s\nagain %d %s", name, first.Code, first.Body, again.Code, again.Body)
		}
		if again.Header().Get("Idempotent-Replayed") != "true" || first.Header().Get("Idempotent-Replayed") != "" {
			t.Errorf("%s: headers %v and %v", name, first.Header(), again.Header())
		}
		if again.Header().Get("X-Request-Id") == first.Header().Get("X-Request-Id") {
			t.Errorf("%s: both have one request id", name)
		}
	}
}

func TestFollowUps(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	id := p.neutral(t, "till", "POST", "/v2/payments", "k-0", start(`,"capture":false,"source":{"code":"1"}`)).Header().Get("Payrack-Payment-Id")
	steps := []struct {
		path, key, body string
		status          int
		want            string
	}{
		{"/capture", "k-1", `{"amount":{"amount":200,"currency":"TWD"},"provider_data":{"a":1}}`, 200, `"captured":{"amount":200,"currency":"TWD"}`},
		{"/refunds", "k-2", `{"amount":{"amount":50,"currency":"TWD"},"reason":"茶壺破了"}`, 200, `"state":"PARTIALLY_REFUNDED"`},
		{"/refunds", "k-2", `{"amount":{"amount":50,"currency":"TWD"},"reason":"茶壺破了"}`, 200, `"refunded":{"amount":50,"currency":"TWD"}`},
		{"/refunds", "k-3", `{"amount":{"amount":151,"currency":"TWD"}}`, 409, `"code":"amount_exceeds_remaining"`},
		{"/void", "k-4", ``, 200, `"state":"VOIDED"`},
		{"/confirm", "k-5", `{}`, 200, `"state":"SUCCEEDED"`},
		{"/cancel", "k-6", `{"reason":"gone"}`, 200, `"state":"VOIDED"`},
	}
	for _, s := range steps {
		w := p.neutral(t, "till", "POST", "/v2/payments/"+id+s.path, s.key, s.body)
		if w.Code != s.status || !strings.Contains(w.Body.String(), s.want) || w.Header().Get("Payrack-Payment-Id") != id {
			t.Errorf("%s %s: got %d %s", s.path, s.body, w.Code, w.Body)
		}
		if s.status == 200 && w.Header().Get("Location") != "" {
			t.Errorf("%s: Location %q", s.path, w.Header().Get("Location"))
		}
	}
	calls := p.payments.asked()
	capture, refund := calls[1].Native, calls[2].Native
	if capture.Neutral.Payment != payment.ID(id) || string(capture.Neutral.Values.Columns) != `{"a":1}` || capture.Type != "" || capture.Store != nil {
		t.Errorf("capture: %+v", capture)
	}
	if refund.Neutral.Reason != "茶壺破了" || refund.Neutral.Values.Amount != (money.Amount{Units: 50, Currency: "TWD"}) {
		t.Errorf("refund: %+v", refund.Neutral)
	}
}

// TestCancelOfAnOpenPayment shows that "not paid" is told at once.
func TestCancelOfAnOpenPayment(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	id := p.neutral(t, "till", "POST", "/v2/payments", "k-0", byCode(unknownCode)).Header().Get("Payrack-Payment-Id")
	w := p.neutral(t, "till", "POST", "/v2/payments/"+id+"/cancel", "k-1", "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"state":"REVERSING"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// TestOutcomes is the table from how an operation stands to what HTTP says.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	const pays, voids = "/v2/payments", "/v2/payments/" + paymentID + "/void"
	const refunds, cancels, confirms = "/v2/payments/" + paymentID + "/refunds", "/v2/payments/" + paymentID + "/cancel", "/v2/payments/" + paymentID + "/confirm"
	tests := []struct {
		name, target string
		state        payment.State
		operation    payment.OperationState
		failure      payment.Failure
		status       int
		code         string
	}{
		{"paid", pays, payment.Succeeded, payment.OperationSucceeded, "", 201, ""},
		{"paid, refunded since", pays, payment.Refunded, payment.OperationSucceeded, "", 201, ""},
		{"voided since", pays, payment.Voided, payment.OperationSucceeded, "", 201, ""},
		{"declined", pays, payment.Failed, payment.OperationFailed, payment.Declined, 402, "payment_declined"},
		{"not charged after a doubt", pays, payment.Failed, payment.OperationFailed, payment.NotCharged, 402, "not_charged"},
		{"being given back", pays, payment.Reversing, payment.OperationUnknown, "", 202, ""},
		{"given back: never 2xx", pays, payment.Reversed, payment.OperationSucceeded, "", 402, "payment_reversed"},
		{"confirmed", confirms, payment.Succeeded, payment.OperationSucceeded, "", 200, ""},
		{"confirm declined", confirms, payment.Failed, payment.OperationFailed, payment.Declined, 402, "payment_declined"},
		{"void declined", voids, payment.Authorized, payment.OperationFailed, payment.Declined, 402, "void_declined"},
		{"refund declined", refunds, payment.Succeeded, payment.OperationFailed, payment.Declined, 402, "refund_declined"},
		{"refund had no effect", refunds, payment.Succeeded, payment.OperationFailed, payment.NotCharged, 409, "not_done"},
		{"cancelled: reversing", cancels, payment.Reversing, payment.OperationUnknown, "", 200, ""},
		{"cancelled: reversed", cancels, payment.Reversed, payment.OperationSucceeded, "", 200, ""},
		{"cancelled: had failed", cancels, payment.Failed, payment.OperationFailed, payment.Declined, 200, ""},
		{"cancelled: voided", cancels, payment.Voided, payment.OperationSucceeded, "", 200, ""},
		{"cancelled: the void was declined", cancels, payment.Succeeded, payment.OperationFailed, payment.Declined, 402, "void_declined"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t, nil)
			p.payments.reply = func(kind string, n inbound.Native) (inbound.Reply, error) {
				r := record(paymentID, "acme", tt.state)
				if kind == "cancel" {
					kind = "void"
				}
				r.Payment.Failure = tt.failure
				r.Operation.Kind, r.Operation.State, r.Operation.Failure = payment.Kind(kind), tt.operation, tt.failure
				return inbound.Reply{Payment: paymentID, State: tt.state, Record: r, Body: n.Render(inbound.Rendering{Record: r})}, nil
			}
			w := p.neutral(t, "till", "POST", tt.target, "k-1", map[bool]string{true: byCode("1")}[tt.target == pays])
			if w.Code != tt.status || codeOf(t, w) != tt.code || !strings.Contains(w.Body.String(), `"state":"`+string(tt.state)+`"`) {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.code)
			}
			if accepted := w.Header().Get("Retry-After") != "" && w.Header().Get("Location") != ""; accepted != (tt.status == 202) {
				t.Errorf("headers: %v", w.Header())
			}
		})
	}
}

// TestReplyInAProvidersShape shows that a reply which the platform stored without a neutral request, as for a payer who came
// back, is told in neutral words.
func TestReplyInAProvidersShape(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	p.payments.reply = func(string, inbound.Native) (inbound.Reply, error) {
		r := record(paymentID, "acme", payment.Succeeded)
		r.Operation.Kind = payment.KindConfirm
		return inbound.Reply{Payment: paymentID, Record: r, Body: []byte(`{"returnCode":"0000"}`), Replayed: true}, nil
	}
	w := p.neutral(t, "till", "POST", "/v2/payments/"+paymentID+"/confirm", "k-1", "")
	if w.Code != 200 || strings.Contains(w.Body.String(), "returnCode") || !strings.HasPrefix(w.Body.String(), `{"id":"`+paymentID+`"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestOpenReplies(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	p.payments.reply = func(string, inbound.Native) (inbound.Reply, error) {
		// The ledger could not be read: nothing but the id is known.
		return inbound.Reply{Class: inbound.ReplyPending, Payment: paymentID, Record: payment.Record{Payment: payment.Payment{ID: paymentID}}}, nil
	}
	w := p.neutral(t, "till", "POST", "/v2/payments", "k-1", byCode("1"))
	if w.Code != 202 || w.Body.String() != `{"id":"`+paymentID+`","state":"UNKNOWN"}` || w.Header().Get("Retry-After") != "2" {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
	p.payments.reply = func(string, inbound.Native) (inbound.Reply, error) {
		return inbound.Reply{}, &fault.Error{Kind: fault.Unknown, Code: "x", Payment: paymentID, RetryAfter: 4 * time.Second}
	}
	if w = p.neutral(t, "till", "POST", "/v2/payments", "k-2", byCode("1")); w.Code != 202 || w.Header().Get("Retry-After") != "4" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	p.payments.reply = func(string, inbound.Native) (inbound.Reply, error) { return inbound.Reply{Body: []byte(`{}`)}, nil }
	if w = p.neutral(t, "till", "POST", "/v2/payments", "k-3", byCode("1")); w.Code != 500 {
		t.Errorf("a reply without a payment: got %d %s", w.Code, w.Body)
	}
}

// TestFaultsOfTheCore shows the codes that the core gives, as they leave the neutral routes.
func TestFaultsOfTheCore(t *testing.T) {
	t.Parallel()
	at := fault.Field{Pointer: "/request/oneTimeKey", Code: "missing_field", Detail: "oneTimeKey 不可為空"}
	tests := []struct {
		fault  *fault.Error
		status int
		retry  string
	}{
		{&fault.Error{Kind: fault.Conflict, Code: "operation_open", Payment: paymentID, RetryAfter: 3 * time.Second}, 409, "3"},
		{&fault.Error{Kind: fault.Conflict, Code: "order_in_progress", Payment: paymentID, RetryAfter: 3 * time.Second}, 409, "3"},
		{&fault.Error{Kind: fault.Conflict, Code: "request_in_progress", Payment: paymentID, RetryAfter: 3 * time.Second}, 409, "3"},
		{&fault.Error{Kind: fault.Conflict, Code: "amount_exceeds_remaining", Payment: paymentID}, 409, ""},
		{&fault.Error{Kind: fault.Conflict, Code: "not_allowed_in_state", Payment: paymentID}, 409, ""},
		{&fault.Error{Kind: fault.Conflict, Code: "credential_gone"}, 409, ""},
		{&fault.Error{Kind: fault.Conflict, Code: "mandate_dead"}, 409, ""},
		{&fault.Error{Kind: fault.Conflict, Code: "not_done", Payment: paymentID}, 409, ""},
		{&fault.Error{Kind: fault.Mismatch, Code: "idempotency_mismatch", Payment: paymentID, Fields: []fault.Field{at}}, 422, ""},
		{&fault.Error{Kind: fault.Mismatch, Code: "conflicting_keys", Payment: paymentID}, 422, ""},
		{&fault.Error{Kind: fault.Unavailable, Code: "provider_unavailable", Payment: paymentID}, 503, "2"},
		{&fault.Error{Kind: fault.Invalid, Code: "missing_field", Fields: []fault.Field{at}}, 400, ""},
		{&fault.Error{Kind: fault.Conflict, Code: "order_already_paid", Payment: paymentID, Native: []byte(`{"returnCode":"1172"}`), NativeOK: true}, 409, ""},
	}
	for _, tt := range tests {
		t.Run(tt.fault.Code, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t, nil)
			p.payments.reply = func(string, inbound.Native) (inbound.Reply, error) { return inbound.Reply{}, tt.fault }
			w := p.neutral(t, "till", "POST", "/v2/payments", "k-1", byCode("1"))
			if w.Code != tt.status || codeOf(t, w) != tt.fault.Code || w.Header().Get("Retry-After") != tt.retry || w.Header().Get("Payrack-Payment-Id") != tt.fault.Payment {
				t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
			}
			if len(tt.fault.Fields) > 0 && !strings.Contains(w.Body.String(), `"errors":[{"pointer":"/provider_data/oneTimeKey","code":"missing_field"`) {
				t.Errorf("errors: %s", w.Body)
			}
			if tt.fault.Fields != nil && tt.fault.Fields[0].Pointer != at.Pointer {
				t.Error("the core's own error was changed")
			}
		})
	}
}

// TestMismatchNamesFields shows that a native route tells in what a request differs.
func TestMismatchNamesFields(t *testing.T) {
	t.Parallel()
	f := &fault.Error{
		Kind: fault.Mismatch, Code: "idempotency_mismatch", Message: "another request", Payment: paymentID,
		Fields: []fault.Field{{Pointer: "/amount", Code: "differs", Detail: "amount differs"}, {Pointer: "/request", Code: "differs"}},
	}
	status, h, body, _ := answerOf(t, inbound.Reply{}, f)
	if status != 422 || h.Get("Payrack-Payment-Id") != paymentID ||
		!strings.Contains(body, `"errors":[{"pointer":"/amount","code":"differs","detail":"amount differs"},{"pointer":"/request","code":"differs"}]`) {
		t.Errorf("got %d %s", status, body)
	}
}
