package payment

import (
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
)

var never time.Time //nolint:gochecknoglobals // the zero time, named; it is never assigned

// heldLook is when to look after an authorization that names no end.
const heldLook = 24 * time.Hour

// payerLook is when to look after a payer who has been asked to act.
const payerLook = 5 * time.Second

// answered records what the provider said to the operation that is being sent.
func answered(r Record, e Answered) (Record, error) {
	note(&r, e.Evidence)
	switch e.Known {
	case KnownApproved:
		return done(r, e.Evidence, e.At)
	case KnownDeclined:
		if otherOrder(r, e.Evidence) || e.Evidence.Captured.Units > 0 || e.Evidence.Authorized.Units > 0 {
			// A "no" that names money or another order contradicts itself.
			return inDoubt(r, e.At), nil
		}
		return undone(r, Declined, e.Evidence, e.At), nil
	case KnownNotSent:
		return undone(r, NotSent, e.Evidence, e.At), nil
	case KnownAction:
		if r.Operation.Kind != KindPay || otherOrder(r, e.Evidence) {
			return inDoubt(r, e.At), nil
		}
		closed(&r, OperationSucceeded, "")
		r.Payment.State = RequiresAction
		r.Operation.NextCheckAt = e.At.Add(payerLook)
		return r, nil
	case KnownNothing:
		return inDoubt(r, e.At), nil
	}
	return inDoubt(r, e.At), nil
}

// done records that the open operation took effect, as the evidence says.
func done(r Record, ev Evidence, at time.Time) (Record, error) {
	if differs(r, ev) {
		return notAsAsked(r, ev, at), nil
	}
	p, o := &r.Payment, &r.Operation
	reversal := o.Reversal
	if p.State == Reversing && !reversal {
		// The promise is "not paid": the charge that landed is given back next.
		// Amounts that were seen before this stay: they are what must be given back.
		p.Authorized = max(p.Authorized, o.Amount.Units)
		if (p.Capture || o.Kind == KindCapture) && p.Captured == 0 {
			p.Captured = o.Amount.Units
		}
		closed(&r, OperationSucceeded, "")
		r.Operation.NextCheckAt = at
		return r, nil
	}
	switch o.Kind {
	case KindPay, KindConfirm:
		p.Authorized = max(p.Authorized, o.Amount.Units)
		p.State = Authorized
		if p.Capture {
			p.Captured, p.State = o.Amount.Units, Succeeded
		}
	case KindCapture:
		p.Captured, p.State = o.Amount.Units, Succeeded
	case KindVoid:
		// A charge that is taken and cancelled has been given back.
		p.State, p.Refunded = Voided, p.Captured
		if reversal {
			p.State = Reversed
		}
	case KindRefund:
		p.RefundReserved -= o.Amount.Units
		p.Refunded += o.Amount.Units
		switch {
		case reversal && p.Refunded == p.Captured:
			p.State = Reversed
		case reversal:
			p.State = Reversing
		case p.Refunded == p.Captured:
			p.State = Refunded
		default:
			p.State = PartiallyRefunded
		}
	default:
		return Record{}, fault.New(fault.Internal, "unknown_kind", "the state machine does not know this operation")
	}
	closed(&r, OperationSucceeded, "")
	if p.State == Reversing {
		// Part of it is back; the rest is given back next.
		o.NextCheckAt = at
	}
	held(&r, at)
	return r, nil
}

// notAsAsked records that money moved, but not as it was asked for.
func notAsAsked(r Record, ev Evidence, at time.Time) Record {
	if r.Operation.Kind == KindVoid || r.Operation.Kind == KindRefund {
		// What was given back differs from what was asked: a person looks.
		r.Payment.State, r.Operation.State, r.Operation.NextCheckAt = Review, OperationUnknown, never
		return r
	}
	hold(&r, ev)
	if r.Payment.State == Reversing {
		closed(&r, OperationSucceeded, "")
		r.Operation.NextCheckAt = at
		return r
	}
	r.Payment.State, r.Operation.State, r.Operation.NextCheckAt = Mismatch, OperationUnknown, at
	return r
}

// held plans the first look at an authorization: when the provider says that it ends, or a day later.
func held(r *Record, at time.Time) {
	if r.Payment.State != Authorized {
		return
	}
	r.Operation.NextCheckAt = at.Add(heldLook)
	if ends := r.Payment.AuthorizationEnds; ends.After(at) {
		r.Operation.NextCheckAt = ends
	}
}

