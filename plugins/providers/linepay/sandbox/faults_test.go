package linepaysandbox_test

import (
	"strings"
	"testing"

	linepaysandbox "github.com/payrack/payrack/plugins/providers/linepay/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

func TestFaultsOfTheDialect(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		charges int
		seen    func(c *till, paid answer) bool
	}{
		"error_shape": {1, func(_ *till, a answer) bool { return strings.Contains(a.raw, `"resultCode":`) && a.code == "" }},
		"ids_as_strings": {1, func(_ *till, a answer) bool {
			id, isText := a.info["transactionId"].(string)
			return isText && len(id) == 19
		}},
		"auth_ready": {1, func(_ *till, a answer) bool { return a.code == "0000" }},
		"wrong_amount": {1, func(_ *till, a answer) bool {
			return strings.Contains(a.raw, `"amount":51}`)
		}},
		"wrong_order":        {1, func(_ *till, a answer) bool { return a.info["orderId"] == "AX" }},
		"duplicate_delivery": {1, func(_ *till, a answer) bool { return a.code == "1172" }},
		"code:9000":          {0, func(_ *till, a answer) bool { return a.code == "9000" }},
		"code:0000":          {0, func(_ *till, a answer) bool { return a.code == "0000" && a.info == nil }},
		"search_lag": {1, func(c *till, a answer) bool {
			hidden := c.check("v4", "A").code == "1150" && c.details("v4", "orderId=A").code == "1150"
			c.sandbox.Advance("1m")
			return a.code == "0000" && hidden && c.check("v4", "A").code == "0000"
		}},
		"drop_after_commit": {1, func(c *till, a answer) bool {
			return a.err != nil && c.check("v4", "A").info["status"] == "COMPLETE"
		}},
	}
	for fault := range linepaysandbox.Dialect().Faults {
		if _, tested := tests[fault]; !tested && fault != "auto_cancel" { // that one is of a capture: see TestCaptureThatReleases
			t.Errorf("no row for the fault %s", fault)
		}
	}
	for fault, tt := range tests {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			c := start(t, nil)
			delay := 10
			if fault == "search_lag" {
				delay = 30_000
			}
			c.sandbox.Arm(sandboxtest.Object{"provider": "linepay", "operation": "pay", "order_id": "A", "fault": fault, "delay_ms": delay})
			if got := c.pay("v4", "A", "50", "TWD"); !tt.seen(c, got) {
				t.Errorf("the client saw %v", got)
			}
			if got := len(c.sandbox.Ledger("linepay", "A")); got != tt.charges {
				t.Errorf("%d charges, want %d", got, tt.charges)
			}
			if got := c.sandbox.Fired(fault); got != 1 {
				t.Errorf("fired %d times, want 1", got)
			}
		})
	}
}

func TestSearchLagOnTheQuery(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.want("pay", c.pay("v4", "A", "50", "TWD"), "0000")
	c.sandbox.Arm(sandboxtest.Object{"operation": "check", "fault": "search_lag", "delay_ms": 20_000})
	c.want("too early", c.check("v4", "A"), "1150")
	c.sandbox.Advance("21s")
	c.want("later", c.check("v4", "A"), "0000")
	if got := c.sandbox.Fired("search_lag"); got != 1 {
		t.Errorf("fired %d times, want 1: the second check hid nothing", got)
	}
}

func TestAuthReady(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.sandbox.Arm(sandboxtest.Object{"order_id": "A", "fault": "auth_ready", "delay_ms": 3_600_000, "times": 1})
	done := make(chan answer, 1)
	go func() { done <- c.pay("v4", "A", "50", "TWD") }()
	for c.sandbox.Fired("auth_ready") == 0 {
		select {
		case got := <-done:
			t.Fatalf("the payment did not wait: %v", got)
		default:
		}
	}
	if got := c.want("check", c.check("v4", "A"), "0000"); got.info["status"] != "AUTH_READY" {
		t.Errorf("status %v, want AUTH_READY", got.info["status"])
	}
	c.want("again meanwhile", c.pay("v4", "A", "50", "TWD"), "1198")
	c.want("details meanwhile", c.details("v4", "orderId=A"), "1150")
	if got := c.sandbox.Ledger("linepay", "A"); len(got) != 0 {
		t.Errorf("charged before the decision: %+v", got)
	}
	// The sandbox's clock decides for whoever looks, while the till still waits in real time.
	c.sandbox.Advance("1h")
	if got := c.want("check", c.check("v4", "A"), "0000"); got.info["status"] != "COMPLETE" {
		t.Errorf("status %v, want COMPLETE", got.info["status"])
	}
	c.sandbox.Restart()
	<-done
	if got := c.sandbox.Ledger("linepay", "A"); len(got) != 1 {
		t.Errorf("%d charges, want 1", len(got))
	}
}

func TestDuplicateDeliveryIsBehindTheNonceCheck(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.sandbox.Arm(sandboxtest.Object{"operation": "check", "fault": "duplicate_delivery"})
	c.want("pay", c.pay("v4", "A", "50", "TWD"), "0000")
	c.want("check", c.check("v4", "A"), "0000")
}
