package app

import (
	"context"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// Recheck asks the provider about one payment now. What the answer calls for is done as if the payment had been due: an open
// outcome is settled if it can be, and money behind a "not paid" is given back. Of any other payment nothing is asked.
func (a recovery) Recheck(ctx context.Context, id payment.ID) (payment.Record, error) {
	r, err := a.Ledger.Load(ctx, "", id)
	if err != nil {
		return payment.Record{}, err
	}
	due := !r.Operation.NextCheckAt.IsZero()
	if !due && r.Payment.State != payment.Failed {
		return r, nil
	}
	if !a.watching.enter(r.Payment) {
		return payment.Record{}, fault.New(fault.Limited, "busy", "the provider is asked about many payments just now; try again in a few seconds")
	}
	defer a.watching.leave(r.Payment)
	ctx = unheard(context.WithoutCancel(ctx))
	if due {
		claimed, err := a.Ledger.Due(ctx, outbound.DueQuery{Boot: a.Boot, Payment: id, Limit: 1, Lease: claimLease})
		if err != nil {
			return payment.Record{}, err
		}
		if len(claimed) == 0 {
			return r, nil // it is being asked about, or was within outbound.PullPause
		}
		r = claimed[0]
	}
	ordinary := func(ctx context.Context, r payment.Record) (payment.Record, bool, error) { return a.step(ctx, r, true) }
	step := ordinary
	if r.Payment.State == payment.Failed {
		step = a.reask
	}
	for range maxSteps {
		next, more, err := step(ctx, r)
		if err != nil {
			return payment.Record{}, err
		}
		if !more {
			break
		}
		r, step = next, ordinary
	}
	return a.Ledger.Load(ctx, "", id)
}

// reask looks for money behind a "not paid". Unlike the schedule, who asks by hand has to know when nobody could say.
func (a recovery) reask(ctx context.Context, r payment.Record) (payment.Record, bool, error) {
	session, err := a.trusted(ctx, r.Payment)
	if err != nil {
		return payment.Record{}, false, err
	}
	defer session.Close()
	set, err := a.setOf(ctx, r)
	if err != nil {
		return payment.Record{}, false, err
	}
	sight, found := a.look(ctx, session, r, set)
	if found.Failed {
		return payment.Record{}, false, fault.New(fault.Unavailable, "provider_unavailable",
			"the provider did not say what became of this payment ("+found.Reason+"); nothing was changed, try again later")
	}
	if _, charged := sight.Charge(r.Payment); charged {
		// After the look, not before: whatever was sent under this id and seen by it had been written down by then.
		heir, err := a.heir(ctx, r)
		if err != nil {
			return payment.Record{}, false, err
		}
		if heir != "" {
			return payment.Record{}, false, &fault.Error{
				Kind: fault.Conflict, Code: "order_used_again", Payment: string(heir),
				Message: "payment " + string(heir) + " was sent under the same order id, and the charge is its own; nothing was changed, look at that one",
			}
		}
	}
	return a.observe(ctx, session, r, set, sight)
}
