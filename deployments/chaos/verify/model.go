package verify

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/payrack/payrack/deployments/chaos/record"
)

// checkTime bounds the check of one payment's history.
const checkTime = 10 * time.Second

// step is something that happened to a payment, as its clients and at last the two books saw it.
type step struct {
	kind   string
	amount int64
}

// lost is an answer that was given and never arrived: a stored one may be repeated after a cancellation, because somebody may
// have heard it before.
const lost = "lost"

// The last two steps of a history.
const (
	row    = "row"    // what the database says at the end
	ledger = "ledger" // what the provider says at the end
)

// seen is what a step brought.
type seen struct {
	told record.Told
	// state, live and charges are for the last two steps.
	state    string
	live     int64
	charges  int
	refunded int64
}

// standing is a payment in the model: what was promised about it, and what was given back.
type standing struct {
	promise  record.Told // Nothing, Held, Paid or NotPaid
	undone   bool        // it was held or paid and voided, because a client asked
	captured int64       // of what was held
	refunded int64
}

// sale is what a payment was to be.
type sale struct {
	amount int64
	holds  bool // it authorizes first: only a capture makes it paid
}

// taken is the money that a standing says the provider took.
func (s sale) taken(at standing) int64 {
	if s.holds {
		return at.captured
	}
	return s.amount
}

// model is a payment that does what payrack promises: nothing is promised until something is, then that for ever. Held money may
// become paid, or not paid, because a client asks for it.
func model(what sale) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{standing{}} },
		Step: func(state, input, output any) []any {
			s, in, out := state.(standing), input.(step), output.(seen) //nolint:forcetypeassert // the only types of this model
			var all []any
			for _, after := range transitions(s, in, out, what) {
				all = append(all, after)
			}
			return all
		},
	}
	return m.ToModel()
}

func transitions(s standing, in step, out seen, what sale) []standing {
	switch in.kind {
	case record.Pay, record.Confirm, record.Read:
		return heard(s, in, out, what)
	case lost:
		answered := s
		if s.promise == record.Nothing {
			if answered.promise = record.Paid; what.holds {
				answered.promise = record.Held
			}
		}
		return []standing{s, answered}
	case record.Cancel:
		undone := s
		undone.promise, undone.undone = record.NotPaid, s.undone || s.promise == record.Paid || s.promise == record.Held
		if out.told == record.NotPaid {
			return []standing{undone}
		}
		return []standing{s, undone} // nobody heard whether it had its effect
	case record.Refund:
		given := s
		given.refunded += in.amount
		return effect(s, given, s.promise == record.Paid && given.refunded <= what.taken(s), out)
	case record.Capture:
		taken := s
		taken.promise, taken.captured = record.Paid, in.amount
		return effect(s, taken, s.promise == record.Held && in.amount <= what.amount, out)
	case row:
		return atRest(s, out, what)
	case ledger:
		return inTheBook(s, out, what)
	}
	return nil
}

// effect is what something that was asked for leads to, if it can.
func effect(before, after standing, can bool, out seen) []standing {
	switch {
	case out.told == record.NotDone:
		return []standing{before}
	case out.told == record.Done && can:
		return []standing{after}
	case out.told == record.Done:
		return nil
	case can:
		return []standing{before, after} // nobody heard
	}
	return []standing{before}
}

// heard is an answer about the payment itself.
func heard(s standing, in step, out seen, what sale) []standing {
	stored := in.kind != record.Read // the answer of then may be repeated
	switch out.told {
	case record.Held:
		switch {
		case stored && (s.undone || s.promise == record.Paid):
			return []standing{s}
		case !what.holds || s.promise != record.Nothing && s.promise != record.Held:
			return nil
		}
		s.promise = record.Held
		return []standing{s}
	case record.Paid:
		if stored && s.undone {
			return []standing{s}
		}
		if s.promise == record.NotPaid || what.holds && s.promise != record.Paid {
			return nil
		}
		s.promise = record.Paid
		return []standing{s}
	case record.NotPaid:
		if s.promise == record.Paid || s.promise == record.Held {
			return nil
		}
		s.promise = record.NotPaid
		return []standing{s}
	case record.Pending:
		if s.promise == record.Nothing {
			return []standing{s}
		}
		return nil
	case record.Nothing, record.Done, record.NotDone, record.Refused:
	}
	return []standing{s}
}

// atRest is the row at the end. It may be the first to say what nobody was told.
func atRest(s standing, out seen, what sale) []standing {
	if out.told == record.Nothing || out.told == record.Pending {
		if s.promise != record.Nothing {
			return nil
		}
		return []standing{s}
	}
	if s.promise != record.Nothing && s.promise != out.told || what.holds && out.told == record.Paid && s.promise != record.Paid {
		return nil
	}
	if out.told == record.Paid && out.refunded != s.refunded {
		return nil // what a reversal gives back is no refund of the client's
	}
	s.promise = out.told
	return []standing{s}
}

