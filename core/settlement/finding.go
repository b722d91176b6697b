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

// Next says what to do about a finding.
func (c Code) Next() string {
	switch c {
	case ChargedTwice:
		return "look at both charges with the provider; give the one back that the platform does not name (provider_transaction_id)"
	case NotPaidHere:
		return "payrack payment recheck ID asks the provider again and gives back what it finds; --recheck does so for all of them"
	case UnknownHere:
		return "find out whose it is: another system's of the same account, another company's, or a payment that the database lost; the last has to be given back at the provider"
	case AmountDiffers:
		return "compare with payrack payment explain ID, then clarify it with the provider"
	case RefundUnknownHere:
		return "somebody gave money back at the provider itself; the payment's record does not know of it"
	case RefundMissingThere:
		return "look into the next report; if the refund is not there either, clarify it with the provider"
	case MissingThere:
		return "look into the next report; if the charge is not there either, clarify it with the provider before the goods are counted as paid"
	case OpenHere:
		return "payrack payment explain ID says what it waits for; one in REVIEW waits for two people"
	case RowRepeated:
		return "make sure that no report was given twice"
	}
	return ""
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
