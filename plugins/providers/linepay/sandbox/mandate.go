package linepaysandbox

import (
	"io"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/plugins/sandbox"
)

// regKeyLife is how long a stored approval lives after its last payment: one day, as in LINE Pay's own sandbox. In
// production it is 180 days.
const regKeyLife = 24 * time.Hour

// mandate is a customer's approval to be charged again.
type mandate struct {
	Account string    `json:"account"`
	RegKey  string    `json:"reg_key"`
	Method  string    `json:"method"`
	UsedAt  time.Time `json:"used_at"`
	// Ended by the merchant; Removed by the customer.
	Ended   bool `json:"ended,omitzero"`
	Removed bool `json:"removed,omitzero"`
}

// newRegKey makes RK and 13 capital letters and digits.
func newRegKey(rand io.Reader) string {
	const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	key := []byte("RK")
	for _, b := range sandbox.RandomBytes(rand, 13) {
		key = append(key, alphabet[int(b)%len(alphabet)])
	}
	return string(key)
}

// deadly are the return codes after which an approval can never be used again.
var deadly = []string{
	"1141", "1281", "1282", "1283", "1284", "1285", "1286", "1287", "1290", "1291", "1292", "1293", "1294", "1295",
}

// usable returns the approval, or the return code that says why not.
func (g *gateway) usable(tx *sandbox.Tx, key string, m merchant) (mandate, string) {
	k, known := g.mandates.Get(tx, key)
	switch {
	case !known || k.Account != m.channelID || k.Removed:
		return k, codeNoRegKey
	case k.Ended || tx.Now().Sub(k.UsedAt) >= regKeyLife:
		return k, codeRegKeyExpired
	default:
		return k, ""
	}
}

// payAgain charges a customer by a stored approval.
func (g *gateway) payAgain(x *sandbox.Exchange, c call, m merchant) envelope {
	w, refusal := readAgain(c, m)
	if refusal != nil {
		return *refusal
	}
	var answer envelope
	x.Do(func(tx *sandbox.Tx) {
		k, code := g.usable(tx, c.regKey, m)
		if code != "" {
			answer = refused(code)
			return
		}
		o := order{
			Account: m.channelID, OrderID: w.orderID, Currency: w.currency, Requested: w.amount.units, Capture: w.capture,
			ProductName: w.productName, At: tx.Now(), Online: true,
		}
		if _, used := g.orders.Get(tx, o.key()); used {
			answer = refused(codeOrderUsed)
			return
		}
		o.PayInfo = split(w.amount.units, o.exponent(), k.Method, m.SeparatePoint)
		k.UsedAt = tx.Now()
		g.mandates.Put(tx, k.RegKey, k)
		o = g.decide(tx, o.hidden(tx, x))
		info := paidInfo{TransactionID: o.TransactionID, TransactionDate: stamp(o.At)}
		if o.State == authorized {
			info.AuthorizationExpireDate = stamp(o.ExpiresAt)
		}
		if c.version == "v4" {
			info.PaymentProvider = providerOf(c.version)
		}
		answer = succeeded(info)
	})
	return answer
}

// struck lets an approval die of an armed return code, as the wallet would.
func (g *gateway) struck(x *sandbox.Exchange, c call, code string) {
	if c.regKey == "" || c.operation == sandbox.OpMandateExpire || !slices.Contains(deadly, code) {
		return
	}
	x.Do(func(tx *sandbox.Tx) {
		if k, known := g.mandates.Get(tx, c.regKey); known {
			k.Removed = true
			g.mandates.Put(tx, k.RegKey, k)
		}
	})
}

// checkKey says whether an approval can be used.
func (g *gateway) checkKey(x *sandbox.Exchange, c call, m merchant) envelope {
	if c.query == "creditCardAuth=true" && !m.CardAuthorization {
		return envelope{ReturnCode: codeNotAllowed, ReturnMessage: "Parameter is not allowed [creditCardAuth:true]"}
	}
	answer := succeeded(nil)
	x.Do(func(tx *sandbox.Tx) {
		if _, code := g.usable(tx, c.regKey, m); code != "" {
			answer = refused(code)
		}
	})
	return answer
}

// expireKey ends an approval.
func (g *gateway) expireKey(x *sandbox.Exchange, c call, m merchant) envelope {
	answer := succeeded(nil)
	x.Do(func(tx *sandbox.Tx) {
		k, code := g.usable(tx, c.regKey, m)
		if code != "" {
			answer = refused(code)
			return
		}
		k.Ended = true
		g.mandates.Put(tx, k.RegKey, k)
	})
	return answer
}

// readAgain understands a payment with a stored approval, or answers why not.
func readAgain(c call, m merchant) (wanted, *envelope) {
	if !m.Preapproved {
		return wanted{}, refusal(codeNoPreapproved)
	}
	var b struct {
		ProductName string         `json:"productName"`
		Amount      jsontext.Value `json:"amount"`
		Currency    string         `json:"currency"`
		OrderID     string         `json:"orderId"`
		Capture     *bool          `json:"capture"`
	}
	if err := json.Unmarshal(c.body, &b); err != nil {
		return wanted{}, wrong("wrong type")
	}
	cause := first(
		checkText("productName", b.ProductName, maxProductName), checkText("orderId", b.OrderID, maxOrderID), checkAmount(b.Amount),
	)
	if cause != "" || utf8.RuneCountInString(b.Currency) != 3 {
		return wanted{}, wrong(first(cause, "currency: Size"))
	}
	w := wanted{
		orderID: b.OrderID, currency: b.Currency, productName: b.ProductName, capture: b.Capture == nil || *b.Capture,
	}
	total, refusal := m.chargeable(b.Amount, b.Currency, w.capture)
	w.amount = total
	return w, refusal
}
