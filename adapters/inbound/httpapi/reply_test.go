package httpapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/inbound"
)

const paymentID = "0190a1b2-0000-7000-8000-000000000001"

// answerOf lets the core reply and returns what the client gets.
func answerOf(t *testing.T, reply inbound.Reply, err error) (int, http.Header, string, *plane) {
	t.Helper()
	p := newPlane(t, nil)
	p.payments.reply = func(string, inbound.Native) (inbound.Reply, error) { return reply, err }
	w := p.do(p.request(t, "POST", pay, `{"type":"DEMO_PAY","request":{}}`))
	return w.Code, w.Header(), w.Body.String(), p
}

func TestFinalReplyPassesThrough(t *testing.T) {
	t.Parallel()
	body := `{ "returnCode":"0000","info":{"transactionId":2019049910005496810,"amount":1.50,"html":"<&>","文":"\u6587"} }`
	status, h, got, p := answerOf(t, inbound.Reply{Body: []byte(body), Payment: paymentID, Replayed: true}, nil)
	if status != 200 || got != body {
		t.Errorf("got %d %s", status, got)
	}
	if h.Get("Content-Type") != "application/json" || h.Get("Payrack-Payment-Id") != paymentID || h.Get("Idempotent-Replayed") != "true" {
		t.Errorf("headers: %v", h)
	}
	if !strings.Contains(p.log.String(), `"payment_id":"`+paymentID+`"`) {
		t.Errorf("log: %s", p.log)
	}
}

func TestReplyWithoutPayment(t *testing.T) {
	t.Parallel()
	_, h, _, _ := answerOf(t, inbound.Reply{Body: []byte(`{}`)}, nil)
	if len(h.Values("Payrack-Payment-Id")) != 0 || len(h.Values("Idempotent-Replayed")) != 0 {
		t.Errorf("headers: %v", h)
	}
}

func TestPendingReply(t *testing.T) {
	t.Parallel()
	ours := `"message":"付款結果尚未確認，請勿再次收款，請稍後查詢","message_from":"OMNI"}`
	tests := []struct {
		name, native, from, want string
	}{
		{"without members", "", "", `{"status":"PENDING","payment_id":"` + paymentID + `","request_id":"{id}",` + ours},
		{"label without members", "", "DEMO", `{"status":"PENDING","payment_id":"` + paymentID + `","request_id":"{id}",` + ours},
		{
			"members beside ours, raw tokens kept", "{ \"return_code\":\"9999\", \"n\": 2019049910005496810 , \"d\":1.50,\"t\":\"\\u6587\" }\n", "DEMO",
			`{"return_code":"9999", "n": 2019049910005496810 , "d":1.50,"t":"\u6587","status":"PENDING","payment_id":"` + paymentID +
				`","request_id":"{id}","message":"付款結果尚未確認，請勿再次收款，請稍後查詢","message_from":"DEMO"}`,
		},
		{
			"the label is ours to say, the message the provider's", `{"return_code":"9999","message_from":"X","message":"m"}`, "DEMO",
			`{"return_code":"9999","message":"m","status":"PENDING","payment_id":"` + paymentID + `","request_id":"{id}","message_from":"DEMO"}`,
		},
		{
			"the provider cannot say paid", `{"status":"SUCCEEDED","payment_id":"p","request_id":"r"}`, "DEMO",
			`{"status":"PENDING","payment_id":"` + paymentID + `","request_id":"{id}","message":"付款結果尚未確認，請勿再次收款，請稍後查詢","message_from":"DEMO"}`,
		},
		{"unreadable members are left out", `<html>`, "DEMO", `{"status":"PENDING","payment_id":"` + paymentID + `","request_id":"{id}",` + ours},
		{"members twice are left out", `{"a":1,"a":2}`, "DEMO", `{"status":"PENDING","payment_id":"` + paymentID + `","request_id":"{id}",` + ours},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, h, got, _ := answerOf(t, inbound.Reply{
				Class: inbound.ReplyPending, Body: []byte(tt.native), MessageFrom: tt.from, Payment: paymentID, RetryAfter: 1200 * time.Millisecond,
			}, nil)
			if status != 504 || h.Get("Retry-After") != "2" || h.Get("Payrack-Payment-Id") != paymentID || h.Get("Content-Type") != "application/json" {
				t.Errorf("got %d %v", status, h)
			}
			if want := strings.ReplaceAll(tt.want, "{id}", h.Get("X-Request-Id")); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if !json.Valid([]byte(got)) {
				t.Errorf("not JSON: %s", got)
			}
		})
	}
}

