package e2e_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// neutralPay is a payment of iPASS in neutral terms.
func (p *platform) neutralPay(order string) map[string]any {
	p.t.Helper()
	return map[string]any{
		"type": "IPASS_OFFLINE_PAY", "store_id": p.StoreID, "is_test": true, "order_number": order,
		"amount": map[string]any{"amount": iPassAmount, "currency": "TWD"}, "source": map[string]any{"code": p.iPassCode()},
		"description": "拿鐵", "provider_data": map[string]any{"store_id": "00681", "terminal_id": "AB123456"},
	}
}

// neutral posts to a route of the neutral API under a key.
func (p *platform) neutral(path, key string, v any, headers ...string) answer {
	p.t.Helper()
	return p.post("/v2/payments"+path, v, append([]string{"Idempotency-Key", key}, headers...)...)
}

// expect checks status and state of an answer that is no problem.
func expect(t *testing.T, what string, a answer, status int, state string) {
	t.Helper()
	if a.status != status || a.member("state") != state || a.member("code") != "" {
		t.Errorf("%s: %s, want %d %s", what, a, status, state)
	}
}

// TestIPassNeutral pays, refunds, voids and cancels iPASS in neutral terms.
//
//nolint:paralleltest,tparallel // the parts share one program and count what arrives at its gateway
func TestIPassNeutral(t *testing.T) {
	t.Parallel()
	p := startIPass(t, quickIPass)

	t.Run("pay", func(t *testing.T) {
		body := p.neutralPay("IXN-V2-PAY")
		a := p.neutral("", "pay-1", body)
		expect(t, "pay", a, http.StatusCreated, "SUCCEEDED")
		id := a.member("id")
		if a.header.Get("Location") != "/v2/payments/"+id || a.header.Get("Payrack-Payment-Id") != id {
			t.Errorf("headers: %v", a.header)
		}
		again := p.neutral("", "pay-1", body)
		if again.status != a.status || !bytes.Equal(again.body, a.body) || again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("the same again: %s (%v), want the stored bytes", again, again.header)
		}
		if got := movements(p.iPassLedger("IXN-V2-PAY")); got != "charge 229" {
			t.Errorf("ledger: %s", got)
		}
		if a := p.neutral("", "pay-1", p.neutralPay("IXN-V2-OTHER")); a.status != http.StatusUnprocessableEntity || a.member("code") != "idempotency_mismatch" {
			t.Errorf("the key with another payment: %s", a)
		}
		if a := p.post("/v2/payments", p.neutralPay("IXN-V2-NOKEY")); a.status != http.StatusBadRequest || a.member("code") != "idempotency_key_required" {
			t.Errorf("without a key: %s", a)
		}
	})
	t.Run("declined", func(t *testing.T) {
		body := p.neutralPay("IXN-V2-SHORT")
		body["source"] = map[string]any{"code": p.iPassCode("decline", "S402")}
		a := p.neutral("", "short-1", body)
		if a.status != http.StatusPaymentRequired || a.member("code") != "payment_declined" || a.member("provider_code") != "S402" ||
			a.member("decline_code") != "insufficient_funds" {
			t.Errorf("a short balance: %s", a)
		}
		again := p.neutral("", "short-1", body)
		if again.status != a.status || !bytes.Equal(again.body, a.body) {
			t.Errorf("the same again: %s", again)
		}
	})
	t.Run("refunds", func(t *testing.T) {
		id := p.neutral("", "refunds-pay", p.neutralPay("IXN-V2-REFUND")).member("id")
		part := map[string]any{"amount": map[string]any{"amount": 100, "currency": "TWD"}, "reason": "broken cup"}
		first := p.neutral("/"+id+"/refunds", "refund-1", part)
		expect(t, "a part", first, http.StatusOK, "PARTIALLY_REFUNDED")
		again := p.neutral("/"+id+"/refunds", "refund-1", part)
		if !bytes.Equal(again.body, first.body) || again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("the same refund again: %s", again)
		}
		more := map[string]any{"amount": map[string]any{"amount": 130, "currency": "TWD"}}
		if a := p.neutral("/"+id+"/refunds", "refund-2", more); a.status/100 != 4 || a.member("code") == "" {
			t.Errorf("more than is left: %s", a)
		}
		expect(t, "the rest", p.neutral("/"+id+"/refunds", "refund-3", map[string]any{}), http.StatusOK, "REFUNDED")
		if a := p.neutral("/"+id+"/refunds", "refund-4", map[string]any{}); a.status != http.StatusConflict {
			t.Errorf("a refund of nothing: %s", a)
		}
		if a := p.post("/v2/payments/"+id+"/refunds", part); a.member("code") != "idempotency_key_required" {
			t.Errorf("without a key: %s", a)
		}
		if got := movements(p.iPassLedger("IXN-V2-REFUND")); got != "charge 229, refund 100, refund 129" {
			t.Errorf("ledger: %s", got)
		}
		if s := p.show(id); s.Refunded.Amount != 229 || s.Captured.Amount != 229 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("void", func(t *testing.T) {
		id := p.neutral("", "void-pay", p.neutralPay("IXN-V2-VOID")).member("id")
		first := p.neutral("/"+id+"/void", "void-1", map[string]any{"reason": "wrong table"})
		expect(t, "void", first, http.StatusOK, "VOIDED")
		again := p.neutral("/"+id+"/void", "void-1", map[string]any{"reason": "wrong table"})
		if !bytes.Equal(again.body, first.body) {
			t.Errorf("the same again: %s", again)
		}
		if got := movements(p.iPassLedger("IXN-V2-VOID")); got != "charge 229, void 229" {
			t.Errorf("ledger: %s", got)
		}
		if a := p.neutral("/"+id+"/refunds", "void-refund", map[string]any{}); a.status != http.StatusConflict {
			t.Errorf("a refund of a voided payment: %s", a)
		}
	})
	t.Run("cancel of a payment in doubt", func(t *testing.T) {
		const order = "IXN-V2-CANCEL"
		p.arm("drop_after_commit", onPay, order)
		p.arm("http_500_before_commit", onSearch, order) // so that it is in doubt for a while
		body := p.neutralPay(order)
		a := p.neutral("", "cancel-pay", body)
		expect(t, "pay", a, http.StatusAccepted, "UNKNOWN")
		id := a.member("id")
		cancelled := p.neutral("/"+id+"/cancel", "cancel-1", map[string]any{"reason": "the guest left"})
		expect(t, "cancel", cancelled, http.StatusOK, "REVERSING")
		p.reach(id, "REVERSED")
		if has := left(t, p.iPassLedger(order)); has != 0 {
			t.Errorf("%d is left after the cancellation: %s", has, movements(p.iPassLedger(order)))
		}
		// The promise "not paid" is what every later answer says.
		if a := p.neutral("", "cancel-pay", body); a.status != http.StatusPaymentRequired || a.member("code") != "payment_reversed" {
			t.Errorf("the payment again: %s", a)
		}
		if a := p.neutral("/"+id+"/cancel", "cancel-2", map[string]any{}); a.status != http.StatusOK || a.member("state") != "REVERSED" {
			t.Errorf("a second cancellation: %s", a)
		}
	})
	t.Run("cancel of a payment that never landed", func(t *testing.T) {
		const order = "IXN-V2-NOWHERE"
		p.arm("drop_before_commit", onPay, order)
		a := p.neutral("", "nowhere-pay", p.neutralPay(order))
		expect(t, "pay", a, http.StatusAccepted, "UNKNOWN")
		id := a.member("id")
		expect(t, "cancel", p.neutral("/"+id+"/cancel", "nowhere-1", map[string]any{}), http.StatusOK, "REVERSING")
		if s := p.settled(id); s.State != "REVERSED" && s.State != "FAILED" {
			t.Errorf("ended %s", s.State)
		}
		if got := movements(p.iPassLedger(order)); got != "nothing" {
			t.Errorf("ledger: %s", got)
		}
	})
	t.Run("capture false", func(t *testing.T) {
		body := p.neutralPay("IXN-V2-HOLD")
		body["capture"] = false
		a := p.neutral("", "hold-1", body)
		if a.status != http.StatusBadRequest || a.member("code") != "capture_false_unsupported" || a.member("message_from") != "OMNI" {
			t.Errorf("capture false: %s", a)
		}
		if got := p.sent("IXN-V2-HOLD"); len(got) != 0 {
			t.Errorf("sent: %v", got)
		}
	})
	t.Run("Prefer: wait", func(t *testing.T) {
		const order = "IXN-V2-WAIT"
		p.arm("delay", onPay, order, "delay_ms", 2000)
		body := p.neutralPay(order)
		a := p.neutral("", "wait-1", body, "Prefer", "wait=0")
		if a.status != http.StatusAccepted || a.header.Get("Preference-Applied") != "wait=0" || a.header.Get("Retry-After") == "" {
			t.Errorf("no patience: %s %v", a, a.header)
		}
		id := a.member("id")
		// A patient client with the same key joins what runs, and hears how it ends.
		b := p.neutral("", "wait-1", body, "Prefer", "wait=30")
		expect(t, "patience", b, http.StatusCreated, "SUCCEEDED")
		if b.member("id") != id || b.header.Get("Preference-Applied") != "wait=30" {
			t.Errorf("patience: %s %v", b, b.header)
		}
		if diff := cmp.Diff(map[string]int{"pay": 1}, p.sent(order)); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
	})
}
