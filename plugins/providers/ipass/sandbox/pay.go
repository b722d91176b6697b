package ipasssandbox

import (
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/payrack/payrack/plugins/sandbox"
)

// codeLife is how long a customer's code is good for, judged by the till's clock. The real time is not
// public.
const codeLife = 5 * time.Minute

// maxDollars keeps every amount well inside an int64.
const maxDollars = 1_000_000_000_000

// payBody is the clear text of a payment.
type payBody struct {
	ReqID         string `json:"reqId"`
	TradeCode     string `json:"tradeCode"`
	Amount        int64  `json:"amount"`
	OrderNumber   string `json:"orderNumber"`
	StoreID       string `json:"storeId"`
	TerminalID    string `json:"terminalId"`
	Capture       *bool  `json:"capture"`
	PosDateTime   string `json:"posDateTime"`
	TradeDateTime string `json:"tradeDateTime"`
	ProductDesc   string `json:"productDesc"`
	Remark        string `json:"remark"`
	Redeem        *struct {
		NonRedeemAmount *int64 `json:"nonRedeemAmout"` // spelt as the platform spells it
	} `json:"redeem"`
}

var uuid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

func validReqID(id string) bool { return uuid.MatchString(id) }

func length(text string, shortest, longest int) bool {
	n := utf8.RuneCountInString(text)
	return n >= shortest && n <= longest
}

// wrongMember names the first member that is not as it has to be, or returns "".
func (b payBody) wrongMember() string {
	_, posErr := time.ParseInLocation(timeLayout, b.PosDateTime, taipei)
	_, tradeErr := time.ParseInLocation(timeLayout, b.TradeDateTime, taipei)
	switch {
	case !length(b.TradeCode, 1, 64):
		return "tradeCode"
	case b.Amount <= 0 || b.Amount > maxDollars:
		return "amount"
	case !length(b.OrderNumber, 1, 100):
		return "orderNumber"
	case !length(b.StoreID, 1, 20):
		return "storeId"
	case !length(b.TerminalID, 1, 8):
		return "terminalId"
	case b.Capture == nil:
		return "capture"
	case posErr != nil:
		return "posDateTime"
	case tradeErr != nil:
		return "tradeDateTime"
	case !length(b.ProductDesc, 0, 4000):
		return "productDesc"
	case !length(b.Remark, 0, 1000):
		return "remark"
	case b.fixed() < 0 || b.fixed() > b.Amount:
		return "redeem.nonRedeemAmout"
	default:
		return ""
	}
}

// fixed is the part of the amount that no discount may touch.
func (b payBody) fixed() int64 {
	if b.Redeem == nil || b.Redeem.NonRedeemAmount == nil {
		return 0
	}
	return *b.Redeem.NonRedeemAmount
}

// pay debits the customer behind a code, or holds the money. An order number is taken once, however many
// ask at the same time.
func (g *gateway) pay(x *sandbox.Exchange, c call) reply {
	var b payBody
	if err := json.Unmarshal(c.text, &b); err != nil {
		return refused(codeMalformed)
	}
	if member := b.wrongMember(); member != "" {
		return malformed(member)
	}
	var r reply
	x.Do(func(tx *sandbox.Tx) { r = g.accept(tx, x, c, b) })
	return r
}

func (g *gateway) accept(tx *sandbox.Tx, x *sandbox.Exchange, c call, b payBody) reply {
	o := order{
		Merchant: c.merchant, Number: b.OrderNumber, ReqID: b.ReqID, Amount: b.Amount,
		Captured: *b.Capture, ProductDesc: b.ProductDesc, At: tx.Now(),
	}
	if _, used := g.orders.Get(tx, o.key()); used {
		return refused(codeOrderUsed)
	}
	if _, used := g.reqIDs[c.reqKey(b.ReqID)]; used {
		return refused(codeReqIDUsed)
	}
	code, decline := judge(tx, b)
	if code.Code != "" {
		tx.SpendCode(code)
	}
	if decline != "" {
		if c.switches.DeclineBurnsOrder {
			o.State, o.Decline = failed, decline
			o = o.hidden(tx, x)
			g.put(tx, o)
		}
		return refused(decline)
	}
	// A discount leaves the fixed part alone, and something to pay.
	o.Amount -= max(0, min(code.Discount, b.Amount-b.fixed(), b.Amount-1))
	o.TransactionID = newID(tx)
	o.Carrier = code.Carrier
	o.PaymentType = "1"
	if code.Method != "" {
		o.PaymentType = code.Method
	}
	kind := sandbox.Authorize
	o.State, o.ExpiresAt = authorized, tx.Now().Add(holdLife)
	if o.Captured {
		kind = sandbox.Charge
		o.State, o.CapturedAt, o.ExpiresAt = paid, tx.Now(), time.Time{}
	}
	o = o.hidden(tx, x)
	o.enter(tx, kind, o.TransactionID, o.Amount)
	g.put(tx, o)

	r := succeeded()
	r.TransactionID = &o.TransactionID
	r.TransactionDateTime = stamp(o.At)
	r.Carrier = &o.Carrier
	r.PaymentType = o.PaymentType
	r.Amount = &o.Amount
	r.OrderNumber = o.Number
	return r
}

func (c call) reqKey(reqID string) string {
	return order{Merchant: c.merchant, Number: lower(reqID)}.key()
}

// judge decides whether the customer behind the code pays; it returns the code if that is spent now. A till
// whose clock is behind the code's issue revives nothing here: the code is simply not yet expired.
func judge(tx *sandbox.Tx, b payBody) (sandbox.Code, string) {
	code, known := tx.Code(b.TradeCode)
	if !known || code.Used {
		return sandbox.Code{}, codeTradeCode
	}
	till, err := time.ParseInLocation(timeLayout, b.PosDateTime, taipei)
	if err != nil || till.Sub(code.IssuedAt) >= codeLife {
		return sandbox.Code{}, codeTradeCode
	}
	if code.Decline != "" {
		return code, code.Decline
	}
	if code.Balance != nil && *code.Balance < b.Amount {
		return code, codeBalance
	}
	return code, ""
}
