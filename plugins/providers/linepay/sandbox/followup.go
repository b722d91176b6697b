package linepaysandbox

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/plugins/sandbox"
)

// onOrder runs act on the order that the request names, by order id or by transaction id.
func (g *gateway) onOrder(x *sandbox.Exchange, c call, m merchant, act func(*sandbox.Tx, order) envelope) envelope {
	key := order{Account: m.channelID, OrderID: c.order}.key()
	find := func() string { return key }
	if c.txn != "" {
		id, err := strconv.ParseInt(c.txn, 10, 64)
		if err != nil {
			return badID()
		}
		find = func() string { return g.byID[id] }
	}
	var answer envelope
	g.with(x, find, func(tx *sandbox.Tx, o order, found bool) {
		// An attempt that never became a transaction cannot be followed up.
		if !found || o.Account != m.channelID || o.State == failed || o.State == authReady || (o.Online && c.order != "") {
			answer = refused(codeNotFound)
			return
		}
		answer = act(tx, o)
	})
	return answer
}

// hidden makes queries blind to what was just done, if the fault says so.
func (o order) hidden(tx *sandbox.Tx, x *sandbox.Exchange) order {
	if lag := x.Lag(); lag > 0 && x.Fire(sandbox.FaultSearchLag) {
		o.HiddenFrom, o.HiddenUntil = tx.Now(), tx.Now().Add(lag)
	}
	return o
}

// capture takes held money, or a part of it; the rest is released.
func (g *gateway) capture(x *sandbox.Exchange, c call, m merchant) envelope {
	var body struct {
		Amount   jsontext.Value `json:"amount"`
		Currency string         `json:"currency"`
	}
	if err := json.Unmarshal(c.body, &body); err != nil || len(body.Amount) == 0 || body.Currency == "" {
		return parameter("amount and currency: NotNull")
	}
	return g.onOrder(x, c, m, func(tx *sandbox.Tx, o order) envelope {
		if body.Currency != o.Currency {
			return parameter("currency: Mismatch")
		}
		wanted, code := parseAmount(string(body.Amount), o.exponent())
		if code != "" {
			return refused(code)
		}
		switch {
		case wanted.units <= 0:
			return refused(codeTooSmall)
		case o.State != authorized:
			return refused(codeWrongState)
		case wanted.units > o.paid():
			return refused(codeTooLarge)
		}
		if x.Fire(faultAutoCancel) {
			o.State, o.EndedAt = voided, tx.Now()
			o.enter(tx, sandbox.Void, o.TransactionID, o.paid())
			g.put(tx, o)
			return refused(codeInternal)
		}
		o.PayInfo = firstOf(o.PayInfo, wanted.units)
		o.State, o.CapturedAt = captured, tx.Now()
		o = o.hidden(tx, x)
		o.enter(tx, sandbox.Capture, o.TransactionID, wanted.units)
		g.put(tx, o)
		info := g.completed(x, c, o)
		if c.txn != "" {
			info.TransactionDate = "" // no member of the online answer
		}
		return succeeded(info)
	})
}

// firstOf takes an amount from the parts in their order.
func firstOf(from []payPart, units int64) []payPart {
	var taken []payPart
	for _, p := range from {
		p.Amount = min(p.Amount, units)
		units -= p.Amount
		if p.Amount > 0 {
			taken = append(taken, p)
		}
	}
	return taken
}

// void releases held money.
func (g *gateway) void(x *sandbox.Exchange, c call, m merchant) envelope {
	return g.onOrder(x, c, m, func(tx *sandbox.Tx, o order) envelope {
		switch o.State {
		case authorized:
			o.State, o.EndedAt = voided, tx.Now()
			o = o.hidden(tx, x)
			o.enter(tx, sandbox.Void, o.TransactionID, o.paid())
			g.put(tx, o)
			return succeeded(nil)
		case voided:
			return refused(codeAlreadyUndone)
		case captured, expired, authReady, failed:
			return refused(codeWrongState)
		default:
			return refused(codeWrongState)
		}
	})
}

// refund gives taken money back, all that is left or a part.
func (g *gateway) refund(x *sandbox.Exchange, c call, m merchant) envelope {
	var body struct {
		RefundAmount jsontext.Value `json:"refundAmount"`
	}
	if len(c.body) > 0 {
		if err := json.Unmarshal(c.body, &body); err != nil {
			return parameter("wrong type")
		}
	}
	return g.onOrder(x, c, m, func(tx *sandbox.Tx, o order) envelope {
		if o.State != captured {
			return refused(codeWrongState)
		}
		left := o.paid() - o.refunded()
		back := amount{units: left, exponent: o.exponent()}
		if len(body.RefundAmount) > 0 && body.RefundAmount.Kind() != 'n' {
			var code string
			if back, code = parseAmount(string(body.RefundAmount), o.exponent()); code != "" {
				return refused(code)
			}
		}
		switch {
		case left == 0:
			return refused(codeAlreadyUndone)
		case back.units <= 0:
			return refused(codeTooSmall)
		case back.units > left:
			return refused(codeTooMuchRefund)
		}
		r := refund{Amount: back.units, Partial: back.units < o.paid(), At: tx.Now()}
		r.ID = newID(tx, idFullRefund)
		if r.Partial {
			r.ID = newID(tx, idPartialRefund)
		}
		o.Refunds = append(slices.Clip(o.Refunds), r)
		o = o.hidden(tx, x)
		o.enter(tx, sandbox.Refund, r.ID, r.Amount)
		g.put(tx, o)
		return succeeded(refundedInfo{RefundTransactionID: r.ID, RefundTransactionDate: stamp(r.At)})
	})
}
