package app

import (
	"context"
	"time"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/failpoint"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/native"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// giveUpAfter is when a promise of "not paid" that cannot be kept goes to people.
const giveUpAfter = 7 * 24 * time.Hour

// observe does what a look at a payment without an open operation calls for.
func (a *App) observe(
	ctx context.Context, session outbound.Session, r payment.Record, set credentialSet, s payment.Sight,
) (payment.Record, bool, error) {
	now := a.Clock.Now()
	later := payment.Observed{
		At: now, Verdict: payment.VerdictOpen, NextAt: now.Add(payment.PayerDelay(now.Sub(r.Operation.CreatedAt))),
	}
	switch r.Payment.State {
	case payment.Reversing:
		return a.giveBack(ctx, session, r, set, s, later)
	case payment.RequiresAction:
		return a.payer(ctx, session, r, set, s, later)
	case payment.Authorized:
		if s.Finding == payment.FindingEnded {
			return a.noMore(a.decide(ctx, r, payment.Observed{At: now, Verdict: payment.VerdictLapsed, Evidence: s.Evidence}))
		}
		later.NextAt = now.Add(24 * time.Hour)
		return a.noMore(a.decide(ctx, r, later))
	case payment.Failed:
		// On the watch list: a charge that turns up after "not charged" is given back, and somebody must know.
		if ev, ok := s.Charge(r.Payment); ok {
			return a.decide(ctx, r, payment.OrphanFound{At: now, Evidence: ev})
		}
	case payment.Sending, payment.Capturing, payment.Voiding, payment.Refunding, payment.Succeeded, payment.Unknown,
		payment.Reversed, payment.Voided, payment.Refunded, payment.PartiallyRefunded, payment.Expired, payment.Mismatch,
		payment.Review:
	}
	return r, false, nil
}

// giveBack keeps the promise "not paid": what the provider has is given back, until a search shows that it has nothing.
func (a *App) giveBack(
	ctx context.Context, session outbound.Session, r payment.Record, set credentialSet, s payment.Sight, later payment.Observed,
) (payment.Record, bool, error) {
	switch {
	case s.Back(r.Payment), a.neverTaken(session, r) && untouched(s):
		return a.noMore(a.decide(ctx, r, payment.Observed{At: later.At, Verdict: payment.VerdictGone, Evidence: s.Evidence}))
	case s.Owed(r.Payment) && otherwise(r, s.Evidence):
		// What the provider has is given back, not what an answer said: another amount would be refused for ever.
		later.Evidence, later.NextAt = s.Evidence, later.At
		return a.decide(ctx, r, later)
	case s.Owed(r.Payment) && (r.Payment.Captured > 0 || r.Payment.Authorized > 0):
		return a.reverse(ctx, session, r, set)
	case later.At.Sub(r.Operation.CreatedAt) > giveUpAfter:
		return a.noMore(a.decide(ctx, r, payment.GaveUp{
			At: later.At, Operation: r.Operation.ID, Epoch: r.Operation.Epoch, Reason: "nothing was proven in seven days",
		}))
	}
	return a.noMore(a.decide(ctx, r, later))
}

// otherwise reports whether the provider's book has other amounts than the payment.
func otherwise(r payment.Record, ev payment.Evidence) bool {
	p, other := r.Payment, func(a money.Amount, units int64) bool {
		return a.Currency == r.Payment.Amount.Currency && a.Units != units && a.Units >= 0
	}
	return other(ev.Captured, p.Captured) && ev.Captured.Units >= p.Refunded ||
		p.Captured == 0 && other(ev.Authorized, p.Authorized) ||
		other(ev.Refunded, p.Refunded) && ev.Refunded.Units > p.Refunded && ev.Refunded.Units <= p.Captured
}

// neverSent reports whether nothing of the payment ever left: it was cancelled before a retry.
func neverSent(r payment.Record) bool {
	o := r.Operation
	return o.Kind == payment.KindPay && o.State == payment.OperationFailed && o.Failure == payment.NotSent
}

// untouched reports whether the provider has taken nothing of a request that only a confirm of ours could take.
func untouched(s payment.Sight) bool {
	return s.Finding == payment.FindingAwaitingPayer || s.Finding == payment.FindingPayerApproved ||
		s.Finding == payment.FindingNotFound && s.Complete
}

// neverTaken reports whether nothing was ever sent that takes money: the payer was asked, and the company cancelled before a
// confirm left.
func (a *App) neverTaken(session outbound.Session, r payment.Record) bool {
	o := r.Operation
	unconfirmed := o.Kind == payment.KindPay || o.Kind == payment.KindConfirm && o.Failure == payment.NotSent
	return unconfirmed && r.Payment.Captured == 0 && r.Payment.Authorized == 0 && leadsToConfirm(session.Type())
}

// reverse gives back by a void or a refund, whichever fits, the other one after a refusal. Each try is an operation of its
// own, begun only after a search.
func (a *App) reverse(
	ctx context.Context, session outbound.Session, r payment.Record, set credentialSet,
) (payment.Record, bool, error) {
	p, o := r.Payment, r.Operation
	attempt := 1
	if o.Reversal {
		attempt = o.Attempt + 1
	}
	kinds := []payment.Kind{payment.KindVoid, payment.KindRefund}
	if p.Captured > 0 {
		kinds = []payment.Kind{payment.KindRefund, payment.KindVoid}
	}
	var able []payment.Kind
	for _, k := range kinds {
		if _, ok := session.Type().Find(catalogue.Kind(k)); ok && (k == payment.KindVoid || p.Captured > p.Refunded) {
			able = append(able, k)
		}
	}
	if _, ok := payment.AttemptDelay(attempt); !ok || len(able) == 0 {
		return a.noMore(a.decide(ctx, r, payment.GaveUp{
			At: a.Clock.Now(), Operation: o.ID, Epoch: o.Epoch, Reason: "the provider does not give the money back",
		}))
	}
	kind := able[(attempt-1)%len(able)]
	return a.perform(ctx, session, r, set, kind, payment.Operation{Reversal: true, Attempt: attempt})
}

// payer does what a payer's decision calls for: an approved payment is confirmed, once.
func (a *App) payer(
	ctx context.Context, session outbound.Session, r payment.Record, set credentialSet, s payment.Sight, later payment.Observed,
) (payment.Record, bool, error) {
	pay, _ := session.Type().Find(catalogue.Pay)
	shown := later.At.Sub(r.Operation.CreatedAt) > pay.SearchLagMax+a.FinalMargin
	switch {
	case s.Finding == payment.FindingPayerApproved:
		return a.perform(ctx, session, r, set, payment.KindConfirm, payment.Operation{})
	case s.Finding == payment.FindingFound:
		// It was confirmed past us. The confirm is recorded as one whose answer nobody has, and a search settles it.
		return a.recordedOnly(ctx, session, r, set)
	case s.Finding == payment.FindingEnded, s.Finding == payment.FindingNotFound && s.Complete && shown:
		return a.noMore(a.decide(ctx, r, payment.Observed{At: later.At, Verdict: payment.VerdictLapsed, Evidence: s.Evidence}))
	case later.At.Sub(r.Operation.CreatedAt) > giveUpAfter:
		// The provider cannot say. Nothing was taken, and without a confirm of ours nothing ever will be.
		return a.noMore(a.decide(ctx, r, payment.Observed{At: later.At, Verdict: payment.VerdictLapsed}))
	}
	return a.noMore(a.decide(ctx, r, later))
}

// perform begins an operation of the platform's own and sends it.
func (a *App) perform(
	ctx context.Context, session outbound.Session, r payment.Record, set credentialSet, kind payment.Kind, like payment.Operation,
) (payment.Record, bool, error) {
	finished := a.running.begin(r.Payment.ID)
	defer finished()
	record, d, won, err := a.start(ctx, session, r, set, kind, like)
	if err != nil || !won {
		return payment.Record{}, false, err
	}
	failpoint.Hit("n")
	if _, err := a.execute(ctx, session, record, d); err != nil {
		return payment.Record{}, false, err
	}
	return payment.Record{}, false, nil
}

// recordedOnly begins a confirm that is never sent, and leaves its outcome to a search.
func (a *App) recordedOnly(
	ctx context.Context, session outbound.Session, r payment.Record, set credentialSet,
) (payment.Record, bool, error) {
	record, _, won, err := a.start(ctx, session, r, set, payment.KindConfirm, payment.Operation{})
	if err != nil || !won {
		return payment.Record{}, false, err
	}
	return a.decide(ctx, record, payment.Answered{
		At: a.Clock.Now(), Operation: record.Operation.ID, Epoch: record.Operation.Epoch, Known: payment.KnownNothing,
	})
}

// start commits the intent of an operation of the platform's own.
func (a *App) start(
	ctx context.Context, session outbound.Session, r payment.Record, set credentialSet, kind payment.Kind, like payment.Operation,
) (payment.Record, draft, bool, error) {
	promises, _ := session.Type().Find(catalogue.Kind(kind))
	d := draft{
		set: set, described: session.Type(), promises: promises, mandate: r.Payment.Mandate,
		form: outbound.Form{
			Columns:   []byte("{}"),
			RequestID: a.requestID(string(r.Payment.ID), string(kind), r.Payment.UpdatedAt.String()),
		},
	}
	change, err := a.begin(ctx, r, kind, d, like)
	if err != nil {
		return payment.Record{}, draft{}, false, err
	}
	change.Claims = nil // nobody asked for it with a key
	committed, err := a.Ledger.Commit(context.WithoutCancel(ctx), change)
	if err != nil {
		a.abandon(ctx, change.Record)
		return payment.Record{}, draft{}, false, err
	}
	return change.Record, d, committed.Loss == outbound.NoLoss, nil
}

// labelled is a provider's failure with its label.
func labelled(body []byte, t catalogue.Type) []byte {
	return native.Append(body, native.Member{Name: labelMember, Value: t.MessageFrom})
}
