package linepaysandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

var versions = []string{"v2", "v2.4", "v4"}

func keys(m map[string]any) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestPayCheckDetails(t *testing.T) {
	t.Parallel()
	wantMembers := map[string][3][]string{ // pay, check, details
		"v2": {
			{"balance", "orderId", "payInfo", "transactionDate", "transactionId"},
			{"orderId", "payInfo", "status", "transactionDate", "transactionId"},
			{"currency", "orderId", "payInfo", "productName", "transactionDate", "transactionId", "transactionType"},
		},
		"v2.4": {
			{"orderId", "payInfo", "paymentProvider", "transactionDate", "transactionId"},
			{"orderId", "payInfo", "paymentProvider", "status", "transactionDate", "transactionId"},
			{"currency", "orderId", "payInfo", "paymentProvider", "productName", "transactionDate", "transactionId", "transactionType"},
		},
		"v4": {
			{"orderId", "payInfo", "paymentProvider", "transactionDate", "transactionId"},
			{"orderId", "payInfo", "paymentProvider", "status", "transactionDate", "transactionId"},
			{
				"currency", "merchantName", "orderId", "payInfo", "payStatus", "paymentProvider", "productName",
				"transactionDate", "transactionId", "transactionType",
			},
		},
	}
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			c := start(t, nil)
			paid := c.want("pay", c.pay(version, "ORDER-1", "250", "TWD"), "0000")
			checked := c.want("check", c.check(version, "ORDER-1"), "0000")
			byOrder := c.want("details", c.details(version, "orderId=ORDER-1"), "0000")
			id := paid.info["transactionId"].(json.Number).String() //nolint:forcetypeassert // the test fails as it should
			byID := c.want("details", c.details(version, "transactionId="+id), "0000")

			if !regexp.MustCompile(`^20[0-9]{2}(0[1-9]|1[0-2])[0-3][0-9][0-9]{9}10$`).MatchString(id) {
				t.Errorf("transaction id %s has not the documented shape", id)
			}
			if !strings.Contains(paid.raw, `"transactionId":`+id+",") {
				t.Errorf("the id is not a bare number in %s", paid.raw)
			}
			for i, members := range []map[string]any{paid.info, checked.info, byOrder.list[0]} {
				if diff := cmp.Diff(wantMembers[version][i], keys(members)); diff != "" {
					t.Errorf("members of answer %d (-want +got):\n%s", i, diff)
				}
			}
			if diff := cmp.Diff(byOrder.list, byID.list); diff != "" {
				t.Errorf("details by order and by id differ:\n%s", diff)
			}
			if got := checked.info["status"]; got != "COMPLETE" {
				t.Errorf("status %v, want COMPLETE", got)
			}
			wantPay := []any{map[string]any{"method": "BALANCE", "amount": json.Number("250")}}
			if diff := cmp.Diff(wantPay, paid.info["payInfo"]); diff != "" {
				t.Errorf("payInfo (-want +got):\n%s", diff)
			}
			entry := c.sandbox.Ledger("linepay", "ORDER-1")
			if len(entry) != 1 || entry[0].Kind != sandbox.Charge || entry[0].Amount != 250 ||
				entry[0].TransactionID != id || entry[0].Account != c.id {
				t.Errorf("ledger %+v, want one charge of 250 with id %s", entry, id)
			}
			c.want("authorizations", c.call(http.MethodGet, "/"+version+"/payments/authorizations", "orderId=ORDER-1", ""), "1150")
		})
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	const path = "/v4/payments/orders/X/check"
	tests := map[string]struct {
		path   string
		change func(*http.Request)
		want   string
	}{
		"right":               {path, func(*http.Request) {}, "1150"},
		"no channel":          {path, func(r *http.Request) { r.Header.Del("X-LINE-ChannelId") }, "1106"},
		"unknown channel":     {path, func(r *http.Request) { r.Header.Set("X-LINE-ChannelId", "1000000000") }, "1104"},
		"no nonce":            {path, func(r *http.Request) { r.Header.Del("X-LINE-Authorization-Nonce") }, "1106"},
		"no signature":        {path, func(r *http.Request) { r.Header.Del("X-LINE-Authorization") }, "1106"},
		"another nonce":       {path, func(r *http.Request) { r.Header.Set("X-LINE-Authorization-Nonce", "other") }, "1106"},
		"another path":        {path, func(r *http.Request) { r.URL.Path = "/v4/payments/orders/Y/check" }, "1106"},
		"a query added":       {path, func(r *http.Request) { r.URL.RawQuery = "a=1" }, "1106"},
		"encoded path":        {"/v4/payments/orders/a%2Fb/check", func(*http.Request) {}, "1150"},
		"v2 right":            {"/v2/payments/orders/X/check", func(*http.Request) {}, "1150"},
		"v2 wrong secret":     {"/v2/payments/orders/X/check", func(r *http.Request) { r.Header.Set("X-LINE-ChannelSecret", "x") }, "1106"},
		"v2 no secret":        {"/v2/payments/orders/X/check", func(r *http.Request) { r.Header.Del("X-LINE-ChannelSecret") }, "1106"},
		"v2.4 unknown":        {"/v2.4/payments/orders/X/check", func(r *http.Request) { r.Header.Set("X-LINE-ChannelId", "1") }, "1104"},
		"wrong before faulty": {"/v2/payments", func(r *http.Request) { r.Header.Set("X-LINE-ChannelSecret", "x") }, "1106"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := c.request(http.MethodGet, tt.path, "", "")
			tt.change(req)
			c.want(name, c.do(req), tt.want)
		})
	}
	t.Run("body changed after signing", func(t *testing.T) {
		t.Parallel()
		req := c.request(http.MethodPost, "/v4/payments/oneTimeKeys/pay", "", `{"a":1}`)
		other := c.request(http.MethodPost, "/v4/payments/oneTimeKeys/pay", "", `{"a": 1}`)
		other.Header = req.Header
		c.want("pay", c.do(other), "1106")
	})
	t.Run("not declared as JSON", func(t *testing.T) {
		t.Parallel()
		req := c.request(http.MethodPost, "/v4/payments/oneTimeKeys/pay", "", `{}`)
		req.Header.Set("Content-Type", "text/plain")
		c.want("pay", c.do(req), "1106")
	})
}

