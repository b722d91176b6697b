package payment

import (
	"slices"
	"time"

	"github.com/payrack/payrack/core/fault"
)

// fenced takes an operation over: the epoch grows, so that the old owner's answer is refused from now on.
// An operation that was being sent is in doubt from here.
func fenced(r Record, e Fenced) (Record, error) {
	if !r.Operation.Open() || r.Payment.State == Review {
		return Record{}, fault.New(fault.Conflict, "not_open", "no operation of this payment is open")
	}
	if e.Epoch <= r.Operation.Epoch {
		return Record{}, fault.New(fault.Conflict, "fenced", "another process took the operation over first")
	}
	r.Operation.Epoch, r.Operation.OwnerBoot = e.Epoch, e.Boot
	if r.Operation.State == OperationSending {
		return inDoubt(r, e.At), nil
	}
	return r, nil
}

// searched records what a search proved about the operation in doubt.
func searched(r Record, e Searched) (Record, error) {
	o := &r.Operation
	if o.State != OperationUnknown {
		return Record{}, fault.New(fault.Conflict, "not_in_doubt", "the operation is not in doubt")
	}
	if !e.Pulled && !e.Blind {
		o.Checks++
	}
	o.WatchedMS += e.WatchedMS
	switch {
	case e.Absent:
		o.Absences, o.AbsentMS = o.Absences+1, o.WatchedMS
	case !e.KeepAbsences:
		o.Absences, o.AbsentMS = 0, 0
	}
	note(&r, found(r, e.Evidence))
	if r.Payment.State == Mismatch {
		// Money was seen that nobody asked for. No search makes that right; it is reversed, or reviewed.
		hold(&r, e.Evidence)
		return ask(r, e), nil
	}
	switch e.Verdict {
	case VerdictDone:
		ev := e.Evidence
		if o.Kind == KindRefund && !ev.Refunded.IsZero() {
			// A search names the sum of all refunds, an answer only this one.
			ev.Refunded.Units -= r.Payment.Refunded
		}
		return done(r, ev, e.At)
	case VerdictNotDone:
		if (o.Kind == KindPay || o.Kind == KindConfirm) && (r.Payment.Captured > 0 || r.Payment.Authorized > 0) {
			// Money was seen, and now nothing is found: whose it was is for people to understand.
			r.Payment.State, o.NextCheckAt = Review, never
			return r, nil
		}
		return undone(r, NotCharged, e.Evidence, e.At), nil
	case VerdictGone:
		return gone(r, e.At), nil
	case VerdictLapsed:
		return lapsed(r, e.At), nil
	case VerdictOpen:
		return ask(r, e), nil
	}
	return ask(r, e), nil
}

// found is a search's evidence as the operation in doubt may keep it. A search names the charge; of a refund's own id it
// says something only if exactly one is new.
func found(r Record, ev Evidence) Evidence {
	if r.Operation.Kind == KindPay || r.Operation.Kind == KindConfirm {
		return ev
	}
	ev.ProviderTransaction = ""
	if r.Operation.Kind != KindRefund {
		return ev
	}
	for _, id := range ev.RefundIDs {
		if slices.Contains(r.Operation.RefundIDsSeen, id) {
			continue
		}
		if ev.ProviderTransaction != "" {
			ev.ProviderTransaction = ""
			return ev
		}
		ev.ProviderTransaction = id
	}
	return ev
}

// ask plans the next check, or gives up to a person when they are used up.
func ask(r Record, e Searched) Record {
	delay, ok := CheckDelay(r.Operation.Checks, e.At.Sub(r.Operation.CreatedAt))
	if !ok {
		r.Payment.State, r.Operation.NextCheckAt = Review, never
		return r
	}
	if e.Blind {
		delay = BlindDelay(e.At.Sub(r.Operation.CreatedAt))
	}
	if e.NextIn > 0 {
		delay = min(delay, e.NextIn)
	}
	r.Operation.NextCheckAt = e.At.Add(delay)
	return r
}

