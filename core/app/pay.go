package app

import (
	"context"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/failpoint"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// payments implements inbound.Payments.
type payments struct{ *App }

// Pay starts a payment, or answers for the one that the same keys started before.
func (a payments) Pay(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return a.patient(ctx, c, a.pay)
}

func (a payments) pay(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	id := payment.ID(a.IDs.New())
	session, err := a.hold(ctx, outbound.Route{Type: c.Type, Payment: id, Store: storeOf(c), Environment: c.Environment})
	if fault.KindOf(err) == fault.Unavailable {
		return a.whileDown(ctx, c, err)
	}
	if err != nil {
		return inbound.Reply{}, err
	}
	defer session.Close()

	d, err := a.draft(ctx, session, catalogue.Pay, c)
	if err != nil {
		return inbound.Reply{}, err
	}
	change, err := a.intent(ctx, id, 1, d)
	if err != nil {
		return inbound.Reply{}, err
	}
	if refusal := d.refusal(); refusal != nil {
		return a.whileRefused(ctx, session, change, d, refusal)
	}
	// Whoever sends the same request from now on finds this one running.
	finished := a.running.begin(change.Record.Payment.ID)
	defer finished()

	// The intent is durable before the first byte leaves: if this process dies in the next line, recovery
	// still knows which payment to ask about.
	failpoint.Hit("b")
	failpoint.During("c")
	committed, err := a.Ledger.Commit(context.WithoutCancel(ctx), change)
	if err == nil && committed.Loss == outbound.LostAttempt {
		// The order number was used before: the provider must not take this attempt for that one.
		if change, err = a.intent(ctx, id, committed.Attempts+1, d); err != nil {
			return inbound.Reply{}, err
		}
		committed, err = a.Ledger.Commit(context.WithoutCancel(ctx), change)
	}
	switch {
	case err != nil:
		a.abandon(ctx, change.Record)
		return inbound.Reply{}, notRecorded(err)
	case committed.Loss == outbound.NoLoss:
		return a.execute(ctx, session, change.Record, d)
	case committed.Loss == outbound.LostClaim:
		finished()
		return a.again(ctx, session, committed.Claims, change, d)
	default:
		return a.taken(ctx, committed.Payment, d)
	}
}

// whileRefused answers a request that charges an approval which has ended, or with a credential set that is switched off. A new
// one is refused with nothing sent. One that repeats an earlier request must not hear that: it may have been paid before, perhaps
// with the very charge that ended the approval.
func (a payments) whileRefused(
	ctx context.Context, session outbound.Session, mine outbound.Change, d draft, refusal error,
) (inbound.Reply, error) {
	if keys := a.claimKeys(mine.Record.Payment, payment.KindPay, d); len(keys) > 0 {
		held, err := a.Ledger.Claimed(ctx, keys)
		if err != nil {
			return inbound.Reply{}, err
		}
		if len(held) > 0 {
			return a.repeated(ctx, session, held, mine.Record, mine.Claims, d)
		}
	}
	return a.unlessTaken(ctx, mine.Record.Payment, d, refusal)
}

// intent makes the change that must be durable before anything is sent.
func (a payments) intent(ctx context.Context, id payment.ID, attempt int, d draft) (outbound.Change, error) {
	now := a.Clock.Now()
	p := payment.Payment{
		ID: id, Company: d.command.Principal.Company, Environment: d.command.Environment, Store: d.set.store,
		Type: d.described.Name, Provider: d.described.Provider, Account: d.set.account, Wire: d.set.wire,
		OrderNumber: d.form.OrderNumber, Attempt: attempt, Amount: d.form.Amount, Capture: d.form.Capture == nil || *d.form.Capture,
		ReturnURL: d.form.ReturnURL, CancelURL: d.form.CancelURL, Mandate: d.mandate,
		CredentialRef: d.set.ref, Release: releaseOf(d.described),
	}
	o, err := a.operation(ctx, p, d, payment.KindPay, p.Amount)
	if err != nil {
		return outbound.Change{}, err
	}
	if o.OrderID, err = a.orderID(ctx, p); err != nil {
		return outbound.Change{}, err
	}
	r, err := payment.Begin(p, o, now)
	if err != nil {
		return outbound.Change{}, err
	}
	change := chainedWith(r, "payment.sending", now, d.asked)
	change.NewOperation = true
	change.Claims = a.claims(r, d)
	return change, nil
}

// operation is one call that may be sent until its deadline.
func (a *App) operation(
	ctx context.Context, p payment.Payment, d draft, k payment.Kind, amount money.Amount,
) (payment.Operation, error) {
	o := payment.Operation{
		ID: payment.OperationID(a.IDs.New()), Payment: p.ID, Kind: k, Amount: amount,
		RequestID: d.form.RequestID, OwnerBoot: a.Boot,
		SendDeadline: a.Clock.Now().Add(d.promises.MaxDuration + a.SendMargin),
		Release:      releaseOf(d.described), TraceID: d.command.TraceID,
	}
	if p.CredentialRef != "" {
		return o, nil
	}
	// A payment without a stored credential could never be resolved after a crash; this one is erased when the payment is
	// settled.
	sealed, err := a.Secrets.Seal(ctx, requestCredential(p, o.ID), d.set.plain)
	if err != nil {
		return payment.Operation{}, err
	}
	o.SealedCredential = sealed
	return o, nil
}

func releaseOf(t catalogue.Type) string { return t.Provider + "@" + t.Version }

// storeOf reads the store of the envelope: absent, "" and "0" all stand for the company itself.
func storeOf(c inbound.Native) company.StoreID {
	if c.Store == nil || *c.Store == "0" {
		return company.OwnStore
	}
	return company.StoreID(*c.Store)
}
