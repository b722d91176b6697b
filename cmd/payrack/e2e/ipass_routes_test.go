package e2e_test

import (
	"bytes"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// TestIPassRoutes uses every spelling that the routes of iPASS accept, and looks at whose words an answer is in.
//
//nolint:paralleltest,tparallel // the parts share one program
func TestIPassRoutes(t *testing.T) {
	t.Parallel()
	p := startIPass(t, quickIPass)
	const merchant, key = "7000000042", "0123456789abcdef0123456789abcdef"
	p.control(http.MethodPost, "accounts", map[string]any{"provider": "ipass", "credential": map[string]any{"merchantid": merchant, "key": key}})

	t.Run("both spellings", func(t *testing.T) {
		for i, c := range []struct{ transaction, order string }{{"transaction_id", "order_number"}, {"transactionId", "orderNumber"}} {
			order := []string{"IXN-A-SNAKE", "IXN-A-CAMEL"}[i]
			_, paid := p.paid(order)
			transaction := paid.member("transaction_id")
			found := p.iPass(iPassSearch, map[string]any{"req_id": newReqID(), c.order: order})
			if found.status != http.StatusOK || found.member("return_code") != "0000" || found.member("pay_status") != "1" ||
				found.member("original_transactionId") != transaction {
				t.Errorf("search by %s: %s", c.order, found)
			}
			part := p.iPass(iPassRefund, map[string]any{"req_id": newReqID(), c.transaction: transaction, "amount": 100})
			rest := p.iPass(iPassRefund, map[string]any{"req_id": newReqID(), c.transaction: transaction, c.order: order})
			if part.member("return_code") != "0000" || rest.member("return_code") != "0000" {
				t.Errorf("refunds by %s and %s: %s, %s", c.transaction, c.order, part, rest)
			}
			if got := movements(p.iPassLedger(order)); got != "charge 229, refund 100, refund 129" {
				t.Errorf("ledger of %s: %s", order, got)
			}
			p.paid(order + "-V")
			void := p.iPass(iPassVoid, map[string]any{"req_id": newReqID(), c.order: order + "-V"})
			if void.status != http.StatusOK || void.member("return_code") != "0000" || void.member("void_date_time") == "" ||
				void.member("order_number") != order+"-V" {
				t.Errorf("void by %s: %s", c.order, void)
			}
		}
	})
	t.Run("one meaning", func(t *testing.T) {
		const order = "IXN-A-SAME"
		_, paid := p.paid(order)
		transaction, id := paid.member("transaction_id"), newReqID()
		a := p.iPass(iPassRefund, map[string]any{"req_id": id, "transaction_id": transaction, "amount": 100})
		b := p.iPass(iPassRefund, map[string]any{"req_id": id, "transactionId": transaction, "amount": 100})
		if a.member("return_code") != "0000" || !bytes.Equal(a.body, b.body) {
			t.Errorf("the same refund in the other spelling: %s, then %s", a, b)
		}
		// The integrate route is the same request, too.
		c := p.post(integrate+"refund", with(p.iPassBody(map[string]any{"req_id": id, "transaction_id": transaction, "amount": 100}), "type", "IPASS_OFFLINE_PAY"))
		if !bytes.Equal(a.body, c.body) {
			t.Errorf("the same refund on the integrate route: %s, then %s", a, c)
		}
		both := p.iPass(iPassRefund, map[string]any{"req_id": newReqID(), "transaction_id": transaction, "transactionId": "e0", "amount": 100})
		if both.status != http.StatusBadRequest || !strings.Contains(string(both.body), `"conflicting_members"`) {
			t.Errorf("both spellings, different: %s", both)
		}
		if got := movements(p.iPassLedger(order)); got != "charge 229, refund 100" {
			t.Errorf("ledger: %s", got)
		}
	})
	t.Run("credentials of the request", func(t *testing.T) {
		for i, name := range []string{"merchantid", "merchant_id"} {
			order := []string{"IXN-A-OWN", "IXN-A-OWN_"}[i]
			own := func(columns map[string]any) map[string]any {
				return map[string]any{"is_test": true, "request": with(columns, name, merchant, "key", key, "iv", newIV())}
			}
			paid := p.post(iPassPay, own(p.iPassColumns(order)))
			if paid.member("return_code") != "0000" {
				t.Fatalf("pay with %s: %s", name, paid)
			}
			found := p.post(iPassSearch, own(map[string]any{"order_number": order}))
			refund := p.post(iPassRefund, own(map[string]any{"req_id": newReqID(), "transaction_id": paid.member("transaction_id"), "amount": 29}))
			if found.member("return_code") != "0000" || refund.member("return_code") != "0000" {
				t.Errorf("search and refund with %s: %s, %s", name, found, refund)
			}
			if got := movements(p.iPassLedger(order)); got != "charge 229, refund 29" {
				t.Errorf("ledger: %s", got)
			}
		}
		const order = "IXN-A-OWNVOID"
		own := map[string]any{"merchantid": merchant, "key": key, "iv": newIV()}
		send := func(path string, columns map[string]any) answer {
			maps.Copy(columns, own)
			own["iv"] = newIV()
			return p.post(path, map[string]any{"is_test": true, "request": columns})
		}
		if a := send(iPassPay, p.iPassColumns(order)); a.member("return_code") != "0000" {
			t.Fatalf("pay: %s", a)
		}
		if a := send(iPassVoid, map[string]any{"req_id": newReqID(), "order_number": order}); a.member("return_code") != "0000" {
			t.Errorf("void: %s", a)
		}
		if broken := p.violations(); broken != `{"violations":[]}` {
			t.Errorf("rules of the gateway that were broken: %s", broken)
		}
	})
	t.Run("whose words", func(t *testing.T) {
		// The gateway's success has no label; req_id is the request's.
		columns, paid := p.paid("IXN-A-WORDS")
		if paid.member("message_from") != "" || paid.member("message") != "" || paid.member("req_id") != columns["req_id"] {
			t.Errorf("a success: %s", paid)
		}
		// The gateway's refusal is the gateway's, with the request's req_id.
		columns = p.iPassColumns("IXN-A-SHORT")
		columns["trade_code"] = p.iPassCode("decline", "S402")
		short := p.iPass(iPassPay, columns)
		if short.status != http.StatusOK || short.member("return_code") != "S402" || short.member("return_msg") == "" ||
			short.member("req_id") != columns["req_id"] || short.member("message_from") != "IPASS" || short.member("message") != "" {
			t.Errorf("a refusal: %s", short)
		}
		// A record that is not there is the gateway's word, too.
		none := p.iPass(iPassSearch, map[string]any{"order_number": "IXN-A-NOWHERE"})
		if none.status != http.StatusOK || none.member("return_code") != "S404" || none.member("message_from") != "IPASS" {
			t.Errorf("a search that finds nothing: %s", none)
		}
		// The order that is paid already is our word, in the gateway's shape: the gateway was not asked.
		again := p.iPass(iPassPay, p.iPassColumns("IXN-A-WORDS"))
		if again.status != http.StatusOK || again.member("return_code") != "0006" || again.member("message_from") != "OMNI" || again.member("req_id") != "" {
			t.Errorf("the order again: %s", again)
		}
		if p.sent("IXN-A-WORDS")["pay"] != 1 {
			t.Errorf("sent: %v", p.sent("IXN-A-WORDS"))
		}
		// Everything else of ours has a message.
		for what, a := range map[string]answer{
			"a missing column": p.iPass(iPassVoid, map[string]any{"req_id": newReqID()}),
			"an unknown order": p.iPass(iPassVoid, map[string]any{"req_id": newReqID(), "order_number": "IXN-A-NOWHERE"}),
			"no store":         p.post(iPassSearch, map[string]any{"request": map[string]any{"order_number": "X"}}),
		} {
			if a.status/100 != 4 || a.member("message") == "" || a.member("message_from") != "OMNI" || a.member("return_code") != "" {
				t.Errorf("%s: %s", what, a)
			}
		}
	})
	t.Run("a refund without a transaction", func(t *testing.T) {
		const order = "IXN-A-SLIP"
		_, paid := p.paid(order)
		for what, columns := range map[string]map[string]any{
			"an order and an amount": {"req_id": newReqID(), "order_number": order, "amount": 100},
			"an order alone":         {"req_id": newReqID(), "order_number": order},
		} {
			a := p.iPass(iPassRefund, columns)
			if a.status != http.StatusBadRequest || a.member("message_from") != "OMNI" || strings.HasPrefix(a.member("message"), " ") {
				t.Errorf("%s: %s", what, a)
			}
		}
		if got := movements(p.iPassLedger(order)); got != "charge 229" || p.sent(order)["refund"]+p.sent(order)["void"] > 0 {
			t.Errorf("ledger: %s, sent %v", got, p.sent(order))
		}
		p.reach(paid.header.Get("Payrack-Payment-Id"), "SUCCEEDED")
	})
}

// TestIPassPrintedSlip shows the switch for clients that were written to the published page of the void, which prints the
// refund's path: with it, a refund that names an order and nothing else is a void of the whole.
func TestIPassPrintedSlip(t *testing.T) {
	t.Parallel()
	p := startIPass(t, quickIPass+"  settings: {ipass: {refund_without_amount: void}}\n")
	for name, fault := range map[string]string{"IXN-L-VOID": "", "IXN-L-LOST": "drop_after_commit", "IXN-L-NOWHERE": "drop_before_commit"} {
		_, paid := p.paid(name)
		id := paid.header.Get("Payrack-Payment-Id")
		if fault != "" {
			p.arm(fault, onVoid, name)
		}
		columns := map[string]any{"req_id": newReqID(), "order_number": name}
		a := p.iPass(iPassRefund, columns)
		want, state := "charge 229, void 229", "REFUNDED"
		switch fault {
		case "":
			again := p.iPass(iPassRefund, columns)
			if a.status != http.StatusOK || a.member("return_code") != "0000" || a.member("void_date_time") == "" || !bytes.Equal(a.body, again.body) {
				t.Errorf("%s: %s, then %s", name, a, again)
			}
		case "drop_before_commit":
			want, state = "charge 229", "SUCCEEDED"
			fallthrough
		default:
			if a.status != http.StatusGatewayTimeout || a.member("status") != "PENDING" {
				t.Errorf("%s: %s", name, a)
			}
		}
		p.reach(id, state)
		if got := movements(p.iPassLedger(name)); got != want || p.sent(name)["refund"] > 0 || p.sent(name)["void"] != 1 {
			t.Errorf("%s: ledger %s, sent %v", name, got, p.sent(name))
		}
	}
	// With a transaction it is the refund that it says, and an amount without one is neither.
	_, paid := p.paid("IXN-L-REFUND")
	if a := p.iPass(iPassRefund, map[string]any{"req_id": newReqID(), "order_number": "IXN-L-REFUND", "amount": 29}); a.status != http.StatusBadRequest {
		t.Errorf("an order and an amount: %s", a)
	}
	for _, amount := range []any{29, nil} {
		columns := with(map[string]any{"req_id": newReqID(), "transaction_id": paid.member("transaction_id")}, "amount", amount)
		if a := p.iPass(iPassRefund, columns); a.member("return_code") != "0000" || a.member("cancel_transaction_id") == "" {
			t.Errorf("a refund by transaction: %s", a)
		}
	}
	if got := movements(p.iPassLedger("IXN-L-REFUND")); got != "charge 229, refund 29, refund 200" {
		t.Errorf("ledger: %s", got)
	}
}
