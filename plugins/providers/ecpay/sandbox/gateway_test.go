package ecpaysandbox_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	ecpaysandbox "github.com/payrack/payrack/plugins/providers/ecpay/sandbox"
	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

// till is a client of ECPay, written for these tests from the documents alone.
type till struct {
	t         *testing.T
	sandbox   *sandboxtest.Sandbox
	client    *http.Client
	id        string
	key, iv   string
	timestamp func() int64
}

type object = map[string]any

func start(t *testing.T) *till {
	t.Helper()
	s := sandboxtest.Start(t, sandbox.Options{Dialects: []sandbox.Dialect{ecpaysandbox.Dialect()}, HangLimit: time.Second})
	account := s.Account("ecpay", "store", nil)
	return &till{
		t: t, sandbox: s, id: account["MerchantID"], key: account["HashKey"], iv: account["HashIV"],
		client:    &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second},
		timestamp: func() int64 { return time.Now().Unix() },
	}
}

func (c *till) encipher(text string) string {
	block, err := aes.NewCipher([]byte(c.key))
	if err != nil {
		c.t.Fatal(err)
	}
	n := 16 - len(text)%16
	data := append([]byte(text), bytes.Repeat([]byte{byte(n)}, n)...)
	cipher.NewCBCEncrypter(block, []byte(c.iv)).CryptBlocks(data, data)
	return base64.StdEncoding.EncodeToString(data)
}

// decipher returns nil for what cannot be read.
func (c *till) decipher(sealed string) object {
	data, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(data) == 0 || len(data)%16 != 0 {
		return nil
	}
	block, err := aes.NewCipher([]byte(c.key))
	if err != nil {
		c.t.Fatal(err)
	}
	cipher.NewCBCDecrypter(block, []byte(c.iv)).CryptBlocks(data, data)
	n := min(int(data[len(data)-1]), len(data))
	text, err := url.QueryUnescape(string(data[:len(data)-n]))
	var out object
	if err != nil || json.Unmarshal([]byte(text), &out) != nil {
		return nil
	}
	return out
}

// answer is what came back.
type answer struct {
	status    int
	transCode string
	code      string
	raw       string
	inside    object
	err       error
}

func (a answer) order() object {
	o, _ := a.inside["OrderInfo"].(object)
	return o
}

func (c *till) post(path string, clear object) answer {
	c.t.Helper()
	clear["MerchantID"] = c.id
	text, err := json.Marshal(clear)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.send(path, c.id, c.encipher(url.QueryEscape(string(text))))
}

func (c *till) send(path, merchant, data string) answer {
	c.t.Helper()
	body, err := json.Marshal(object{"MerchantID": merchant, "RqHeader": object{"Timestamp": c.timestamp()}, "Data": data})
	if err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.sandbox.URL+"/ecpay/1.0.0/POS/"+path, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = resp.Body.Close() }() // a test client
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 256<<10))
	out := answer{status: resp.StatusCode, raw: string(raw), err: err}
	var envelope struct {
		TransCode json.Number `json:"TransCode"`
		Data      string      `json:"Data"`
	}
	if json.Unmarshal(raw, &envelope) == nil {
		out.transCode, out.inside = envelope.TransCode.String(), c.decipher(envelope.Data)
	}
	if code, ok := out.inside["RtnCode"].(float64); ok {
		out.code = fmt.Sprint(int(code))
	}
	return out
}

func payment(order string, amount int, code string) object {
	return object{
		"OrderInfo": object{
			"MerchantTradeNo": order, "MerchantTradeDate": "2026/04/29 10:00:00", "Amount": amount, "ItemName": "拿鐵 100%+~", "TradeDesc": "x",
			"ReturnURL": "https://shop.example.com/r",
		},
		"ChoosePayment": "TWQR", "TWQRInfo": object{"TWQRCode": code},
	}
}

func (c *till) pay(order string, amount int) answer {
	c.t.Helper()
	return c.post("BackAuth", payment(order, amount, c.sandbox.Code("ecpay", nil)))
}

func (c *till) refund(order, number string, amount int) answer {
	c.t.Helper()
	return c.post("Refund", object{"MerchantTradeNo": order, "MerchantRefundNo": number, "RefundAmount": amount})
}

func (c *till) search(order string) answer {
	c.t.Helper()
	return c.post("QueryTrade", object{"MerchantTradeNo": order})
}

