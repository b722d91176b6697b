package app

import (
	"context"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// Cancel makes "not paid" the promise of a payment.
func (a payments) Cancel(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return a.patient(ctx, c, a.cancel)
}

func (a payments) cancel(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	k, err := a.cancelKind(ctx, c)
	if err != nil {
		return inbound.Reply{}, err
	}
	r, session, d, err := a.found(ctx, c, k)
	if err != nil {
		return inbound.Reply{}, err
	}
	defer session.Close()
	if err := keyed(payment.KindVoid, d); err != nil {
		return inbound.Reply{}, err
	}
	for range followTries {
		state := r.Payment.State
		if state == payment.Failed && r.Payment.Failure == payment.NotSent {
			state = payment.Unknown // the same request could still be sent again: "not paid" has to be made true first
		}
		switch state {
		case payment.Sending, payment.Unknown, payment.Mismatch, payment.RequiresAction:
			next, won, err := a.promise(ctx, r, payment.ReverseWanted{At: a.Clock.Now(), By: "company"})
			if err != nil {
				return inbound.Reply{}, about(err, r)
			}
			if won {
				a.pull(ctx, next)
				return a.reversing(next, d), nil
			}
		case payment.Reversing, payment.Reversed, payment.Failed, payment.Voided, payment.Expired:
			// Nothing is charged, or nothing will be: that is what was asked for.
			return a.reversing(r, d), nil
		case payment.Authorized, payment.Succeeded, payment.Voiding:
			if k != catalogue.Void {
				return inbound.Reply{}, refundInstead(r)
			}
			return a.proceed(ctx, session, r, payment.KindVoid, d)
		case payment.Capturing, payment.Refunding:
			return inbound.Reply{}, inProgress(string(r.Payment.ID))
		case payment.Refunded, payment.PartiallyRefunded, payment.Review:
			return inbound.Reply{}, refundInstead(r)
		}
		if r, err = a.Ledger.Load(ctx, r.Payment.Company, r.Payment.ID); err != nil {
			return inbound.Reply{}, err
		}
	}
	return inbound.Reply{}, inProgress(string(r.Payment.ID))
}

func refundInstead(r payment.Record) error {
	return &fault.Error{
		Kind: fault.Conflict, Code: "not_allowed_in_state", Payment: string(r.Payment.ID),
		Message: "a payment in state " + string(r.Payment.State) + " cannot be cancelled; refund what is left of it",
	}
}

// cancelKind is the operation whose columns a cancellation is written in: the void's, or where the provider has none the
// search's.
func (a payments) cancelKind(ctx context.Context, c inbound.Native) (catalogue.Kind, error) {
	name := c.Type
	if c.Neutral != nil {
		r, err := a.Ledger.Load(ctx, c.Principal.Company, c.Neutral.Payment)
		if err != nil {
			return "", err
		}
		name = r.Payment.Type
	}
	t, ok := a.described(name)
	if _, voids := t.Find(catalogue.Void); voids || !ok {
		return catalogue.Void, nil // an unknown type is refused where it is opened
	}
	return catalogue.Search, nil
}

// promise commits a change that the resolver or a company decides on, without any call; won is false if the payment
// moved meanwhile.
func (a *App) promise(ctx context.Context, r payment.Record, e payment.Event) (payment.Record, bool, error) {
	next, err := payment.Apply(r, e)
	if err != nil {
		return payment.Record{}, false, err
	}
	return a.commit(ctx, r, next)
}

// commit makes a record durable that follows from r.
func (a *App) commit(ctx context.Context, r, next payment.Record) (payment.Record, bool, error) {
	change := chained(next, eventName(next.Payment.State), next.Payment.UpdatedAt)
	change.Version, change.Epoch, change.Settled = r.Payment.Version, r.Operation.Epoch, settled(next)
	committed, err := a.Ledger.Commit(context.WithoutCancel(ctx), change)
	if err != nil {
		return payment.Record{}, false, err
	}
	return change.Record, committed.Loss == outbound.NoLoss, nil
}
