// Package charges is what the wallets of a sandbox have in common that take money at once: an order number is taken
// once, a one-time code pays once, money goes back in parts or by a void, and queries may be behind. What a wallet
// calls all that, and what it answers, is its dialect's.
package charges

import (
	"slices"
	"time"

	"github.com/payrack/payrack/plugins/sandbox"
)

// State of an order.
type State string

// The states.
const (
	Paid     State = "paid"
	Voided   State = "voided" // a whole charge was undone
	Declined State = "declined"
)

// Order is one order number of one account. Amounts are in the currency's charge unit.
type Order struct {
	Account       string    `json:"account"`
	Number        string    `json:"number"`
	State         State     `json:"state"`
	TransactionID string    `json:"transaction_id,omitempty"`
	Amount        int64     `json:"amount"`
	Method        string    `json:"method,omitempty"`
	Carrier       string    `json:"carrier,omitempty"`
	At            time.Time `json:"at"`
	VoidedAt      time.Time `json:"voided_at,omitzero"`
	Refunds       []Refund  `json:"refunds,omitempty"`
	// Changes from HiddenFrom on are not seen by a query until HiddenUntil.
	HiddenFrom  time.Time `json:"hidden_from,omitzero"`
	HiddenUntil time.Time `json:"hidden_until,omitzero"`
}

// Refund is money given back, whole or a part, under the merchant's own number.
type Refund struct {
	ID     string    `json:"id"`
	Number string    `json:"number"`
	Amount int64     `json:"amount"`
	At     time.Time `json:"at"`
}

// Refunded is the sum that was given back.
func (o Order) Refunded() int64 {
	var sum int64
	for _, r := range o.Refunds {
		sum += r.Amount
	}
	return sum
}

// Verdict is what became of a request.
type Verdict uint8

// The verdicts. The zero value is none.
const (
	Unset Verdict = iota
	Done
	NumberUsed  // the order or refund number was used before
	CodeInvalid // unknown, used or expired
	Refused     // by the wallet, with the code's own return code
	NoBalance
	NotFound
	WrongState
	TooMuch
)

// Book holds the orders of one dialect. It is used inside Exchange.Do only.
type Book struct {
	currency string
	newID    func(*sandbox.Tx) string
	orders   *sandbox.Book[Order]
	refunds  map[string]string // account and refund number, to keys of orders
}

// Open opens the book on what it held before. newID makes the ids of charges and refunds.
func Open(env *sandbox.Env, currency string, newID func(*sandbox.Tx) string) *Book {
	b := &Book{currency: currency, newID: newID, orders: sandbox.NewBook[Order](env, "orders"), refunds: map[string]string{}}
	b.orders.All(func(_ string, o Order) { b.index(o) })
	return b
}

func key(account, number string) string { return account + "/" + number }

func (b *Book) index(o Order) {
	for _, r := range o.Refunds {
		b.refunds[key(o.Account, r.Number)] = key(o.Account, o.Number)
	}
}

func (b *Book) put(tx *sandbox.Tx, x *sandbox.Exchange, o Order) Order {
	// The fault search_lag on a change hides it from queries.
	if lag := x.Lag(); lag > 0 && x.Fire(sandbox.FaultSearchLag) {
		o.HiddenFrom, o.HiddenUntil = tx.Now(), tx.Now().Add(lag)
	}
	b.orders.Put(tx, key(o.Account, o.Number), o)
	b.index(o)
	return o
}

func (b *Book) enter(tx *sandbox.Tx, o Order, kind sandbox.Kind, id string, amount int64) {
	entry := sandbox.Entry{Account: o.Account, OrderID: o.Number, TransactionID: id, Kind: kind, Amount: amount, Currency: b.currency}
	if kind != sandbox.Charge {
		entry.OriginalTransactionID = o.TransactionID
	}
	tx.Enter(entry)
}

// Payment is a request to pay.
type Payment struct {
	Account, Number, Code string
	Amount                int64
	// CodeLife is how long a code is good for, by the sandbox's clock.
	CodeLife time.Duration
	// DeclineBurns says whether a declined order number is used up.
	DeclineBurns bool
}

