package ipasssandbox

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/payrack/payrack/plugins/sandbox"
)

func lower(s string) string { return strings.ToLower(s) }

// followBody is the clear text of everything but a payment.
type followBody struct {
	ReqID         string `json:"reqId"`
	OrderNumber   string `json:"orderNumber"`
	TransactionID string `json:"transactionId"`
	Amount        *int64 `json:"amount"`
}

func (c call) follow() (followBody, bool) {
	var b followBody
	return b, json.Unmarshal(c.text, &b) == nil
}

func (g *gateway) byNumber(c call, number string) func() string {
	key := order{Merchant: c.merchant, Number: number}.key()
	return func() string { return key }
}

// search tells where an order stands.
func (g *gateway) search(x *sandbox.Exchange, c call) reply {
	b, ok := c.follow()
	if !ok || !length(b.OrderNumber, 1, 100) {
		return malformed("orderNumber")
	}
	r := refused(codeNotFound)
	g.with(x, g.byNumber(c, b.OrderNumber), func(tx *sandbox.Tx, o order, found bool) {
		if !found {
			return
		}
		if o, found = seen(x, o, tx.Now(), c.switches); found {
			r = recordOf(o)
		}
	})
	return r
}

// recordOf is the record of one order.
func recordOf(o order) reply {
	r := succeeded()
	r.OrderNumber = o.Number
	r.PayStatus = o.payStatus()
	r.TransactionDateTime = stamp(o.At)
	if o.TransactionID == "" {
		return r
	}
	back := o.refunded()
	r.TransactionID = &o.TransactionID
	r.OriginalTransactionID = o.TransactionID
	r.ProductDesc = o.ProductDesc
	r.Carrier = &o.Carrier
	r.PaymentType = o.PaymentType
	r.Amount = &o.Amount
	r.RefundedAmount = &back
	r.CancelList = []cancel{}
	for _, f := range o.Refunds {
		r.CancelList = append(r.CancelList, cancel{
			CancelTransactionID: f.ID, ReqID: f.ReqID, Amount: f.Amount, CancelDateTime: stamp(f.At),
		})
	}
	return r
}

// void undoes an order by its number, whatever became of it; that is what one needs when the answer to a
// payment was lost.
func (g *gateway) void(x *sandbox.Exchange, c call) reply {
	b, ok := c.follow()
	if !ok || !length(b.OrderNumber, 1, 100) {
		return malformed("orderNumber")
	}
	var r reply
	g.with(x, g.byNumber(c, b.OrderNumber), func(tx *sandbox.Tx, o order, found bool) {
		if !found {
			o = order{Merchant: c.merchant, Number: b.OrderNumber, At: tx.Now()}
		}
		code := o.whyNotVoid(found, c.switches, b.ReqID)
		if code != "" {
			r = refused(code)
			return
		}
		if o.State == authorized || o.State == paid {
			o = o.hidden(tx, x)
			o.enter(tx, sandbox.Void, o.TransactionID, o.Amount-o.refunded())
		}
		if o.State != failed && o.State != reversed {
			o.State, o.VoidedAt, o.VoidReqID = reversed, tx.Now(), b.ReqID
			g.put(tx, o)
		}
		r = succeeded()
		r.OrderNumber = o.Number
		r.VoidDateTime = stamp(tx.Now())
		if !o.VoidedAt.IsZero() {
			r.VoidDateTime = stamp(o.VoidedAt)
		}
	})
	return r
}

// whyNotVoid returns the code that refuses a void, or "".
func (o order) whyNotVoid(found bool, s switches, reqID string) string {
	switch {
	case !found && s.VoidUnknown == notFound:
		return codeNotFound
	case o.State == reversed && !strings.EqualFold(o.VoidReqID, reqID):
		return codeReversed
	case o.State == paid && s.VoidPaid == refuse:
		return codeWrongState
	case o.State == paid && o.refunded() == o.Amount:
		return codeWrongState
	default:
		return "" // a failed order has nothing to undo, and its number is burned already
	}
}

// byTransaction finds the order of a transaction id of this merchant.
func (g *gateway) byTransaction(x *sandbox.Exchange, c call, id string, act func(*sandbox.Tx, order) reply) reply {
	r := refused(codeNotFound)
	g.with(x, func() string { return g.byID[id] }, func(tx *sandbox.Tx, o order, found bool) {
		if found && o.Merchant == c.merchant {
			r = act(tx, o)
		}
	})
	return r
}

// refund gives money back, all that is left or a part.
func (g *gateway) refund(x *sandbox.Exchange, c call) reply {
	b, ok := c.follow()
	if !ok || b.TransactionID == "" {
		return malformed("transactionId")
	}
	if b.Amount != nil && *b.Amount <= 0 {
		return malformed("amount")
	}
	return g.byTransaction(x, c, b.TransactionID, func(tx *sandbox.Tx, o order) reply {
		if old, known := o.refundOf(b.ReqID); known && c.switches.RefundDedup != none {
			if c.switches.RefundDedup == reject || (b.Amount != nil && *b.Amount != old.Amount) {
				return refused(codeReqIDUsed)
			}
			return o.refundReply(old)
		}
		left := o.Amount - o.refunded()
		f := refund{ID: newID(tx), ReqID: b.ReqID, Amount: left, At: tx.Now()}
		if b.Amount != nil {
			f.Amount = *b.Amount
		}
		switch {
		case o.State == reversed:
			return refused(codeReversed)
		case o.State != paid:
			return refused(codeWrongState)
		case left == 0 || f.Amount > left:
			return refused(codeTooMuchRefund)
		}
		o.Refunds = append(slices.Clip(o.Refunds), f)
		o = o.hidden(tx, x)
		o.enter(tx, sandbox.Refund, f.ID, f.Amount)
		g.put(tx, o)
		return o.refundReply(f)
	})
}

func (o order) refundOf(reqID string) (refund, bool) {
	for _, f := range o.Refunds {
		if strings.EqualFold(f.ReqID, reqID) {
			return f, true
		}
	}
	return refund{}, false
}

func (o order) refundReply(f refund) reply {
	r := succeeded()
	r.CancelTransactionID = f.ID
	r.CancelDateTime = stamp(f.At)
	r.PaymentType = o.PaymentType
	r.Amount = &f.Amount
	r.OrderNumber = o.Number
	return r
}

// capture takes held money, all of it.
func (g *gateway) capture(x *sandbox.Exchange, c call) reply {
	b, ok := c.follow()
	if !ok || b.TransactionID == "" {
		return malformed("transactionId")
	}
	return g.byTransaction(x, c, b.TransactionID, func(tx *sandbox.Tx, o order) reply {
		if o.State == reversed {
			return refused(codeReversed)
		}
		if o.State != authorized {
			return refused(codeWrongState)
		}
		if b.Amount == nil || *b.Amount != o.Amount {
			return malformed("amount")
		}
		o.State, o.Captured, o.CapturedAt = paid, true, tx.Now()
		o = o.hidden(tx, x)
		o.enter(tx, sandbox.Capture, o.TransactionID, o.Amount)
		g.put(tx, o)

		r := succeeded()
		r.TransactionID = &o.TransactionID
		r.TransactionDateTime = stamp(o.CapturedAt)
		r.Amount = &o.Amount
		return r
	})
}
