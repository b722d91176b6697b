package ipasssandbox_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

func (c *till) void(order, reqID string) answer {
	c.t.Helper()
	return c.call("void", object{"reqId": reqID, "orderNumber": order})
}

func (c *till) refund(id any, reqID string, amount int) answer {
	c.t.Helper()
	m := object{"reqId": reqID, "transactionId": id}
	if amount != 0 {
		m["amount"] = amount
	}
	return c.call("refund", m)
}

func TestVoidOfAPaidOrder(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.want("pay", c.pay("A", 50), "0000")
	id := newReqID()
	first := c.want("void", c.void("A", id), "0000")
	c.sandbox.Advance("1h")
	again := c.want("the same void", c.void("A", id), "0000")
	if diff := cmp.Diff(first.body, again.body); diff != "" || first.body["voidDateTime"] == nil || first.body["orderNumber"] != "A" {
		t.Errorf("a repeated void answers otherwise:\n%s", diff)
	}
	c.want("another void", c.void("A", newReqID()), "S410")
	if got := c.search("A"); got.body["payStatus"] != "4" {
		t.Errorf("payStatus %v, want 4", got.body["payStatus"])
	}
	if diff := cmp.Diff([]string{"charge 50", "void 50"}, c.movements("A")); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
}

func TestVoidOfAnUnknownOrder(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.want("void", c.void("A", newReqID()), "0000")
	c.want("a payment that lands late", c.pay("A", 50), "0006")
	if got := c.search("A"); got.body["payStatus"] != "4" || len(c.movements("A")) != 0 {
		t.Errorf("tombstone %s, ledger %v", got.text, c.movements("A"))
	}

	open := start(t, sandboxtest.Object{"void_unknown": "not_found"})
	open.want("void", open.void("A", newReqID()), "S404")
	open.want("a payment that lands late", open.pay("A", 50), "0000")
}

func TestVoidThatIsRefused(t *testing.T) {
	t.Parallel()
	c := start(t, sandboxtest.Object{"void_paid": "refuse"})
	c.want("pay", c.pay("A", 50), "0000")
	c.want("void", c.void("A", newReqID()), "S412")
	c.want("no order", c.void("", newReqID()), "S400")
	if diff := cmp.Diff([]string{"charge 50"}, c.movements("A")); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
}

func TestRefunds(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	paid := c.want("pay", c.pay("A", 50), "0000")
	txn, reqID := paid.body["transactionId"], newReqID()
	first := c.want("part", c.refund(txn, reqID, 20), "0000")
	again := c.want("the same again", c.refund(txn, reqID, 20), "0000")
	if diff := cmp.Diff(first.body, again.body); diff != "" {
		t.Errorf("a repeated refund answers otherwise:\n%s", diff)
	}
	c.want("the same reqId with another amount", c.refund(txn, reqID, 10), "S409")
	c.want("more than is left", c.refund(txn, newReqID(), 31), "S411")
	c.want("less than nothing", c.refund(txn, newReqID(), -1), "S400")
	c.want("unknown", c.refund("e0000000000000", newReqID(), 1), "S404")
	if got := c.search("A"); got.body["payStatus"] != "3" || got.body["refundedAmount"] != json.Number("20") {
		t.Errorf("partly refunded: %s", got.text)
	}
	c.want("the rest", c.refund(txn, newReqID(), 0), "0000")
	c.want("nothing is left", c.refund(txn, newReqID(), 0), "S411")
	if got := c.search("A"); got.body["payStatus"] != "2" {
		t.Errorf("fully refunded: %s", got.text)
	}
	if diff := cmp.Diff([]string{"charge 50", "refund 20", "refund 30"}, c.movements("A")); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	c.want("void of what is refunded", c.void("A", newReqID()), "S412")
}

func TestRefundDedupSwitch(t *testing.T) {
	t.Parallel()
	for mode, tt := range map[string]struct {
		code  string
		moves []string
	}{
		"reject": {"S409", []string{"charge 50", "refund 20"}},
		"none":   {"0000", []string{"charge 50", "refund 20", "refund 20"}},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			c := start(t, sandboxtest.Object{"refund_dedup": mode})
			txn, reqID := c.pay("A", 50).body["transactionId"], newReqID()
			c.want("refund", c.refund(txn, reqID, 20), "0000")
			c.want("again", c.refund(txn, reqID, 20), tt.code)
			if diff := cmp.Diff(tt.moves, c.movements("A")); diff != "" {
				t.Errorf("ledger (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAuthorizeAndCapture(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	held := c.want("pay", c.call("pay", c.payment("A", 50, object{"capture": false})), "0000")
	txn := held.body["transactionId"]
	capture := func(amount int) answer {
		return c.call("capture", object{"reqId": newReqID(), "transactionId": txn, "amount": amount})
	}
	if got := c.search("A"); got.body["payStatus"] != "0" {
		t.Errorf("payStatus %v, want 0", got.body["payStatus"])
	}
	c.want("refund of a hold", c.refund(txn, newReqID(), 1), "S412")
	c.want("another amount", capture(49), "S400")
	c.want("capture", capture(50), "0000")
	c.want("again", capture(50), "S412")
	if diff := cmp.Diff([]string{"authorize 50", "capture 50"}, c.movements("A")); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}

	c.want("pay", c.call("pay", c.payment("B", 50, object{"capture": false})), "0000")
	c.sandbox.Advance("168h")
	if got := c.search("B"); got.body["payStatus"] != "4" || !cmp.Equal(c.movements("B"), []string{"authorize 50", "void 50"}) {
		t.Errorf("a hold that expired: %s, ledger %v", got.text, c.movements("B"))
	}
}

func TestSearchLagSwitch(t *testing.T) {
	t.Parallel()
	c := start(t, sandboxtest.Object{"search_lag": 20})
	paid := c.want("pay", c.pay("A", 50), "0000")
	c.want("too early", c.search("A"), "S404")
	c.sandbox.Advance("21s")
	c.want("later", c.search("A"), "0000")
	c.want("refund", c.refund(paid.body["transactionId"], newReqID(), 20), "0000")
	if got := c.search("A"); got.body["payStatus"] != "1" {
		t.Errorf("payStatus %v right after the refund, want still 1", got.body["payStatus"])
	}
	c.sandbox.Advance("21s")
	if got := c.search("A"); got.body["payStatus"] != "3" {
		t.Errorf("payStatus %v later, want 3", got.body["payStatus"])
	}
}

func TestStateSurvivesARestart(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	message := c.payment("A", 50, nil)
	paid := c.want("pay", c.call("pay", message), "0000")
	c.want("void", c.void("B", newReqID()), "0000")
	c.sandbox.Restart()
	c.want("the number is taken", c.pay("A", 50), "0006")
	c.want("the tombstone stands", c.pay("B", 50), "0006")
	c.want("the reqId is taken", c.call("pay", c.payment("C", 50, object{"reqId": message["reqId"]})), "S409")
	c.want("the id is known", c.refund(paid.body["transactionId"], newReqID(), 50), "0000")
}
