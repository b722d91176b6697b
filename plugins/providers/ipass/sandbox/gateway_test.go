package ipasssandbox_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

// TestPublishedVector checks the test's own cipher against a vector of the contract, so that client and
// gateway are not wrong together.
func TestPublishedVector(t *testing.T) {
	t.Parallel()
	iv, err := hex.DecodeString("000102030405060708090a0b0c0d0e0f")
	if err != nil {
		t.Fatal(err)
	}
	if got := encipher("0123456789abcdefghijklmnopqrstuv", iv, []byte(`{"a":1}`)); got != "i+x/UvO1Qn10Bn73YfQb/Q==" {
		t.Errorf("ciphertext %s", got)
	}
}

func TestPayAndSearch(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	message := c.payment("ORDER-1", 229, nil)
	paid := c.want("pay", c.call("pay", message), "0000")
	entries := c.sandbox.Ledger("ipass", "ORDER-1")
	if len(entries) != 1 || entries[0].Kind != "charge" || entries[0].Amount != 229 || entries[0].Currency != "TWD" ||
		entries[0].Account != c.merchant || entries[0].TransactionID != paid.body["transactionId"] {
		t.Fatalf("ledger %+v", entries)
	}
	want := object{
		"returnCode": "0000", "returnMsg": "成功", "reqId": message["reqId"], "transactionId": entries[0].TransactionID,
		"transactionDateTime": paid.body["transactionDateTime"], "electronicInvoiceCarrier": "", "paymentType": "1",
		"amount": json.Number("229"), "orderNumber": "ORDER-1",
	}
	if diff := cmp.Diff(want, paid.body); diff != "" {
		t.Errorf("pay (-want +got):\n%s", diff)
	}
	if !regexp.MustCompile(`^e[0-9]{13}$`).MatchString(entries[0].TransactionID) {
		t.Errorf("transaction id %q", entries[0].TransactionID)
	}
	if _, ok := paid.body["transactionDateTime"].(string); !ok {
		t.Errorf("transactionDateTime %v", paid.body["transactionDateTime"])
	}

	found := c.want("search", c.search("ORDER-1"), "0000")
	want["reqId"] = found.body["reqId"]
	want["originalTransactionId"] = want["transactionId"]
	want["payStatus"] = "1"
	want["productDesc"] = "測試商品*1"
	want["refundedAmount"] = json.Number("0")
	want["cancelList"] = []any{}
	if diff := cmp.Diff(want, found.body); diff != "" {
		t.Errorf("search (-want +got):\n%s", diff)
	}
	c.want("unknown order", c.search("ORDER-2"), "S404")
	if paid.iv == found.iv || len(paid.iv) != 32 || paid.iv != strings.ToLower(paid.iv) {
		t.Errorf("answers' ivs %s and %s, want two of 32 lower-case digits", paid.iv, found.iv)
	}
	if got := c.sandbox.Violations(); len(got) != 0 {
		t.Errorf("violations %+v", got)
	}
}

func TestOrderNumberIsTakenOnce(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	messages := make([]object, 100)
	first := c.payment("SAME", 7, nil)
	for i := range messages {
		messages[i] = c.payment("SAME", 7, object{"tradeCode": first["tradeCode"]})
	}
	codes := make(chan string, len(messages))
	var wg sync.WaitGroup
	for _, m := range messages {
		wg.Go(func() { codes <- c.call("pay", m).code })
	}
	wg.Wait()
	close(codes)
	seen := map[string]int{}
	for code := range codes {
		seen[code]++
	}
	if diff := cmp.Diff(map[string]int{"0000": 1, "0006": 99}, seen); diff != "" {
		t.Errorf("return codes (-want +got):\n%s", diff)
	}
	if got := c.movements("SAME"); !cmp.Equal(got, []string{"charge 7"}) {
		t.Errorf("ledger %v, want one charge", got)
	}
}

