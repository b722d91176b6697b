package icashpaysandbox_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	icashpaysandbox "github.com/payrack/payrack/plugins/providers/icashpay/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

func TestLifeOfAPayment(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	paid := c.want("pay", c.pay("A", 300), "1")
	id, _ := paid["TransactionID"].(string)
	if id == "" || paid["TotalAmount"] != "30000" || paid["MerchantTradeNo"] != "A" {
		t.Errorf("paid %v", paid)
	}
	c.want("the same order again", c.pay("A", 300), "-409")
	if r := c.want("search", c.search("A"), "1"); r["TradeStatus"] != "1" || r["TradeType"] != "0" || r["RefundTotalAmount"] != nil {
		t.Errorf("record %v", r)
	}
	refund := c.want("refund", c.refund(id, "R1", 100), "1")
	if refund["RefundTotalAmount"] != "10000" || refund["OTotalAmount"] != "30000" || refund["TransactionID"] == id || refund["OMerchantTradeNo"] != "A" {
		t.Errorf("refund %v", refund)
	}
	c.want("the same refund again", c.refund(id, "R1", 100), "-409")
	c.want("a refund with an order's number", c.refund(id, "A", 100), "-409")
	c.want("too much", c.refund(id, "R2", 201), "-411")
	c.want("a refund of another payment", c.refund("1", "R2", 1), "-404")
	c.want("a void after a refund", c.void("A", id), "-412")
	if r := c.want("search", c.search("A"), "1"); r["TradeStatus"] != "3" || r["RefundTotalAmount"] != "10000" {
		t.Errorf("record %v", r)
	}
	if r := c.want("search the refund", c.search("R1"), "1"); r["TradeType"] != "1" || r["RefundTotalAmount"] != "10000" {
		t.Errorf("record of the refund %v", r)
	}

	c.sandbox.Restart()
	c.want("the rest, after a restart", c.refund(id, "R2", 200), "1")
	if r := c.want("search", c.search("A"), "1"); r["TradeStatus"] != "2" {
		t.Errorf("record %v", r)
	}
	c.want("pay", c.pay("B", 5), "1")
	c.want("a void with another id", c.void("B", "1"), "-404")
	c.want("void", c.void("B", ""), "1")
	c.want("void again", c.void("B", ""), "1")
	if r := c.want("search", c.search("B"), "1"); r["TradeStatus"] != "4" {
		t.Errorf("record %v", r)
	}
	c.want("search nothing", c.search("nobody"), "-404")
	c.want("void nothing", c.void("nobody", ""), "-404")
	if got := c.moves(""); got != "charge 300, refund 100, refund 200, charge 5, void 5" {
		t.Errorf("ledger %s", got)
	}
}

