package provider

// Codes are the return codes of a gateway that its documents define, with what each means for the payment. A
// code that is not in the table is undecided: the platform searches. So a table may be short, and grows only by
// what somebody read in the documents.
type Codes map[string]Meaning

// Meaning is what a return code says about the payment.
type Meaning struct {
	// Outcome of the operation. The zero value leaves it open.
	Outcome Outcome
	// Decline is a stable word for people and reports, such as "insufficient_funds".
	Decline string
}

// Paid is the Meaning of a success.
func Paid() Meaning { return Meaning{Outcome: OutcomeApproved} }

// Refused is the Meaning of a definite no: nothing was taken, and nothing will be.
func Refused(word string) Meaning { return Meaning{Outcome: OutcomeDeclined, Decline: word} }

// Answer is the answer of a gateway that returned r.Code. It is Approved, Declined or RequiresAction by the
// table and Undecided for every other code.
func (c Codes) Answer(r Result, n Native) Answer {
	m := c[r.Code]
	r.DeclineCode = m.Decline
	switch m.Outcome {
	case OutcomeApproved:
		return Approved(r, n)
	case OutcomeDeclined:
		return Declined(r, n)
	case OutcomeRequiresAction:
		return RequiresAction(r, n)
	case OutcomeUnknown:
		return Undecided(r, n)
	default:
		return Undecided(r, n)
	}
}