func TestWhoIsNotKnownOrReadable(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	iv := newIV()
	good := `{"data":"` + encipher(c.key, iv, []byte(`{"reqId":"`+newReqID()+`","orderNumber":"A"}`)) + `"}`
	ivHex := hex.EncodeToString(iv)
	for name, tt := range map[string]struct {
		merchant, iv, body string
		want               int
	}{
		"unknown merchant":   {"nobody", ivHex, good, http.StatusUnauthorized},
		"no merchant":        {"", ivHex, good, http.StatusUnauthorized},
		"no iv":              {c.merchant, "", good, http.StatusBadRequest},
		"short iv":           {c.merchant, ivHex[:30], good, http.StatusBadRequest},
		"iv that is not hex": {c.merchant, strings.Repeat("x", 32), good, http.StatusBadRequest},
		"another key":        {c.merchant, ivHex, `{"data":"` + encipher(strings.Repeat("k", 32), iv, []byte(`{}`)) + `"}`, http.StatusBadRequest},
		"clear text":         {c.merchant, ivHex, `{"reqId":"x"}`, http.StatusBadRequest},
		"not base64":         {c.merchant, ivHex, `{"data":"!"}`, http.StatusBadRequest},
		"half a block":       {c.merchant, ivHex, `{"data":"AAAA"}`, http.StatusBadRequest},
		"nothing":            {c.merchant, ivHex, ``, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := c.post("search", tt.merchant, tt.iv, tt.body)
			if got.status != tt.want || got.code != "S401" || got.iv != "" {
				t.Errorf("%v, want HTTP %d and S401 in clear", got, tt.want)
			}
		})
	}
	if got := c.post("nothing", c.merchant, ivHex, good); got.status != http.StatusNotFound {
		t.Errorf("unknown path: %v, want 404", got)
	}
}

func TestReusedIVIsReported(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	iv := newIV()
	iv[15] = 0xab
	body := `{"data":"` + encipher(c.key, iv, []byte(`{"reqId":"`+newReqID()+`","orderNumber":"A"}`)) + `"}`
	c.want("first", c.post("search", c.merchant, hex.EncodeToString(iv), body), "S404")
	if got := c.sandbox.Violations(); len(got) != 0 {
		t.Fatalf("violations %+v after one request", got)
	}
	c.want("second", c.post("search", c.merchant, strings.ToUpper(hex.EncodeToString(iv)), body), "S404")
	rules := []string{}
	for _, v := range c.sandbox.Violations() {
		rules = append(rules, v.Rule+" "+v.OrderID)
	}
	if diff := cmp.Diff([]string{"iv_not_lower_case A", "iv_reused A"}, rules); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}

func TestMessagesThatAreMalformed(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	for name, change := range map[string]object{
		"no reqId":              {"reqId": nil},
		"reqId not a UUID":      {"reqId": "1"},
		"no code":               {"tradeCode": nil},
		"no amount":             {"amount": nil},
		"amount of zero":        {"amount": 0},
		"amount as text":        {"amount": "229"},
		"half a dollar":         {"amount": 1.5},
		"no order":              {"orderNumber": nil},
		"order of 101":          {"orderNumber": strings.Repeat("訂", 101)},
		"no store":              {"storeId": nil},
		"store of 21":           {"storeId": strings.Repeat("1", 21)},
		"terminal of 9":         {"terminalId": "123456789"},
		"no capture":            {"capture": nil},
		"capture as text":       {"capture": "true"},
		"no time of the till":   {"posDateTime": nil},
		"time with a blank":     {"posDateTime": " 2023-10-11 01:44:54"},
		"day that is not there": {"tradeDateTime": "2023-02-30 01:44:54"},
		"long description":      {"productDesc": strings.Repeat("x", 4001)},
		"long remark":           {"remark": strings.Repeat("x", 1001)},
		"fixed part too large":  {"redeem": object{"nonRedeemAmout": 230}},
		"fixed part negative":   {"redeem": object{"nonRedeemAmout": -1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.want(name, c.call("pay", c.payment("O", 229, change)), "S400")
		})
	}
	t.Cleanup(func() {
		if got := c.sandbox.Ledger("", ""); len(got) != 0 {
			t.Errorf("malformed messages left %d entries", len(got))
		}
	})
}

