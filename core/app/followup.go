package app

import (
	"context"
	"slices"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/failpoint"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// Confirm finishes a payment that the payer approved.
func (a payments) Confirm(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return a.patient(ctx, c, a.confirm)
}

// Capture takes all or part of an authorized amount.
func (a payments) Capture(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return a.patient(ctx, c, func(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
		return a.follow(ctx, c, catalogue.Capture, payment.KindCapture)
	})
}

// Void gives up an authorization, or a charge that the provider can still cancel.
func (a payments) Void(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return a.patient(ctx, c, func(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
		return a.follow(ctx, c, catalogue.Void, payment.KindVoid)
	})
}

// Refund gives back all or part of what was taken.
func (a payments) Refund(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return a.patient(ctx, c, func(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
		return a.follow(ctx, c, catalogue.Refund, payment.KindRefund)
	})
}

// followTries is how often a follow-up is decided anew because the payment moved meanwhile.
const followTries = 5

// follow performs an operation on a payment that exists.
func (a payments) follow(
	ctx context.Context, c inbound.Native, k catalogue.Kind, kind payment.Kind,
) (inbound.Reply, error) {
	r, session, d, err := a.found(ctx, c, k)
	if err != nil {
		return inbound.Reply{}, err
	}
	defer session.Close()
	if err := keyed(kind, d); err != nil {
		return inbound.Reply{}, err
	}
	return a.proceed(ctx, session, r, kind, d)
}

// keyed refuses what gives money back without a key: a repeated request could not be told from a second one.
func keyed(kind payment.Kind, d draft) error {
	if kind != payment.KindRefund && kind != payment.KindVoid {
		return nil
	}
	if d.command.IdempotencyKey != "" || (d.form.RequestID != "" && d.command.Neutral == nil) {
		return nil
	}
	return fault.New(fault.Invalid, "idempotency_key_required",
		"send the header Idempotency-Key, or a request id, so that a repeated request is not done twice")
}

// proceed begins an operation on a payment, or answers for the one that the same keys began.
func (a payments) proceed(
	ctx context.Context, session outbound.Session, r payment.Record, kind payment.Kind, d draft,
) (inbound.Reply, error) {
	for range followTries {
		like, reply, answered, err := a.before(ctx, session, r, kind, d)
		if err != nil || answered {
			return reply, err
		}
		change, err := a.begin(ctx, r, kind, d, like)
		if err != nil {
			return inbound.Reply{}, about(err, r)
		}
		reply, lost, err := a.commence(ctx, session, r, change, d)
		if err != nil || !lost {
			return reply, err
		}
		if r, err = a.Ledger.Load(ctx, r.Payment.Company, r.Payment.ID); err != nil {
			return inbound.Reply{}, err
		}
	}
	return inbound.Reply{}, inProgress(string(r.Payment.ID))
}

// before looks whether the same request began an operation already. Answered says that reply is what it hears; else like
// names the first try, if that one was never sent. The payment was read before its keys: whoever uses them after this look
// moves its version.
func (a payments) before(
	ctx context.Context, session outbound.Session, r payment.Record, kind payment.Kind, d draft,
) (like payment.Operation, reply inbound.Reply, answered bool, err error) {
	keys := a.claimKeys(r.Payment, kind, d)
	if len(keys) == 0 {
		return like, reply, false, nil
	}
	held, err := a.Ledger.Claimed(ctx, keys)
	if err != nil || len(held) == 0 {
		return like, reply, false, err
	}
	wanted := r
	wanted.Operation.Kind, wanted.Operation.Amount = kind, wantedAmount(r.Payment, kind, d.form.Amount)
	mine := a.claims(wanted, d)
	if like.RetryOf = unsent(held, mine); like.RetryOf != "" {
		return like, reply, false, nil
	}
	reply, err = a.repeated(ctx, session, held, wanted, mine, d)
	return like, reply, true, err
}

// unsent is the operation that the same request began before and that was never sent, so that it may begin again; empty if
// there is none such.
func unsent(held []outbound.Held, mine []outbound.Claim) payment.OperationID {
	var first payment.OperationID
	for _, h := range held {
		o := h.Record.Operation
		same := slices.ContainsFunc(mine, func(c outbound.Claim) bool {
			return c.ClaimKey == h.Claim.ClaimKey && c.Fingerprint == h.Claim.Fingerprint
		})
		if !same || o.State != payment.OperationFailed || o.Failure != payment.NotSent || (first != "" && first != h.Claim.Operation) {
			return ""
		}
		first = h.Claim.Operation
	}
	return first
}

// commence commits an intent on a payment that exists and performs it; lost says that the payment has moved.
func (a payments) commence(
	ctx context.Context, session outbound.Session, r payment.Record, change outbound.Change, d draft,
) (reply inbound.Reply, lost bool, err error) {
	finished := a.running.begin(r.Payment.ID)
	defer finished()
	failpoint.Hit("b")
	failpoint.During("c")
	committed, err := a.Ledger.Commit(context.WithoutCancel(ctx), change)
	switch {
	case err != nil:
		a.abandon(ctx, change.Record)
		return inbound.Reply{}, false, notRecorded(err)
	case committed.Loss == outbound.LostClaim:
		finished()
		reply, err = a.again(ctx, session, committed.Claims, change, d)
		return reply, false, err
	case committed.Loss != outbound.NoLoss:
		return inbound.Reply{}, true, nil
	}
	reply, err = a.execute(ctx, session, change.Record, d)
	return reply, false, err
}

// begin makes the intent of an operation on a payment that exists. like carries what the caller fixes: Reversal and Attempt.
func (a *App) begin(
	ctx context.Context, r payment.Record, kind payment.Kind, d draft, like payment.Operation,
) (outbound.Change, error) {
	o, err := a.operation(ctx, r.Payment, d, kind, wantedAmount(r.Payment, kind, d.form.Amount))
	if err != nil {
		return outbound.Change{}, err
	}
	o.OrderID, o.Reversal, o.Attempt, o.RetryOf = r.Operation.OrderID, like.Reversal, like.Attempt, like.RetryOf
	o.RefundIDsSeen = seen(r.Operation)
	now := a.Clock.Now()
	next, err := payment.Apply(r, payment.Begun{At: now, Operation: o})
	if err != nil {
		return outbound.Change{}, err
	}
	change := chainedWith(next, eventName(next.Payment.State), now, d.asked)
	change.Version, change.NewOperation = r.Payment.Version, true
	if !like.Reversal && like.RetryOf == "" {
		change.Claims = a.claims(next, d) // a retry is found by the keys of the first try
	}
	return change, nil
}

// seen are the provider's ids of refunds that are known.
func seen(o payment.Operation) []string {
	ids := append([]string(nil), o.RefundIDsSeen...)
	if o.Kind == payment.KindRefund && o.ProviderTransaction != "" {
		ids = append(ids, o.ProviderTransaction)
	}
	return ids
}

// wantedAmount is the amount of a follow-up: what was asked for, else all that is left.
func wantedAmount(p payment.Payment, kind payment.Kind, asked money.Amount) money.Amount {
	left := money.Amount{Units: p.Amount.Units, Currency: p.Amount.Currency}
	switch kind {
	case payment.KindPay, payment.KindConfirm:
		return left
	case payment.KindCapture:
		left.Units = p.Authorized
	case payment.KindRefund:
		left.Units = p.Captured - p.Refunded - p.RefundReserved
	case payment.KindVoid:
		left.Units = max(p.Authorized, p.Captured, 1)
		return left
	}
	if !asked.IsZero() {
		return asked
	}
	return left
}

// about names the payment in an error of the state machine, and when to come back where that helps.
func about(err error, r payment.Record) error {
	f, ok := asFault(err)
	if !ok {
		return err
	}
	named := *f
	named.Payment = string(r.Payment.ID)
	if named.Code == "operation_open" {
		named.RetryAfter = retryAfter
	}
	return &named
}

// confirm finishes a payment; one that is confirmed already answers as it did then.
func (a payments) confirm(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	r, session, d, err := a.found(ctx, c, catalogue.Confirm)
	if err != nil {
		return inbound.Reply{}, err
	}
	defer session.Close()
	if !d.form.Amount.IsZero() && d.form.Amount != r.Payment.Amount {
		return inbound.Reply{}, &fault.Error{
			Kind: fault.Conflict, Code: "amount_differs", Payment: string(r.Payment.ID),
			Message: "a payment is confirmed with the amount and currency that it was started with",
		}
	}
	for range followTries {
		if r.Operation.Kind == payment.KindConfirm && r.Payment.State != payment.RequiresAction {
			return a.confirmed(ctx, session, r, d)
		}
		like, reply, answered, err := a.before(ctx, session, r, payment.KindConfirm, d)
		if err != nil || answered {
			return reply, err
		}
		change, err := a.begin(ctx, r, payment.KindConfirm, d, like)
		if err != nil {
			return inbound.Reply{}, about(err, r)
		}
		reply, lost, err := a.commence(ctx, session, r, change, d)
		if err != nil || !lost {
			return reply, err
		}
		if r, err = a.Ledger.Load(ctx, r.Payment.Company, r.Payment.ID); err != nil {
			return inbound.Reply{}, err
		}
	}
	return inbound.Reply{}, inProgress(string(r.Payment.ID))
}

// confirmed answers for the confirm that was begun already.
func (a payments) confirmed(ctx context.Context, session outbound.Session, r payment.Record, d draft) (inbound.Reply, error) {
	session.Close()
	if r.Operation.Open() {
		began(ctx, pending(r, outbound.Answer{}, d))
	}
	if err := a.running.wait(ctx, r.Payment.ID); err != nil {
		return pending(r, outbound.Answer{}, d), nil //nolint:nilerr // the confirm that runs has the answer
	}
	return a.fromRow(ctx, r, d)
}