func TestNonceIsUsedOnce(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	req := c.request(http.MethodGet, "/v4/payments/orders/X/check", "", "")
	c.want("first", c.do(req), "1150")
	c.want("second", c.do(req.Clone(t.Context())), "1106")
}

// TestPublishedVector checks the test's own signature against a vector of the documents, so that client and
// gateway are not wrong together.
func TestPublishedVector(t *testing.T) {
	t.Parallel()
	got := sign("0123456789abcdef0123456789abcdef", "/v3/payments/2026010112345678910/confirm",
		`{"amount":100,"currency":"TWD"}`, "6b29fc40-ca47-1067-b31d-00dd010662da")
	if want := "zkdklVzmE+nQxbMrUfe/dqGsZvs1NavLvFiRp93Pt6w="; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestBodiesThatAreRefused(t *testing.T) {
	t.Parallel()
	c := start(t, sandboxtest.Object{"currencies": []string{"TWD", "USD"}, "capture_separated": false})
	code := c.sandbox.Code("linepay", nil)
	v4 := func(amount, currency string) string { return payBody("v4", "O", amount, currency, code, true) }
	flat := payBody("v2", "O", "100", "TWD", code, true)
	tests := map[string]struct{ version, body, want string }{
		"not JSON":               {"v4", `{"amount":`, "2102"},
		"duplicate member":       {"v2", strings.Replace(flat, `{`, `{"amount":1,`, 1), "2102"},
		"no packages":            {"v4", `{"amount":1,"currency":"TWD","orderId":"O","oneTimeKey":"` + code + `"}`, "2101"},
		"flat body in v4":        {"v4", flat, "2101"},
		"no products":            {"v4", strings.Replace(v4("100", "TWD"), `"products":[{"name":"拿鐵","quantity":1,"price":100}]`, `"products":[]`, 1), "2101"},
		"no product name":        {"v2", strings.Replace(flat, `"productName":"拿鐵",`, "", 1), "2101"},
		"no order":               {"v2", strings.Replace(flat, `"orderId":"O",`, "", 1), "2101"},
		"order of 101":           {"v2", strings.Replace(flat, `"O"`, `"`+strings.Repeat("O", 101)+`"`, 1), "2101"},
		"order of wrong type":    {"v2", strings.Replace(flat, `"O"`, `7`, 1), "2101"},
		"no amount":              {"v2", strings.Replace(flat, `"amount":100,`, "", 1), "2101"},
		"amount true":            {"v2", strings.Replace(flat, `100`, `true`, 1), "2101"},
		"amount with exponent":   {"v2", strings.Replace(flat, `100`, `1e2`, 1), "2101"},
		"capture of wrong type":  {"v2", strings.Replace(flat, `true`, `"true"`, 1), "2101"},
		"currency not enabled":   {"v4", v4("100", "THB"), "1178"},
		"currency of the moon":   {"v4", v4("100", "XXX"), "1178"},
		"half a dollar":          {"v4", v4("99.5", "TWD"), "1124"},
		"cents of cents":         {"v4", v4("9.999", "USD"), "1124"},
		"zero":                   {"v4", v4("0", "TWD"), "1183"},
		"negative":               {"v4", v4("-5", "TWD"), "1183"},
		"all the money":          {"v4", v4("99999999999999999999", "TWD"), "1184"},
		"sum does not fit":       {"v4", strings.Replace(v4("100", "TWD"), `"amount":100`, `"amount":101`, 1), "1124"},
		"product does not fit":   {"v4", strings.Replace(v4("100", "TWD"), `"price":100`, `"price":99`, 1), "1124"},
		"capture may not be off": {"v4", payBody("v4", "O", "100", "TWD", code, false), "2103"},
		"unknown code":           {"v4", payBody("v4", "O", "100", "TWD", "380000000000000000", true), "1133"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.want(name, c.call(http.MethodPost, "/"+tt.version+"/payments/oneTimeKeys/pay", "", tt.body), tt.want)
		})
	}
	t.Cleanup(func() {
		if got := c.sandbox.Ledger("", ""); len(got) != 0 {
			t.Errorf("refused requests left %d entries", len(got))
		}
	})
}

