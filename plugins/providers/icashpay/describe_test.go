package icashpay_test

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
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

	"github.com/payrack/payrack/plugins/providers/icashpay"
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

func TestDescription(t *testing.T) {
	t.Parallel()
	p, err := icashpay.Open(t.Context(), icashpay.Settings{}, provider.Host{})
	if err != nil {
		t.Fatal(err)
	}
	d := p.Describe()
	if d.MessageFrom != "ICASH_PAY" || len(d.Types) != 1 || d.Types[0].Name != "I_CASH_QRCODE_PAY" {
		t.Fatalf("%+v", d)
	}
	var kinds []provider.Kind
	columns := map[provider.Kind]*jsonschema.Schema{}
	for _, o := range d.Types[0].Operations {
		kinds, columns[o.Kind] = append(kinds, o.Kind), schema(t, o.Columns)
		schema(t, o.Answer)
		if o.MaxDuration <= 0 || o.MaxDuration > time.Minute || o.MovesMoney != (o.Kind != provider.KindSearch) {
			t.Errorf("%+v", o)
		}
	}
	if diff := cmp.Diff([]provider.Kind{provider.KindPay, provider.KindSearch, provider.KindRefund, provider.KindVoid}, kinds); diff != "" {
		t.Error(diff)
	}
	// The platform's published sample, and variations of it.
	const sample = `{"PlatformID":"10523647","MerchantID":"10523650","MerchantTradeNo":"202305160934510005","StoreID":"002","StoreName":"002","MerchantTradeDate":"2023/05/16 10:09:00","TotalAmount":100,"ItemAmt":100,"UtilityAmt":0,"CommAmt":0,"ItemNonRedeemAmt":100,"UtilityNonRedeemAmt":100,"CommNonRedeemAmt":0,"NonPointAmt":0,"Barcode":"IC191TBP35LJ1SD8WA"}`
	for text, want := range map[string]bool{
		sample: true,
		`{"MerchantTradeNo":"A","StoreName":"s","TotalAmount":1,"Barcode":"IC"}`: true,
		strings.Replace(sample, `:100,`, `:0,`, 1):                               false,
		strings.Replace(sample, `:100,`, `:"10000",`, 1):                         false,
		strings.Replace(sample, `2023/05/16`, `2023-05-16`, 1):                   false,
		strings.Replace(sample, `"Barcode":"IC`, `"Barcode":"IC `, 1):            false,
		strings.Replace(sample, `"StoreName"`, `"storeName"`, 1):                 false,
	} {
		if got := valid(t, columns[provider.KindPay], text); got != want {
			t.Errorf("%s: valid %t", text, got)
		}
	}
	for _, text := range []string{
		`{"MerchantID":"10523650","PlatformID":"10523647","MerchantTradeNo":"202305160934510006"}`,
		`{"MerchantID":"10523650","PlatformID":"10523647","MerchantTradeNo":"202305160934510006","MerchantTradeDate":"2023/07/10 23:10:10"}`,
	} {
		if !valid(t, columns[provider.KindVoid], text) {
			t.Errorf("void %s", text)
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
	p, err := icashpay.Open(t.Context(), icashpay.Settings{}, provider.Host{})
	if err != nil {
		t.Fatal(err)
	}
	described := schema(t, p.Describe().Settings)
	for text, want := range map[string]string{
		`{}`: "",
		`{"endpoints":{"test":"http://127.0.0.1:1/icashpay"},"timeouts":{"pay":"5s"},"wire":{"paths":{"void":"/Cashier/CancelICPO"},"codes":{"100023":{"class":"declined","decline_code":"x"}},"trade_status":{"6":"failed"}}}`: "",
		`{"endpoints":{"test":"http://sandbox:8082"}}`:  "endpoints.test must be https",
		`{"timeouts":{"pay":"36s"}}`:                    "timeouts.pay must be",
		`{"wire":{"paths":{"pay":"POS"}}}`:              "wire.paths.pay must be a path",
		`{"wire":{"paths":{"search":"/q?x=1"}}}`:        "wire.paths.search must be a path",
		`{"wire":{"codes":{"1":{"class":"declined"}}}}`: "wire.codes.1 is success",
		`{"wire":{"codes":{"2":{"class":"success"}}}}`:  "wire.codes.2.class must be one of",
		`{"wire":{"trade_status":{"8":"done"}}}`:        "wire.trade_status.8 must be one of",
	} {
		var s icashpay.Settings
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		_, err := icashpay.Open(t.Context(), s, provider.Host{})
		if want == "" && (err != nil || !valid(t, described, text)) {
			t.Errorf("%s: %v", text, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// counter is an icash Pay of the test's own: it checks who calls, by its own reading, keeps what it read, and answers
// what the test says, signed.
type counter struct {
	*httptest.Server

	own, till *rsa.PrivateKey
	seen      []map[string]any
	answer    func(w http.ResponseWriter, sign func([]byte) string)
}

const (
	aesKey  = "0123456789abcdefABCDEF9876543210"
	aesIV   = "fedcba9876543210"
	barcode = "IC191TBP35LJ1SD8WA"
)

func newCounter(t *testing.T) *counter {
	t.Helper()
	g := &counter{}
	for _, key := range []**rsa.PrivateKey{&g.own, &g.till} {
		made, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		*key = made
	}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sealed := r.PostFormValue("EncData")
		sum := sha256.Sum256([]byte(sealed))
		signature, _ := base64.StdEncoding.DecodeString(r.Header.Get("X-iCP-Signature"))
		if r.Header.Get("X-iCP-EncKeyID") != "274676" || rsa.VerifyPKCS1v15(&g.till.PublicKey, crypto.SHA256, sum[:], signature) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		raw, _ := base64.StdEncoding.DecodeString(sealed)
		block, _ := aes.NewCipher([]byte(aesKey))
		cipher.NewCBCDecrypter(block, []byte(aesIV)).CryptBlocks(raw, raw)
		var body map[string]any
		_ = json.Unmarshal(raw[:len(raw)-int(raw[len(raw)-1])], &body)
		g.seen = append(g.seen, body)
		g.answer(w, func(text []byte) string {
			sum := sha256.Sum256(text)
			signature, _ := rsa.SignPKCS1v15(nil, g.own, crypto.SHA256, sum[:])
			return base64.StdEncoding.EncodeToString(signature)
		})
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *counter) replies(text string) {
	g.answer = func(w http.ResponseWriter, sign func([]byte) string) {
		w.Header().Set("X-iCP-Signature", sign([]byte(text)))
		_, _ = io.WriteString(w, text)
	}
}

func (g *counter) call(t *testing.T, columns string) provider.Call {
	t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(g.till)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(g.own.Public())
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(map[string]string{
		"merchant_id": "10523650", "platform_id": "10523647", "enc_key_id": "274676", "aes_key": aesKey, "aes_iv": aesIV,
		"private_key": base64.StdEncoding.EncodeToString(private), "gateway_public_key": base64.StdEncoding.EncodeToString(public), "store_name": "門市",
	})
	if err != nil {
		t.Fatal(err)
	}
	return provider.Call{
		Environment: provider.EnvironmentTest, NotAfter: time.Now().Add(time.Minute), Account: "10523650",
		Credential: provider.NewDocument(set), Columns: provider.NewDocument([]byte(columns)),
	}
}

func (g *counter) provider(t *testing.T, log *slog.Logger) opened {
	t.Helper()
	settings, err := json.Marshal(map[string]any{"endpoints": map[string]string{"live": g.URL, "test": g.URL}})
	if err != nil {
		t.Fatal(err)
	}
	return open(t, settings, provider.Host{Log: log, Now: func() time.Time { return time.Date(2023, 5, 16, 2, 9, 0, 0, time.UTC) }})
}

// What goes over the wire: amounts are hundredths in text, and follow-ups need no columns.
func TestRequests(t *testing.T) {
	t.Parallel()
	g := newCounter(t)
	g.replies(`{"EncData":"","RtnCode":-400,"RtnMsg":"x"}`)
	p := g.provider(t, nil)
	p.Pay(t.Context(), provider.PayRequest{
		Call: g.call(t, `{"StoreID":"002","StoreName":"002","UtilityAmt":30,"ItemNonRedeemAmt":100}`), Reference: provider.Reference{OrderID: "A1"},
		Amount: twd(130), Capture: true, Code: provider.NewSecret(barcode),
	})
	p.Refund(t.Context(), provider.RefundRequest{Call: g.call(t, `{}`), Reference: provider.Reference{OrderID: "A1", TransactionID: "T1", ClientReference: "op-1"}, Amount: twd(5)})
	p.Void(t.Context(), provider.VoidRequest{Call: g.call(t, `{}`), Reference: provider.Reference{OrderID: "A1"}})
	p.Search(t.Context(), provider.SearchRequest{Call: g.call(t, `{}`), Reference: provider.Reference{OrderID: "A1"}})
	const now = "2023/05/16 10:09:00"
	want := []map[string]any{
		{
			"PlatformID": "10523647", "MerchantID": "10523650", "MerchantTradeNo": "A1", "StoreID": "002", "StoreName": "002", "MerchantTradeDate": now,
			"TotalAmount": "13000", "ItemAmt": "10000", "UtilityAmt": "3000", "CommAmt": "0",
			"ItemNonRedeemAmt": "10000", "UtilityNonRedeemAmt": "0", "CommNonRedeemAmt": "0", "NonPointAmt": "0", "Item": nil, "Barcode": barcode,
		},
		{
			"PlatformID": "10523647", "MerchantID": "10523650", "OMerchantTradeNo": "A1", "TransactionID": "T1", "StoreID": "", "StoreName": "門市",
			"MerchantTradeNo": "KYTS971O9MUIFQUVWO9V", "MerchantTradeDate": now,
			"RefundTotalAmount": "500", "RefundItemAmt": "500", "RefundUtilityAmt": "0", "RefundCommAmt": "0",
		},
		{
			"PlatformID": "10523647", "MerchantID": "10523650", "MerchantTradeNo": "A1", "TransactionID": "", "StoreID": "", "StoreName": "門市", "MerchantTradeDate": now,
		},
		{"PlatformID": "10523647", "MerchantID": "10523650", "MerchantTradeNo": "A1"},
	}
	if diff := cmp.Diff(want, g.seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What cannot be asked is not sent.
func TestNotSent(t *testing.T) {
	t.Parallel()
	g := newCounter(t)
	p := g.provider(t, nil)
	pay := func(edit func(*provider.PayRequest)) provider.Answer {
		r := provider.PayRequest{
			Call: g.call(t, shop), Reference: provider.Reference{OrderID: "A1"}, Amount: twd(100), Capture: true, Code: provider.NewSecret(barcode),
		}
		edit(&r)
		return p.Pay(t.Context(), r)
	}
	columns := func(text string) func(*provider.PayRequest) {
		return func(r *provider.PayRequest) { r.Call = g.call(t, text) }
	}
	for name, edit := range map[string]func(*provider.PayRequest){
		"another sum":          columns(`{"ItemAmt":99}`),
		"parts above the sum":  columns(`{"UtilityAmt":101}`),
		"another merchant":     columns(`{"MerchantID":"1"}`),
		"another platform":     columns(`{"PlatformID":"1"}`),
		"authorize only":       func(r *provider.PayRequest) { r.Capture = false },
		"dollars of another":   func(r *provider.PayRequest) { r.Amount.Currency = "USD" },
		"nothing":              func(r *provider.PayRequest) { r.Amount.Units = 0 },
		"no code":              func(r *provider.PayRequest) { r.Code = provider.Secret{} },
		"too much":             func(r *provider.PayRequest) { r.Amount.Units = 1 << 62 },
		"another account":      func(r *provider.PayRequest) { r.Call.Account = "1" },
		"no credential":        func(r *provider.PayRequest) { r.Call.Credential = provider.Document{} },
		"an environment":       func(r *provider.PayRequest) { r.Call.Environment = "staging" },
		"too late to send now": func(r *provider.PayRequest) { r.Call.NotAfter = time.Now().Add(-time.Second) },
	} {
		if a := pay(edit); a.Failure() == nil || a.Failure().Effect != provider.EffectNone {
			t.Errorf("%s: %+v, %+v", name, a.Result(), a.Failure())
		}
	}
	if a := p.Search(t.Context(), provider.SearchRequest{Call: g.call(t, `{}`), Reference: provider.Reference{TransactionID: "T"}}); a.Failure == nil || a.Failure.Effect != provider.EffectNone {
		t.Errorf("a search without an order: %+v", a)
	}
	if len(g.seen) != 0 {
		t.Errorf("%d requests were sent", len(g.seen))
	}
}

// Whatever the gateway writes, no secret and no code of the payer stands in an answer, an error or a log line, and
// nothing but a signed and whole answer decides.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	g := newCounter(t)
	var log bytes.Buffer
	p := g.provider(t, slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	var told strings.Builder
	for _, text := range []string{
		``, `null`, `[]`, `"x"`, `{}`, `{"RtnCode":1}`, `{"RtnCode":1,"EncData":""}`, `{"RtnCode":1,"EncData":"***"}`, `{"RtnCode":1,"EncData":"AAAA"}`,
		`{"RtnCode":1,"RtnCode":1,"EncData":""}`, `{"RtnCode":1.0}`, `{"RtnCode":"ok"}`, `{"RtnCode":true}`, `{"RtnCode":99999999999}`,
		`{"RtnCode":-402,"EncData":"` + strings.Repeat("A", 22) + `=="}`, "{\"RtnCode\":-402,\"RtnMsg\":\"\xff\"}", `{"RtnCode":1}{"RtnCode":1}`, aesKey,
	} {
		g.replies(text)
		r := provider.PayRequest{Call: g.call(t, shop), Reference: provider.Reference{OrderID: "A1"}, Amount: twd(100), Capture: true, Code: provider.NewSecret(barcode)}
		a := p.Pay(t.Context(), r)
		if a.Outcome() != provider.OutcomeUnknown || (a.Failure() != nil && a.Failure().Effect != provider.EffectPossible) {
			t.Errorf("%q: outcome %d, %+v", text, a.Outcome(), a.Failure())
		}
		s := p.Search(t.Context(), provider.SearchRequest{Call: g.call(t, `{}`), Reference: provider.Reference{OrderID: "A1"}, About: provider.KindPay})
		if s.Findings != nil && s.Findings.Finding != provider.FindingInProgress {
			t.Errorf("%q: %+v", text, s.Findings)
		}
		fmt.Fprintf(&told, "%+v %+v %v %v\n", a.Failure(), s.Failure, r, a)
	}
	for _, secret := range []string{aesKey, aesIV, barcode} {
		if strings.Contains(told.String(), secret) || strings.Contains(log.String(), secret) {
			t.Errorf("a secret is in\n%s\n%s", told.String(), log.String())
		}
	}
	if !strings.Contains(told.String(), "A1") || len(g.seen) == 0 {
		t.Error("the search looks in the wrong place")
	}
}

// The client sees dollars; points of less than a dollar stand in the way of nothing, and an amount that nobody can read
// is shown as it came.
func TestAmountsForTheClient(t *testing.T) {
	t.Parallel()
	g := newCounter(t)
	block, err := aes.NewCipher([]byte(aesKey))
	if err != nil {
		t.Fatal(err)
	}
	text := []byte(`{"TransactionID":1234567890123456789,"MerchantTradeNo":"A1","TotalAmount":"10000","ICPAmount":"9950","BonusAmt":50,"OBonusAmt":"","OICPAmount":"-1"}`)
	pad := 16 - len(text)%16
	text = append(text, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, []byte(aesIV)).CryptBlocks(text, text)
	g.replies(`{"RtnCode":1,"RtnMsg":"成功","EncData":"` + base64.StdEncoding.EncodeToString(text) + `"}`)
	a := g.provider(t, nil).Pay(t.Context(), provider.PayRequest{
		Call: g.call(t, shop), Reference: provider.Reference{OrderID: "A1"}, Amount: twd(100), Capture: true, Code: provider.NewSecret(barcode),
	})
	r := wantOutcome(t, "pay", a, provider.OutcomeApproved)
	if *r.Captured != twd(100) || r.Reference.TransactionID != "1234567890123456789" {
		t.Errorf("%+v", r)
	}
	want := `{"RtnCode":1,"RtnMsg":"成功","EncData":{"TransactionID":1234567890123456789,"MerchantTradeNo":"A1","TotalAmount":100,"ICPAmount":99.50,"BonusAmt":0.50,"OBonusAmt":"","OICPAmount":"-1"}}`
	if diff := cmp.Diff(want, string(a.Native().Body)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
