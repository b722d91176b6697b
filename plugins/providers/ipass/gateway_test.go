package ipass_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/providers/ipass"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

const (
	merchantID = "MERCHANT-01"
	key        = "0123456789abcdefghijklmnopqrstuv"
	tradeCode  = "96A1OABQAAFmIVAVRxhAgY"
	reqID      = "9CC197A0-E12C-4AC5-8CC0-0052E09D3752"
	orderID    = "IXN20231011000001"
)

// gateway is an iPASS of the test's own: it decrypts with its own reading of the contract and answers what
// the test says. Answers are clear texts; they are encrypted on the way out unless raw.
type gateway struct {
	*httptest.Server

	t      *testing.T
	answer func(request map[string]any) reply

	mu   sync.Mutex
	seen []seen
	ivs  map[string]bool
}

type seen struct {
	path, clear, iv string
	header          http.Header
}

type reply struct {
	status int
	clear  string
	raw    string // sent as it is, without encryption
	key    string // encrypts the answer in place of the merchant's
	iv     string // announced in place of the real IV
	wait   time.Duration
}

func newGateway(t *testing.T, answer func(map[string]any) reply) *gateway {
	t.Helper()
	g := &gateway{t: t, answer: answer, ivs: map[string]bool{}}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

// always answers every request alike.
func always(r reply) func(map[string]any) reply { return func(map[string]any) reply { return r } }

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	iv := r.Header.Get("iPass-Iv")
	clear := decrypt(g.t, key, iv, string(body))
	g.mu.Lock()
	g.seen = append(g.seen, seen{r.URL.Path, clear, iv, r.Header.Clone()})
	if g.ivs[iv] || r.Header.Get("iPass-MerchantId") != merchantID {
		g.t.Errorf("IV %s was used before, or the merchant is %q", iv, r.Header.Get("iPass-MerchantId"))
	}
	g.ivs[iv] = true
	g.mu.Unlock()
	var request map[string]any
	if err := json.Unmarshal([]byte(clear), &request); err != nil {
		g.t.Errorf("the request is not JSON: %s", clear)
	}
	a := g.answer(request)
	if a.wait > 0 {
		select {
		case <-time.After(a.wait):
		case <-r.Context().Done():
		}
	}
	out := a.raw
	if a.raw == "" {
		answerKey, answerIV := key, "f0e0d0c0b0a090807060504030201000"
		if a.key != "" {
			answerKey = a.key
		}
		out = encrypt(g.t, answerKey, answerIV, a.clear)
		if a.iv != "" {
			answerIV = a.iv
		}
		w.Header().Set("iPass-Iv", answerIV)
	}
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	_, _ = io.WriteString(w, out)
}

func (g *gateway) requests() []seen {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]seen(nil), g.seen...)
}

func decrypt(t *testing.T, key, ivHex, body string) string {
	t.Helper()
	var in struct {
		Data string `json:"data"`
	}
	iv, ivErr := hex.DecodeString(ivHex)
	if err := json.Unmarshal([]byte(body), &in); err != nil || ivErr != nil || len(iv) != 16 || ivHex != strings.ToLower(ivHex) {
		t.Errorf("request %s with IV %q", body, ivHex)
		return "{}"
	}
	crypt, err := base64.StdEncoding.DecodeString(in.Data)
	if err != nil || len(crypt) == 0 || len(crypt)%16 != 0 {
		t.Errorf("data %q", in.Data)
		return "{}"
	}
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(crypt, crypt)
	return string(crypt[:len(crypt)-int(crypt[len(crypt)-1])])
}

func encrypt(t *testing.T, key, ivHex, clear string) string {
	t.Helper()
	iv, err := hex.DecodeString(ivHex)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	n := 16 - len(clear)%16
	padded := []byte(clear + strings.Repeat(string([]byte{byte(n)}), n))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(padded, padded)
	return `{"data":"` + base64.StdEncoding.EncodeToString(padded) + `"}`
}

type openProvider interface {
	provider.Provider
	provider.Payer
	provider.Capturer
	provider.Voider
	provider.Refunder
	provider.Searcher
	provider.Closer
}

func open(t *testing.T, url string, edit func(*ipass.Settings)) openProvider {
	t.Helper()
	return openLogging(t, url, slog.New(slog.DiscardHandler), edit)
}

func openLogging(t *testing.T, url string, log *slog.Logger, edit func(*ipass.Settings)) openProvider {
	t.Helper()
	s := ipass.Settings{Endpoints: provider.Endpoints{Live: url, Test: url}}
	if edit != nil {
		edit(&s)
	}
	p, err := ipass.Open(t.Context(), s, provider.Host{Log: log, Now: time.Now, HTTP: provider.NewClient(provider.ClientOptions{})})
	if err != nil {
		t.Fatal(err)
	}
	opened, ok := p.(openProvider)
	if !ok {
		t.Fatal("the provider does not pay and search")
	}
	t.Cleanup(func() { _ = opened.Close() })
	return opened
}

const seedColumns = `{"store_id":"00681","terminal_id":"AB123456","pos_date_time":"2023-10-11 01:44:54","trade_date_time":"2023-10-11 01:45:55","remark":"","redeem":{"non_redeem_amout":80}}`

func call(t *testing.T, members map[string]string, columns string) provider.Call {
	t.Helper()
	set := map[string]any{}
	for name, value := range members {
		set[name] = value
	}
	return callWith(t, set, columns)
}

// callWith is call for a credential set with members that are no texts.
func callWith(t *testing.T, members map[string]any, columns string) provider.Call {
	t.Helper()
	set := map[string]any{"merchantid": merchantID, "key": key}
	maps.Copy(set, members)
	raw, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return provider.Call{
		OperationID: "op-1", PaymentType: ipass.TypeOfflinePay, Environment: provider.EnvironmentTest,
		NotAfter: time.Now().Add(time.Minute), Account: merchantID, RequestID: reqID,
		Credential: provider.NewDocument(raw), Columns: provider.NewDocument([]byte(columns)),
	}
}

func payRequest(t *testing.T, members map[string]string, columns string) provider.PayRequest {
	t.Helper()
	return provider.PayRequest{
		Call: call(t, members, columns), Reference: provider.Reference{OrderID: orderID},
		Amount: provider.Money{Units: 229, Currency: "TWD"}, Capture: true,
		Description: "測試商品*1", Code: provider.NewSecret(tradeCode),
	}
}

func searchRequest(t *testing.T, purpose provider.Purpose, members map[string]string) provider.SearchRequest {
	t.Helper()
	return provider.SearchRequest{
		Call: call(t, members, `{}`), Purpose: purpose, Reference: provider.Reference{OrderID: orderID}, About: provider.KindPay,
	}
}
