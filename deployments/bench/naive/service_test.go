package naive_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/payrack/payrack/deployments/bench/naive"
	"github.com/payrack/payrack/deployments/bench/stub"
)

const payRoute = "/v1/payment/integrate/pay"

// till is a running service with the key that signs its callers' tokens.
type till struct {
	service *naive.Service
	path    string
	key     *ecdsa.PrivateKey
}

func open(t *testing.T, gateway http.Handler) till {
	t.Helper()
	server := httptest.NewServer(gateway)
	t.Cleanup(server.Close)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "naive.db")
	service, err := naive.New(t.Context(), naive.Options{
		Database: path, GatewayURL: server.URL, StoreID: "s1", ChannelID: "1234567890", ChannelSecret: "secret",
		Keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := service.Close(); err != nil {
			t.Error(err)
		}
	})
	return till{service: service, path: path, key: key}
}

// token signs claims with the till's key.
func (k till) token(t *testing.T, scope, audience string, life time.Duration) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k.key}, (&jose.SignerOptions{}).WithHeader("kid", "k1"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.Signed(signer).
		Claims(jwt.Claims{Audience: jwt.Audience{audience}, Expiry: jwt.NewNumericDate(time.Now().Add(life))}).
		Claims(map[string]any{"company": "c1", "scope": scope}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (k till) pay(t *testing.T, token, order string) *httptest.ResponseRecorder {
	t.Helper()
	body := fmt.Sprintf(`{"type":"LINE_QRCODE_PAY","is_test":true,"store_id":"s1","request":{"productName":"x","amount":100,"currency":"TWD","orderId":%q,"oneTimeKey":"381234567890123456"}}`, order)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, payRoute, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	k.service.ServeHTTP(w, r)
	return w
}

// state reads a payment through a second connection to the same file.
func (k till) state(t *testing.T, order string) naive.Payment {
	t.Helper()
	store, err := naive.OpenStore(t.Context(), k.path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	p, err := store.Get(t.Context(), "c1", order)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAPaymentIsChargedOnceAndStored(t *testing.T) {
	t.Parallel()
	k := open(t, &stub.Gateway{})
	token := k.token(t, "pay search", "payrack", time.Hour)
	w := k.pay(t, token, "o1")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"returnCode":"0000"`) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	p := k.state(t, "o1")
	if p.State != naive.Succeeded || len(p.ProviderTxn) != 19 || p.Reply != w.Body.String() || p.Amount != 100 {
		t.Errorf("stored %+v", p)
	}
	if again := k.pay(t, token, "o1"); again.Code != http.StatusConflict {
		t.Errorf("the same order again: %d %s", again.Code, again.Body)
	}
}

func TestAnAnswerAboutAnotherOrderIsUnknown(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"other order":  `{"returnCode":"0000","info":{"transactionId":2026112200000000001,"orderId":"other","payInfo":[{"amount":100}]}}`,
		"other amount": `{"returnCode":"0000","info":{"transactionId":2026112200000000001,"orderId":"o1","payInfo":[{"amount":99}]}}`,
		"no answer":    `<html>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
			if w := k.pay(t, k.token(t, "pay", "payrack", time.Hour), "o1"); w.Code != http.StatusGatewayTimeout {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if p := k.state(t, "o1"); p.State != naive.Unknown {
				t.Errorf("stored %+v", p)
			}
		})
	}
}

func TestADeclineIsStoredAndPassedOn(t *testing.T) {
	t.Parallel()
	k := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"returnCode":"1110","returnMessage":"No card."}`))
	}))
	w := k.pay(t, k.token(t, "pay", "payrack", time.Hour), "o1")
	if w.Code != http.StatusOK || k.state(t, "o1").State != naive.Failed {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTokensAreChecked(t *testing.T) {
	t.Parallel()
	k, other := open(t, &stub.Gateway{}), open(t, &stub.Gateway{})
	good := k.token(t, "pay", "payrack", time.Hour)
	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"none":            {"", http.StatusUnauthorized},
		"another key":     {other.token(t, "pay", "payrack", time.Hour), http.StatusUnauthorized},
		"expired":         {k.token(t, "pay", "payrack", -time.Hour), http.StatusUnauthorized},
		"other audience":  {k.token(t, "pay", "elsewhere", time.Hour), http.StatusUnauthorized},
		"other scope":     {k.token(t, "search", "payrack", time.Hour), http.StatusForbidden},
		"changed":         {changed(good), http.StatusUnauthorized},
		"good":            {good, http.StatusOK},
		"good, once more": {good, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if w := k.pay(t, c.token, "order-"+strings.ReplaceAll(name, " ", "-")); w.Code != c.want {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, c.want)
			}
		})
	}
}

// changed alters the first character of a token's signature.
func changed(token string) string {
	i := strings.LastIndexByte(token, '.') + 1
	other := "A"
	if token[i] == 'A' {
		other = "B"
	}
	return token[:i] + other + token[i+1:]
}

func TestWritesAreDurable(t *testing.T) {
	t.Parallel()
	db, err := naive.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var synchronous int
	if err := db.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&synchronous); err != nil || synchronous != 2 {
		t.Errorf("synchronous is %d (%v), want 2", synchronous, err)
	}
}
