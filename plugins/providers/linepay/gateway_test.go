package linepay_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/providers/linepay"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

const (
	channelID     = "1234567890"
	channelSecret = "0123456789abcdef0123456789abcdef"
	oneTimeKey    = "381234567890123456"
)

// gateway is a LINE Pay of the test's own: it checks who calls, by its own reading of the rules, and
// answers what the test says.
type gateway struct {
	*httptest.Server

	mu      sync.Mutex
	seen    []seen
	nonces  map[string]bool
	answers map[string]reply
}

type seen struct {
	method, target, body string
	header               http.Header
}

type reply struct {
	status int
	body   string
	wait   time.Duration
}

func newGateway(t *testing.T, answers map[string]reply) *gateway {
	t.Helper()
	g := &gateway{nonces: map[string]bool{}, answers: answers}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	path, query, _ := strings.Cut(r.RequestURI, "?")
	g.mu.Lock()
	g.seen = append(g.seen, seen{r.Method, r.RequestURI, string(body), r.Header.Clone()})
	answer, ok := g.answers[r.Method+" "+path]
	genuine := g.genuine(r, path, query, body)
	g.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case !genuine:
		_, _ = io.WriteString(w, `{"returnCode":"1106","returnMessage":"Header information error"}`)
	case !ok:
		_, _ = io.WriteString(w, `{"returnCode":"1150","returnMessage":"Transaction record not found."}`)
	default:
		if answer.wait > 0 {
			select {
			case <-time.After(answer.wait):
			case <-r.Context().Done():
			}
		}
		if answer.status != 0 {
			w.WriteHeader(answer.status)
		}
		_, _ = io.WriteString(w, answer.body)
	}
}

// genuine checks the credentials the way LINE Pay documents it.
func (g *gateway) genuine(r *http.Request, path, query string, body []byte) bool {
	if r.Header.Get("X-LINE-ChannelId") != channelID {
		return false
	}
	if !strings.HasPrefix(path, "/v3/") && !strings.HasPrefix(path, "/v4/") {
		return r.Header.Get("X-LINE-ChannelSecret") == channelSecret && r.Header.Get("X-LINE-Authorization") == ""
	}
	nonce := r.Header.Get("X-LINE-Authorization-Nonce")
	if len(nonce) != 36 || g.nonces[nonce] || r.Header.Get("X-LINE-ChannelSecret") != "" {
		return false
	}
	g.nonces[nonce] = true
	var message bytes.Buffer
	message.WriteString(channelSecret)
	message.WriteString(path)
	if r.Method == http.MethodPost {
		message.Write(body)
	} else {
		message.WriteString(query)
	}
	message.WriteString(nonce)
	mac := hmac.New(sha256.New, []byte(channelSecret))
	mac.Write(message.Bytes())
	return r.Header.Get("X-LINE-Authorization") == base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func (g *gateway) requests() []seen {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]seen(nil), g.seen...)
}

type openProvider interface {
	provider.Provider
	provider.Payer
	provider.Confirmer
	provider.Capturer
	provider.Voider
	provider.Refunder
	provider.Searcher
	provider.MandateChecker
	provider.MandateExpirer
	provider.Closer
}

func open(t *testing.T, url string, edit func(*linepay.Settings)) openProvider {
	t.Helper()
	return openLogging(t, url, slog.New(slog.DiscardHandler), edit)
}

func openLogging(t *testing.T, url string, log *slog.Logger, edit func(*linepay.Settings)) openProvider {
	t.Helper()
	s := linepay.Settings{Endpoints: provider.Endpoints{Live: url, Test: url}}
	if edit != nil {
		edit(&s)
	}
	p, err := linepay.Open(t.Context(), s, provider.Host{Log: log, Now: time.Now, HTTP: provider.NewClient(provider.ClientOptions{})})
	if err != nil {
		t.Fatal(err)
	}
	opened, ok := p.(openProvider)
	if !ok {
		t.Fatal("the provider lacks an operation")
	}
	t.Cleanup(func() { _ = opened.Close() })
	return opened
}

func credential(t *testing.T, members map[string]string) provider.Document {
	t.Helper()
	raw, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return provider.NewDocument(raw)
}

func call(t *testing.T, version, columns string) provider.Call {
	t.Helper()
	return provider.Call{
		OperationID: "op-1", PaymentType: linepay.TypeQRCode, Environment: provider.EnvironmentTest,
		NotAfter: time.Now().Add(time.Minute), Account: channelID, Wire: version,
		Credential: credential(t, map[string]string{"channel_id": channelID, "channel_secret": channelSecret}),
		Columns:    provider.NewDocument([]byte(columns)),
	}
}

// online is a call of one of the types of the Online API.
func online(t *testing.T, paymentType, version, columns string) provider.Call {
	t.Helper()
	c := call(t, version, columns)
	c.PaymentType = paymentType
	return c
}

func payRequest(t *testing.T, version, columns string) provider.PayRequest {
	t.Helper()
	return provider.PayRequest{
		Call: call(t, version, columns), Reference: provider.Reference{OrderID: "PMX-0001"},
		Amount: provider.Money{Units: 250, Currency: "TWD"}, Capture: true,
		Description: "拿鐵", Code: provider.NewSecret(oneTimeKey),
	}
}

func searchRequest(t *testing.T, purpose provider.Purpose, ref provider.Reference) provider.SearchRequest {
	t.Helper()
	return provider.SearchRequest{Call: call(t, "v4", `{}`), Purpose: purpose, Reference: ref, About: provider.KindPay}
}

func pay(t *testing.T, body string) provider.Answer {
	t.Helper()
	g := newGateway(t, map[string]reply{"POST /v4/payments/oneTimeKeys/pay": {body: body}})
	return open(t, g.URL, nil).Pay(t.Context(), payRequest(t, "v4", `{}`))
}
