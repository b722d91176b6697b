package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// The payment types and providers that the demo shows.
const (
	lineType     = "LINE_QRCODE_PAY"
	lineProvider = "linepay"
	ipassName    = "ipass"
)

// run performs all steps.
func (d *demo) run(ctx context.Context) error {
	line, trace := "DEMO-LINE-"+fmt.Sprint(time.Now().Unix()), randomHex(16)
	ipass := "IXN" + time.Now().Format("20060102150405")
	var lineCode, ipassCode string
	for _, step := range []func() error{
		func() error { return d.getToken(ctx) },
		func() (err error) { lineCode, err = d.linePay(ctx, line, trace); return err },
		func() error { return d.lineSearch(ctx, line) },
		func() (err error) { ipassCode, err = d.ipassPay(ctx, ipass); return err },
		func() error { return d.lineDeclined(ctx, line+"-B", lineCode) },
		func() error { return d.ipassDeclined(ctx, ipass+"B", ipassCode) },
		func() error { return d.missingColumn(ctx) },
		func() error { return d.unknownType(ctx) },
		func() error { return d.storeWithoutCredentials(ctx, line+"-C") },
		func() error { return d.showTrace(ctx, trace, line) },
		func() error { return d.showLedger(ctx, line, ipass) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) getToken(ctx context.Context) error {
	d.title("Get a token", "OAuth 2.0 client credentials; the company is known from the token alone.")
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {d.dev.ClientID}, "client_secret": {d.dev.ClientSecret}}
	d.requests++
	a, err := d.public.send(ctx, call{method: http.MethodPost, path: "/oauth/v1/token", form: form})
	if err != nil {
		return err
	}
	d.say("   > POST /oauth/v1/token\n     grant_type=client_credentials&client_id=%s&client_secret=%s", d.dev.ClientID, masked(d.dev.ClientSecret))
	var got tokenAnswer
	err = json.Unmarshal(a.body, &got)
	if err := d.check(err == nil && a.status == http.StatusOK && got.AccessToken != "", "no token: status %d", a.status); err != nil {
		return err
	}
	d.public.token = got.AccessToken
	d.print(a, got.AccessToken)
	return d.check(strings.Contains(" "+got.Scope+" ", " pay "), "the token lacks the scope pay: %q", got.Scope)
}

func (d *demo) linePay(ctx context.Context, order, trace string) (code string, err error) {
	d.title("LINE Pay", "The customer shows a one-time code, the till charges it: store "+d.dev.StoreID+" with its own credentials.")
	if code, err = d.code(ctx, lineProvider); err != nil {
		return "", err
	}
	a, err := d.post(ctx, "/v1/payment/integrate/pay", lineBody(order, code, d.dev.StoreID), "00-"+trace+"-"+randomHex(8)+"-01", code)
	if err != nil {
		return "", err
	}
	answered := rawMembers(a.body)
	info := rawMembers(answered["info"])
	return code, errors.Join(
		d.check(a.status == http.StatusOK && string(answered["returnCode"]) == `"0000"`, "the payment was not accepted"),
		d.check(regexp.MustCompile(`^[0-9]{19}$`).Match(info["transactionId"]), "transactionId is %s, want 19 digits", info["transactionId"]),
		d.check(string(info["orderId"]) == fmt.Sprintf("%q", order), "orderId is %s", info["orderId"]),
		d.check(a.header.Get("Payrack-Payment-Id") != "", "the header Payrack-Payment-Id is missing"),
	)
}

func lineBody(order, code, store string) string {
	return fmt.Sprintf(`{
  "type": %q,
  "request": {
    "productName": "Tea",
    "amount": 100,
    "currency": "TWD",
    "orderId": %q,
    "oneTimeKey": %q
  },
  "store_id": %q,
  "is_test": false
}`, lineType, order, code, store)
}

func (d *demo) lineSearch(ctx context.Context, order string) error {
	d.title("LINE Pay search", "As the platform's own documents ask: GET, with the raw JSON and the request's own credentials in the query.")
	account := d.dev.Providers[lineProvider]
	request := fmt.Sprintf(`{"channel_id":%q,"channel_secret":%q,"orderId":%q}`, account["channel_id"], account["channel_secret"], order)
	query := "type=" + lineType + "&request=" + request + "&store_id=0&is_test=FALSE"
	const path = "/v1/payment/integrate/search"
	d.requests++
	a, err := d.public.send(ctx, call{method: http.MethodGet, path: path, query: query})
	if err != nil {
		return err
	}
	d.say("   > GET %s?%s", path, strings.ReplaceAll(query, account["channel_secret"], masked(account["channel_secret"])))
	d.print(a)
	answered := rawMembers(a.body)
	var records []map[string]json.RawMessage
	err = json.Unmarshal(answered["info"], &records)
	if err := errors.Join(
		d.check(a.status == http.StatusOK && string(answered["returnCode"]) == `"0000"`, "the search was not answered"),
		d.check(err == nil && len(records) == 1, "info is no list of one record"),
	); err != nil {
		return err
	}
	return errors.Join(
		d.check(string(records[0]["orderId"]) == fmt.Sprintf("%q", order), "orderId is %s", records[0]["orderId"]),
		d.check(regexp.MustCompile(`^[0-9]{19}$`).Match(records[0]["transactionId"]), "transactionId is %s, want 19 digits", records[0]["transactionId"]),
		d.check(bytes.HasPrefix(records[0]["payInfo"], []byte("[")), "payInfo is no list"),
	)
}

// seedPay is the request of the platform's documents for iPASS, as it is printed there. What a provider
// takes only once is made fresh: req_id, trade_code, order_number, and the two times, by which the life of
// the code is judged (with the blank before them, as printed).
func seedPay(request, code, order string) string {
	now := time.Now().In(time.FixedZone("UTC+8", 8*60*60))
	const layout = "2006-01-02 15:04:05"
	return fmt.Sprintf(`{
  "store_id": "0",
  "request": {
    "req_id": %q,
    "trade_code": %q,
    "amount": 229,
    "order_number": %q,
    "store_id": "00681",
    "terminal_id": "AB123456",
    "capture": true,
    "pos_date_time": %q,
    "trade_date_time": %q,
    "product_desc": "XX 防曬乳*1(149 元)、XX 菸品*1(80)",
    "remark": "",
    "redeem": {
      "non_redeem_amout": 80
    }
  }
}`, request, code, order, " "+now.Format(layout), " "+now.Add(time.Second).Format(layout))
}

const ipassPath = "/v1/payment/ipass/offline/pay" //nolint:gosec // a route, no credential

func (d *demo) ipassPay(ctx context.Context, order string) (code string, err error) {
	d.title("iPASS", "The sample of the platform's documents, store_id \"0\": the company's own credentials. Fresh are only req_id, "+
		"trade_code,\n   order_number and the two times, because a code lives for minutes and an order number is used once.")
	if code, err = d.code(ctx, ipassName); err != nil {
		return "", err
	}
	request := randomUUID()
	a, err := d.post(ctx, ipassPath, seedPay(request, code, order), "", code)
	if err != nil {
		return "", err
	}
	answered := rawMembers(a.body)
	return code, errors.Join(
		d.check(a.status == http.StatusOK && string(answered["return_code"]) == `"0000"`, "the payment was not accepted"),
		d.check(string(answered["amount"]) == "229", "amount is %s", answered["amount"]),
		d.check(string(answered["order_number"]) == fmt.Sprintf("%q", order), "order_number is %s", answered["order_number"]),
		d.check(strings.EqualFold(string(answered["req_id"]), fmt.Sprintf("%q", request)), "req_id is %s", answered["req_id"]),
		d.check(len(answered["transaction_id"]) > 2, "transaction_id is missing"),
		d.check(len(answered["message_from"]) == 0, "a success carries message_from"),
	)
}

func (d *demo) lineDeclined(ctx context.Context, order, used string) error {
	d.title("LINE Pay declines", "The same one-time code again, for another order: the provider's own refusal comes through, with status 200.")
	a, err := d.post(ctx, "/v1/payment/integrate/pay", lineBody(order, used, d.dev.StoreID), "", used)
	if err != nil {
		return err
	}
	return d.declined(a, "returnCode")
}

func (d *demo) ipassDeclined(ctx context.Context, order, used string) error {
	d.title("iPASS declines", "A used code here, too.")
	a, err := d.post(ctx, ipassPath, seedPay(randomUUID(), used, order), "", used)
	if err != nil {
		return err
	}
	return d.declined(a, "return_code")
}

func (d *demo) declined(a answer, member string) error {
	answered := rawMembers(a.body)
	return errors.Join(
		d.check(a.status == http.StatusOK, "a decline has status %d, want 200", a.status),
		d.check(len(answered[member]) > 2 && string(answered[member]) != `"0000"`, "%s is %s, want a refusal", member, answered[member]),
		d.check(len(answered["message_from"]) > 2 && string(answered["message_from"]) != `"OMNI"`,
			"message_from is %s, want the provider's label", answered["message_from"]),
	)
}

func (d *demo) missingColumn(ctx context.Context) error {
	d.title("A missing column", "The provider's own schema knows what is required; nothing was sent, nothing was written down.")
	body := strings.Replace(seedPay(randomUUID(), "96A1OABQAAFmIVAVRxhAgY", "IXN1"), "    \"amount\": 229,\n", "", 1)
	a, err := d.post(ctx, ipassPath, body, "")
	if err != nil {
		return err
	}
	return d.refused(a, "amount 不可為空")
}

func (d *demo) unknownType(ctx context.Context) error {
	d.title("An unknown type", "Payment types come from the installed plugins.")
	a, err := d.post(ctx, "/v1/payment/integrate/pay", `{"type": "NO_SUCH_PAY", "request": {}, "store_id": "0"}`, "")
	if err != nil {
		return err
	}
	return d.refused(a, "無此付款方式 NO_SUCH_PAY")
}

func (d *demo) storeWithoutCredentials(ctx context.Context, order string) error {
	d.title("A store without credentials", "Store "+d.dev.StoreIDWithoutCredentials+" has none, and the company has none for LINE Pay.")
	a, err := d.post(ctx, "/v1/payment/integrate/pay", lineBody(order, "000000000000", d.dev.StoreIDWithoutCredentials), "")
	if err != nil {
		return err
	}
	return d.refused(a, "公司/門市缺少 "+lineType+" 金流相關設定")
}

func (d *demo) refused(a answer, message string) error {
	answered := rawMembers(a.body)
	var got string
	err := json.Unmarshal(answered["message"], &got)
	return errors.Join(
		d.check(a.status == http.StatusBadRequest, "status %d, want 400", a.status),
		d.check(err == nil && got == message, "message is %q, want %q", got, message),
		d.check(string(answered["message_from"]) == `"OMNI"`, "message_from is %s", answered["message_from"]),
	)
}

// post sends a body and prints both sides; what stands in hide is masked on the terminal.
func (d *demo) post(ctx context.Context, path, body, traceparent string, hide ...string) (answer, error) {
	header := http.Header{}
	if traceparent != "" {
		header.Set("Traceparent", traceparent)
	}
	d.requests++
	a, err := d.public.send(ctx, call{method: http.MethodPost, path: path, body: []byte(body), header: header})
	if err != nil {
		return a, err
	}
	d.say("   > POST %s\n%s", path, indented([]byte(mask(body, hide))))
	d.print(a, hide...)
	return a, nil
}

// print shows an answer.
func (d *demo) print(a answer, hide ...string) {
	d.say("   < %d %s\n%s", a.status, http.StatusText(a.status), indented([]byte(mask(string(a.body), hide))))
}

// indented is JSON for reading, with every number as it was written.
func indented(text []byte) string {
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.TrimSpace(text), "     ", "  "); err != nil {
		return "     " + string(text)
	}
	return "     " + out.String()
}

func mask(text string, secrets []string) string {
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, masked(s))
	}
	return text
}

// masked keeps the first four characters of a secret, for recognizing it.
func masked(secret string) string {
	const kept = 4
	if len(secret) <= 2*kept {
		return "…"
	}
	return secret[:kept] + "…"
}

func (d *demo) code(ctx context.Context, provider string) (string, error) {
	var got struct {
		Code string `json:"code"`
	}
	if err := d.sandbox.ask(ctx, http.MethodPost, "/_sandbox/codes", map[string]string{"provider": provider}, &got); err != nil {
		return "", fmt.Errorf("get a customer's code from the sandbox: %w", err)
	}
	return got.Code, nil
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}

func randomUUID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return strings.ToUpper(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}