func (c *till) want(what string, a answer, code string) answer {
	c.t.Helper()
	if a.code != code || a.status != http.StatusOK || a.transCode != "1" {
		c.t.Errorf("%s: code %s, want %s; status %d, %s, %v, %v", what, a.code, code, a.status, a.raw, a.inside, a.err)
	}
	return a
}

func (c *till) moves(order string) string {
	c.t.Helper()
	var out []string
	for _, e := range c.sandbox.Ledger("ecpay", order) {
		out = append(out, fmt.Sprintf("%s %d", e.Kind, e.Amount))
	}
	return strings.Join(out, ", ")
}

func TestLifeOfAPayment(t *testing.T) {
	t.Parallel()
	c := start(t)
	if o := c.want("pay", c.pay("A1", 300), "1").order(); o["TradeAmt"] != 300.0 || o["MerchantTradeNo"] != "A1" || o["TradeNo"] == "" || o["TradeStatus"] != "1" {
		t.Errorf("paid %v", o)
	}
	c.want("the same order again", c.pay("A1", 300), "10200047")
	if a := c.want("refund", c.refund("A1", "R1", 100), "1"); a.inside["MerchantRefundNo"] != "R1" || a.inside["RefundAmount"] != 100.0 || a.inside["MerchantTradeNo"] != "A1" {
		t.Errorf("refund %v", a.inside)
	}
	c.want("the same refund again", c.refund("A1", "R1", 100), "10200047")
	c.want("too much", c.refund("A1", "R2", 201), "-411")
	c.want("nothing", c.refund("A1", "R2", 0), "-400")
	c.want("a long number", c.refund("A1", strings.Repeat("R", 21), 1), "-400")
	c.want("a refund of nothing", c.refund("A2", "R2", 1), "-404")

	c.sandbox.Restart()
	c.want("the rest, after a restart", c.refund("A1", "R2", 200), "1")
	if o := c.want("search", c.search("A1"), "1").order(); o["RefundAmount"] != 300.0 || o["TradeStatus"] != "1" {
		t.Errorf("record %v", o)
	}
	poor := c.sandbox.Code("ecpay", sandboxtest.Object{"balance": 9})
	c.want("an empty wallet", c.post("BackAuth", payment("B1", 10, poor)), "-402")
	if o := c.want("search a declined order", c.search("B1"), "1").order(); o["TradeStatus"] != "0" {
		t.Errorf("record %v", o)
	}
	c.want("the order is burnt", c.pay("B1", 10), "10200047")
	c.want("an unknown code", c.post("BackAuth", payment("B2", 10, "96")), "-403")
	c.want("search nothing", c.search("nobody"), "-404")
	if got := c.moves(""); got != "charge 300, refund 100, refund 200" {
		t.Errorf("ledger %s", got)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	c := start(t)
	for name, edit := range map[string]func(body, order object){
		"an order number with a hyphen": func(_, o object) { o["MerchantTradeNo"] = "A-1" },
		"a long order number":           func(_, o object) { o["MerchantTradeNo"] = strings.Repeat("1", 21) },
		"no amount":                     func(_, o object) { o["Amount"] = 0 },
		"no item":                       func(_, o object) { o["ItemName"] = "" },
		"no description":                func(_, o object) { o["TradeDesc"] = "" },
		"no address":                    func(_, o object) { delete(o, "ReturnURL") },
		"another date":                  func(_, o object) { o["MerchantTradeDate"] = "2026-04-29 10:00:00" },
		"another payment":               func(b, _ object) { b["ChoosePayment"] = "Credit" },
		"no code":                       func(b, _ object) { delete(b, "TWQRInfo") },
	} {
		body := payment("A1", 1, c.sandbox.Code("ecpay", nil))
		order, ok := body["OrderInfo"].(object)
		if !ok {
			t.Fatal("no order")
		}
		edit(body, order)
		c.want(name, c.post("BackAuth", body), "-400")
	}
	good := c.encipher(url.QueryEscape(`{"MerchantID":"` + c.id + `","MerchantTradeNo":"A1"}`))
	for name, a := range map[string]answer{
		"an unknown merchant": c.send("QueryTrade", "1", good), "no base64": c.send("QueryTrade", c.id, "***"), "another text": c.send("QueryTrade", c.id, good[:24]),
		"not URL-encoded":  c.send("QueryTrade", c.id, c.encipher(`{"MerchantID":"`+c.id+`","MerchantTradeNo":"A1"}`)),
		"another merchant": c.send("QueryTrade", c.id, c.encipher(url.QueryEscape(`{"MerchantID":"1","MerchantTradeNo":"A1"}`))),
	} {
		if a.transCode != "0" || a.inside != nil || a.status != http.StatusOK {
			t.Errorf("%s: %s", name, a.raw)
		}
	}
	// A clock that is eleven minutes off, and the sandbox's own, which does not count.
	c.sandbox.Advance("1h")
	c.want("the sandbox's clock", c.search("A1"), "-404")
	for _, off := range []time.Duration{-11 * time.Minute, 11 * time.Minute} {
		c.timestamp = func() int64 { return time.Now().Add(off).Unix() }
		if a := c.search("A1"); a.transCode != "0" {
			t.Errorf("a clock that is %s off: %s", off, a.raw)
		}
	}
	if got := c.moves(""); got != "" {
		t.Errorf("ledger %s", got)
	}
}

func TestFaultsOfTheDialect(t *testing.T) {
	t.Parallel()
	unread := func(a answer) bool { return a.transCode == "1" && a.inside == nil }
	tests := map[string]struct {
		operation string // pay if empty
		seen      func(answer) bool
	}{
		"unexpected_after_commit": {"", func(a answer) bool { return a.code == "-9999" && a.order() == nil }},
		"trans_code":              {"", func(a answer) bool { return a.transCode == "0" && !strings.Contains(a.raw, "Data") }},
		"unpaid":                  {"", func(a answer) bool { return a.code == "1" && a.order()["TradeStatus"] == "0" }},
		"garbage_base64":          {"", unread},
		"wrong_key":               {"", unread},
		"plain_data":              {"", func(a answer) bool { return unread(a) && strings.Contains(a.raw, "RtnCode") }},
		"empty_trade_no":          {"", func(a answer) bool { return a.order()["TradeNo"] == "" }},
		"foreign_merchant":        {"", func(a answer) bool { m, _ := a.inside["MerchantID"].(string); return len(m) == 8 }},
		"trade_status_9":          {"", func(a answer) bool { return a.order()["TradeStatus"] == "9" }},
		"flat_answer":             {"", func(a answer) bool { return a.order() == nil && a.inside["TradeAmt"] == 50.0 && a.code == "1" }},
		"extra_fields":            {"", func(a answer) bool { return a.inside["Promotion"] != nil }},
		"wrong_amount":            {"", func(a answer) bool { return a.order()["TradeAmt"] == 51.0 }},
		"wrong_order":             {"", func(a answer) bool { return a.order()["MerchantTradeNo"] == "AX" }},
		"duplicate_delivery":      {"", func(a answer) bool { return a.code == "10200047" }},
		"search_lag":              {"search", func(a answer) bool { return a.code == "-404" }},
	}
	for fault := range ecpaysandbox.Dialect().Faults {
		if _, tested := tests[fault]; !tested {
			t.Errorf("no row for the fault %s", fault)
		}
	}
	for fault, tt := range tests {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			c := start(t)
			operation := tt.operation
			if operation == "" {
				operation = "pay"
			}
			c.sandbox.Arm(sandboxtest.Object{"provider": "ecpay", "operation": operation, "order_id": "A", "fault": fault, "delay_ms": 60_000})
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
	t.Run("wrong amount and order of a refund", func(t *testing.T) {
		t.Parallel()
		c := start(t)
		c.want("pay", c.pay("A", 50), "1")
		for _, fault := range []string{"wrong_amount", "wrong_order", "code:300042"} {
			c.sandbox.Arm(sandboxtest.Object{"provider": "ecpay", "operation": "refund", "fault": fault, "times": 1})
		}
		c.want("refund", c.refund("A", "R1", 10), "300042")
		if a := c.want("refund", c.refund("A", "R2", 10), "1"); a.inside["MerchantTradeNo"] != "AX" || a.inside["RefundAmount"] != 11.0 {
			t.Errorf("refund %v", a.inside)
		}
		if got := c.moves("A"); got != "charge 50, refund 10" {
			t.Errorf("ledger %s", got)
		}
	})
}