func TestTradeCodes(t *testing.T) {
	t.Parallel()
	c := start(t, sandboxtest.Object{"decline_burns_order": false})
	code := c.sandbox.Code("ipass", nil)
	packed, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(code, "96"))
	if err != nil || !regexp.MustCompile(`^96[A-Za-z0-5]{20}$`).MatchString(code) {
		t.Fatalf("code %q is not 96 and twenty characters of base64", code)
	}
	if digits := hex.EncodeToString(packed); !regexp.MustCompile(`^[0-9]{5}391[0-9]{22}$`).MatchString(digits) {
		t.Errorf("code %q decodes to %s, want thirty digits with institution 391", code, digits)
	}
	with := func(order, code, at string) answer {
		change := object{"tradeCode": code}
		if at != "" {
			change["posDateTime"] = at
		}
		return c.call("pay", c.payment(order, 10, change))
	}
	c.want("unknown", with("A", "96AAAAAAAAAAAAAAAAAAAA", ""), "S403")
	c.want("a till whose clock is years behind", with("A", code, "2023-10-11 01:44:54"), "0000")
	c.want("used", with("B", code, ""), "S403")
	c.want("a till whose clock is years ahead", with("B", c.sandbox.Code("ipass", nil), "2099-01-01 00:00:00"), "S403")
	// The till's clock decides, not the gateway's.
	kept := c.sandbox.Code("ipass", nil)
	c.sandbox.Advance("1h")
	c.want("an hour later by the gateway's clock only", with("B", kept, ""), "0000")
}

func TestCustomers(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	code := func(o sandboxtest.Object) string { return c.sandbox.Code("ipass", o) }
	c.want("short balance", c.call("pay", c.payment("A", 10, object{"tradeCode": code(sandboxtest.Object{"balance": 9})})), "S402")
	c.want("chosen decline", c.call("pay", c.payment("B", 10, object{"tradeCode": code(sandboxtest.Object{"decline": "0042"})})), "0042")
	c.want("a burned number", c.pay("A", 10), "0006")
	if got := c.want("search", c.search("A"), "0000"); got.body["payStatus"] != "7" || got.body["transactionId"] != nil {
		t.Errorf("a failed order is %s", got.text)
	}
	card := c.want("card and carrier", c.call("pay", c.payment("C", 10, object{
		"tradeCode": code(sandboxtest.Object{"method": "2", "carrier": "/ABC+123"}),
	})), "0000")
	if card.body["paymentType"] != "2" || card.body["electronicInvoiceCarrier"] != "/ABC+123" {
		t.Errorf("card payment %s", card.text)
	}
	discounted := c.want("discount", c.call("pay", c.payment("D", 229, object{
		"tradeCode": code(sandboxtest.Object{"discount": 200}), "redeem": object{"nonRedeemAmout": 80},
	})), "0000")
	if discounted.body["amount"] != json.Number("80") || !cmp.Equal(c.movements("D"), []string{"charge 80"}) {
		t.Errorf("discounted payment %s, ledger %v", discounted.text, c.movements("D"))
	}
	same := c.payment("E", 10, nil)
	c.want("pay", c.call("pay", same), "0000")
	c.want("a reqId again", c.call("pay", c.payment("F", 10, object{"reqId": same["reqId"]})), "S409")
}

func TestTwoAccounts(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	company := c.sandbox.Account("ipass", "company", nil)
	if company["merchantid"] == c.merchant || company["key"] == c.key {
		t.Error("store and company share an account")
	}
	c.want("pay", c.pay("A", 10), "0000")
	other := *c
	other.merchant, other.key = company["merchantid"], company["key"]
	other.want("search", other.search("A"), "S404")
	other.want("the same number", other.pay("A", 10), "0000")
}
