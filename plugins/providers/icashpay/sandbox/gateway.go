package icashpaysandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/charges"
)

const maxBody = 1 << 20

// gateway is icash Pay's side.
type gateway struct {
	env  *sandbox.Env
	book *charges.Book
	// keys leads from the public keys that accounts were given to the private ones.
	keys *sandbox.Book[string]
}

func newGateway(env *sandbox.Env) *gateway {
	return &gateway{env: env, book: charges.Open(env, "TWD", newID), keys: sandbox.NewBook[string](env, "keys")}
}

// newID makes icash Pay's own number: a letter-free text of twenty digits.
func newID(tx *sandbox.Tx) string { return fmt.Sprintf("10%018d", tx.Serial()) }

// keep makes the gateway able to sign for whoever was given the public key.
func (g *gateway) keep(p pair) {
	if err := g.env.Do(func(tx *sandbox.Tx) { g.keys.Put(tx, p.public, p.private) }); err != nil {
		g.env.Log().Error("a key was not written", slog.Any("error", err))
	}
}

// operations are the paths. Public integrations write POS and Pos.
var operations = map[string]string{
	"/POS/DeductICPOF":        sandbox.OpPay,
	"/Pos/DeductICPOF":        sandbox.OpPay,
	"/POS/DeductCancelICPOF":  sandbox.OpVoid,
	"/Pos/DeductCancelICPOF":  sandbox.OpVoid,
	"/Cashier/QueryTradeICPO": sandbox.OpSearch,
	"/Cashier/RefundICPO":     sandbox.OpRefund,
}

// call is one request that was deciphered.
type call struct {
	credential

	signingKey string
	switches   switches
	text       []byte
}

// ServeHTTP answers one request.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body cannot be read, or is too large", http.StatusRequestEntityTooLarge)
		return
	}
	operation := operations[g.env.Path(r)]
	if operation == "" || r.Method != http.MethodPost {
		g.env.Serve(w, r, sandbox.OpOther, "", func(*sandbox.Exchange) sandbox.Answer {
			return sandbox.Answer{Status: http.StatusNotFound, Body: []byte(`{"error":"not found"}`)}
		})
		return
	}
	c, known := g.decipher(r, body)
	var b body4All
	readable := known && json.Unmarshal(c.text, &b) == nil
	g.env.Serve(w, r, operation, b.order(operation), func(x *sandbox.Exchange) sandbox.Answer {
		switch {
		case !known:
			// Without a key nothing can be enciphered, and without knowing for whom nothing is signed.
			return sandbox.Answer{Status: http.StatusUnauthorized, Body: []byte(`{"EncData":"","RtnCode":-401,"RtnMsg":"簽章驗證失敗"}`)}
		case !readable || b.MerchantID != c.MerchantID || b.platform() != c.PlatformID:
			return c.seal(x, refused(codeMalformed))
		}
		return c.seal(x, spoil(x, g.decide(x, operation, c, b)))
	})
}

// decipher finds the account, checks the signature and reads the clear text.
func (g *gateway) decipher(r *http.Request, body []byte) (call, bool) {
	account, known := g.env.Account(r.Header.Get("X-iCP-EncKeyID"))
	form, err := url.ParseQuery(string(body))
	if !known || err != nil || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		return call{}, false
	}
	var c call
	var accountErr error
	if c.credential, accountErr = parseCredential(account.Credential); accountErr == nil {
		c.switches, accountErr = switchesOf(account)
	}
	if err := g.env.Do(func(tx *sandbox.Tx) { c.signingKey, _ = g.keys.Get(tx, c.PublicKey) }); accountErr != nil || err != nil || c.signingKey == "" {
		g.env.Log().WarnContext(r.Context(), "an account of icash Pay cannot be served: its options cannot be read, or its gateway_public_key is not this sandbox's",
			slog.String("merchant_id", c.MerchantID), slog.Any("error", accountErr))
		return call{}, false
	}
	sealed := form.Get("EncData")
	if !signatureFits(c.PrivateKey, sealed, r.Header.Get("X-iCP-Signature")) {
		return call{}, false
	}
	c.text, err = decipher(c.AESKey, c.AESIV, sealed)
	return c, err == nil
}

// body4All are the members of all requests. Amounts are hundredths of a dollar, in text.
type body4All struct {
	PlatformID        string `json:"PlatformID"`
	MerchantID        string `json:"MerchantID"`
	MerchantTradeNo   string `json:"MerchantTradeNo"`
	OMerchantTradeNo  string `json:"OMerchantTradeNo"`
	TransactionID     string `json:"TransactionID"`
	StoreName         string `json:"StoreName"`
	MerchantTradeDate string `json:"MerchantTradeDate"`
	TotalAmount       string `json:"TotalAmount"`
	ItemAmt           string `json:"ItemAmt"`
	UtilityAmt        string `json:"UtilityAmt"`
	CommAmt           string `json:"CommAmt"`
	RefundTotalAmount string `json:"RefundTotalAmount"`
	RefundItemAmt     string `json:"RefundItemAmt"`
	RefundUtilityAmt  string `json:"RefundUtilityAmt"`
	RefundCommAmt     string `json:"RefundCommAmt"`
	Barcode           string `json:"Barcode"`
}

func (b body4All) platform() string {
	if b.PlatformID == "" {
		return b.MerchantID
	}
	return b.PlatformID
}

// order is the order that a request is about.
func (b body4All) order(operation string) string {
	if operation == sandbox.OpRefund {
		return b.OMerchantTradeNo
	}
	return b.MerchantTradeNo
}

// codeLife is how long a customer's code is good for. The real time is not public.
const codeLife = 5 * time.Minute

func (g *gateway) decide(x *sandbox.Exchange, operation string, c call, b body4All) reply {
	if code, armed := x.FireCode(); armed {
		return refused(code)
	}
	var r reply
	switch operation {
	case sandbox.OpPay:
		amount, ok := sum(b.TotalAmount, b.ItemAmt, b.UtilityAmt, b.CommAmt)
		if !ok || !date(b.MerchantTradeDate) || !number(b.MerchantTradeNo) || b.Barcode == "" || b.StoreName == "" {
			return refused(codeMalformed)
		}
		x.Do(func(tx *sandbox.Tx) { r = g.pay(tx, x, c, b, amount) })
	case sandbox.OpRefund:
		amount, ok := sum(b.RefundTotalAmount, b.RefundItemAmt, b.RefundUtilityAmt, b.RefundCommAmt)
		if !ok || !date(b.MerchantTradeDate) || !number(b.MerchantTradeNo) || b.TransactionID == "" {
			return refused(codeMalformed)
		}
		x.Do(func(tx *sandbox.Tx) { r = g.refund(tx, x, c, b, amount) })
	case sandbox.OpVoid:
		if !date(b.MerchantTradeDate) {
			return refused(codeMalformed)
		}
		x.Do(func(tx *sandbox.Tx) { r = g.void(tx, x, c, b) })
	default:
		x.Do(func(tx *sandbox.Tx) { r = g.query(tx, x, c, b) })
	}
	return r
}