// inTheBook is the provider's word, after which there is none.
func inTheBook(s standing, out seen, what sale) []standing {
	live, charges := int64(0), out.charges // whatever was charged is given back
	switch s.promise {
	case record.Paid:
		live, charges = what.taken(s)-s.refunded, 1
	case record.Held:
		live, charges = what.amount, 1
	case record.Nothing, record.Pending, record.NotPaid, record.Done, record.NotDone, record.Refused:
	}
	if out.live != live || out.charges != charges {
		return nil
	}
	return []standing{s}
}

// histories is I9: per payment the calls and what they heard are what some order of them could have brought, with the row
// and then the provider's ledger as the last operations.
func (j *judge) histories() {
	books := j.booksByOrder()
	byOrder := map[string]record.Payment{}
	for _, p := range j.Payments { // in the order of their making: the last attempt counts
		byOrder[p.Provider+" "+p.OrderNumber] = p
	}
	for _, order := range slices.Sorted(maps.Keys(j.orders)) {
		calls := j.orders[order]
		key := calls[0].Provider + " " + order
		p := byOrder[key]
		what := sale{amount: p.Amount, holds: calls[0].Holds}
		history := operations(calls)
		last := seen{state: p.State, refunded: p.Refunded, told: statePromise(p.State, p.Failure)}
		var book seen
		for _, b := range books[key] {
			book.live += b.live()
			book.charges += b.charges
		}
		history = append(history,
			porcupine.Operation{Input: step{kind: row}, Output: last, Call: math.MaxInt64 - 4, Return: math.MaxInt64 - 3},
			porcupine.Operation{Input: step{kind: ledger}, Output: book, Call: math.MaxInt64 - 2, Return: math.MaxInt64 - 1})
		j.v.Histories++
		switch porcupine.CheckOperationsTimeout(model(what), history, checkTime) {
		case porcupine.Ok:
		case porcupine.Illegal:
			j.broken("I9", "no order of what happened explains what was heard about %s (%s, %s)", order, p.ID, p.State)
		case porcupine.Unknown:
			j.broken("I9", "the history of %s could not be checked within %s", order, checkTime)
		}
	}
}

// operations are the calls of an order. Cancellations, captures and refunds are one operation for each key, whose effect may come
// at any time from the first try on, until somebody heard of it, or for ever.
func operations(calls []record.Call) []porcupine.Operation {
	var all []porcupine.Operation
	type keyed struct{ kind, key string }
	merged := map[keyed]*porcupine.Operation{}
	var keys []keyed
	for _, c := range calls {
		switch c.Kind {
		case record.Pay, record.Confirm, record.Read:
			if c.Status == 0 && (c.Kind == record.Confirm || c.Kind == record.Pay && !c.Online) {
				all = append(all, porcupine.Operation{Input: step{kind: lost}, Output: seen{}, Call: c.Begin, Return: math.MaxInt64 - 5})
			}
			if c.Kind == record.Pay && c.State == "REQUIRES_ACTION" {
				continue // repeated for ever, whatever became of it
			}
			if c.Told == record.Held || c.Told == record.Paid || c.Told == record.NotPaid || c.Told == record.Pending && c.State != "VOIDING" {
				told := c.Told
				if c.State == "VOIDED" {
					continue // the cancellation says it
				}
				all = append(all, porcupine.Operation{
					Input: step{kind: c.Kind, amount: c.Amount}, Output: seen{told: told}, Call: c.Begin, Return: c.End,
				})
			}
		case record.Cancel, record.Capture, record.Refund:
			k := keyed{c.Kind, c.Key}
			o := merged[k]
			if o == nil {
				o = &porcupine.Operation{Input: step{kind: c.Kind, amount: c.Amount}, Output: seen{}, Call: c.Begin, Return: math.MaxInt64 - 5}
				merged[k] = o
				keys = append(keys, k)
			}
			o.Call = min(o.Call, c.Begin)
			if definite(c) && c.End < o.Return {
				o.Output, o.Return = seen{told: c.Told}, c.End
			}
		}
	}
	for _, k := range keys {
		all = append(all, *merged[k])
	}
	return all
}

func definite(c record.Call) bool {
	return c.Told == record.NotPaid || c.Told == record.Done || c.Told == record.NotDone
}

// statePromise is what the state of a row promises.
func statePromise(state, failure string) record.Told {
	switch state {
	case "SUCCEEDED", "REFUNDED", "PARTIALLY_REFUNDED":
		return record.Paid
	case "AUTHORIZED":
		return record.Held
	case "FAILED":
		if failure == "not_sent" {
			return record.Nothing
		}
		return record.NotPaid
	case "REVERSED", "VOIDED", "EXPIRED", "REVERSING":
		return record.NotPaid
	}
	return record.Nothing
}
