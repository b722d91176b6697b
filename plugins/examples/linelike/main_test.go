package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"go/format"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// mostLines is the promise: a provider with signatures, a charge and a search is at most this long.
const mostLines = 120

func TestLines(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if formatted, err := format.Source(source); err != nil || !bytes.Equal(source, formatted) {
		t.Fatalf("main.go is not formatted, so that its lines do not count: %v", err)
	}
	count := 0
	for line := range strings.Lines(string(source)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			count++
		}
		if strings.Contains(line, "/*") {
			t.Fatal("the count knows no comments of this kind")
		}
	}
	if count > mostLines {
		t.Errorf("main.go has %d lines that are neither blank nor comment; at most %d are promised", count, mostLines)
	}
	t.Logf("%d lines", count)
}

const (
	channel = "1234567890"
	secret  = "0f0e9b546c2f4b569a3952d7f1f3a9c4"
)

// stub is the gateway: it checks the signature over what it got, and remembers what was paid.
type stub struct {
	t      *testing.T
	answer string // of a payment, instead of its own

	mu     sync.Mutex
	nonces map[string]bool
	paid   map[string]string // record by order
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	nonce := r.Header.Get("X-LINE-Authorization-Nonce")
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(secret + r.URL.Path + r.URL.RawQuery + string(body) + nonce))
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.Header.Get("X-LINE-ChannelId") != channel || r.Header.Get("X-LINE-Authorization") != base64.StdEncoding.EncodeToString(mac.Sum(nil)) || s.nonces[nonce]:
		_, _ = io.WriteString(w, `{"returnCode":"1106","returnMessage":"Header information error."}`)
	case r.Method == http.MethodPost && r.URL.Path == "/v4/payments/oneTimeKeys/pay":
		_, _ = io.WriteString(w, s.pay(body))
	case r.Method == http.MethodGet && r.URL.Path == "/v4/payments":
		record, ok := s.paid[r.URL.Query().Get("orderId")]
		if !ok {
			_, _ = io.WriteString(w, `{"returnCode":"1150","returnMessage":"Transaction record not found."}`)
			break
		}
		_, _ = fmt.Fprintf(w, `{"returnCode":"0000","returnMessage":"Success.","info":[%s]}`, record)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
	s.nonces[nonce] = true
}

func (s *stub) pay(body []byte) string {
	var m struct {
		OrderID    string      `json:"orderId"`
		Amount     json.Number `json:"amount"`
		Currency   string      `json:"currency"`
		OneTimeKey string      `json:"oneTimeKey"`
		Product    string      `json:"productName"`
	}
	if err := json.Unmarshal(body, &m); err != nil || m.Currency != "TWD" || m.Product != "拿鐵 <大> & 蛋糕" || m.OneTimeKey != "381234567890123456" {
		s.t.Errorf("the gateway got %s", body)
	}
	if s.answer != "" {
		return s.answer
	}
	s.paid[m.OrderID] = fmt.Sprintf(`{"orderId":%q,"transactionId":2019049910005496810,"payInfo":[{"method":"BALANCE","amount":%s},{"method":"POINT","amount":29}]}`, m.OrderID, m.Amount)
	return fmt.Sprintf(`{"returnCode":"0000","returnMessage":"Success.","info":%s}`, s.paid[m.OrderID])
}

