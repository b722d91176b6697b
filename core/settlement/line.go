package settlement

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
)

// Kind says in which direction a line moved money.
type Kind string

// The kinds.
const (
	Charge Kind = "charge"
	Refund Kind = "refund"
)

// Line is one movement of money in a report.
type Line struct {
	// Row in the report, from 1, for people who look it up.
	Row  int
	Kind Kind
	// OrderID is the order number as the provider was told it, Transaction the provider's id of the charge. One may be empty.
	OrderID     string
	Transaction string
	// Amount is more than zero, whatever the kind.
	Amount money.Amount
}

var (
	// laterID is what stands behind the order number in the order id of a later attempt or of a retry.
	laterID = regexp.MustCompile(`^(([0-9]+|r[0-9]+)-)?[0-9a-f]{6}$`)
	// likeLaterID is an order number that reads like such an id itself. Its first attempt may carry a mark of its own.
	likeLaterID = regexp.MustCompile(`-([0-9]+|r[0-9]+)(-[0-9a-f]{6})+$`)
)

// How little speaks for it that a line is of a payment; the least of all payments gets the line.
const (
	byTransaction = 0
	// byOrderID: the order id is the order number itself; byLaterID: it is one of a later attempt or of a retry.
	byOrderID = 1
	byLaterID = 2
	// otherTransaction is added where the payment is known by another transaction: it may have been charged twice, or the line
	// is of another payment of the order.
	otherTransaction = 2
	// neverSent is added where nothing of the payment ever left: its order id went to the next payment of the order.
	neverSent = 4
	// ofAnother: nothing speaks for it.
	ofAnother = 100
)

// distance is how little speaks for it that the line is of the payment. Two payments of one order number are told apart by the
// attempt in the id.
func (l Line) distance(p payment.Payment) int {
	if l.Transaction != "" && l.Transaction == p.ProviderTransaction {
		return byTransaction
	}
	d := byOrderID
	if l.OrderID != p.OrderNumber {
		d = byLaterID
	}
	switch {
	case !l.mayBeOf(p):
		return ofAnother
	case l.Transaction != "" && p.ProviderTransaction != "":
		d += otherTransaction
	}
	if p.State == payment.Failed && p.Failure == payment.NotSent {
		d += neverSent
	}
	return d
}

// mayBeOf reports whether the provider may have been told the line's order id for the payment.
func (l Line) mayBeOf(p payment.Payment) bool {
	if l.OrderID == p.OrderNumber {
		return p.Attempt <= 1
	}
	behind, ok := strings.CutPrefix(l.OrderID, p.OrderNumber+"-")
	found := laterID.FindStringSubmatch(behind)
	switch {
	case !ok || found == nil:
		return false
	case found[2] == "":
		return p.Attempt <= 1 && likeLaterID.MatchString(p.OrderNumber)
	case found[2][0] == 'r':
		return true
	default:
		return p.Attempt > 1 && found[2] == strconv.Itoa(p.Attempt)
	}
}

// OrderNumbers are the order numbers that a payment behind an order id can have, the likeliest first: an id may carry the
// mark of a later attempt, and an order number may look as if it did.
func OrderNumbers(orderID string) []string {
	all := []string{orderID}
	for _, behind := range []*regexp.Regexp{markOnly, countAndMark} {
		if at := behind.FindStringIndex(orderID); at != nil && at[0] > 0 {
			all = append(all, orderID[:at[0]])
		}
	}
	return all
}

var (
	countAndMark = regexp.MustCompile(`-([0-9]+|r[0-9]+)-[0-9a-f]{6}$`)
	markOnly     = regexp.MustCompile(`-[0-9a-f]{6}$`)
)
