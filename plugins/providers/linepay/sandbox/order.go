package linepaysandbox

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/plugins/sandbox"
)

// state of an order.
type state string

const (
	authReady  state = "AUTH_READY"    // accepted, not decided
	authorized state = "AUTHORIZATION" // held
	captured   state = "CAPTURE"       // taken, perhaps given back since: see refunds
	voided     state = "VOIDED_AUTHORIZATION"
	expired    state = "EXPIRED_AUTHORIZATION"
	failed     state = "FAIL"
)

// holdLife is how long an authorization lasts before it is released.
const holdLife = 30 * 24 * time.Hour

// asia is where the date in an id is read. A fixed zone: the region has no summer time.
var asia = time.FixedZone("Asia/Taipei", 8*60*60)

// The last two digits of an id say what it is of.
const (
	idPayment       = 10
	idFullRefund    = 11
	idPartialRefund = 12
)

// order is one payment of one merchant. Amounts are in charge units.
type order struct {
	Account       string    `json:"account"`
	OrderID       string    `json:"order_id"`
	TransactionID int64     `json:"transaction_id"`
	State         state     `json:"state"`
	Decline       string    `json:"decline,omitempty"`
	Currency      string    `json:"currency"`
	Requested     int64     `json:"requested"`
	Capture       bool      `json:"capture"`
	ProductName   string    `json:"product_name"`
	PayInfo       []payPart `json:"pay_info"`
	At            time.Time `json:"at"`
	ReadyAt       time.Time `json:"ready_at,omitzero"` // when AUTH_READY is decided
	ExpiresAt     time.Time `json:"expires_at,omitzero"`
	CapturedAt    time.Time `json:"captured_at,omitzero"`
	EndedAt       time.Time `json:"ended_at,omitzero"` // voided or expired
	Refunds       []refund  `json:"refunds,omitempty"`
	// Online payments have no order in the in-store API. Packages, RegKey and Nickname are theirs.
	Online   bool           `json:"online,omitzero"`
	Packages jsontext.Value `json:"packages,omitzero"`
	RegKey   string         `json:"reg_key,omitempty"`
	Nickname string         `json:"nickname,omitempty"`
	// Changes from HiddenFrom on are not seen by queries until HiddenUntil.
	HiddenFrom  time.Time `json:"hidden_from,omitzero"`
	HiddenUntil time.Time `json:"hidden_until,omitzero"`
}

// payPart is one way in which the customer paid.
type payPart struct {
	Method string `json:"method"`
	Amount int64  `json:"amount"`
	Masked string `json:"masked,omitempty"`
}

type refund struct {
	ID      int64     `json:"id"`
	Amount  int64     `json:"amount"`
	Partial bool      `json:"partial"`
	At      time.Time `json:"at"`
}

func (o order) key() string { return o.Account + "/" + o.OrderID }

func (o order) exponent() int { return exponents[o.Currency] }

// paid is what the customer paid, or would.
func (o order) paid() int64 {
	var sum int64
	for _, p := range o.PayInfo {
		sum += p.Amount
	}
	return sum
}

func (o order) refunded() int64 {
	var sum int64
	for _, r := range o.Refunds {
		sum += r.Amount
	}
	return sum
}

// asOf is the order as it was just before t; false if it was not there yet.
func (o order) asOf(t time.Time) (order, bool) {
	if !o.At.Before(t) {
		return order{}, false
	}
	o.Refunds = slices.DeleteFunc(slices.Clone(o.Refunds), func(r refund) bool { return !r.At.Before(t) })
	if (o.State == voided || o.State == expired) && !o.EndedAt.Before(t) {
		o.State = authorized
	}
	if o.State == captured && !o.Capture && !o.CapturedAt.Before(t) {
		o.State = authorized
	}
	return o, true
}

// newID makes an id of the documented shape: date, nine-digit serial, kind.
func newID(tx *sandbox.Tx, kind int) int64 {
	day := tx.Now().In(asia)
	date := int64(day.Year()*10000 + int(day.Month())*100 + day.Day())
	serial := int64(tx.Serial() % 1_000_000_000)
	return (date*1_000_000_000+serial)*100 + int64(kind)
}

// methodCard is LINE Pay's word for a card.
const methodCard = "CREDIT_CARD"

// split divides what the customer pays by how the customer pays. Points are ten in major units.
func split(units int64, exponent int, method string, separatePoint bool) []payPart {
	const card = "************1234"
	switch method {
	case methodCard:
		return []payPart{{Method: methodCard, Amount: units, Masked: card}}
	case "SPLIT":
		points := int64(10)
		for range exponent {
			points *= 10
		}
		if points >= units {
			return []payPart{{Method: methodCard, Amount: units, Masked: card}}
		}
		pointMethod := "BALANCE"
		if separatePoint {
			pointMethod = "POINT"
		}
		return []payPart{
			{Method: methodCard, Amount: units - points, Masked: card},
			{Method: pointMethod, Amount: points},
		}
	default:
		return []payPart{{Method: "BALANCE", Amount: units}}
	}
}

// enter puts a movement of this order into the ledger.
func (o order) enter(tx *sandbox.Tx, kind sandbox.Kind, id, units int64) {
	entry := sandbox.Entry{
		Account: o.Account, OrderID: o.OrderID, TransactionID: fmt.Sprint(id), Kind: kind, Amount: units, Currency: o.Currency,
	}
	if kind != sandbox.Charge && kind != sandbox.Authorize {
		entry.OriginalTransactionID = fmt.Sprint(o.TransactionID)
	}
	tx.Enter(entry)
}
