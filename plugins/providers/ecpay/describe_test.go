package ecpay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/payrack/payrack/plugins/providers/ecpay"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

func schema(t *testing.T, raw json.RawMessage) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem://schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem://schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t *testing.T, s *jsonschema.Schema, text string) bool {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc) == nil
}

func describe(t *testing.T) provider.Description {
	t.Helper()
	p, err := ecpay.Open(t.Context(), ecpay.Settings{}, provider.Host{})
	if err != nil {
		t.Fatal(err)
	}
	return p.Describe()
}

func TestDescription(t *testing.T) {
	t.Parallel()
	d := describe(t)
	if d.MessageFrom != "ECPAY" || len(d.Types) != 1 || d.Types[0].Name != "ECPAY_TWQR_POS" {
		t.Fatalf("%+v", d)
	}
	var kinds []provider.Kind
	for _, o := range d.Types[0].Operations {
		kinds = append(kinds, o.Kind)
		schema(t, o.Answer)
		if o.MaxDuration <= 0 || o.MaxDuration > time.Minute || o.MovesMoney != (o.Kind != provider.KindSearch) {
			t.Errorf("%+v", o)
		}
	}
	if diff := cmp.Diff([]provider.Kind{provider.KindPay, provider.KindSearch, provider.KindRefund}, kinds); diff != "" {
		t.Error(diff)
	}
	pay := schema(t, d.Types[0].Operations[0].Columns)
	const sample = `{"MerchantTradeNo":"EC202604290001","Amount":100,"ItemName":"拿鐵#可頌","TWQRCode":"96BBSACAAAEAIEVBEZRpEg"}`
	for text, want := range map[string]bool{
		sample: true,
		strings.Replace(sample, `{`, `{"MerchantID":"3002607","HashKey":"pwFHCqoQZGmho4w6","HashIV":"EkRm7iFT261dpevs","MerchantTradeDate":"2026/04/29 10:00:00","ReturnURL":"https://shop.example.com/r",`, 1): true,
		strings.Replace(sample, `0001"`, `00000000001"`, 1):                            false,
		strings.Replace(sample, `EC2026`, `EC-2026`, 1):                                false,
		strings.Replace(sample, `:100`, `:0`, 1):                                       false,
		strings.Replace(sample, `{`, `{"ReturnURL":"javascript:x",`, 1):                false,
		strings.Replace(sample, `{`, `{"HashKey":"short",`, 1):                         false,
		strings.Replace(sample, `{`, `{"MerchantTradeDate":"2026-04-29 10:00:00",`, 1): false,
		strings.Replace(sample, `"TWQRCode":"96BB`, `"TWQRCode":"96 BB`, 1):            false,
		strings.Replace(sample, `拿鐵`, strings.Repeat("拿", 199), 1):                     false,
		strings.Replace(sample, `{`, `{"CreditInstallment":"3",`, 1):                   false,
	} {
		if got := valid(t, pay, text); got != want {
			t.Errorf("%.150s: valid %t", text, got)
		}
	}
	for situation, body := range d.Types[0].Operations[0].Bodies {
		if !valid(t, schema(t, d.Types[0].Operations[0].Answer), string(body)) {
			t.Errorf("situation %d: %s", situation, body)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	described := schema(t, describe(t).Settings)
	for text, want := range map[string]string{
		`{}`: "",
		`{"endpoints":{"test":"http://127.0.0.1:1/ecpay"},"timeouts":{"pay":"35s"},"return_url":"https://shop.example.com/r","wire":{"choose_payment":"X","code_member":"BarCode","codes":{"10100058":{"class":"declined"}},"trade_status":{"2":"failed"},"unpaid_final_after":"30m"}}`: "",
		`{"endpoints":{"test":"http://sandbox:8082"}}`:  "endpoints.test must be https",
		`{"timeouts":{"pay":"41s"}}`:                    "timeouts.pay must be",
		`{"return_url":"shop"}`:                         "return_url must be a URL",
		`{"return_url":"https://user:pw@example.com/"}`: "return_url must be a URL",
		`{"wire":{"code_member":"A.B.C"}}`:              "wire.code_member must be written",
		`{"wire":{"code_member":".B"}}`:                 "wire.code_member must be written",
		`{"wire":{"unpaid_final_after":"19m"}}`:         "wire.unpaid_final_after must be at least 20m",
		`{"wire":{"codes":{"1":{"class":"declined"}}}}`: "wire.codes.1 is success",
		`{"wire":{"codes":{"2":{"class":"success"}}}}`:  "wire.codes.2.class must be one of",
		`{"wire":{"trade_status":{"8":"done"}}}`:        "wire.trade_status.8 must be one of",
	} {
		var s ecpay.Settings
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		_, err := ecpay.Open(t.Context(), s, provider.Host{})
		if want == "" && (err != nil || !valid(t, described, text)) {
			t.Errorf("%s: %v", text, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pw@")) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

const (
	hashKey  = "pwFHCqoQZGmho4w6"
	hashIV   = "EkRm7iFT261dpevs"
	twqrCode = "96BBSACAAAEAIEVBEZRpEg"
)

// counter is an ECPay of the test's own: it keeps what came and answers what the test says.
type counter struct {
	*httptest.Server

	seen   []string
	answer string
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	g := &counter{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var outside struct {
			MerchantID string `json:"MerchantID"`
			RqHeader   struct {
				Timestamp int64 `json:"Timestamp"`
			} `json:"RqHeader"`
			Data string `json:"Data"`
		}
		_ = json.Unmarshal(body, &outside)
		clear, _ := ecpay.Decipher(hashKey, hashIV, outside.Data)
		g.seen = append(g.seen, fmt.Sprintf("%s %s %d %s", r.URL.Path, outside.MerchantID, outside.RqHeader.Timestamp, clear))
		_, _ = io.WriteString(w, g.answer)
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *counter) call(columns string) provider.Call {
	return provider.Call{
		Environment: provider.EnvironmentTest, NotAfter: time.Now().Add(time.Minute), Account: "3002607",
		Credential: provider.NewDocument([]byte(`{"MerchantID":"3002607","HashKey":"` + hashKey + `","HashIV":"` + hashIV + `"}`)),
		Columns:    provider.NewDocument([]byte(columns)),
	}
}

func (g *counter) provider(t *testing.T, log *slog.Logger, wire string) opened {
	t.Helper()
	return open(t, json.RawMessage(`{"endpoints":{"live":"`+g.URL+`","test":"`+g.URL+`"},"return_url":"https://shop.example.com/r","wire":`+wire+`}`),
		provider.Host{Log: log, Now: func() time.Time { return time.Date(2026, 4, 29, 2, 0, 0, 0, time.UTC) }})
}

func (g *counter) payment(columns string) provider.PayRequest {
	return provider.PayRequest{
		Call: g.call(columns), Reference: provider.Reference{OrderID: "EC1"}, Amount: twd(100), Capture: true, Description: "拿鐵", Code: provider.NewSecret(twqrCode),
	}
}

// What goes over the wire; follow-ups need no columns.
func TestRequests(t *testing.T) {
	t.Parallel()
	g := newCounter(t)
	p := g.provider(t, nil, `{}`)
	p.Pay(t.Context(), g.payment(`{"TradeDesc":"<早餐>"}`))
	p.Refund(t.Context(), provider.RefundRequest{Call: g.call(`{}`), Reference: provider.Reference{OrderID: "EC1", ClientReference: "op-1"}, Amount: twd(5)})
	p.Search(t.Context(), provider.SearchRequest{Call: g.call(`{}`), Reference: provider.Reference{OrderID: "EC1"}})
	g.provider(t, nil, `{"code_member":"OrderInfo.BarCode","choose_payment":"QR"}`).Pay(t.Context(), g.payment(`{"ReturnURL":"https://a.example/b"}`))
	g.provider(t, nil, `{"code_member":"BarCode"}`).Pay(t.Context(), g.payment(`{}`))
	const head = " 3002607 1777428000 "
	want := []string{
		"/1.0.0/POS/BackAuth" + head + `{"ChoosePayment":"TWQR","MerchantID":"3002607","OrderInfo":{"Amount":100,"ItemName":"拿鐵","MerchantTradeDate":"2026/04/29 10:00:00","MerchantTradeNo":"EC1","ReturnURL":"https://shop.example.com/r","TradeDesc":"<早餐>"},"TWQRInfo":{"TWQRCode":"` + twqrCode + `"}}`,
		"/1.0.0/POS/Refund" + head + `{"MerchantID":"3002607","MerchantTradeNo":"EC1","MerchantRefundNo":"KYTS971O9MUIFQUVWO9V","RefundAmount":5}`,
		"/1.0.0/POS/QueryTrade" + head + `{"MerchantID":"3002607","MerchantTradeNo":"EC1"}`,
		"/1.0.0/POS/BackAuth" + head + `{"ChoosePayment":"QR","MerchantID":"3002607","OrderInfo":{"Amount":100,"BarCode":"` + twqrCode + `","ItemName":"拿鐵","MerchantTradeDate":"2026/04/29 10:00:00","MerchantTradeNo":"EC1","ReturnURL":"https://a.example/b","TradeDesc":"拿鐵"}}`,
		"/1.0.0/POS/BackAuth" + head + `{"BarCode":"` + twqrCode + `","ChoosePayment":"TWQR","MerchantID":"3002607","OrderInfo":{"Amount":100,"ItemName":"拿鐵","MerchantTradeDate":"2026/04/29 10:00:00","MerchantTradeNo":"EC1","ReturnURL":"https://shop.example.com/r","TradeDesc":"拿鐵"}}`,
	}
	if diff := cmp.Diff(want, g.seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What cannot be asked is not sent.
func TestNotSent(t *testing.T) {
	t.Parallel()
	g := newCounter(t)
	p := g.provider(t, nil, `{}`)
	for name, edit := range map[string]func(*provider.PayRequest){
		"an order number with a hyphen": func(r *provider.PayRequest) { r.Reference.OrderID = "EC1-2" },
		"an order number too long":      func(r *provider.PayRequest) { r.Reference.OrderID = strings.Repeat("1", 21) },
		"a return address":              func(r *provider.PayRequest) { r.Call = g.call(`{"ReturnURL":"shop"}`) },
		"authorize only":                func(r *provider.PayRequest) { r.Capture = false },
		"another currency":              func(r *provider.PayRequest) { r.Amount.Currency = "USD" },
		"nothing":                       func(r *provider.PayRequest) { r.Amount.Units = 0 },
		"no code":                       func(r *provider.PayRequest) { r.Code = provider.Secret{} },
		"another account":               func(r *provider.PayRequest) { r.Call.Account = "1" },
		"no credential":                 func(r *provider.PayRequest) { r.Call.Credential = provider.Document{} },
		"an environment":                func(r *provider.PayRequest) { r.Call.Environment = "staging" },
		"too late to send now":          func(r *provider.PayRequest) { r.Call.NotAfter = time.Now().Add(-time.Second) },
	} {
		r := g.payment(`{}`)
		edit(&r)
		if a := p.Pay(t.Context(), r); a.Failure() == nil || a.Failure().Effect != provider.EffectNone {
			t.Errorf("%s: %+v, %+v", name, a.Result(), a.Failure())
		}
	}
	if a := p.Refund(t.Context(), provider.RefundRequest{Call: g.call(`{}`), Reference: provider.Reference{OrderID: "EC1"}, Amount: twd(5)}); a.Failure() == nil || a.Failure().Effect != provider.EffectNone {
		t.Errorf("a refund without a reference: %+v", a.Failure())
	}
	if len(g.seen) != 0 {
		t.Errorf("%d requests were sent", len(g.seen))
	}
}

// Whatever ECPay writes, no secret and no code of the payer stands in an answer, an error or a log line, and nothing
// but a whole answer decides.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	g := newCounter(t)
	var log bytes.Buffer
	p := g.provider(t, slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), `{}`)
	var told strings.Builder
	sealed := func(text string) string {
		data, err := ecpay.Seal(hashKey, hashIV, text)
		if err != nil {
			t.Fatal(err)
		}
		return `{"MerchantID":"3002607","TransCode":1,"Data":"` + data + `"}`
	}
	for _, text := range []string{
		``, `null`, `[]`, `{}`, `{"TransCode":1}`, `{"TransCode":1,"Data":""}`, `{"TransCode":1,"Data":"***"}`, `{"TransCode":0,"TransMsg":"x"}`, `{"TransCode":"x"}`,
		`{"MerchantID":"1","TransCode":1,"Data":"AAAA"}`, strings.Replace(sealed(`{"RtnCode":-402}`), "3002607", "3002608", 1),
		sealed(`{"RtnCode":1}`), sealed(`{"RtnCode":1,"OrderInfo":{"TradeNo":"","TradeAmt":100}}`), sealed(`{"RtnCode":1,"OrderInfo":{"TradeNo":"7","TradeAmt":100.5}}`),
		sealed(`{"RtnCode":1,"OrderInfo":{"TradeNo":"7","TradeAmt":-100}}`), sealed(`{"RtnCode":1,"OrderInfo":{"TradeNo":"7","TradeStatus":"0"}}`),
		sealed(`{"RtnCode":1,"MerchantID":"9","OrderInfo":{"TradeNo":"7","TradeStatus":"1"}}`), sealed(`{"RtnCode":-402,"RtnCode":1}`), sealed(hashKey), hashKey,
	} {
		g.answer = text
		r := g.payment(`{}`)
		a := p.Pay(t.Context(), r)
		if a.Outcome() != provider.OutcomeUnknown || (a.Failure() != nil && a.Failure().Effect != provider.EffectPossible) {
			t.Errorf("%q: outcome %d, %+v", text, a.Outcome(), a.Failure())
		}
		s := p.Search(t.Context(), provider.SearchRequest{Call: g.call(`{}`), Reference: provider.Reference{OrderID: "EC1"}, About: provider.KindPay})
		if s.Findings != nil && s.Findings.Finding != provider.FindingInProgress {
			t.Errorf("%q: %+v", text, s.Findings)
		}
		fmt.Fprintf(&told, "%+v %+v %v %v\n", a.Failure(), s.Failure, r, a)
	}
	for _, secret := range []string{hashKey, hashIV, twqrCode} {
		if strings.Contains(told.String(), secret) || strings.Contains(log.String(), secret) {
			t.Errorf("a secret is in\n%s\n%s", told.String(), log.String())
		}
	}
	if !strings.Contains(told.String(), "EC1") || len(g.seen) == 0 {
		t.Error("the search looks in the wrong place")
	}
}
