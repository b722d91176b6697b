package ipasssandbox_test

import (
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"

	ipasssandbox "github.com/payrack/payrack/plugins/providers/ipass/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

func TestFaultsOfTheDialect(t *testing.T) {
	t.Parallel()
	unreadable := func(a answer) bool {
		return a.err == nil && a.status == http.StatusOK && a.body == nil && strings.Contains(a.raw, `"data"`)
	}
	tests := map[string]struct {
		operation string // pay if empty
		charges   int
		seen      func(answer) bool
	}{
		"9999_before_commit": {"", 0, func(a answer) bool { return a.code == "9999" && a.body["reqId"] == nil }},
		"9999_after_commit":  {"", 1, func(a answer) bool { return a.code == "9999" && a.body["reqId"] == nil }},
		"garbage_base64":     {"", 1, unreadable},
		"wrong_key":          {"", 1, unreadable},
		"flipped_iv":         {"", 1, func(a answer) bool { return a.text != "" && a.body == nil }},
		"foreign_req_id": {"", 1, func(a answer) bool {
			return a.code == "0000" && a.body["reqId"] == "00000000-0000-4000-8000-000000000000"
		}},
		"empty_transaction_id": {"", 1, func(a answer) bool { return a.code == "0000" && a.body["transactionId"] == "" }},
		"plain_text":           {"", 1, func(a answer) bool { return a.iv == "" && strings.HasPrefix(a.raw, `{"returnCode":"0000"`) }},
		"pascal_case":          {"", 1, func(a answer) bool { return a.body["ReturnCode"] == "0000" && a.body["OrderNumber"] == "A" }},
		"amount_as_string":     {"", 1, func(a answer) bool { return a.body["amount"] == "50" }},
		"extra_fields":         {"", 1, func(a answer) bool { return a.code == "0000" && a.body["promotion"] != nil }},
		"reset_before_commit":  {"", 0, func(a answer) bool { return errors.Is(a.err, syscall.ECONNRESET) }},
		"reset_after_commit":   {"", 1, func(a answer) bool { return errors.Is(a.err, syscall.ECONNRESET) }},
		"pay_status_9":         {"search", 1, func(a answer) bool { return a.body["payStatus"] == "9" }},
		"wrong_amount":         {"", 1, func(a answer) bool { return strings.Contains(a.text, `"amount":51`) }},
		"wrong_order":          {"", 1, func(a answer) bool { return a.body["orderNumber"] == "AX" }},
		"duplicate_delivery":   {"", 1, func(a answer) bool { return a.code == "0006" }},
		"code:0042":            {"", 0, func(a answer) bool { return a.code == "0042" && a.body["reqId"] != nil }},
		"code:9999":            {"", 0, func(a answer) bool { return a.code == "9999" && a.body["reqId"] == nil }},
		"search_lag":           {"search", 1, func(a answer) bool { return a.code == "S404" }},
		"http_504_after_commit": {"", 1, func(a answer) bool {
			return a.status == http.StatusGatewayTimeout
		}},
	}
	for fault := range ipasssandbox.Dialect().Faults {
		if _, tested := tests[fault]; !tested {
			t.Errorf("no row for the fault %s", fault)
		}
	}
	for fault, tt := range tests {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			c := start(t, nil)
			operation := tt.operation
			if operation == "" {
				operation = "pay"
			}
			c.sandbox.Arm(sandboxtest.Object{
				"provider": "ipass", "operation": operation, "order_id": "A", "fault": fault, "delay_ms": 60_000,
			})
			got := c.pay("A", 50)
			if operation == "search" {
				c.want("pay", got, "0000")
				got = c.search("A")
			}
			if !tt.seen(got) {
				t.Errorf("the client saw %v", got)
			}
			if moves := c.movements("A"); len(moves) != tt.charges {
				t.Errorf("ledger %v, want %d charges", moves, tt.charges)
			}
			if fired := c.sandbox.Fired(fault); fired != 1 {
				t.Errorf("fired %d times, want 1", fired)
			}
			if v := c.sandbox.Violations(); len(v) != 0 {
				t.Errorf("violations %+v", v)
			}
		})
	}
}

func TestSearchLagOnThePayment(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.sandbox.Arm(sandboxtest.Object{"operation": "pay", "fault": "search_lag", "delay_ms": 20_000, "times": 1})
	c.want("pay", c.pay("A", 50), "0000")
	c.want("too early", c.search("A"), "S404")
	c.sandbox.Advance("20s")
	c.want("later", c.search("A"), "0000")
}

// A refund has an id of its own, which the fault empties too; it lands all the same.
func TestEmptyIDOfARefund(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	txn := c.want("pay", c.pay("A", 50), "0000").body["transactionId"]
	c.sandbox.Arm(sandboxtest.Object{"operation": "refund", "fault": "empty_transaction_id", "times": 1})
	if got := c.want("refund", c.refund(txn, newReqID(), 20), "0000"); got.body["cancelTransactionId"] != nil {
		t.Errorf("the refund has the id %v", got.body["cancelTransactionId"])
	}
	if moves := c.movements("A"); len(moves) != 2 || moves[1] != "refund 20" || c.sandbox.Fired("empty_transaction_id") != 1 {
		t.Errorf("ledger %v, fired %d", moves, c.sandbox.Fired("empty_transaction_id"))
	}
}
