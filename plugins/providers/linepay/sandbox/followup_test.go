package linepaysandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/sandbox"
)

func (c *till) follow(version, order, word, body string) answer {
	c.t.Helper()
	return c.call(http.MethodPost, "/"+version+"/payments/orders/"+order+"/"+word, "", body)
}

// movements are kinds and amounts of the whole ledger.
func (c *till) movements() []string {
	c.t.Helper()
	moves := []string{}
	for _, e := range c.sandbox.Ledger("linepay", "") {
		moves = append(moves, fmt.Sprint(e.Kind, " ", e.Amount))
		wantOriginal := e.Kind != sandbox.Charge && e.Kind != sandbox.Authorize
		if (e.OriginalTransactionID != "") != wantOriginal {
			c.t.Errorf("entry %+v: the payment's id is missing or too much", e)
		}
	}
	return moves
}

func TestAuthorizeAndCapture(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			c := start(t, nil)
			paid := c.want("pay", c.payWith(version, "A", "100", "TWD", c.sandbox.Code("linepay", nil), false), "0000")
			if paid.info["authorizationExpireDate"] == nil {
				t.Errorf("no authorizationExpireDate in %s", paid.raw)
			}
			if got := c.want("check", c.check(version, "A"), "0000"); got.info["status"] != "COMPLETE" {
				t.Errorf("status %v of an authorization", got.info["status"])
			}
			held := c.want("authorizations", c.call(http.MethodGet, "/"+version+"/payments/authorizations", "orderId=A", ""), "0000")
			if held.list[0]["payStatus"] != "AUTHORIZATION" {
				t.Errorf("payStatus %v", held.list[0]["payStatus"])
			}
			c.want("refund of a hold", c.follow(version, "A", "refund", "{}"), "1179")
			c.want("too much", c.follow(version, "A", "capture", `{"amount":101,"currency":"TWD"}`), "1184")
			c.want("nothing", c.follow(version, "A", "capture", `{"amount":0,"currency":"TWD"}`), "1183")
			c.want("no amount", c.follow(version, "A", "capture", `{"currency":"TWD"}`), "2101")
			c.want("another currency", c.follow(version, "A", "capture", `{"amount":1,"currency":"THB"}`), "2101")
			captured := c.want("capture", c.follow(version, "A", "capture", `{"amount":60,"currency":"TWD"}`), "0000")
			if captured.info["transactionId"] != paid.info["transactionId"] {
				t.Errorf("the capture has another id: %s", captured.raw)
			}
			c.want("again", c.follow(version, "A", "capture", `{"amount":40,"currency":"TWD"}`), "1179")
			c.want("void of taken money", c.follow(version, "A", "void", ""), "1179")
			if diff := cmp.Diff([]string{"authorize 100", "capture 60"}, c.movements()); diff != "" {
				t.Errorf("ledger (-want +got):\n%s", diff)
			}
			details := c.want("details", c.details(version, "orderId=A"), "0000")
			want := []any{map[string]any{"method": "BALANCE", "amount": json.Number("60")}}
			if diff := cmp.Diff(want, details.list[0]["payInfo"]); diff != "" {
				t.Errorf("payInfo (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVoid(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.want("pay", c.payWith("v4", "A", "100", "TWD", c.sandbox.Code("linepay", nil), false), "0000")
	if got := c.want("void", c.follow("v4", "A", "void", ""), "0000"); got.info != nil {
		t.Errorf("a void has an info: %s", got.raw)
	}
	c.want("again", c.follow("v4", "A", "void", "{}"), "1165")
	c.want("capture", c.follow("v4", "A", "capture", `{"amount":1,"currency":"TWD"}`), "1179")
	c.want("unknown", c.follow("v4", "B", "void", "{}"), "1150")
	if got := c.check("v4", "A"); got.info["status"] != "CANCEL" {
		t.Errorf("status %v, want CANCEL", got.info["status"])
	}
	held := c.want("authorizations", c.call(http.MethodGet, "/v4/payments/authorizations", "orderId=A", ""), "0000")
	if held.list[0]["payStatus"] != "VOIDED_AUTHORIZATION" {
		t.Errorf("payStatus %v", held.list[0]["payStatus"])
	}
	if diff := cmp.Diff([]string{"authorize 100", "void 100"}, c.movements()); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
}

func TestHoldExpires(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.want("pay", c.payWith("v4", "A", "100", "TWD", c.sandbox.Code("linepay", nil), false), "0000")
	c.sandbox.Advance("720h")
	c.want("capture", c.follow("v4", "A", "capture", `{"amount":1,"currency":"TWD"}`), "1179")
	held := c.want("authorizations", c.call(http.MethodGet, "/v4/payments/authorizations", "orderId=A", ""), "0000")
	if held.list[0]["payStatus"] != "EXPIRED_AUTHORIZATION" {
		t.Errorf("payStatus %v", held.list[0]["payStatus"])
	}
	if diff := cmp.Diff([]string{"authorize 100", "void 100"}, c.movements()); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
}

func TestRefunds(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	paid := c.want("pay", c.pay("v4", "A", "9.99", "USD"), "0000")
	part := c.want("part", c.follow("v4", "A", "refund", `{"refundAmount":4.5}`), "0000")
	c.want("more than is left", c.follow("v4", "A", "refund", `{"refundAmount":5.5}`), "1164")
	c.want("too fine", c.follow("v4", "A", "refund", `{"refundAmount":0.001}`), "1124")
	c.want("nothing", c.follow("v4", "A", "refund", `{"refundAmount":0}`), "1183")
	c.want("an id in place of an order", c.follow("v4", fmt.Sprint(paid.info["transactionId"]), "refund", "{}"), "1150")
	c.want("by id", c.call(http.MethodPost, fmt.Sprintf("/v4/payments/%v/refund", paid.info["transactionId"]), "", "{}"), "0000")
	c.want("nothing is left", c.follow("v4", "A", "refund", "{}"), "1165")
	c.want("not an id", c.call(http.MethodPost, "/v4/payments/abc/refund", "", "{}"), "2101")
	if diff := cmp.Diff([]string{"charge 999", "refund 450", "refund 549"}, c.movements()); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}

	list := c.want("details", c.details("v4", "orderId=A"), "0000").list[0]["refundList"].([]any) //nolint:forcetypeassert // the test fails as it should
	first := list[0].(map[string]any)                                                             //nolint:forcetypeassert // the test fails as it should
	if len(list) != 2 || first["refundAmount"] != json.Number("-4.5") || first["transactionType"] != "PARTIAL_REFUND" ||
		first["refundTransactionId"] != part.info["refundTransactionId"] {
		t.Errorf("refundList %v", list)
	}
	byRefund := c.want("details by the refund", c.details("v4", fmt.Sprint("transactionId=", part.info["refundTransactionId"])), "0000")
	if got := byRefund.list[0]; got["originalTransactionId"] != paid.info["transactionId"] || got["transactionType"] != "PARTIAL_REFUND" {
		t.Errorf("record of the refund %v", got)
	}
	if got := c.check("v4", "A"); got.info["status"] != "COMPLETE" {
		t.Errorf("status %v of a refunded payment", got.info["status"])
	}
}

func TestFullRefundHasItsOwnKind(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.want("pay", c.pay("v2", "A", "50", "TWD"), "0000")
	got := c.want("refund", c.follow("v2", "A", "refund", ""), "0000")
	if id := fmt.Sprint(got.info["refundTransactionId"]); id[len(id)-2:] != "11" {
		t.Errorf("refund id %s does not end in 11", id)
	}
}

func TestStateSurvivesARestart(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	paid := c.want("pay", c.pay("v4", "A", "50", "TWD"), "0000")
	code := c.sandbox.Code("linepay", nil)
	c.sandbox.Restart()
	c.want("the order is taken", c.pay("v4", "A", "50", "TWD"), "1172")
	c.want("the id is known", c.details("v4", fmt.Sprint("transactionId=", paid.info["transactionId"])), "0000")
	again := c.want("the code is good", c.payWith("v4", "B", "50", "TWD", code, true), "0000")
	if again.info["transactionId"] == paid.info["transactionId"] {
		t.Error("an id was given twice")
	}
	c.want("refund", c.follow("v4", "A", "refund", `{"refundAmount":10}`), "0000")
	c.sandbox.Restart()
	c.want("the refund is known", c.follow("v4", "A", "refund", `{"refundAmount":41}`), "1164")
}