func TestAmountsAreExact(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	for i, tt := range []struct {
		amount, currency, shown string
		units                   int64
	}{
		{"229", "TWD", "229", 229},
		{"9.99", "USD", "9.99", 999},
		{"9.9", "THB", "9.9", 990},
		{"0.05", "USD", "0.05", 5},
		{"100", "THB", "100", 10000},
		{"999999999999999", "JPY", "999999999999999", 999999999999999},
	} {
		order := fmt.Sprint("AMOUNT-", i, "x")
		c.want("pay", c.pay("v4", order, tt.amount, tt.currency), "0000")
		got := c.details("v4", "orderId="+order)
		if !strings.Contains(got.raw, `"amount":`+tt.shown+`}`) {
			t.Errorf("%s %s is shown in %s", tt.amount, tt.currency, got.raw)
		}
		if entry := c.sandbox.Ledger("linepay", order); entry[0].Amount != tt.units || entry[0].Currency != tt.currency {
			t.Errorf("%s %s is %d %s in the ledger", tt.amount, tt.currency, entry[0].Amount, entry[0].Currency)
		}
	}
}

func TestOneTimeCodes(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	code := c.sandbox.Code("linepay", nil)
	if !regexp.MustCompile(`^38[0-9]{16}$`).MatchString(code) {
		t.Errorf("code %s is not 18 digits that begin with 38", code)
	}
	c.want("first use", c.payWith("v4", "A", "10", "TWD", code, true), "0000")
	c.want("second use", c.payWith("v4", "B", "10", "TWD", code, true), "1133")
	c.want("an order without a transaction", c.check("v4", "B"), "1150")

	old := c.sandbox.Code("linepay", nil)
	c.sandbox.Advance("4m59s")
	c.want("before its end", c.payWith("v4", "C", "10", "TWD", old, true), "0000")
	old = c.sandbox.Code("linepay", nil)
	c.sandbox.Advance("5m")
	c.want("at its end", c.payWith("v4", "D", "10", "TWD", old, true), "1133")
	c.sandbox.Code("linepay", sandboxtest.Object{"code": old})
	c.want("shown again", c.payWith("v4", "D", "10", "TWD", old, true), "0000")
}

func TestDeclinesBurnTheOrder(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	declining := func(options sandboxtest.Object) string { return c.sandbox.Code("linepay", options) }
	c.want("chosen code", c.payWith("v4", "A", "10", "TWD", declining(sandboxtest.Object{"decline": "1281"}), true), "1281")
	c.want("short balance", c.payWith("v4", "B", "10", "TWD", declining(sandboxtest.Object{"balance": 9}), true), "1142")
	c.want("enough balance", c.payWith("v4", "C", "10", "TWD", declining(sandboxtest.Object{"balance": 10}), true), "0000")
	if got := c.want("check", c.check("v4", "A"), "0000"); got.info["status"] != "FAIL" {
		t.Errorf("status %v, want FAIL", got.info["status"])
	}
	c.want("details of a failure", c.details("v4", "orderId=A"), "1150")
	c.want("again", c.pay("v4", "A", "10", "TWD"), "1172")
	if got := c.sandbox.Ledger("linepay", "A"); len(got) != 0 {
		t.Errorf("a decline left entries: %+v", got)
	}
}

