package linepaysandbox_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	linepaysandbox "github.com/payrack/payrack/plugins/providers/linepay/sandbox"
	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

// till is a client of LINE Pay, written for these tests from the documents alone.
type till struct {
	t       *testing.T
	sandbox *sandboxtest.Sandbox
	id      string
	secret  string
	client  *http.Client
}

var nonceCount atomic.Int64

func start(t *testing.T, options sandboxtest.Object) *till {
	t.Helper()
	s := sandboxtest.Start(t, sandbox.Options{
		Dialects: []sandbox.Dialect{linepaysandbox.Dialect()}, HangLimit: time.Second,
	})
	account := s.Account("linepay", "store", options)
	return &till{
		t: t, sandbox: s, id: account["channel_id"], secret: account["channel_secret"],
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second},
	}
}

// answer is what came back: the raw body, and it decoded with exact numbers.
type answer struct {
	status int
	raw    string
	code   string
	info   map[string]any
	list   []map[string]any
	detail map[string]any
	err    error
}

func (a answer) String() string {
	return fmt.Sprintf("status %d, err %v, body %s", a.status, a.err, a.raw)
}

// request builds a signed request; path begins with the version.
func (c *till) request(method, path, query, body string) *http.Request {
	c.t.Helper()
	target := c.sandbox.URL + path
	if query != "" {
		target += "?" + query
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("X-LINE-ChannelId", c.id)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	if !strings.HasPrefix(path, "/v3/") && !strings.HasPrefix(path, "/v4/") {
		req.Header.Set("X-LINE-ChannelSecret", c.secret)
		return req
	}
	nonce := fmt.Sprintf("nonce-%d", nonceCount.Add(1))
	req.Header.Set("X-LINE-Authorization-Nonce", nonce)
	payload := query
	if method == http.MethodPost {
		payload = body
	}
	req.Header.Set("X-LINE-Authorization", sign(c.secret, path, payload, nonce))
	return req
}

func sign(secret, path, payload, nonce string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, secret+path+payload+nonce)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func (c *till) do(req *http.Request) answer {
	c.t.Helper()
	resp, err := c.client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = resp.Body.Close() }() // a test client
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 256<<10))
	out := answer{status: resp.StatusCode, raw: string(raw), err: err}
	var body struct {
		ReturnCode     string          `json:"returnCode"`
		Info           json.RawMessage `json:"info"`
		ErrorDetailMap map[string]any  `json:"errorDetailMap"`
	}
	if json.Unmarshal(raw, &body) != nil {
		return out
	}
	out.code, out.detail = body.ReturnCode, body.ErrorDetailMap
	dec := json.NewDecoder(bytes.NewReader(body.Info))
	dec.UseNumber()
	if bytes.HasPrefix(body.Info, []byte("[")) {
		err = dec.Decode(&out.list)
	} else if len(body.Info) > 0 {
		err = dec.Decode(&out.info)
	}
	if err != nil {
		c.t.Fatalf("info %s: %v", body.Info, err)
	}
	return out
}

func (c *till) call(method, path, query, body string) answer {
	c.t.Helper()
	return c.do(c.request(method, path, query, body))
}

// pay charges a fresh customer.
func (c *till) pay(version, order, amount, currency string) answer {
	c.t.Helper()
	return c.payWith(version, order, amount, currency, c.sandbox.Code("linepay", nil), true)
}

func (c *till) payWith(version, order, amount, currency, code string, capture bool) answer {
	c.t.Helper()
	return c.call(http.MethodPost, "/"+version+"/payments/oneTimeKeys/pay", "", payBody(version, order, amount, currency, code, capture))
}

func payBody(version, order, amount, currency, code string, capture bool) string {
	if version == "v4" {
		return fmt.Sprintf(`{"amount":%[1]s,"currency":%[2]q,"orderId":%[3]q,"oneTimeKey":%[4]q,`+
			`"packages":[{"id":"1","amount":%[1]s,"products":[{"name":"拿鐵","quantity":1,"price":%[1]s}]}],`+
			`"options":{"payment":{"capture":%[5]t}}}`, amount, currency, order, code, capture)
	}
	return fmt.Sprintf(`{"productName":"拿鐵","amount":%s,"currency":%q,"orderId":%q,"oneTimeKey":%q,"capture":%t}`,
		amount, currency, order, code, capture)
}

func (c *till) check(version, order string) answer {
	c.t.Helper()
	return c.call(http.MethodGet, "/"+version+"/payments/orders/"+order+"/check", "", "")
}

func (c *till) details(version, query string) answer {
	c.t.Helper()
	return c.call(http.MethodGet, "/"+version+"/payments", query, "")
}

func (c *till) want(what string, got answer, code string) answer {
	c.t.Helper()
	if got.status != http.StatusOK || got.code != code {
		c.t.Errorf("%s: want HTTP 200 and %s, got %v", what, code, got)
	}
	return got
}