func TestPendingWithoutAdvice(t *testing.T) {
	t.Parallel()
	if _, h, _, _ := answerOf(t, inbound.Reply{Class: inbound.ReplyPending, Payment: paymentID}, nil); h.Get("Retry-After") != "2" {
		t.Errorf("headers: %v", h)
	}
}

func TestFaultsInTheProvidersShape(t *testing.T) {
	t.Parallel()
	f := fault.New(fault.Conflict, "order_already_paid", "paid")
	f.Payment, f.Native, f.NativeOK = paymentID, []byte(`{"return_code":"0006", "message_from":"OMNI"}`), true
	status, h, got, _ := answerOf(t, inbound.Reply{}, fmt.Errorf("wrapped: %w", f))
	if status != 200 || got != string(f.Native) || h.Get("Payrack-Payment-Id") != paymentID {
		t.Errorf("got %d %v %s", status, h, got)
	}

	unknown := fault.New(fault.Unknown, "outcome_unknown", "unknown")
	unknown.Payment, unknown.Native = paymentID, []byte(`{"return_code":"9999"}`)
	status, h, got, _ = answerOf(t, inbound.Reply{}, unknown)
	if status != 504 || !strings.HasPrefix(got, `{"return_code":"9999","status":"PENDING","payment_id":"`+paymentID) || h.Get("Retry-After") != "2" {
		t.Errorf("got %d %v %s", status, h, got)
	}

	unknown.Payment = "" // a search: nothing is pending
	status, _, got, _ = answerOf(t, inbound.Reply{}, unknown)
	if status != 504 || !strings.Contains(got, `"code":"outcome_unknown"`) || strings.Contains(got, "PENDING") {
		t.Errorf("got %d %s", status, got)
	}
}

// TestCoreMessagesPassThrough pins the sentences of the platform's first API as they leave the plane.
func TestCoreMessagesPassThrough(t *testing.T) {
	t.Parallel()
	for _, message := range []string{"amount 不可為空", "無此付款方式 NO_SUCH", "公司/門市缺少 DEMO_PAY 金流相關設定"} {
		status, _, got, _ := answerOf(t, inbound.Reply{}, fault.New(fault.Invalid, "some_code", message))
		if status != 400 || !strings.Contains(got, `"message":"`+message+`","message_from":"OMNI"`) {
			t.Errorf("got %d %s", status, got)
		}
	}
}

func TestBrokenCore(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]inbound.Reply{
		"final without a body": {}, "unknown class": {Class: 99, Body: []byte(`{}`)},
	} {
		if status, _, got, _ := answerOf(t, reply, nil); status != 500 || !strings.Contains(got, `"code":"internal"`) {
			t.Errorf("%s: got %d %s", name, status, got)
		}
	}
	status, _, got, p := answerOf(t, inbound.Reply{}, errors.New("canary-inside"))
	if status != 500 || strings.Contains(got, "canary") || !strings.Contains(p.log.String(), "canary-inside") {
		t.Errorf("got %d %s; log %s", status, got, p.log)
	}
}

func TestPanicInTheCore(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	p.payments.reply = func(string, inbound.Native) (inbound.Reply, error) { panic("canary-panic") }
	w := p.do(p.request(t, "POST", pay, `{"type":"DEMO_PAY","request":{}}`))
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"code":"internal"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if strings.Contains(p.log.String()+w.Body.String(), "canary") || !strings.Contains(p.log.String(), "request handler panicked") {
		t.Errorf("log: %s", p.log)
	}
}
