package icashpaysandbox_test

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
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	icashpaysandbox "github.com/payrack/payrack/plugins/providers/icashpay/sandbox"
	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

// till is a client of icash Pay, written for these tests from the facts alone.
type till struct {
	t       *testing.T
	sandbox *sandboxtest.Sandbox
	client  *http.Client
	set     struct {
		MerchantID string `json:"merchant_id"`
		PlatformID string `json:"platform_id"`
		EncKeyID   string `json:"enc_key_id"`
		AESKey     string `json:"aes_key"`
		AESIV      string `json:"aes_iv"`
		PrivateKey string `json:"private_key"`
		PublicKey  string `json:"gateway_public_key"`
	}
}

type object = map[string]any

func start(t *testing.T, options sandboxtest.Object) *till {
	t.Helper()
	c := &till{
		t: t, sandbox: sandboxtest.Start(t, sandbox.Options{Dialects: []sandbox.Dialect{icashpaysandbox.Dialect()}, HangLimit: time.Second}),
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second},
	}
	body := sandboxtest.Object{"provider": "icashpay", "label": "store"}
	if options != nil {
		body["options"] = options
	}
	var account struct{ Credential json.RawMessage }
	c.sandbox.Control(http.MethodPost, "accounts", body, &account)
	if err := json.Unmarshal(account.Credential, &c.set); err != nil {
		t.Fatal(err)
	}
	return c
}

// answer is what came back.
type answer struct {
	status int
	code   string
	signed bool
	raw    string
	inside object
	err    error
}

// post enciphers, signs and sends; edit may spoil the request.
func (c *till) post(path string, clear object, edit func(*http.Request)) answer {
	c.t.Helper()
	text, err := json.Marshal(clear)
	if err != nil {
		c.t.Fatal(err)
	}
	sealed := c.encipher(text)
	key := c.private()
	sum := sha256.Sum256([]byte(sealed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.sandbox.URL+"/icashpay"+path, strings.NewReader("EncData="+url.QueryEscape(sealed)))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-iCP-EncKeyID", c.set.EncKeyID)
	req.Header.Set("X-iCP-Signature", base64.StdEncoding.EncodeToString(signature))
	if edit != nil {
		edit(req)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = resp.Body.Close() }() // a test client
	body, err := io.ReadAll(io.LimitReader(resp.Body, 256<<10))
	out := answer{status: resp.StatusCode, raw: string(body), err: err, signed: c.genuine(body, resp.Header.Get("X-iCP-Signature"))}
	var envelope struct {
		EncData string      `json:"EncData"`
		RtnCode json.Number `json:"RtnCode"`
	}
	if json.Unmarshal(body, &envelope) == nil {
		out.code = envelope.RtnCode.String()
		out.inside = c.decipher(envelope.EncData)
	}
	return out
}

func (c *till) private() *rsa.PrivateKey {
	der, _ := base64.StdEncoding.DecodeString(c.set.PrivateKey)
	key, err := x509.ParsePKCS8PrivateKey(der)
	own, ok := key.(*rsa.PrivateKey)
	if err != nil || !ok {
		c.t.Fatalf("the account's private key: %v", err)
	}
	return own
}

func (c *till) genuine(body []byte, signature string) bool {
	der, _ := base64.StdEncoding.DecodeString(c.set.PublicKey)
	key, err := x509.ParsePKIXPublicKey(der)
	public, ok := key.(*rsa.PublicKey)
	if err != nil || !ok {
		c.t.Fatalf("the gateway's public key: %v", err)
	}
	raw, _ := base64.StdEncoding.DecodeString(signature)
	sum := sha256.Sum256(body)
	return rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], raw) == nil
}

func (c *till) encipher(text []byte) string {
	block, err := aes.NewCipher([]byte(c.set.AESKey))
	if err != nil {
		c.t.Fatal(err)
	}
	n := 16 - len(text)%16
	data := append(bytes.Clone(text), bytes.Repeat([]byte{byte(n)}, n)...)
	cipher.NewCBCEncrypter(block, []byte(c.set.AESIV)).CryptBlocks(data, data)
	return base64.StdEncoding.EncodeToString(data)
}

// decipher returns nil for what cannot be read.
func (c *till) decipher(sealed string) object {
	data, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(data) == 0 || len(data)%16 != 0 {
		return nil
	}
	block, err := aes.NewCipher([]byte(c.set.AESKey))
	if err != nil {
		c.t.Fatal(err)
	}
	cipher.NewCBCDecrypter(block, []byte(c.set.AESIV)).CryptBlocks(data, data)
	n := min(int(data[len(data)-1]), len(data))
	var out object
	if json.Unmarshal(data[:len(data)-n], &out) != nil {
		return nil
	}
	return out
}

func (c *till) with(members object) object {
	members["MerchantID"], members["PlatformID"] = c.set.MerchantID, c.set.PlatformID
	return members
}

func (c *till) payment(order string, dollars int, code string) object {
	amount := fmt.Sprintf("%d00", dollars)
	return c.with(object{
		"MerchantTradeNo": order, "StoreName": "測試", "MerchantTradeDate": "2026/05/16 10:09:00", "TotalAmount": amount, "ItemAmt": amount,
		"UtilityAmt": "0", "CommAmt": "0", "Barcode": code,
	})
}

func (c *till) pay(order string, dollars int) answer {
	c.t.Helper()
	return c.post("/POS/DeductICPOF", c.payment(order, dollars, c.sandbox.Code("icashpay", nil)), nil)
}

// refund gives back a part of the order A.
func (c *till) refund(id, number string, dollars int) answer {
	c.t.Helper()
	amount := fmt.Sprintf("%d00", dollars)
	return c.post("/Cashier/RefundICPO", c.with(object{
		"OMerchantTradeNo": "A", "TransactionID": id, "MerchantTradeNo": number, "StoreName": "", "MerchantTradeDate": "2026/05/16 10:09:00",
		"RefundTotalAmount": amount, "RefundItemAmt": amount, "RefundUtilityAmt": "0", "RefundCommAmt": "0",
	}), nil)
}

func (c *till) void(order, id string) answer {
	c.t.Helper()
	return c.post("/POS/DeductCancelICPOF", c.with(object{"MerchantTradeNo": order, "TransactionID": id, "MerchantTradeDate": "2026/05/16 10:09:00"}), nil)
}

func (c *till) search(number string) answer {
	c.t.Helper()
	return c.post("/Cashier/QueryTradeICPO", c.with(object{"MerchantTradeNo": number}), nil)
}

func (c *till) want(what string, a answer, code string) object {
	c.t.Helper()
	if a.code != code || a.status != http.StatusOK || !a.signed {
		c.t.Errorf("%s: code %s, want %s; status %d, signed %t, %s, %v", what, a.code, code, a.status, a.signed, a.raw, a.err)
	}
	return a.inside
}

func (c *till) moves(order string) string {
	c.t.Helper()
	var out []string
	for _, e := range c.sandbox.Ledger("icashpay", order) {
		out = append(out, fmt.Sprintf("%s %d", e.Kind, e.Amount))
	}
	return strings.Join(out, ", ")
}
