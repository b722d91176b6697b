package app

import (
	"context"
	"fmt"
	"time"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/failpoint"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

const (
	// claimLease is how long a claim keeps other replicas from a payment. One that outlives it loses by its epoch.
	claimLease = time.Minute
	// maxResolving is how many payments one process asks about at once, maxPerAccount for one provider account: the end
	// of a provider's outage must not be a stampede.
	maxResolving  = 64
	maxPerAccount = 8
	// maxWaiting is how many claimed payments of one account may wait for their turn, and maxPatience how long: behind that
	// the claim may be another replica's, and the payment is due again when its claim ends. One slow provider must neither
	// fill this process nor hold up the others.
	maxWaiting  = 16
	maxPatience = claimLease / 2
	// pullsBeside is how much of an account's pace there is in all when clients ask, too: what the schedule takes must not
	// shut out those who wait, and what they ask for must not become a stampede at the end of an outage.
	pullsBeside = 2
	// maxSteps bounds what one claim may do; what is left is due again.
	maxSteps = 8
)

// ResolveDue claims what is due, asks the providers and does what follows, in the background.
func (a recovery) ResolveDue(ctx context.Context) (int, error) {
	limit, held := a.watching.free()
	if limit < 1 {
		return 0, nil
	}
	due, err := a.Ledger.Due(ctx, outbound.DueQuery{
		Boot: a.Boot, Limit: limit, PerAccount: a.SearchesPerSecond, Room: maxPerAccount + maxWaiting, Held: held, Lease: claimLease,
	})
	if err != nil {
		return 0, err
	}
	for _, r := range due {
		leave := a.watching.queue(r.Payment)
		a.background.Go(func() {
			entered := a.turn(r.Payment)
			leave()
			if !entered {
				return
			}
			defer a.watching.leave(r.Payment)
			a.resolve(context.WithoutCancel(ctx), r, false)
		})
	}
	return len(due), nil
}

// turn waits for a place for a claimed payment; false if none became free in time.
func (a *App) turn(p payment.Payment) bool {
	for until := a.Clock.Now().Add(maxPatience); !a.watching.enter(p); {
		if !a.Clock.Now().Before(until) {
			return false
		}
		select {
		case <-a.closing:
			return false
		case <-time.After(100 * time.Millisecond):
		}
	}
	return true
}

// pull asks about a payment now instead of at its next check: somebody waits for it. At most once in
// outbound.PullPause, and only while the account's pace has room for it.
func (a *App) pull(ctx context.Context, r payment.Record) {
	if r.Operation.State == payment.OperationSending || !a.watching.may(r.Payment.ID, a.Clock.Now()) ||
		!a.watching.enter(r.Payment) {
		return
	}
	ctx = unheard(context.WithoutCancel(ctx))
	a.background.Go(func() {
		defer a.watching.leave(r.Payment)
		claimed, err := a.Ledger.Due(ctx, outbound.DueQuery{
			Boot: a.Boot, Payment: r.Payment.ID, Limit: 1, PerAccount: pullsBeside * a.SearchesPerSecond, Lease: claimLease,
		})
		if err != nil {
			return // it is still due at its own time
		}
		for _, one := range claimed {
			a.resolve(ctx, one, true)
		}
	})
}

// resolve does what a claimed payment needs, step by step, until there is nothing to do now. Every step is one commit; a
// step that loses or fails ends it, and the payment is due again.
func (a *App) resolve(ctx context.Context, r payment.Record, pulled bool) {
	failpoint.Hit("m")
	for range maxSteps {
		next, more, err := a.step(ctx, r, pulled)
		if fault.KindOf(err) == fault.Unavailable && a.pause(stepPause) {
			continue // the claim is still ours: what could not be written is decided again
		}
		if err != nil || !more {
			return
		}
		r = next
	}
}

// stepPause is how long after a step that could not be written the next try begins.
const stepPause = 2 * time.Second

// pause waits; false says that the process is closing.
func (a *App) pause(d time.Duration) bool {
	select {
	case <-a.closing:
		return false
	case <-time.After(d):
		return true
	}
}

// step is one change of a claimed payment; more says that another one can follow at once. pulled says that somebody asked
// before it was due.
func (a *App) step(ctx context.Context, r payment.Record, pulled bool) (next payment.Record, more bool, err error) {
	p, o := r.Payment, r.Operation
	now := a.Clock.Now()
	switch {
	case p.State == payment.Review:
		return r, false, nil
	case o.State == payment.OperationSending:
		return a.overdue(ctx, r)
	case p.State == payment.Mismatch:
		return a.decide(ctx, r, payment.ReverseWanted{At: now, By: "policy"})
	case p.State == payment.Reversing && neverSent(r):
		// Nothing has to be asked, and what could be asked with may be erased.
		return a.noMore(a.decide(ctx, r, payment.Observed{At: now, Verdict: payment.VerdictGone}))
	case p.State == payment.Unknown && now.Sub(o.CreatedAt) >= a.DecisionAfter:
		pay, _ := a.typeOf(p).Find(catalogue.Pay)
		switch a.policyOf(p, pay.Attended) {
		case company.Reverse:
			return a.decide(ctx, r, payment.ReverseWanted{At: now, By: "policy"})
		case company.ToReview:
			return a.decide(ctx, r, payment.GaveUp{At: now, Operation: o.ID, Epoch: o.Epoch, Reason: "the company's policy"})
		case company.Hold, company.OnUnknownDefault:
		}
	}
	session, err := a.trusted(ctx, p)
	if err != nil {
		return a.blind(ctx, r, pulled, err)
	}
	defer session.Close()
	set, err := a.setOf(ctx, r)
	if err != nil {
		return a.blind(ctx, r, pulled, err)
	}
	sight, found := a.look(ctx, session, r, set)
	if o.Open() {
		next, more, err = a.judge(ctx, session, r, sight, found, pulled)
		if err == nil {
			a.searched(ctx, session, r, next, set)
		}
		return next, more, err
	}
	return a.observe(ctx, session, r, set, sight)
}

// overdue records that the process that sent an operation will not say any more how it ended.
func (a *App) overdue(ctx context.Context, r payment.Record) (payment.Record, bool, error) {
	known := payment.KnownNothing
	if r.Operation.Kind == payment.KindPay && leadsToConfirm(a.typeOf(r.Payment)) {
		known = payment.KnownNotSent // nobody has the address at which the payer would approve
	}
	return a.decide(ctx, r, payment.Answered{
		At: a.Clock.Now(), Operation: r.Operation.ID, Epoch: r.Operation.Epoch, Known: known,
	})
}

// decide commits a change that needs no call; the next step may follow.
func (a *App) decide(ctx context.Context, r payment.Record, e payment.Event) (payment.Record, bool, error) {
	return a.promise(ctx, r, e)
}

// look searches for a payment.
func (a *App) look(
	ctx context.Context, session outbound.Session, r payment.Record, set credentialSet,
) (sight payment.Sight, found outbound.Findings) {
	defer func() {
		if recover() != nil { // a bug below the port proves nothing
			sight, found = payment.Sight{}, outbound.Findings{Failed: true, Reason: "internal"}
		}
	}()
	search, ok := session.Type().Find(catalogue.Search)
	if !ok {
		return payment.Sight{}, outbound.Findings{Failed: true, NotSent: true, Reason: "unsupported"}
	}
	ctx, cancel := context.WithTimeout(ctx, search.MaxDuration+answerMargin)
	defer cancel()
	p, o := r.Payment, r.Operation
	found = session.Ask(ctx, outbound.Question{
		Resolve: true, Environment: p.Environment, Account: p.Account, Wire: p.Wire, Credential: set.plain, CredentialRef: set.ref,
		OrderID: o.OrderID, TransactionID: p.ProviderTransaction, RequestID: o.RequestID, About: o.Kind, AboutReference: string(o.ID),
		Form: outbound.Form{Columns: []byte("{}")},
	})
	if otherOrder(found, o.OrderID) {
		t := session.Type()
		a.breach(t.Provider, t.Version, fmt.Sprintf("payment %s: a search for order %q was answered for order %q", p.ID, o.OrderID, found.Evidence.OrderID))
	}
	if found.Failed || (found.Evidence.OrderID != "" && found.Evidence.OrderID != o.OrderID) {
		// Nothing was found out, or the provider spoke of another order: no word of it counts.
		return payment.Sight{}, found
	}
	return payment.Sight{Finding: found.Finding, Complete: found.Complete, Evidence: found.Evidence}, found
}

// judge settles the operation in doubt as far as the search proves anything.
func (a *App) judge(
	ctx context.Context, session outbound.Session, r payment.Record, s payment.Sight, found outbound.Findings, pulled bool,
) (payment.Record, bool, error) {
	promises, _ := session.Type().Find(catalogue.Kind(r.Operation.Kind))
	search, _ := session.Type().Find(catalogue.Search)
	now := a.Clock.Now()
	e := payment.Judge(r, s, payment.Window{
		Landing: promises.LandingMax, Lag: max(promises.SearchLagMax, search.SearchLagMax), Margin: a.FinalMargin,
	}, now, a.watching.watched(r.Operation, now))
	e.Pulled = pulled
	if r.Payment.State == payment.Unknown && e.Verdict == payment.VerdictOpen {
		// The policy's time is a check, too.
		if left := a.DecisionAfter - now.Sub(r.Operation.CreatedAt); left > 0 && (e.NextIn == 0 || left < e.NextIn) {
			e.NextIn = left
		}
	}
	next, err := payment.Apply(r, e)
	if err != nil {
		return payment.Record{}, false, err
	}
	if !next.Operation.Open() {
		a.watching.forget(r.Operation.ID)
	}
	if err := a.settleReply(ctx, session, r, &next, found); err != nil {
		return payment.Record{}, false, err
	}
	stored, won, err := a.commit(ctx, r, next)
	if fault.KindOf(err) == fault.Conflict {
		// The provider's transaction belongs to another payment: that is for people to understand.
		return a.decide(ctx, r, payment.GaveUp{
			At: now, Operation: r.Operation.ID, Epoch: r.Operation.Epoch, Reason: "the provider's transaction belongs to another payment",
		})
	}
	return stored, won && due(stored, now), err
}

// due reports whether a step can follow at once.
func due(r payment.Record, now time.Time) bool {
	return !r.Operation.NextCheckAt.IsZero() && !r.Operation.NextCheckAt.After(now)
}

// settleReply stores the reply of an operation that a search settled: the provider's own words as the operation would have
// brought them, or what it said when it did not decide.
func (a *App) settleReply(
	ctx context.Context, session outbound.Session, r payment.Record, next *payment.Record, found outbound.Findings,
) error {
	o := &next.Operation
	if o.Open() {
		return nil
	}
	if next.Payment.State == payment.Reversing {
		o.SealedReply = nil // "not paid" was promised: the words of a provider that did not decide are no answer any more
		return nil
	}
	field := storedReply(next.Payment, o.ID)
	var body []byte
	switch {
	case o.State == payment.OperationSucceeded && next.Payment.State.Promise() != payment.NotPaid:
		body = found.Native
	case o.State == payment.OperationSucceeded && o.Kind != payment.KindPay && o.Kind != payment.KindConfirm:
		body = found.Native
	case len(r.Operation.SealedReply) > 0:
		undecided, err := a.Secrets.Open(ctx, field, r.Operation.SealedReply)
		if err != nil {
			return err
		}
		body = labelled(undecided, session.Type())
	}
	o.SealedReply = nil
	if len(body) == 0 {
		return nil
	}
	sealed, err := a.Secrets.Seal(ctx, field, body)
	if err != nil {
		return err
	}
	o.SealedReply = sealed
	return nil
}

// blind is a step without sight: the provider is not there, or its credentials are not.
func (a *App) blind(ctx context.Context, r payment.Record, pulled bool, cause error) (payment.Record, bool, error) {
	now := a.Clock.Now()
	if r.Operation.Open() {
		return a.noMore(a.decide(ctx, r, payment.Searched{
			At: now, Operation: r.Operation.ID, Epoch: r.Operation.Epoch, Verdict: payment.VerdictOpen, KeepAbsences: true, Pulled: pulled, Blind: true,
		}))
	}
	old := now.Sub(r.Operation.CreatedAt) > giveUpAfter
	switch r.Payment.State {
	case payment.RequiresAction, payment.Reversing, payment.Authorized:
		switch {
		case old && r.Payment.State == payment.Reversing:
			return a.noMore(a.decide(ctx, r, payment.GaveUp{
				At: now, Operation: r.Operation.ID, Epoch: r.Operation.Epoch, Reason: "the provider could not be asked for seven days",
			}))
		case old && r.Payment.State == payment.RequiresAction:
			// Nothing was taken, and without a confirm of ours nothing ever will be.
			return a.noMore(a.decide(ctx, r, payment.Observed{At: now, Verdict: payment.VerdictLapsed}))
		}
		return a.noMore(a.decide(ctx, r, payment.Observed{
			At: now, Verdict: payment.VerdictOpen, NextAt: now.Add(payment.PayerDelay(now.Sub(r.Operation.CreatedAt))),
		}))
	case payment.Sending, payment.Capturing, payment.Voiding, payment.Refunding, payment.Succeeded, payment.Failed,
		payment.Unknown, payment.Reversed, payment.Voided, payment.Refunded, payment.PartiallyRefunded, payment.Expired,
		payment.Mismatch, payment.Review:
	}
	return r, false, cause
}

func (a *App) noMore(r payment.Record, _ bool, err error) (payment.Record, bool, error) {
	return r, false, err
}