// gone: what was held or taken has been given back in full, by us or by the provider.
func gone(r Record, at time.Time) Record {
	p := &r.Payment
	switch p.State {
	case Reversing:
		p.Refunded, p.RefundReserved = p.Captured, 0
		p.State = Reversed
	case Capturing:
		p.State = Reversed
	case Voiding:
		p.State, p.Refunded = Voided, p.Captured
	case Refunding:
		p.Refunded, p.RefundReserved = p.Captured, 0
		p.State = Refunded
	case Unknown, Sending:
		// Landed and given back before anybody saw it: the payer was not charged.
		p.State, p.Failure = Failed, NotCharged
	case Mismatch, Review, RequiresAction, Authorized, Succeeded, Failed, Reversed, Voided, Refunded,
		PartiallyRefunded, Expired:
		p.State = Review
		r.Operation.State, r.Operation.NextCheckAt = OperationUnknown, never
		return r
	}
	closed(&r, OperationSucceeded, "")
	watch(&r, at)
	return r
}

// lapsed: the provider says cancelled or expired.
func lapsed(r Record, at time.Time) Record {
	p := &r.Payment
	switch p.State {
	case Capturing:
		p.State, p.Failure = Failed, NotCharged
	case Voiding:
		p.State, p.Refunded = Voided, p.Captured
	case Reversing:
		p.State = Reversed
		p.Refunded, p.RefundReserved = p.Captured, 0
		if p.Captured == 0 {
			p.Authorized = 0
		}
	case Unknown, Sending:
		p.State, p.Failure = Failed, NotCharged
	case RequiresAction, Authorized, Refunding, Succeeded, Failed, Reversed, Voided, Refunded,
		PartiallyRefunded, Expired, Mismatch, Review:
		p.State = Review
		r.Operation.State, r.Operation.NextCheckAt = OperationUnknown, never
		return r
	}
	closed(&r, OperationFailed, NotCharged)
	watch(&r, at)
	return r
}

// watch puts a payment that was told "not charged" on the watch list: a charge that turns up late is given back.
func watch(r *Record, at time.Time) {
	if r.Payment.State != Failed || r.Payment.Failure != NotCharged {
		return
	}
	if delay, ok := WatchDelay(0); ok {
		r.Operation.NextCheckAt = at.Add(delay)
	}
}

// observed records a look at the provider while no operation is open.
func observed(r Record, e Observed) (Record, error) {
	if r.Operation.Open() {
		return Record{}, fault.New(fault.Conflict, "operation_open", "an operation of this payment is open")
	}
	note(&r, found(r, e.Evidence))
	r.Operation.NextCheckAt = e.NextAt
	s := &r.Payment.State
	switch {
	case e.Verdict == VerdictOpen && *s == Reversing:
		hold(&r, e.Evidence)
		if back := e.Evidence.Refunded; back.Currency == r.Payment.Amount.Currency {
			// A part was given back past us: only the rest is owed.
			r.Payment.Refunded = max(r.Payment.Refunded, min(back.Units, r.Payment.Captured-r.Payment.RefundReserved))
		}
	case e.Verdict == VerdictOpen && (*s == RequiresAction || *s == Authorized):
	case *s == RequiresAction && e.Verdict == VerdictLapsed, *s == Authorized && e.Verdict == VerdictLapsed:
		*s = Expired
	case *s == RequiresAction && e.Verdict == VerdictNotDone:
		*s, r.Payment.Failure = Failed, NotCharged
	case *s == Reversing && (e.Verdict == VerdictGone || e.Verdict == VerdictLapsed):
		r.Payment.Refunded, r.Payment.RefundReserved = r.Payment.Captured, 0
		*s = Reversed
	default:
		return Record{}, refused(*s, "be observed so")
	}
	return r, nil
}

