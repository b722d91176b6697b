package ipasssandbox_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ipasssandbox "github.com/payrack/payrack/plugins/providers/ipass/sandbox"
	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

// till is a client of iPASS, written for these tests from the recommended contract alone.
type till struct {
	t        *testing.T
	sandbox  *sandboxtest.Sandbox
	merchant string
	key      string
	client   *http.Client
}

var counter atomic.Uint64

func start(t *testing.T, options sandboxtest.Object) *till {
	t.Helper()
	s := sandboxtest.Start(t, sandbox.Options{
		Dialects: []sandbox.Dialect{ipasssandbox.Dialect()}, HangLimit: time.Second,
	})
	account := s.Account("ipass", "store", options)
	return &till{
		t: t, sandbox: s, merchant: account["merchantid"], key: account["key"],
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second},
	}
}

func newReqID() string { return fmt.Sprintf("9cc197a0-e12c-4ac5-8cc0-%012d", counter.Add(1)) }

func newIV() []byte {
	iv := make([]byte, 16)
	copy(iv, fmt.Sprintf("%016d", counter.Add(1)))
	return iv
}

func encipher(key string, iv, text []byte) string {
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		panic(err)
	}
	n := 16 - len(text)%16
	data := append(bytes.Clone(text), bytes.Repeat([]byte{byte(n)}, n)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	return base64.StdEncoding.EncodeToString(data)
}

var errUnreadable = errors.New("unreadable")

func decipher(key, ivHex, encoded string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(encoded)
	iv, ivErr := hex.DecodeString(ivHex)
	if err != nil || ivErr != nil || len(iv) != 16 || len(data) == 0 || len(data)%16 != 0 {
		return nil, errUnreadable
	}
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		return nil, errUnreadable
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(data, data)
	n := int(data[len(data)-1])
	if n == 0 || n > 16 || !bytes.Equal(data[len(data)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, errUnreadable
	}
	return data[:len(data)-n], nil
}

// answer is what came back: raw on the wire, the clear text, and it decoded with exact numbers.
type answer struct {
	status int
	raw    string
	iv     string
	text   string
	code   string
	body   map[string]any
	err    error
}

func (a answer) String() string {
	return fmt.Sprintf("status %d, err %v, clear text %s, body %.200s", a.status, a.err, a.text, a.raw)
}

// post sends whatever it is given.
func (c *till) post(word, merchant, ivHex, body string) answer {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.sandbox.URL+"/ipass/offline/"+word, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header["iPass-MerchantId"] = []string{merchant}
	req.Header["iPass-Iv"] = []string{ivHex}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp, err := c.client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = resp.Body.Close() }() // a test client
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 256<<10))
	out := answer{status: resp.StatusCode, raw: string(raw), iv: resp.Header.Get("iPass-Iv"), err: err}
	var envelope struct {
		Data       string `json:"data"`
		ReturnCode string `json:"returnCode"`
	}
	if json.Unmarshal(raw, &envelope) != nil {
		return out
	}
	out.code = envelope.ReturnCode
	text, err := decipher(c.key, out.iv, envelope.Data)
	if err != nil {
		return out
	}
	out.text = string(text)
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&out.body) == nil {
		out.code, _ = out.body["returnCode"].(string)
	}
	return out
}

// call sends a clear text as it has to be sent.
func (c *till) call(word string, message any) answer {
	c.t.Helper()
	text, err := json.Marshal(message)
	if err != nil {
		c.t.Fatal(err)
	}
	iv := newIV()
	return c.post(word, c.merchant, hex.EncodeToString(iv), `{"data":"`+encipher(c.key, iv, text)+`"}`)
}

type object = map[string]any

// payment is a message that is accepted; nil removes a member.
func (c *till) payment(order string, amount int, change object) object {
	c.t.Helper()
	taipei := time.FixedZone("", 8*60*60)
	now := time.Now().In(taipei).Format("2006-01-02 15:04:05")
	m := object{
		"reqId": newReqID(), "tradeCode": "", "amount": amount, "orderNumber": order,
		"storeId": "00681", "terminalId": "AB123456", "capture": true, "posDateTime": now, "tradeDateTime": now,
		"productDesc": "測試商品*1", "remark": "",
	}
	for name, value := range change {
		m[name] = value
		if value == nil {
			delete(m, name)
		}
	}
	if m["tradeCode"] == "" {
		m["tradeCode"] = c.sandbox.Code("ipass", nil)
	}
	return m
}

func (c *till) pay(order string, amount int) answer {
	c.t.Helper()
	return c.call("pay", c.payment(order, amount, nil))
}

func (c *till) search(order string) answer {
	c.t.Helper()
	return c.call("search", object{"reqId": newReqID(), "orderNumber": order})
}

func (c *till) want(what string, got answer, code string) answer {
	c.t.Helper()
	if got.status != http.StatusOK || got.code != code {
		c.t.Errorf("%s: want HTTP 200 and %s, got %v", what, code, got)
	}
	return got
}

// movements are kinds and amounts of the ledger's entries.
func (c *till) movements(order string) []string {
	c.t.Helper()
	moves := []string{}
	for _, e := range c.sandbox.Ledger("ipass", order) {
		moves = append(moves, fmt.Sprint(e.Kind, " ", e.Amount))
	}
	return moves
}
