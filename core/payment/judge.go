package payment

import "time"

// Sight is what a search brought for the resolver.
type Sight struct {
	Finding Finding
	// Complete is true if the provider would have shown the operation, had it landed before its search lag.
	Complete bool
	Evidence Evidence
}

// Window is how late the operation in doubt may still land and show.
type Window struct {
	// Landing is how late an accepted call may still move money, Lag how late that may be missing in a search.
	Landing time.Duration
	Lag     time.Duration
	// Margin is added to both: clocks and queues are never exact.
	Margin time.Duration
}

// absencesNeeded is how many searches must not find an operation before that is final.
const absencesNeeded = 3

// Judge says what a search proves about the operation in doubt, as the event to apply; watched is how long, since the check
// before, somebody really watched. "Not found" is final only when everything that was sent must have landed and must
// show, three complete searches after that did not show it, and these were spread over the search lag. Removing this
// window lets a payer hear "not charged" and be charged.
func Judge(r Record, s Sight, w Window, at time.Time, watched time.Duration) Searched {
	o := r.Operation
	e := Searched{
		At: at, Operation: o.ID, Epoch: o.Epoch, Evidence: s.Evidence, WatchedMS: max(watched, 0).Milliseconds(),
	}
	absent := false
	switch o.Kind {
	case KindPay, KindConfirm:
		e.Verdict, absent = charge(r, s)
	case KindCapture:
		e.Verdict, absent = captured(r, s)
	case KindVoid:
		e.Verdict, absent = voided(r, s)
	case KindRefund:
		e.Verdict, absent = refunded(r, s)
	}
	if s.Finding == FindingNothing || (absent && !s.Complete) {
		e.Blind = s.Finding == FindingNothing
		e.KeepAbsences = true // nothing was found out; a record with holes proves no absence either
		return e
	}
	if !absent {
		return e
	}
	total := time.Duration(o.WatchedMS+e.WatchedMS) * time.Millisecond
	needed := w.Landing + w.Lag + w.Margin
	if total < needed {
		e.NextIn = needed - total
		return e
	}
	apart := max(w.Lag/2, time.Second)
	since := total - time.Duration(o.AbsentMS)*time.Millisecond
	if o.Absences > 0 && since < apart {
		// Too soon to count again; what was counted stays.
		e.KeepAbsences, e.NextIn = true, apart-since
		return e
	}
	e.Absent, e.NextIn = true, apart
	if o.Absences+1 >= absencesNeeded {
		e.Verdict = VerdictNotDone
	}
	return e
}

// charge judges a payment in doubt.
func charge(r Record, s Sight) (v Verdict, absent bool) {
	ev := s.Evidence
	switch s.Finding {
	case FindingFound:
		switch {
		case gaveBackAll(r.Payment, ev):
			return VerdictGone, false
		case r.Payment.State == Reversing:
			return VerdictDone, false // held or taken, it is given back
		case r.Payment.Capture && ev.Captured.Units == 0 && !ev.Captured.IsZero() && ev.Authorized.Units > 0:
			return VerdictOpen, false // held, and about to be taken
		}
		return VerdictDone, false
	case FindingEnded:
		return VerdictLapsed, false
	case FindingNotFound:
		return VerdictOpen, true
	case FindingPayerApproved:
		// A confirm in doubt whose payer is still only "approved" has not landed.
		return VerdictOpen, r.Operation.Kind == KindConfirm
	case FindingNothing, FindingInProgress, FindingAwaitingPayer:
	}
	return VerdictOpen, false
}

func captured(r Record, s Sight) (v Verdict, absent bool) {
	switch s.Finding {
	case FindingFound:
		switch {
		case gaveBackAll(r.Payment, s.Evidence):
			return VerdictGone, false
		case s.Evidence.Captured.Units > 0:
			return VerdictDone, false
		}
		return VerdictOpen, true
	case FindingEnded:
		return VerdictLapsed, false
	case FindingNothing, FindingNotFound, FindingInProgress, FindingAwaitingPayer, FindingPayerApproved:
	}
	return VerdictOpen, false
}

func voided(r Record, s Sight) (v Verdict, absent bool) {
	switch s.Finding {
	case FindingFound:
		if gaveBackAll(r.Payment, s.Evidence) {
			return VerdictGone, false
		}
		return VerdictOpen, true
	case FindingEnded:
		return VerdictGone, false
	case FindingNothing, FindingNotFound, FindingInProgress, FindingAwaitingPayer, FindingPayerApproved:
	}
	return VerdictOpen, false
}

func refunded(r Record, s Sight) (v Verdict, absent bool) {
	switch s.Finding {
	case FindingFound:
		switch ev := s.Evidence; {
		case ev.Refunded.IsZero():
			return VerdictOpen, false // the record does not say what was given back
		case ev.Refunded.Units > r.Payment.Refunded:
			return VerdictDone, false
		}
		return VerdictOpen, true
	case FindingEnded:
		return VerdictGone, false
	case FindingNothing, FindingNotFound, FindingInProgress, FindingAwaitingPayer, FindingPayerApproved:
	}
	return VerdictOpen, false
}

// gaveBackAll reports whether everything that was taken has been given back. A record that does not say what was taken is
// held against what we know of it, or else against what was asked.
func gaveBackAll(p Payment, ev Evidence) bool {
	taken := ev.Captured.Units
	if ev.Captured.IsZero() {
		taken = p.Captured
		if taken == 0 {
			taken = p.Amount.Units
		}
	}
	return ev.Refunded.Units > 0 && ev.Refunded.Units >= taken
}

// Owed reports whether the provider still has money of a payment that was promised "not paid".
func (s Sight) Owed(p Payment) bool {
	return s.Finding == FindingFound && !gaveBackAll(p, s.Evidence)
}

// Charge is the evidence of a charge behind a promise of "not paid"; ok is false if the provider holds and has taken nothing. A
// record that names no amount is of the one that was asked for.
func (s Sight) Charge(p Payment) (ev Evidence, ok bool) {
	ev = s.Evidence
	switch {
	case !s.Owed(p):
		return ev, false
	case !ev.Captured.IsZero() || !ev.Authorized.IsZero():
	case p.Capture:
		ev.Captured = p.Amount
	default:
		ev.Authorized = p.Amount
	}
	return ev, ev.Captured.Units > 0 || ev.Authorized.Units > 0
}

// Back reports whether the provider has nothing of the payment any more.
func (s Sight) Back(p Payment) bool {
	return s.Finding == FindingEnded || (s.Finding == FindingFound && gaveBackAll(p, s.Evidence))
}

// PayerDelay is when to look again after a payer who has been asked to act, age after that: every few seconds while the
// payer is likely to hold the telephone, then rarely.
func PayerDelay(age time.Duration) time.Duration {
	switch {
	case age < 2*time.Minute:
		return payerLook
	case age < 30*time.Minute:
		return 20 * time.Second
	case age < 24*time.Hour:
		return 10 * time.Minute
	default:
		return 6 * time.Hour
	}
}