// reverseWanted makes "not paid" the promise while the outcome is open.
func reverseWanted(r Record, e ReverseWanted) (Record, error) {
	switch r.Payment.State {
	case Unknown, Mismatch, RequiresAction:
	case Failed:
		// What was never sent may be sent again by the same request, until somebody was told "not paid".
		if r.Payment.Failure != NotSent {
			return Record{}, refused(r.Payment.State, "be cancelled")
		}
		r.Payment.Failure = ""
	case Sending:
		if r.Operation.State == OperationSending {
			// The owner may still get its answer; it finds the promise already made.
			r.Operation.Epoch++
			r.Operation.State = OperationUnknown
		}
	case Authorized, Capturing, Voiding, Refunding, Succeeded, Reversing, Reversed, Voided, Refunded,
		PartiallyRefunded, Expired, Review:
		return Record{}, fault.New(fault.Conflict, "not_allowed_in_state",
			"a payment in state "+string(r.Payment.State)+" cannot be cancelled this way")
	}
	r.Payment.State = Reversing
	r.Operation.NextCheckAt = e.At
	return r, nil
}

// reviewed records the decision of two people.
func reviewed(r Record, e Reviewed) (Record, error) {
	if r.Payment.State != Review {
		return Record{}, refused(r.Payment.State, "be reviewed")
	}
	if e.Actor == "" || e.Approver == "" || e.Actor == e.Approver {
		return Record{}, fault.New(fault.Forbidden, "two_people", "a review needs an actor and another approver")
	}
	if !Allowed(Review, e.To) {
		return Record{}, fault.New(fault.Invalid, "not_a_final_state", "a review ends in a final state, not in "+string(e.To))
	}
	p := &r.Payment
	p.State, p.RefundReserved = e.To, 0
	if !e.Captured.IsZero() {
		p.Captured = e.Captured.Units
	}
	if !e.Refunded.IsZero() {
		p.Refunded = e.Refunded.Units
	}
	p.Authorized = max(p.Authorized, p.Captured)
	if e.To == Authorized && !p.Capture && p.Authorized == 0 {
		// A hold whose answer never came: what is held is what was asked for, or it would be another decision.
		p.Authorized = p.Amount.Units
	}
	fits := p.Refunded <= p.Captured
	ok := true
	switch e.To {
	case Failed:
		p.Failure = NotCharged
	case Succeeded:
		ok = p.Captured > 0 && p.Refunded == 0
	case PartiallyRefunded:
		ok = p.Refunded > 0 && p.Refunded < p.Captured
	case Refunded:
		ok = p.Captured > 0 && p.Refunded == p.Captured
	case Authorized:
		ok = p.Captured == 0 && p.Refunded == 0 && p.Authorized > 0
	case Sending, RequiresAction, Capturing, Voiding, Refunding, Unknown, Reversing, Reversed, Voided, Expired,
		Mismatch, Review:
	}
	if !ok || !fits {
		return Record{}, fault.New(fault.Invalid, "amounts_do_not_fit", "the amounts do not fit the state "+string(e.To))
	}
	closed(&r, OperationSucceeded, "")
	held(&r, e.At)
	return r, nil
}

// orphanFound: the promise "not paid" stands, and money is there all the same. It is given back. A decline or a "not sent" is
// no less a promise: the release that read the answer may have been wrong.
func orphanFound(r Record, e OrphanFound) (Record, error) {
	if r.Payment.State != Failed {
		return Record{}, refused(r.Payment.State, "have an orphan charge")
	}
	if e.Evidence.Captured.Units <= 0 && e.Evidence.Authorized.Units <= 0 {
		return Record{}, fault.New(fault.Invalid, "no_amount", "an orphan charge needs the amount that was found")
	}
	note(&r, e.Evidence)
	hold(&r, e.Evidence)
	r.Payment.State, r.Payment.Failure = Reversing, ""
	r.Operation.State = OperationSucceeded
	r.Operation.NextCheckAt = e.At
	return r, nil
}
