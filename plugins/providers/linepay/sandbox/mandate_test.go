package linepaysandbox_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

// mandate lets a customer approve for good and returns the regKey.
func (c *till) mandate(version, order string) string {
	c.t.Helper()
	id := c.approved(version, order, "PREAPPROVED", true)
	got := c.want("confirm", c.post(version, id+"/confirm", confirmBody), "0000")
	if diff := cmp.Diff([]string{"amount", "creditCardBrand", "creditCardNickname", "maskedCreditCardNumber", "method"}, cardMembers(got)); diff != "" {
		c.t.Errorf("members of payInfo (-want +got):\n%s", diff)
	}
	key := fmt.Sprint(got.info["regKey"])
	if !regexp.MustCompile(`^RK[0-9A-Z]{13}$`).MatchString(key) {
		c.t.Errorf("regKey %q", key)
	}
	return key
}

func cardMembers(a answer) []string {
	list, _ := a.info["payInfo"].([]any)
	if len(list) == 0 {
		return nil
	}
	card, _ := list[0].(map[string]any)
	return keys(card)
}

func (c *till) again(version, key, order string) answer {
	c.t.Helper()
	return c.post(version, "preapprovedPay/"+key+"/payment", fmt.Sprintf(`{"productName":"a","amount":50,"currency":"TWD","orderId":%q}`, order))
}

func TestStoredApproval(t *testing.T) {
	t.Parallel()
	for _, version := range onlineVersions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			c := start(t, nil)
			key := c.mandate(version, "A")
			paid := c.want("charge", c.again(version, key, "B"), "0000")
			want := []string{"transactionDate", "transactionId"}
			if version == "v4" {
				want = []string{"paymentProvider", "transactionDate", "transactionId"}
			}
			if diff := cmp.Diff(want, keys(paid.info)); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
			c.want("the same order", c.again(version, key, "B"), "1172")
			c.want("no amount", c.post(version, "preapprovedPay/"+key+"/payment", `{"productName":"a","currency":"TWD","orderId":"C"}`), "2101")
			c.want("check", c.get(version, "preapprovedPay/"+key+"/check"), "0000")
			c.want("check with the card", c.call(http.MethodGet, "/"+version+"/payments/preapprovedPay/"+key+"/check", "creditCardAuth=true", ""), "0000")
			c.want("no such key", c.again(version, "RKNOBODY", "D"), "1190")
			c.want("end", c.post(version, "preapprovedPay/"+key+"/expire", `{}`), "0000")
			c.want("end again", c.post(version, "preapprovedPay/"+key+"/expire", `{}`), "1193")
			c.want("charge of what ended", c.again(version, key, "E"), "1193")
			if diff := cmp.Diff([]string{"charge 100", "charge 50"}, c.movements()); diff != "" {
				t.Errorf("ledger (-want +got):\n%s", diff)
			}
			if got := c.details(version, "orderId=B"); !strings.Contains(got.raw, `"amount":50`) || !strings.Contains(got.raw, `"method":"CREDIT_CARD"`) {
				t.Errorf("details %s", got.raw)
			}
		})
	}
}

// A day after its last payment a stored approval is over.
func TestLifeOfAStoredApproval(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	key := c.mandate("v3", "A")
	c.sandbox.Advance("23h")
	c.want("in time", c.again("v3", key, "B"), "0000")
	c.sandbox.Advance("23h")
	c.want("in time again", c.again("v3", key, "C"), "0000")
	c.sandbox.Advance("24h")
	c.want("too late", c.again("v3", key, "D"), "1193")
	c.want("check", c.get("v3", "preapprovedPay/"+key+"/check"), "1193")
}

func TestApprovalsThatDie(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	for code, after := range map[string]string{"1142": "0000", "1282": "1190", "1141": "1190"} {
		key := c.mandate("v3", "M"+code)
		c.sandbox.Arm(sandboxtest.Object{"operation": "mandate_pay", "order_id": code, "fault": "code:" + code, "times": 1})
		c.want("charge", c.again("v3", key, code), code)
		c.want("check after "+code, c.get("v3", "preapprovedPay/"+key+"/check"), after)
	}
	key := c.mandate("v3", "A")
	if status := c.sandbox.Control(http.MethodPost, "linepay/mandates/"+key+"/remove", nil, nil); status != http.StatusOK {
		t.Errorf("remove: HTTP %d", status)
	}
	c.want("check", c.get("v3", "preapprovedPay/"+key+"/check"), "1190")
	if status := c.sandbox.Control(http.MethodPost, "linepay/mandates/RKX/remove", nil, nil); status != http.StatusBadRequest {
		t.Errorf("remove of nobody's: HTTP %d", status)
	}
}