// Pay charges the customer behind a code. The text is the code's own return code with Refused.
func (b *Book) Pay(tx *sandbox.Tx, x *sandbox.Exchange, p Payment) (Order, Verdict, string) {
	o := Order{Account: p.Account, Number: p.Number, Amount: p.Amount, At: tx.Now()}
	if _, used := b.orders.Get(tx, key(p.Account, p.Number)); used {
		return o, NumberUsed, ""
	}
	code, known := tx.Code(p.Code)
	verdict := Done
	switch {
	case !known || code.Used || tx.Now().Sub(code.IssuedAt) >= p.CodeLife:
		verdict = CodeInvalid
	case code.Decline != "":
		verdict = Refused
	case code.Balance != nil && *code.Balance < p.Amount:
		verdict = NoBalance
	}
	if verdict != CodeInvalid {
		tx.SpendCode(code)
	}
	if verdict != Done {
		if p.DeclineBurns {
			o.State = Declined
			b.put(tx, x, o)
		}
		return o, verdict, code.Decline
	}
	o.State, o.TransactionID, o.Method, o.Carrier = Paid, b.newID(tx), code.Method, code.Carrier
	b.enter(tx, o, sandbox.Charge, o.TransactionID, o.Amount)
	return b.put(tx, x, o), Done, ""
}

// Get returns an order as it is.
func (b *Book) Get(tx *sandbox.Tx, account, number string) (Order, bool) {
	return b.orders.Get(tx, key(account, number))
}

// Void undoes a whole charge. One that was voided before is voided.
func (b *Book) Void(tx *sandbox.Tx, x *sandbox.Exchange, account, number string) (Order, Verdict) {
	o, found := b.orders.Get(tx, key(account, number))
	switch {
	case !found:
		return o, NotFound
	case o.State == Voided:
		return o, Done
	case o.State != Paid || len(o.Refunds) > 0:
		return o, WrongState
	}
	o.State, o.VoidedAt = Voided, tx.Now()
	b.enter(tx, o, sandbox.Void, o.TransactionID, o.Amount)
	return b.put(tx, x, o), Done
}

// Refund gives money back. A refund number is taken once.
func (b *Book) Refund(tx *sandbox.Tx, x *sandbox.Exchange, account, number, refundNumber string, amount int64) (Order, Refund, Verdict) {
	o, found := b.orders.Get(tx, key(account, number))
	_, used := b.refunds[key(account, refundNumber)]
	_, orders := b.orders.Get(tx, key(account, refundNumber))
	switch {
	case !found:
		return o, Refund{}, NotFound
	case used || orders:
		return o, Refund{}, NumberUsed
	case o.State != Paid:
		return o, Refund{}, WrongState
	case amount < 1 || amount > o.Amount-o.Refunded():
		return o, Refund{}, TooMuch
	}
	r := Refund{ID: b.newID(tx), Number: refundNumber, Amount: amount, At: tx.Now()}
	o.Refunds = append(slices.Clone(o.Refunds), r)
	b.enter(tx, o, sandbox.Refund, r.ID, amount)
	return b.put(tx, x, o), r, Done
}

// Seen is what a query sees of an order, given its number: what happened lately may be hidden.
func (b *Book) Seen(tx *sandbox.Tx, x *sandbox.Exchange, account, number string) (Order, bool) {
	o, found := b.orders.Get(tx, key(account, number))
	if !found {
		return o, false
	}
	return seen(tx, x, o)
}

// SeenRefund is what a query sees of a refund, given its number.
func (b *Book) SeenRefund(tx *sandbox.Tx, x *sandbox.Exchange, account, refundNumber string) (Order, Refund, bool) {
	o, found := b.orders.Get(tx, b.refunds[key(account, refundNumber)])
	if found {
		o, found = seen(tx, x, o)
	}
	i := slices.IndexFunc(o.Refunds, func(r Refund) bool { return r.Number == refundNumber })
	if !found || i < 0 {
		return o, Refund{}, false
	}
	return o, o.Refunds[i], true
}

func seen(tx *sandbox.Tx, x *sandbox.Exchange, o Order) (Order, bool) {
	if tx.Now().Before(o.HiddenUntil) {
		return o.asOf(o.HiddenFrom)
	}
	lag := x.Lag()
	if lag == 0 {
		return o, true
	}
	old, there := o.asOf(tx.Now().Add(-lag))
	if there && old.State == o.State && len(old.Refunds) == len(o.Refunds) {
		return o, true
	}
	x.Fire(sandbox.FaultSearchLag)
	return old, there
}

// asOf is the order as it was just before t; false if it was not there yet.
func (o Order) asOf(t time.Time) (Order, bool) {
	if !o.At.Before(t) {
		return Order{}, false
	}
	o.Refunds = slices.DeleteFunc(slices.Clone(o.Refunds), func(r Refund) bool { return !r.At.Before(t) })
	if o.State == Voided && !o.VoidedAt.Before(t) {
		o.State = Paid
	}
	return o, true
}
