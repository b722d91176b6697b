package payment

import (
	"github.com/payrack/payrack/core/fault"
)

// Apply is the reducer: the record after an event, with version one higher. It fails with fault.Conflict if
// the event may not happen in this state (code not_allowed_in_state, operation_open,
// amount_exceeds_remaining) or comes from a fenced owner (code fenced); the record is then unchanged.
func Apply(r Record, e Event) (Record, error) {
	next, err := react(r, e)
	if err != nil {
		return Record{}, err
	}
	p := &next.Payment
	if !Allowed(r.Payment.State, p.State) {
		return Record{}, fault.New(fault.Internal, "transition_not_allowed",
			"the state machine has no change from "+string(r.Payment.State)+" to "+string(p.State))
	}
	if p.Captured > p.Authorized || p.Refunded+p.RefundReserved > p.Captured || p.Refunded < 0 || p.RefundReserved < 0 {
		return Record{}, fault.New(fault.Internal, "amounts_broken", "refunded ≤ captured ≤ authorized does not hold")
	}
	p.Version = r.Payment.Version + 1
	p.UpdatedAt = e.happened()
	next.Operation.UpdatedAt = e.happened()
	if !next.Operation.Open() && Settled(*p) {
		next.Operation.SealedCredential = nil
	}
	return next, nil
}

func react(r Record, e Event) (Record, error) {
	switch e := e.(type) {
	case Begun:
		return begun(r, e)
	case Answered:
		if err := owned(r, e.Operation, e.Epoch); err != nil {
			return Record{}, err
		}
		if r.Operation.State != OperationSending {
			return Record{}, fault.New(fault.Conflict, "fenced", "the operation was settled by another process")
		}
		return answered(r, e)
	case Searched:
		if err := owned(r, e.Operation, e.Epoch); err != nil {
			return Record{}, err
		}
		return searched(r, e)
	case Observed:
		return observed(r, e)
	case Fenced:
		return fenced(r, e)
	case ReverseWanted:
		return reverseWanted(r, e)
	case GaveUp:
		return gaveUp(r, e)
	case Reviewed:
		return reviewed(r, e)
	case OrphanFound:
		return orphanFound(r, e)
	}
	return Record{}, fault.New(fault.Internal, "unknown_event", "the state machine does not know this event")
}

// gaveUp hands a payment to people: its operation stays in doubt, or the money of a broken promise cannot be given back.
func gaveUp(r Record, e GaveUp) (Record, error) {
	stuck := r.Payment.State == Reversing && !r.Operation.Open() && r.Operation.ID == e.Operation && r.Operation.Epoch == e.Epoch
	if !stuck {
		if err := owned(r, e.Operation, e.Epoch); err != nil {
			return Record{}, err
		}
		if r.Operation.State != OperationUnknown {
			return Record{}, fault.New(fault.Conflict, "not_in_doubt", "the operation is not in doubt")
		}
	}
	r.Payment.State, r.Operation.NextCheckAt = Review, never
	return r, nil
}

// owned refuses everybody but the owner of this very operation's present epoch.
func owned(r Record, id OperationID, epoch int64) error {
	if r.Payment.State == Review {
		return fault.New(fault.Conflict, "in_review", "two people decide about this payment")
	}
	if !r.Operation.Open() || r.Operation.ID != id || r.Operation.Epoch != epoch {
		return fault.New(fault.Conflict, "fenced", "the operation was taken over by another process")
	}
	return nil
}

// Settled reports whether the request's own credential can never be needed again. A payment that was told "not
// charged" after a doubt stays on the watch list: if the charge turns up after all, it must be given back.
func Settled(p Payment) bool {
	switch p.State {
	case Failed:
		return p.Failure != NotCharged
	case Reversed, Voided, Refunded, Expired:
		return true
	case Sending, RequiresAction, Authorized, Capturing, Voiding, Refunding, Succeeded, Unknown, Reversing,
		PartiallyRefunded, Mismatch, Review:
		return false
	}
	return false
}
