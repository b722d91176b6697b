package ipasssandbox

import (
	"fmt"
	"slices"
	"time"

	"github.com/payrack/payrack/plugins/sandbox"
)

// state of an order.
type state string

const (
	authorized state = "authorized"
	paid       state = "paid"
	reversed   state = "reversed" // of a payment, or of an order that never was: a tombstone
	failed     state = "failed"
)

// holdLife is how long an authorization lasts before it is released. The real time is not public.
const holdLife = 7 * 24 * time.Hour

// taipei is the gateway's zone, fixed: the region has no summer time.
var taipei = time.FixedZone("Asia/Taipei", 8*60*60)

const timeLayout = "2006-01-02 15:04:05"

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(taipei).Format(timeLayout)
}

// order is one order number of one merchant. Amounts are whole dollars.
type order struct {
	Merchant      string    `json:"merchant"`
	Number        string    `json:"number"`
	State         state     `json:"state"`
	Decline       string    `json:"decline,omitempty"`
	TransactionID string    `json:"transaction_id,omitempty"`
	ReqID         string    `json:"req_id"`
	Amount        int64     `json:"amount"` // what was debited
	Captured      bool      `json:"captured"`
	PaymentType   string    `json:"payment_type,omitempty"`
	Carrier       string    `json:"carrier,omitempty"`
	ProductDesc   string    `json:"product_desc,omitempty"`
	At            time.Time `json:"at"`
	CapturedAt    time.Time `json:"captured_at,omitzero"`
	ExpiresAt     time.Time `json:"expires_at,omitzero"`
	VoidedAt      time.Time `json:"voided_at,omitzero"`
	VoidReqID     string    `json:"void_req_id,omitempty"`
	Refunds       []refund  `json:"refunds,omitempty"`
	// Changes from HiddenFrom on are not seen by a search until HiddenUntil.
	HiddenFrom  time.Time `json:"hidden_from,omitzero"`
	HiddenUntil time.Time `json:"hidden_until,omitzero"`
}

type refund struct {
	ID     string    `json:"id"`
	ReqID  string    `json:"req_id"`
	Amount int64     `json:"amount"`
	At     time.Time `json:"at"`
}

func (o order) key() string { return o.Merchant + "/" + o.Number }

func (o order) refunded() int64 {
	var sum int64
	for _, r := range o.Refunds {
		sum += r.Amount
	}
	return sum
}

// payStatus is how a search tells the state.
func (o order) payStatus() string {
	switch o.State {
	case authorized:
		return "0"
	case paid:
		switch o.refunded() {
		case 0:
			return "1"
		case o.Amount:
			return "2"
		default:
			return "3"
		}
	case reversed:
		return "4"
	case failed:
		return "7"
	default:
		return "7"
	}
}

// asOf is the order as it was just before t; false if it was not there yet.
func (o order) asOf(t time.Time) (order, bool) {
	if !o.At.Before(t) {
		return order{}, false
	}
	o.Refunds = slices.DeleteFunc(slices.Clone(o.Refunds), func(r refund) bool { return !r.At.Before(t) })
	if o.State == reversed && !o.VoidedAt.Before(t) {
		o.State = authorized
		if o.Captured {
			o.State = paid
		}
	}
	if o.State == paid && !o.CapturedAt.Before(t) {
		o.State = authorized
	}
	return o, true
}

// hidden makes searches blind to what was just done, if the fault says so.
func (o order) hidden(tx *sandbox.Tx, x *sandbox.Exchange) order {
	if lag := x.Lag(); lag > 0 && x.Fire(sandbox.FaultSearchLag) {
		o.HiddenFrom, o.HiddenUntil = tx.Now(), tx.Now().Add(lag)
	}
	return o
}

// newID makes an id; nobody may read anything from it.
func newID(tx *sandbox.Tx) string { return fmt.Sprintf("e%013d", tx.Serial()%10_000_000_000_000) }

// enter puts a movement of this order into the ledger.
func (o order) enter(tx *sandbox.Tx, kind sandbox.Kind, id string, dollars int64) {
	entry := sandbox.Entry{
		Account: o.Merchant, OrderID: o.Number, TransactionID: id, Kind: kind, Amount: dollars, Currency: "TWD",
	}
	if kind != sandbox.Charge && kind != sandbox.Authorize {
		entry.OriginalTransactionID = o.TransactionID
	}
	tx.Enter(entry)
}