func open(t *testing.T, answer string) (*linelike, provider.Call) {
	t.Helper()
	gateway := httptest.NewServer(&stub{t: t, answer: answer, nonces: map[string]bool{}, paid: map[string]string{}})
	t.Cleanup(gateway.Close)
	settings := provider.GatewaySettings{Endpoints: provider.Endpoints{Test: gateway.URL}}
	if problems := settings.Problems(); problems != nil {
		t.Fatal(problems)
	}
	p, err := Open(t.Context(), settings, provider.Host{HTTP: provider.NewClient(provider.ClientOptions{}), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	l, ok := p.(*linelike)
	if !ok {
		t.Fatalf("got %T", p)
	}
	return l, provider.Call{
		Environment: provider.EnvironmentTest,
		Credential:  provider.NewDocument([]byte(`{"channel_id":"` + channel + `","channel_secret":"` + secret + `"}`)),
	}
}

func payment(call provider.Call, order string) provider.PayRequest {
	return provider.PayRequest{
		Call: call, Reference: provider.Reference{OrderID: order}, Amount: provider.Money{Units: 200, Currency: "TWD"},
		Capture: true, Description: "拿鐵 <大> & 蛋糕", Code: provider.NewSecret("381234567890123456"),
	}
}

func TestPayAndSearch(t *testing.T) {
	t.Parallel()
	l, call := open(t, "")
	find := func(order string) provider.SearchAnswer {
		return l.Search(t.Context(), provider.SearchRequest{Call: call, Reference: provider.Reference{OrderID: order}})
	}
	if before := find("A 1/甲"); before.Findings == nil || before.Findings.Finding != provider.FindingNotFound || !before.Findings.Complete {
		t.Errorf("before: %+v", before)
	}
	answer := l.Pay(t.Context(), payment(call, "A 1/甲"))
	want := provider.Reference{OrderID: "A 1/甲", TransactionID: "2019049910005496810"}
	if answer.Outcome() != provider.OutcomeApproved || answer.Result().Reference != want || answer.Result().Captured.Units != 229 {
		t.Fatalf("got %+v, %+v", answer.Result(), answer.Failure())
	}
	if !strings.Contains(string(answer.Native().Body), `"transactionId":2019049910005496810`) {
		t.Errorf("native %s", answer.Native().Body)
	}
	after := find("A 1/甲")
	if after.Findings == nil || after.Findings.Finding != provider.FindingFound || after.Findings.Reference != want || after.Findings.Captured.Units != 229 {
		t.Errorf("after: %+v", after)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]provider.Outcome{
		`{"returnCode":"1142","returnMessage":"Insufficient balance."}`: provider.OutcomeDeclined,
		`{"returnCode":"1172","returnMessage":"Existing orderId."}`:     provider.OutcomeUnknown,
		`{"returnCode":"4711"}`: provider.OutcomeUnknown,
		`{"returnCode":"0000"}`: provider.OutcomeUnknown,
		`{"returnCode":"0000","info":{"transactionId":1,"payInfo":[{"amount":"x"}]}}`: provider.OutcomeUnknown,
		`{"returnCode":"0000","returnCode":"1142","info":{"transactionId":1}}`:        provider.OutcomeUnknown,
		`<html>`: provider.OutcomeUnknown,
		` `:      provider.OutcomeUnknown,
	} {
		l, call := open(t, text)
		answer := l.Pay(t.Context(), payment(call, "A-1"))
		if answer.Outcome() != want {
			t.Errorf("%s: got outcome %d", text, answer.Outcome())
		}
		if f := answer.Failure(); f != nil && f.Effect != provider.EffectPossible {
			t.Errorf("%s: an answer that came was called not sent: %+v", text, f)
		}
	}
}

func TestWithoutCredential(t *testing.T) {
	t.Parallel()
	l, call := open(t, "")
	call.Credential = provider.NewDocument([]byte(`{"channel_id":1234567890}`))
	answer := l.Pay(t.Context(), payment(call, "A-1"))
	if f := answer.Failure(); f == nil || f.Effect != provider.EffectNone || strings.Contains(f.Detail, channel) {
		t.Errorf("got %+v", answer.Failure())
	}
	live := call
	live.Environment = provider.EnvironmentLive
	if f := l.Pay(t.Context(), payment(live, "A-1")).Failure(); f == nil || f.Effect != provider.EffectNone {
		t.Errorf("without an endpoint: %+v", f)
	}
}

// TestDescription plays what the host does before it starts the plugin.
func TestDescription(t *testing.T) {
	t.Parallel()
	for _, o := range (*linelike)(nil).Describe().Types[0].Operations {
		if !json.Valid(o.Columns) || o.MaxDuration <= 0 {
			t.Errorf("%s: %s", o.Kind, o.Columns)
		}
	}
}