// undone records that the open operation had no effect and will have none.
func undone(r Record, why Failure, ev Evidence, at time.Time) Record {
	p, o := &r.Payment, &r.Operation
	switch o.Kind {
	case KindConfirm:
		if why == NotSent {
			// The payer's approval still stands: the same confirm may be sent.
			p.State = RequiresAction
			closed(&r, OperationFailed, why)
			o.NextCheckAt = at.Add(payerLook)
			return r
		}
		p.State, p.Failure = Failed, why
	case KindPay:
		p.State, p.Failure = Failed, why
	case KindCapture:
		if p.State != Reversing {
			p.State = Authorized
		}
	case KindVoid:
		switch {
		case o.Reversal:
			p.State = Reversing
		case p.Captured > 0:
			p.State = Succeeded
		default:
			p.State = Authorized
		}
	case KindRefund:
		p.RefundReserved -= o.Amount.Units
		switch {
		case o.Reversal:
			p.State = Reversing
		case p.Refunded > 0:
			p.State = PartiallyRefunded
		default:
			p.State = Succeeded
		}
	}
	p.DeclineCode = ev.DeclineCode
	closed(&r, OperationFailed, why)
	if p.State == Reversing {
		// What was not given back is tried again, ever more slowly. It is never given up without a person.
		delay, _ := AttemptDelay(o.Attempt)
		o.NextCheckAt = at.Add(delay)
	}
	held(&r, at)
	watch(&r, at)
	return r
}

// inDoubt records that nobody knows. A payment that begins becomes UNKNOWN; a follow-up keeps its state.
func inDoubt(r Record, at time.Time) Record {
	r.Operation.State = OperationUnknown
	delay, _ := CheckDelay(r.Operation.Checks, at.Sub(r.Operation.CreatedAt))
	r.Operation.NextCheckAt = at.Add(delay)
	if r.Payment.State == Sending {
		r.Payment.State = Unknown
	}
	return r
}

// closed ends the open operation.
func closed(r *Record, s OperationState, why Failure) {
	r.Operation.State, r.Operation.Failure, r.Operation.NextCheckAt = s, why, never
}

// note keeps the provider's words.
func note(r *Record, ev Evidence) {
	if ev.Code != "" {
		r.Payment.Code, r.Operation.Code = ev.Code, ev.Code
	}
	if ev.DeclineCode != "" {
		r.Operation.DeclineCode = ev.DeclineCode
	}
	if ev.ProviderTransaction != "" {
		r.Operation.ProviderTransaction = ev.ProviderTransaction
		if r.Operation.Kind == KindPay || r.Operation.Kind == KindConfirm {
			r.Payment.ProviderTransaction = ev.ProviderTransaction
		}
	}
	if !ev.AuthorizationEnds.IsZero() {
		r.Payment.AuthorizationEnds = ev.AuthorizationEnds
	}
}

// hold keeps the amounts of a charge that is not as asked, so that they can be given back.
func hold(r *Record, ev Evidence) {
	p := &r.Payment
	if ev.Authorized.Currency == p.Amount.Currency {
		p.Authorized = ev.Authorized.Units
	}
	if ev.Captured.Currency == p.Amount.Currency {
		p.Captured = max(ev.Captured.Units, p.Refunded+p.RefundReserved)
	}
	p.Authorized = max(p.Authorized, p.Captured)
}

// differs compares what the provider said with what was asked. An absent member is no difference.
func differs(r Record, ev Evidence) bool {
	o := r.Operation
	if otherOrder(r, ev) {
		return true
	}
	other := func(a money.Amount) bool { return !a.IsZero() && a != o.Amount }
	switch o.Kind {
	case KindPay, KindConfirm:
		if r.Payment.Capture {
			return other(ev.Captured) || (ev.Captured.IsZero() && other(ev.Authorized))
		}
		return other(ev.Authorized) || (!ev.Captured.IsZero() && ev.Captured.Units != 0)
	case KindCapture:
		return other(ev.Captured)
	case KindRefund:
		return other(ev.Refunded)
	case KindVoid:
		return false
	}
	return false
}

// otherOrder reports whether the provider spoke of another order.
func otherOrder(r Record, ev Evidence) bool {
	return ev.OrderID != "" && ev.OrderID != r.Operation.OrderID
}