func TestSplitPayment(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	code := c.sandbox.Code("linepay", sandboxtest.Object{"method": "SPLIT"})
	got := c.want("pay", c.payWith("v4", "A", "100", "TWD", code, true), "0000")
	want := []any{
		map[string]any{"method": "CREDIT_CARD", "amount": json.Number("90"), "maskedCreditCardNumber": "************1234"},
		map[string]any{"method": "POINT", "amount": json.Number("10")},
	}
	if diff := cmp.Diff(want, got.info["payInfo"]); diff != "" {
		t.Errorf("payInfo (-want +got):\n%s", diff)
	}
}

func TestEqualPaymentsChargeOnce(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			c := start(t, nil)
			code := c.sandbox.Code("linepay", nil)
			codes := make(chan string, 100)
			var wg sync.WaitGroup
			for range cap(codes) {
				wg.Go(func() { codes <- c.payWith(version, "SAME", "77", "TWD", code, true).code })
			}
			wg.Wait()
			close(codes)
			seen := map[string]int{}
			for code := range codes {
				seen[code]++
			}
			if diff := cmp.Diff(map[string]int{"0000": 1, "1172": 99}, seen); diff != "" {
				t.Errorf("return codes (-want +got):\n%s", diff)
			}
			if got := c.sandbox.Ledger("linepay", "SAME"); len(got) != 1 {
				t.Errorf("%d charges, want 1", len(got))
			}
		})
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	for _, order := range []string{"A", "B", "C"} {
		c.want("pay", c.pay("v4", order, "10", "TWD"), "0000")
	}
	ids := map[string]string{}
	for _, order := range []string{"A", "B"} {
		ids[order] = fmt.Sprint(c.details("v4", "orderId="+order).list[0]["transactionId"])
	}
	many := strings.TrimSuffix(strings.Repeat("orderId=x&", 101), "&")
	for name, tt := range map[string]struct {
		query, want string
		records     int
	}{
		"neither":           {"", "2101", 0},
		"not a number":      {"transactionId=abc", "2101", 0},
		"too long a number": {"transactionId=" + strings.Repeat("9", 19), "2101", 0},
		"unknown":           {"orderId=Z", "1150", 0},
		"unknown id":        {"transactionId=2026010100000000010", "1150", 0},
		"two orders":        {"orderId=A&orderId=B", "0000", 2},
		"two ids":           {"transactionId=" + ids["A"] + "&transactionId=" + ids["B"], "0000", 2},
		"both that fit":     {"transactionId=" + ids["A"] + "&orderId=A", "0000", 1},
		"both that do not":  {"transactionId=" + ids["B"] + "&orderId=A", "1150", 0},
		"too many":          {many, "1177", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := c.want(name, c.details("v4", tt.query), tt.want)
			if len(got.list) != tt.records {
				t.Errorf("%d records, want %d: %s", len(got.list), tt.records, got.raw)
			}
			if name == "not a number" && got.detail["unrecognizedPathVariable"] != "transactionId" {
				t.Errorf("errorDetailMap %v", got.detail)
			}
		})
	}
	for _, path := range []string{"/v3/payments/authorizations", "/v2/payments/requests/1/check", "/v4/nothing", "/v4/payments/orders/A", "/v4/payments/oneTimeKeys/pay"} {
		if got := c.call(http.MethodGet, path, "", ""); got.status != http.StatusNotFound {
			t.Errorf("GET %s: %v, want 404", path, got)
		}
	}
}

func TestMerchantsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	paid := c.want("pay", c.pay("v4", "A", "10", "TWD"), "0000")
	other := *c
	other.id, other.secret = "1999999999", strings.Repeat("ab", 16)
	c.sandbox.Control(http.MethodPost, "accounts", sandboxtest.Object{
		"provider": "linepay", "credential": sandboxtest.Object{"channel_id": other.id, "channel_secret": other.secret, "version": "v4"},
	}, nil)
	c.want("check", other.check("v4", "A"), "1150")
	c.want("details", other.details("v4", fmt.Sprint("transactionId=", paid.info["transactionId"])), "1150")
	c.want("refund", other.call(http.MethodPost, "/v4/payments/orders/A/refund", "", "{}"), "1150")
	c.want("the same order", other.pay("v4", "A", "10", "TWD"), "0000")
}
