package linepaysandbox

import (
	"time"

	"github.com/payrack/payrack/plugins/sandbox"
)

// codeLife is how long a customer's code is good for.
const codeLife = 5 * time.Minute

// pay charges the customer behind a one-time code, or holds the money. An order is taken once, however
// many ask at the same time.
func (g *gateway) pay(x *sandbox.Exchange, c call, m merchant) envelope {
	w, refusal := readPay(c, m)
	if refusal != nil {
		return *refusal
	}
	var answer envelope
	var ready time.Duration
	key := order{Account: m.channelID, OrderID: w.orderID}.key()
	x.Do(func(tx *sandbox.Tx) { answer, ready = g.accept(tx, x, w, m) })
	if ready == 0 {
		return g.paid(x, c, answer)
	}
	x.Wait(ready)
	x.Do(func(tx *sandbox.Tx) {
		o, _ := g.orders.Get(tx, key)
		if o.State == authReady { // a query may have settled it meanwhile
			o = g.decide(tx, o)
		}
		answer = decided(o)
	})
	return g.paid(x, c, answer)
}

// accept takes the order and the code. A duration means that the decision is still to come.
func (g *gateway) accept(tx *sandbox.Tx, x *sandbox.Exchange, w wanted, m merchant) (envelope, time.Duration) {
	o := order{
		Account:     m.channelID,
		OrderID:     w.orderID,
		Currency:    w.currency,
		Requested:   w.amount.units,
		Capture:     w.capture,
		ProductName: w.productName,
		At:          tx.Now(),
	}
	if old, used := g.orders.Get(tx, o.key()); used {
		if old.State == authReady {
			return refused(codeInProgress), 0
		}
		return refused(codeOrderUsed), 0
	}
	code, known := tx.Code(w.oneTimeKey)
	if !known || code.Used || tx.Now().Sub(code.IssuedAt) >= codeLife {
		return refused(codeOneTimeKey), 0
	}
	tx.SpendCode(code)
	o.PayInfo = split(w.amount.units, o.exponent(), code.Method, m.SeparatePoint)
	o.Decline = declineOf(code.CodeOptions, w.amount.units)
	if o.Decline != "" && !m.DeclineBurnsOrder {
		return refused(o.Decline), 0
	}
	o = o.hidden(tx, x)
	if wait, slow := x.FireFor(faultAuthReady); slow && wait > 0 {
		o.State, o.ReadyAt = authReady, tx.Now().Add(wait)
		g.put(tx, o)
		return envelope{}, wait
	}
	return decided(g.decide(tx, o)), 0
}

// decide ends an accepted payment: the money moves, or the wallet says no.
func (g *gateway) decide(tx *sandbox.Tx, o order) order {
	switch {
	case o.Decline != "":
		o.State = failed
	case o.Capture:
		o.State = captured
		o.CapturedAt = tx.Now()
		o.TransactionID = o.identity(tx)
		o.enter(tx, sandbox.Charge, o.TransactionID, o.paid())
	default:
		o.State = authorized
		o.ExpiresAt = tx.Now().Add(holdLife)
		o.TransactionID = o.identity(tx)
		o.enter(tx, sandbox.Authorize, o.TransactionID, o.paid())
	}
	g.put(tx, o)
	return o
}

// identity is the payment's id; an online payment has that of its request.
func (o order) identity(tx *sandbox.Tx) int64 {
	if o.TransactionID != 0 {
		return o.TransactionID
	}
	return newID(tx, idPayment)
}

// decided is the answer to pay, its info aside.
func decided(o order) envelope {
	if o.State == failed {
		return refused(o.Decline)
	}
	return succeeded(o)
}

// paid writes the info of a success.
func (g *gateway) paid(x *sandbox.Exchange, c call, answer envelope) envelope {
	o, success := answer.Info.(order)
	if !success {
		return answer
	}
	info := g.completed(x, c, o)
	if c.version == "v2" {
		info.Balance = &amount{units: wallet, exponent: o.exponent()}
	}
	answer.Info = info
	return answer
}

// wallet is the balance that v2 reports, in charge units: no simulated customer runs out by paying.
const wallet = 500_000

// completed are the members that pay, capture and a complete check share.
func (g *gateway) completed(x *sandbox.Exchange, c call, o order) paidInfo {
	info := paidInfo{
		TransactionID:   o.TransactionID,
		OrderID:         orderID(x, o),
		TransactionDate: stamp(o.At),
		PayInfo:         parts(x, o),
		PaymentProvider: providerOf(c.version),
	}
	if o.State == authorized {
		info.AuthorizationExpireDate = stamp(o.ExpiresAt)
	}
	return info
}