func TestCodes(t *testing.T) {
	t.Parallel()
	c := start(t, sandboxtest.Object{"decline_burns_order": false, "refund_total": false, "void_paid": "refuse"})
	code := c.sandbox.Code("icashpay", sandboxtest.Object{"method": "2"})
	if r := c.want("pay", c.post("/Pos/DeductICPOF", c.payment("A", 1, code), nil), "1"); r["PaymentType"] != "2" {
		t.Errorf("paid %v", r)
	}
	c.want("a used code", c.post("/POS/DeductICPOF", c.payment("B", 1, code), nil), "-403")
	c.want("an unknown code", c.post("/POS/DeductICPOF", c.payment("B", 1, "IC"), nil), "-403")
	old := c.sandbox.Code("icashpay", nil)
	c.sandbox.Advance("5m")
	c.want("an old code", c.post("/POS/DeductICPOF", c.payment("B", 1, old), nil), "-403")
	poor := c.sandbox.Code("icashpay", sandboxtest.Object{"balance": 9})
	c.want("an empty wallet", c.post("/POS/DeductICPOF", c.payment("B", 10, poor), nil), "-402")
	c.want("the order is not burnt", c.pay("B", 10), "1")
	c.want("a void is refused", c.void("B", ""), "-412")
	if got := c.moves(""); got != "charge 1, charge 10" {
		t.Errorf("ledger %s", got)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	for name, edit := range map[string]func(object){
		"no order": func(o object) { delete(o, "MerchantTradeNo") }, "no shop": func(o object) { o["StoreName"] = "" }, "no date": func(o object) { o["MerchantTradeDate"] = "2026-05-16 10:09:00" },
		"another sum": func(o object) { o["ItemAmt"] = "200" }, "half a dollar": func(o object) { o["TotalAmount"], o["ItemAmt"] = "150", "150" }, "dollars": func(o object) { o["TotalAmount"] = 100 },
		"nothing": func(o object) { o["TotalAmount"], o["ItemAmt"] = "0", "0" }, "another merchant": func(o object) { o["MerchantID"] = "1" }, "another platform": func(o object) { o["PlatformID"] = "1" },
	} {
		body := c.payment("A", 1, c.sandbox.Code("icashpay", nil))
		edit(body)
		c.want(name, c.post("/POS/DeductICPOF", body, nil), "-400")
	}
	nobody := func(name string, edit func(*http.Request)) {
		a := c.post("/POS/DeductICPOF", c.payment("A", 1, c.sandbox.Code("icashpay", nil)), edit)
		if a.status != http.StatusUnauthorized || a.signed || a.code != "-401" {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	nobody("no signature", func(r *http.Request) { r.Header.Del("X-iCP-Signature") })
	nobody("another key id", func(r *http.Request) { r.Header.Set("X-iCP-EncKeyID", "1") })
	nobody("another media type", func(r *http.Request) { r.Header.Set("Content-Type", "application/json") })
	nobody("a changed body", func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("EncData=AAAA")), int64(len("EncData=AAAA"))
	})
	if got := c.moves(""); got != "" {
		t.Errorf("ledger %s", got)
	}
}

func TestFaultsOfTheDialect(t *testing.T) {
	t.Parallel()
	unread := func(a answer) bool { return a.code == "1" && a.signed && a.inside == nil }
	tests := map[string]struct {
		operation string // pay if empty
		seen      func(answer) bool
	}{
		"unexpected_after_commit": {"", func(a answer) bool { return a.code == "-9999" && a.signed && a.inside == nil }},
		"no_signature":            {"", func(a answer) bool { return a.code == "1" && !a.signed }},
		"foreign_signature":       {"", func(a answer) bool { return a.code == "1" && !a.signed }},
		"changed_after_signing":   {"", func(a answer) bool { return a.code == "1" && !a.signed && a.inside != nil }},
		"garbage_base64":          {"", unread},
		"wrong_key":               {"", unread},
		"half_dollar":             {"", func(a answer) bool { return a.inside["TotalAmount"] == "5050" }},
		"empty_transaction_id":    {"", func(a answer) bool { return a.code == "1" && a.inside["TransactionID"] == nil }},
		"foreign_merchant":        {"", func(a answer) bool { return a.inside["MerchantID"] != nil && a.signed }},
		"extra_fields":            {"", func(a answer) bool { return a.inside["Promotion"] != nil && a.signed }},
		"trade_status_5":          {"search", func(a answer) bool { return a.inside["TradeStatus"] == "5" }},
		"trade_status_9":          {"search", func(a answer) bool { return a.inside["TradeStatus"] == "9" }},
		"wrong_amount":            {"", func(a answer) bool { return a.inside["TotalAmount"] == "5100" }},
		"wrong_order":             {"", func(a answer) bool { return a.inside["MerchantTradeNo"] == "AX" }},
		"duplicate_delivery":      {"", func(a answer) bool { return a.code == "-409" }},
		"search_lag":              {"search", func(a answer) bool { return a.code == "-404" }},
	}
	for fault := range icashpaysandbox.Dialect().Faults {
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
			c.sandbox.Arm(sandboxtest.Object{"provider": "icashpay", "operation": operation, "order_id": "A", "fault": fault, "delay_ms": 60_000})
			got := c.pay("A", 50)
			if operation == "search" {
				c.want("pay", got, "1")
				got = c.search("A")
			}
			if !tt.seen(got) {
				t.Errorf("the client saw %+v", got)
			}
			if moves := c.moves("A"); moves != "charge 50" {
				t.Errorf("ledger %s", moves)
			}
			if fired := c.sandbox.Fired(fault); fired != 1 {
				t.Errorf("fired %d times, want 1", fired)
			}
		})
	}
	t.Run("code", func(t *testing.T) {
		t.Parallel()
		c := start(t, nil)
		c.sandbox.Arm(sandboxtest.Object{"provider": "icashpay", "operation": "pay", "fault": "code:300042"})
		c.want("pay", c.pay("A", 50), "300042")
		if got := c.moves(""); got != "" {
			t.Errorf("ledger %s", got)
		}
	})
}

// The fault search_lag on a change hides it from queries, and only for its time.
func TestSearchLagOnAPayment(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.sandbox.Arm(sandboxtest.Object{"operation": "pay", "fault": "search_lag", "delay_ms": 20_000, "times": 1})
	id, _ := c.want("pay", c.pay("A", 50), "1")["TransactionID"].(string)
	c.want("too early", c.search("A"), "-404")
	c.sandbox.Advance("20s")
	c.want("later", c.search("A"), "1")
	c.sandbox.Arm(sandboxtest.Object{"operation": "refund", "fault": "search_lag", "delay_ms": 20_000, "times": 1})
	c.want("refund", c.refund(id, "R", 10), "1")
	if r := c.want("too early", c.search("A"), "1"); r["TradeStatus"] != "1" {
		t.Errorf("record %v", r)
	}
	c.want("the refund itself, too early", c.search("R"), "-404")
	c.sandbox.Advance("20s")
	if r := c.want("later", c.search("A"), "1"); r["TradeStatus"] != "3" {
		t.Errorf("record %v", r)
	}
}
