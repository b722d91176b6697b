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

// laterID is what stands behind the order number in the order id of a later attempt or of a retry.
var laterID = regexp.MustCompile(`^(([0-9]+|r[0-9]+)-)?[0-9a-f]{6}$`)

// of reports whether the line is of the payment. Two payments of one order number are told apart by the attempt in the id.
func (l Line) of(p payment.Payment) bool {
	if l.Transaction != "" && l.Transaction == p.ProviderTransaction {
		return true
	}
	if l.OrderID == p.OrderNumber {
		return p.Attempt <= 1
	}
	behind, ok := strings.CutPrefix(l.OrderID, p.OrderNumber+"-")
	found := laterID.FindStringSubmatch(behind)
	switch {
	case !ok || found == nil:
		return false
	case found[2] == "" || found[2][0] == 'r':
		return true
	default:
		return found[2] == strconv.Itoa(p.Attempt)
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
