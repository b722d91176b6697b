package settlement

import (
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
)

// Code says in one word what does not agree.
type Code string

// The codes, the gravest first.
const (
	// ChargedTwice: the report takes the money of one payment more than once.
	ChargedTwice Code = "charged_twice"
	// NotPaidHere: the report has taken money for a payment whose client was told "not paid", and has not given it back.
	NotPaidHere Code = "not_paid_here"
	// UnknownHere: no payment has the line's order number or transaction.
	UnknownHere Code = "unknown_here"
	// AmountDiffers: the report took another amount, or another currency.
	AmountDiffers Code = "amount_differs"
	// RefundUnknownHere: the report gave back more than the platform knows.
	RefundUnknownHere Code = "refund_unknown_here"
	// RefundMissingThere: the report gave back less than clients were told.
	RefundMissingThere Code = "refund_missing_there"
	// MissingThere: a client was told "paid", and the report has no charge.
	MissingThere Code = "missing_there"
	// OpenHere: the outcome of the payment is still open here, or two people have to decide it.
	OpenHere Code = "open_here"
	// RowRepeated: the same charge stands in the report more than once. It is counted once.
	RowRepeated Code = "row_repeated"
)

// Codes lists all of them, in the order of reports.
func Codes() []Code {
	return []Code{
		ChargedTwice, NotPaidHere, UnknownHere, AmountDiffers, RefundUnknownHere, RefundMissingThere, MissingThere, OpenHere,
		RowRepeated,
	}
}

// Finding is one thing that does not agree.
type Finding struct {
	Code Code
	// Row of the first line that it is about, 0 where the report has none.
	Row int
	// Payment and its State, empty with UnknownHere.
	Payment payment.ID
	State   payment.State
	// OrderID and Transaction as they stand in the report, or else here.
	OrderID     string
	Transaction string
	// Here is what the platform knows and There what the report says; zero where one of them knows nothing.
	Here  money.Amount
	There money.Amount
}
