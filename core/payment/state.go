package payment

// State of a payment, in the words that clients see.
type State string

// The states. doc.go draws them.
const (
	Sending           State = "SENDING"
	RequiresAction    State = "REQUIRES_ACTION"
	Authorized        State = "AUTHORIZED"
	Capturing         State = "CAPTURING"
	Voiding           State = "VOIDING"
	Refunding         State = "REFUNDING"
	Succeeded         State = "SUCCEEDED"
	Failed            State = "FAILED"
	Unknown           State = "UNKNOWN"
	Reversing         State = "REVERSING"
	Reversed          State = "REVERSED"
	Voided            State = "VOIDED"
	Refunded          State = "REFUNDED"
	PartiallyRefunded State = "PARTIALLY_REFUNDED"
	Expired           State = "EXPIRED"
	Mismatch          State = "MISMATCH"
	Review            State = "REVIEW"
)

// States lists all of them, in the order of the diagram.
func States() []State {
	return []State{
		Sending, RequiresAction, Authorized, Capturing, Voiding, Refunding, Succeeded, Failed, Unknown,
		Reversing, Reversed, Voided, Refunded, PartiallyRefunded, Expired, Mismatch, Review,
	}
}

// Promise is what a client was told and may rely on.
type Promise uint8

// The promises. Once Paid or NotPaid was told, the other one is never told.
const (
	// NothingPromised: the outcome is open.
	NothingPromised Promise = iota
	// Paid: the money was taken (and perhaps given back since, on request).
	Paid
	// NotPaid: the money was not taken, or is being given back.
	NotPaid
)

// Promise of the state.
func (s State) Promise() Promise {
	switch s {
	case Succeeded, Refunding, Refunded, PartiallyRefunded:
		return Paid
	case Failed, Reversing, Reversed, Voided, Expired:
		return NotPaid
	case Sending, RequiresAction, Authorized, Capturing, Voiding, Unknown, Mismatch, Review:
		return NothingPromised
	}
	return NothingPromised
}

// Live reports whether the payment holds its order number: a second one with the same number would be a
// second charge.
func (s State) Live() bool {
	switch s {
	case Failed, Reversed, Voided, Expired:
		return false
	case Sending, RequiresAction, Authorized, Capturing, Voiding, Refunding, Succeeded, Unknown, Reversing,
		Refunded, PartiallyRefunded, Mismatch, Review:
		return true
	}
	return true
}
