package e2e_test

import (
	"bytes"
	"net/http"
	"testing"
)

// TestIPassRefunds follows the rules of refunds on iPASS's own route.
//
//nolint:paralleltest,tparallel // the parts share one program
func TestIPassRefunds(t *testing.T) {
	t.Parallel()
	p := startIPass(t, quickIPass)
	refund := func(transaction string, amount int) map[string]any {
		c := map[string]any{"req_id": newReqID(), "transaction_id": transaction}
		if amount > 0 {
			c["amount"] = amount
		}
		return c
	}

	t.Run("parts", func(t *testing.T) {
		const order = "IXN-R-PARTS"
		_, paid := p.paid(order)
		id, transaction := paid.header.Get("Payrack-Payment-Id"), paid.member("transaction_id")
		first := refund(transaction, 100)
		a := p.iPass(iPassRefund, first)
		if a.status != http.StatusOK || a.member("return_code") != "0000" || a.member("cancel_transaction_id") == "" ||
			a.member("cancel_date_time") == "" || a.member("req_id") != first["req_id"] || a.header.Get("Payrack-Payment-Id") != id {
			t.Fatalf("a part: %s", a)
		}
		// The same req_id again is the same refund, byte for byte, and nothing is sent.
		again := p.iPass(iPassRefund, first)
		if again.status != http.StatusOK || !bytes.Equal(again.body, a.body) || again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("the same req_id: %s, want the stored bytes", again)
		}
		// The same req_id with another amount is refused, and the first keeps its outcome.
		if b := p.iPass(iPassRefund, with(first, "amount", 101)); b.status != http.StatusUnprocessableEntity || b.member("code") != "idempotency_mismatch" {
			t.Errorf("the req_id with another amount: %s", b)
		}
		// The same amount under another req_id is another refund.
		if b := p.iPass(iPassRefund, refund(transaction, 100)); b.member("return_code") != "0000" {
			t.Errorf("a second part: %s", b)
		}
		// More than is left is refused before anything is sent.
		sent := p.sent(order)["refund"]
		if b := p.iPass(iPassRefund, refund(transaction, 30)); b.status != http.StatusConflict || b.member("message_from") != "OMNI" || b.member("code") == "" {
			t.Errorf("more than is left: %s", b)
		}
		if now := p.sent(order)["refund"]; now != sent {
			t.Errorf("%d refunds were sent, want %d", now, sent)
		}
		// Without an amount it is all that is left.
		if b := p.iPass(iPassRefund, refund(transaction, 0)); b.member("return_code") != "0000" || b.member("amount") != "29" {
			t.Errorf("the rest: %s", b)
		}
		if got := movements(p.iPassLedger(order)); got != "charge 229, refund 100, refund 100, refund 29" {
			t.Errorf("ledger: %s", got)
		}
		if s := p.show(id); s.State != "REFUNDED" || s.Refunded.Amount != 229 {
			t.Errorf("%+v", s)
		}
		if b := p.iPass(iPassRefund, refund(transaction, 0)); b.status != http.StatusConflict {
			t.Errorf("a refund of nothing: %s", b)
		}
	})
	t.Run("in doubt", func(t *testing.T) {
		const order = "IXN-R-DOUBT"
		_, paid := p.paid(order)
		id := paid.header.Get("Payrack-Payment-Id")
		p.arm("drop_after_commit", onRefund, order)
		p.arm("http_500_before_commit", onSearch, order) // so that it is in doubt for a while
		columns := refund(paid.member("transaction_id"), 100)
		a := p.iPass(iPassRefund, columns)
		if a.status != http.StatusGatewayTimeout || a.member("status") != "PENDING" {
			t.Fatalf("a lost answer: %s", a)
		}
		// Nothing else may give money back while nobody knows.
		if b := p.iPass(iPassRefund, refund(paid.member("transaction_id"), 0)); b.status != http.StatusConflict || b.header.Get("Retry-After") == "" {
			t.Errorf("another refund meanwhile: %s %v", b, b.header)
		}
		p.reach(id, "PARTIALLY_REFUNDED")
		b := p.iPass(iPassRefund, columns)
		if b.status != http.StatusOK || b.member("return_code") != "0000" || b.member("req_id") != columns["req_id"] ||
			b.member("amount") != "100" || b.member("cancel_transaction_id") == "" {
			t.Errorf("after the search: %s, want the answer that the refund would have brought", b)
		}
		if got := movements(p.iPassLedger(order)); got != "charge 229, refund 100" || p.sent(order)["refund"] != 1 {
			t.Errorf("ledger: %s, sent %v", got, p.sent(order))
		}
	})
	t.Run("of a payment in doubt", func(t *testing.T) {
		const order = "IXN-R-EARLY"
		p.arm("drop_after_commit", onPay, order)
		p.arm("http_500_before_commit", onSearch, order) // so that it is in doubt for a while
		a := p.iPass(iPassPay, p.iPassColumns(order))
		if a.status != http.StatusGatewayTimeout {
			t.Fatalf("a lost answer: %s", a)
		}
		early := p.iPass(iPassRefund, map[string]any{"req_id": newReqID(), "order_number": order})
		if early.status != http.StatusConflict || early.member("message_from") != "OMNI" {
			t.Errorf("a refund before anybody knows of a charge: %s", early)
		}
		p.reach(a.header.Get("Payrack-Payment-Id"), "SUCCEEDED")
		// The lost answer would have told the transaction id; a search does.
		found := p.iPass(iPassSearch, map[string]any{"order_number": order})
		if b := p.iPass(iPassRefund, refund(found.member("original_transactionId"), 0)); b.member("return_code") != "0000" {
			t.Errorf("a refund of what the search found, %s: %s", found, b)
		}
		if got := movements(p.iPassLedger(order)); got != "charge 229, refund 229" {
			t.Errorf("ledger: %s", got)
		}
	})
	t.Run("unknown", func(t *testing.T) {
		for what, columns := range map[string]map[string]any{
			"order":       {"req_id": newReqID(), "order_number": "IXN-R-NOWHERE"},
			"transaction": {"req_id": newReqID(), "transaction_id": "e9999999999999", "amount": 1},
		} {
			a := p.iPass(iPassRefund, columns)
			if a.status != http.StatusNotFound || a.member("code") != "payment_not_found" || a.member("message_from") != "OMNI" {
				t.Errorf("an unknown %s: %s", what, a)
			}
		}
		if got := p.sent("IXN-R-NOWHERE"); len(got) != 0 {
			t.Errorf("sent for an unknown order: %v", got)
		}
	})
	t.Run("declined", func(t *testing.T) {
		columns := p.iPassColumns("IXN-R-SHORT")
		columns["trade_code"] = p.iPassCode("decline", "S402")
		if a := p.iPass(iPassPay, columns); a.member("return_code") != "S402" {
			t.Fatalf("a short balance: %s", a)
		}
		a := p.iPass(iPassRefund, map[string]any{"req_id": newReqID(), "order_number": "IXN-R-SHORT"})
		if a.status != http.StatusConflict || a.member("code") != "not_allowed_in_state" {
			t.Errorf("a refund of what was never charged: %s", a)
		}
	})
	t.Run("without a key", func(t *testing.T) {
		const order = "IXN-R-NOKEY"
		_, paid := p.paid(order)
		columns := map[string]any{"transaction_id": paid.member("transaction_id"), "amount": 100}
		if a := p.iPass(iPassRefund, columns); a.status != http.StatusBadRequest || a.member("code") != "idempotency_key_required" {
			t.Errorf("neither req_id nor header: %s", a)
		}
		a := p.iPass(iPassRefund, columns, "Idempotency-Key", "till-7-refund-1")
		b := p.iPass(iPassRefund, columns, "Idempotency-Key", "till-7-refund-1")
		if a.member("return_code") != "0000" || !bytes.Equal(a.body, b.body) {
			t.Errorf("by the header: %s, then %s", a, b)
		}
		if len(a.member("req_id")) != len(newReqID()) {
			t.Errorf("the gateway demands a req_id, and the platform gave none: %s", a)
		}
		if got := movements(p.iPassLedger(order)); got != "charge 229, refund 100" {
			t.Errorf("ledger: %s", got)
		}
	})
	t.Run("a void after a refund", func(t *testing.T) {
		const order = "IXN-R-VOID"
		_, paid := p.paid(order)
		if a := p.iPass(iPassRefund, refund(paid.member("transaction_id"), 100)); a.member("return_code") != "0000" {
			t.Fatalf("a part: %s", a)
		}
		a := p.iPass(iPassVoid, map[string]any{"req_id": newReqID(), "order_number": order})
		if a.status != http.StatusConflict || a.member("code") != "not_allowed_in_state" {
			t.Errorf("a void of what is refunded in part: %s", a)
		}
		if got := movements(p.iPassLedger(order)); got != "charge 229, refund 100" {
			t.Errorf("ledger: %s", got)
		}
	})
}
