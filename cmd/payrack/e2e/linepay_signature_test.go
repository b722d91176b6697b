package e2e_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// lineSignature is LINE Pay's signature, written a third time: neither the plugin's nor the sandbox's code is used.
// target is path and query as they stood in the request line.
func lineSignature(secret, method, target string, body []byte, nonce string) string {
	path, query, _ := strings.Cut(target, "?")
	payload := body
	if method == http.MethodGet {
		payload = []byte(query)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	for _, part := range [][]byte{[]byte(secret), []byte(path), payload, []byte(nonce)} {
		_, _ = mac.Write(part)
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// TestLineSignature holds the check itself against the vectors of the fact sheet.
func TestLineSignature(t *testing.T) {
	t.Parallel()
	for _, v := range []struct{ method, target, body, want string }{
		{"POST", "/v3/payments/2026010112345678910/confirm", `{"amount":100,"currency":"TWD"}`, "zkdklVzmE+nQxbMrUfe/dqGsZvs1NavLvFiRp93Pt6w="},
		{
			"POST", "/v4/payments/oneTimeKeys/pay",
			`{"amount":250,"currency":"TWD","orderId":"PMX-0001","oneTimeKey":"380000000000000001","packages":` +
				`[{"id":"1","amount":250,"products":[{"name":"拿鐵","quantity":1,"price":250}]}]}`,
			"Qka3UkWPLRzTyjzZ29+O1yoy9EYsxpqEpzffeOieMKg=",
		},
		{"GET", "/v3/payments?transactionId=2026010112345678910&orderId=PMX-0001", "", "WSsJlZ98RAX9lvcczYZJEdCvHGgIslOZ1F2g8D2gSRc="},
		{"GET", "/v4/payments/orders/PMX-0001/check", "", "YzD/rDci4PdhJz/MxpHR6B6JNZa119Qdrf7GORqBsgQ="},
		{"POST", "/v3/payments/authorizations/2026010112345678910/void", "", "SjOW5f5W417LlunTfVGNICmkKa3UafFm3Gfm3HZp0Qc="},
		{"POST", "/v3/payments/authorizations/2026010112345678910/void", "{}", "TaTq4XGHuPCWf9e5D9c3PjFLcSd38S7x2aiDBM3OAhc="},
	} {
		got := lineSignature("0123456789abcdef0123456789abcdef", v.method, v.target, []byte(v.body), "6b29fc40-ca47-1067-b31d-00dd010662da")
		if got != v.want {
			t.Errorf("%s %s: %s, want %s", v.method, v.target, got, v.want)
		}
	}
}

// wireRequest is a request as its bytes stood on the wire.
type wireRequest struct {
	method, target string
	header         http.Header
	body           []byte
}

// lineRecorder stands between the plugin and the sandbox and keeps what passes.
type lineRecorder struct {
	*httptest.Server
	mu      sync.Mutex
	sandbox string
	sent    []wireRequest
}

func newLineRecorder(t *testing.T) *lineRecorder {
	t.Helper()
	r := &lineRecorder{}
	client := newClient()
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		body, _ := io.ReadAll(in.Body)
		r.mu.Lock()
		r.sent = append(r.sent, wireRequest{in.Method, in.RequestURI, in.Header.Clone(), body})
		to := r.sandbox
		r.mu.Unlock()
		out, err := http.NewRequestWithContext(in.Context(), in.Method, to+in.RequestURI, bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		out.Header = in.Header.Clone()
		res, err := client.Do(out)
		if err != nil {
			panic(http.ErrAbortHandler) // what the gateway's end did to the connection reaches the plugin
		}
		defer func() { _ = res.Body.Close() }()
		w.Header().Set("Content-Type", res.Header.Get("Content-Type"))
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *lineRecorder) to(sandbox string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sandbox = sandbox
}

// TestSignatures drives every operation in every version and judges what the plugin really sent: the signature over the raw
// bytes, the nonces, and the secret, which v2 sends in a header and nobody else anywhere.
func TestSignatures(t *testing.T) {
	t.Parallel()
	r := newLineRecorder(t)
	p := shop{start(t, t.TempDir(), nil, "--gateway", "linepay="+r.URL)}
	r.to(p.SandboxURL)
	for _, c := range []struct {
		version string
		types   []string
	}{
		{"v2", []string{typeQRCode, typeOnline, typePreapproved}},
		{"v2.4", []string{typeQRCode}},
		{"v3", []string{typeOnline, typePreapproved}},
		{"v4", []string{typeQRCode, typeOnline, typePreapproved}},
	} {
		q := p.speak(c.version, c.types...)
		for i, paymentType := range c.types {
			// An order number is free text at LINE Pay, and stands in paths and queries.
			order := "簽/" + c.version + "+%41&a=" + string(rune('A'+i))
			b := q.pays(paymentType, order+"-1", "9.99", "USD", false)
			q.native("search", paymentType, fields{"orderId": b.order})
			q.native("search", paymentType, fields{"transactionId": json.Number(b.transaction), "orderId": b.order})
			q.native("capture", paymentType, fields{"orderId": b.order, "amount": json.Number("9.5"), "currency": "USD"})
			q.native("refund", paymentType, fields{"orderId": b.order, "refundAmount": json.Number("0.05"), "currency": "USD"}, "Idempotency-Key", rand.Text())
			q.has(b, "PARTIALLY_REFUNDED", 999, 950, 5)
			held := q.pays(paymentType, order+"-2", "1000", "TWD", false)
			q.native("cancel", paymentType, fields{"orderId": held.order}, "Idempotency-Key", rand.Text())
			q.has(held, "VOIDED", 1000, 0, 0)
			if s := q.shown(b.id); paymentType == typePreapproved {
				q.mandate(s.Mandate, "?check=true&authorize_card=true")
				q.neutral(http.MethodDelete, "mandates/"+s.Mandate, nil)
			}
		}
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	kinds, nonces := map[string]bool{}, map[string]bool{}
	for _, s := range r.sent {
		version := strings.Split(s.target, "/")[1]
		path, _, _ := strings.Cut(s.target, "?")
		kinds[s.method+" "+version+" "+path[strings.LastIndexByte(path, '/')+1:]] = true
		judgeTransmission(t, p.LinePay.ChannelID, p.LinePay.ChannelSecret, version, s, nonces)
	}
	for _, want := range []string{
		"POST v2 pay", "GET v2 payments", "POST v2 capture", "POST v2 refund", "POST v2 void", "POST v2 request", "POST v2 confirm",
		"POST v2 payment", "GET v2 check", "POST v2 expire", "POST v2.4 pay", "POST v2.4 capture", "POST v2.4 refund", "POST v2.4 void",
		"POST v3 request", "GET v3 check", "POST v3 confirm", "POST v3 capture", "POST v3 void", "POST v3 refund", "POST v3 payment",
		"POST v3 expire", "GET v3 payments", "POST v4 pay", "POST v4 capture", "POST v4 void", "POST v4 refund", "POST v4 request",
		"POST v4 confirm", "POST v4 payment", "POST v4 expire", "GET v4 check", "GET v4 payments",
	} {
		if !kinds[want] {
			t.Errorf("nothing was sent as %s: the judgement says nothing about it", want)
		}
	}
}

// judgeTransmission says what is wrong with how one request proves who sent it.
func judgeTransmission(t *testing.T, channel, secret, version string, s wireRequest, nonces map[string]bool) {
	t.Helper()
	what := s.method + " " + s.target
	signature, nonce := s.header.Get("X-Line-Authorization"), s.header.Get("X-Line-Authorization-Nonce")
	switch version {
	case "v2", "v2.4":
		if s.header.Get("X-Line-Channelsecret") != secret || signature != "" || nonce != "" {
			t.Errorf("%s: not authenticated as %s is: %v", what, version, s.header)
		}
		s.header.Del("X-Line-Channelsecret")
	default:
		if want := lineSignature(secret, s.method, s.target, s.body, nonce); signature != want {
			t.Errorf("%s: signed %s, want %s over %s", what, signature, want, s.body)
		}
		if nonce == "" || nonces[nonce] {
			t.Errorf("%s: the nonce %q is not new", what, nonce)
		}
		nonces[nonce] = true
	}
	if s.header.Get("X-Line-Channelid") != channel || !strings.HasPrefix(s.header.Get("Content-Type"), "application/json") {
		t.Errorf("%s: headers %v", what, s.header)
	}
	// Go's transport sends a request again by itself that has such a header.
	if s.header.Get("Idempotency-Key") != "" || s.header.Get("X-Idempotency-Key") != "" {
		t.Errorf("%s: it may be sent twice: %v", what, s.header)
	}
	target, err := url.QueryUnescape(s.target)
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	var headers bytes.Buffer
	_ = s.header.Write(&headers)
	if strings.Contains(target+headers.String()+string(s.body), secret) {
		t.Errorf("%s: the secret stands where nobody expects it", what)
	}
	if len(s.body) > 0 && !json.Valid(s.body) || s.method == http.MethodGet && len(s.body) > 0 {
		t.Errorf("%s: the body %s", what, s.body)
	}
}
