package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/outbound"
)

const (
	// checksWaiting is how many payments of releases on trial wait to be checked at most.
	checksWaiting = 64
	// checkMargin is added to the time in which a payment may be missing from a search.
	checkMargin = time.Second
)

// checks bounds the questions by which a release on trial is watched.
type checks struct {
	mu      sync.Mutex
	waiting int
	next    time.Time
}

// enter takes a place and says when the check may begin, so that no more than perSecond do: the provider must not feel them. ok
// is false if all places are taken.
func (k *checks) enter(now time.Time, perSecond int) (wait time.Duration, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.waiting >= checksWaiting {
		return 0, false
	}
	k.waiting++
	if k.next.Before(now) {
		k.next = now
	}
	wait = k.next.Sub(now)
	k.next = k.next.Add(time.Second / time.Duration(perSecond))
	return wait, true
}

func (k *checks) leave() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting--
}

// check is one payment about which two releases are heard.
type check struct {
	line *line
	// watched is on trial: a contradiction counts against it. says said what is in next, and asked is asked about it; one of
	// the two is the release on trial.
	watched, says, asked string
	// before is the record as it was sent, next as it was answered.
	before, next payment.Record
	set          credentialSet
}

// tried looks after an answer: what must never come back is a breach at once, and what a release on trial settled is compared
// with what the other release finds.
func (a *App) tried(
	ctx context.Context, session outbound.Session, before, next payment.Record, answer outbound.Answer, d draft,
) {
	t := session.Type()
	if words := amiss(before, next, answer); words != "" {
		a.breach(t.Provider, t.Version, words)
		return
	}
	if a.Gates.Checks < 0 {
		return
	}
	l, ok := a.fleet.known(t.Provider)
	if !ok {
		return
	}
	watched, against := trial(l.view())
	if watched == "" || against == "" || watched != t.Version || next.Operation.Open() || answer.Known == payment.KnownAction {
		return
	}
	wait, ok := a.checks.enter(a.Clock.Now(), a.Gates.Checks)
	if !ok {
		l.unchecked(watched)
		return
	}
	a.compareLater(ctx, wait, check{line: l, watched: watched, says: watched, asked: against, before: before, next: next, set: d.set})
}

// compareLater runs a check when its turn has come. The place is taken already.
func (a *App) compareLater(ctx context.Context, wait time.Duration, k check) {
	ctx = unheard(context.WithoutCancel(ctx))
	a.background.Go(func() {
		defer a.checks.leave()
		if a.linger(wait) {
			a.check(ctx, k)
		}
	})
}

// trusted opens the session that settles what is in doubt. While a release is on trial that is the other one: what a search
// says becomes the truth about a payment, and a release whose searches are wrong would lose or invent money before any gate
// could see it.
func (a *App) trusted(ctx context.Context, p payment.Payment) (outbound.Session, error) {
	r := outbound.Route{Type: p.Type, Payment: p.ID, Store: p.Store, Existing: true}
	if l, ok := a.fleet.known(p.Provider); ok {
		if watched, against := trial(l.view()); watched != "" && against != "" {
			r.Version = against
			if s, err := a.hold(ctx, r); err == nil {
				return s, nil
			}
			r.Version = "" // it is not ready on this replica, and any release can continue any payment
		}
	}
	return a.hold(ctx, r)
}

// searched lets the release on trial search for a payment that the other one has just settled by a search, and compares.
func (a *App) searched(ctx context.Context, session outbound.Session, before, next payment.Record, set credentialSet) {
	if next.Operation.Open() || next.Payment.State == payment.Review || a.Gates.Checks < 0 {
		return
	}
	t := session.Type()
	l, ok := a.fleet.known(t.Provider)
	if !ok {
		return
	}
	watched, against := trial(l.view())
	if watched == "" || against != t.Version {
		return
	}
	if wait, ok := a.checks.enter(a.Clock.Now(), a.Gates.Checks); ok {
		a.compareLater(ctx, wait, check{line: l, watched: watched, says: against, asked: watched, before: before, next: next, set: set})
	} else {
		l.unchecked(watched)
	}
}

// amiss says what of an answer must never be: another order, another amount or currency, or a "no" that names money.
func amiss(before, next payment.Record, answer outbound.Answer) string {
	p, o, ev := before.Payment, before.Operation, answer.Evidence
	switch {
	case ev.OrderID != "" && ev.OrderID != o.OrderID:
		return fmt.Sprintf("payment %s: %s of order %q was answered for order %q", p.ID, o.Kind, o.OrderID, ev.OrderID)
	case answer.Known == payment.KnownDeclined && (ev.Captured.Units > 0 || ev.Authorized.Units > 0):
		return fmt.Sprintf("payment %s: %s was declined, and yet the answer names %s", p.ID, o.Kind, amounts(ev))
	case next.Payment.State == payment.Mismatch, next.Payment.State == payment.Review && answer.Known == payment.KnownApproved:
		return fmt.Sprintf("payment %s: %s of %s was answered with %s", p.ID, o.Kind, amountText(o.Amount), amounts(ev))
	}
	return ""
}

func amountText(a money.Amount) string { return fmt.Sprintf("%d %s", a.Units, a.Currency) }

// amounts are those that a provider named, in the currency's charge unit.
func amounts(ev payment.Evidence) string {
	said := ""
	for _, x := range []struct {
		what   string
		amount money.Amount
	}{{"authorized", ev.Authorized}, {"captured", ev.Captured}, {"refunded", ev.Refunded}} {
		if x.amount.IsZero() {
			continue
		}
		if said != "" {
			said += ", "
		}
		said += x.what + " " + amountText(x.amount)
	}
	if said == "" {
		return "no amount"
	}
	return said
}

// linger waits; false says that the process ends, and that what is not done now is not done.
func (a *App) linger(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	select {
	case <-a.ending:
		return false
	case <-time.After(d):
		return true
	}
}

// check asks the other release about a payment and compares. Only what stays different when every search must show it counts;
// a charge behind a "no" counts at once.
func (a *App) check(ctx context.Context, k check) {
	session, err := a.Providers.Open(ctx, outbound.Route{
		Type: k.next.Payment.Type, Payment: k.next.Payment.ID, Store: k.next.Payment.Store, Existing: true, Version: k.asked,
	})
	if err != nil {
		k.line.unchecked(k.watched)
		return
	}
	defer session.Close()
	sight, _ := a.look(ctx, session, k.next, k.set)
	verdict, words := k.compare(sight)
	if verdict == differs {
		if !a.linger(lagOf(session.Type(), k.next.Operation.Kind) + checkMargin) {
			return
		}
		sight, _ = a.look(ctx, session, k.next, k.set)
		verdict, words = k.compare(sight)
	}
	now, err := a.Ledger.Load(ctx, k.next.Payment.Company, k.next.Payment.ID)
	if err != nil || verdict == undecided || now.Payment.Version != k.next.Payment.Version {
		k.line.unchecked(k.watched) // it moved on meanwhile: the two do not speak of the same thing
		return
	}
	if verdict != agrees && now.Payment.State == payment.Failed {
		if heir, err := a.heir(ctx, now); err != nil || heir != "" {
			k.line.unchecked(k.watched) // what was found is the charge of the payment that has the order id now
			return
		}
	}
	k.line.checked(k.watched)
	if verdict == agrees {
		return
	}
	a.contradicted(ctx, k, now, sight, words)
}

// lagOf is how long what an operation did may be missing from a search.
func lagOf(t catalogue.Type, kind payment.Kind) time.Duration {
	o, _ := t.Find(catalogue.Kind(kind))
	search, _ := t.Find(catalogue.Search)
	return max(o.SearchLagMax, search.SearchLagMax)
}

// contradicted records that two releases do not agree about a payment, and ends the trial of the newer one.
func (a *App) contradicted(ctx context.Context, k check, now payment.Record, s payment.Sight, words string) {
	p := now.Payment
	a.breach(p.Provider, k.watched, "payment "+string(p.ID)+": "+words)
	if a.Contradicted != nil {
		a.Contradicted(p.ID, words)
	}
	// What cannot be written here is in the report of this replica, too.
	_ = a.note(ctx, p.Provider, release.Noted{
		By: release.By{At: a.Clock.Now(), Actor: systemActor, Reason: "two releases do not agree"}, What: "contradicted",
		Version: k.watched, Text: clip("payment " + string(p.ID) + ": " + words),
	})
	a.glance(ctx, k.line)
	if ev, ok := s.Charge(p); ok && p.State == payment.Failed && k.asked != k.watched {
		a.reclaim(ctx, k, now, ev)
	}
}

// reclaim hands a charge behind a "no" to the resolver, which gives it back as it does with what its watch list finds. The
// request's own credential was erased with the "no", and is needed again.
func (a *App) reclaim(ctx context.Context, k check, now payment.Record, ev payment.Evidence) {
	next, err := payment.Apply(now, payment.OrphanFound{At: a.Clock.Now(), Evidence: ev})
	if err != nil {
		return // it has moved on, and whoever moved it knows more
	}
	p := &next.Payment
	if p.CredentialRef == "" {
		o := &next.Operation
		if o.SealedCredential, err = a.Secrets.Seal(ctx, requestCredential(*p, o.ID), k.set.plain); err != nil {
			return // the event names the payment: without the credential people have to give it back
		}
	}
	_, _, _ = a.commit(ctx, now, next)
}

// charged reports whether the provider names money that it holds or has taken.
func charged(p payment.Payment, s payment.Sight) bool {
	return s.Owed(p) && (s.Evidence.Captured.Units > 0 || s.Evidence.Authorized.Units > 0)
}

// agreement is how two releases see a payment.
type agreement uint8

// The agreements: nothing was found out, the two agree, they may differ because a search is late, or they contradict.
const (
	undecided agreement = iota
	agrees
	differs
	contradicts
)

// compare holds what the release on trial said against what the other one finds, by the rules of the resolver.
func (k check) compare(s payment.Sight) (agreement, string) {
	o := k.next.Operation
	if s.Finding == payment.FindingNothing || s.Finding == payment.FindingInProgress {
		return undecided, ""
	}
	e := payment.Judge(k.before, s, payment.Window{}, k.before.Operation.SendDeadline, 0)
	found := fmt.Sprintf("%s %s", k.asked, findingText(s))
	if o.State == payment.OperationSucceeded {
		said := fmt.Sprintf("%s says that the %s of %s succeeded; ", k.says, o.Kind, amountText(o.Amount))
		switch {
		case e.Verdict == payment.VerdictDone && k.otherwise(e):
			return differs, said + found
		case e.Verdict == payment.VerdictDone:
			return agrees, ""
		case e.Verdict == payment.VerdictGone && (o.Kind == payment.KindVoid || o.Kind == payment.KindRefund):
			return agrees, ""
		case e.Verdict == payment.VerdictLapsed, e.Absent && s.Complete:
			return differs, said + found
		}
		return undecided, ""
	}
	said := fmt.Sprintf("%s says that the %s of %s failed (%s); ", k.says, o.Kind, amountText(o.Amount), o.Failure)
	switch o.Kind {
	case payment.KindPay, payment.KindConfirm:
		if charged(k.next.Payment, s) {
			return contradicts, said + found
		}
		if e.Verdict == payment.VerdictDone {
			return differs, said + found // found, and nobody says with what
		}
	case payment.KindCapture, payment.KindRefund:
		if e.Verdict == payment.VerdictDone {
			return differs, said + found
		}
	case payment.KindVoid:
		if e.Verdict == payment.VerdictGone {
			return differs, said + found
		}
	}
	return agrees, ""
}

// otherwise reports whether what is found differs from what was asked for.
func (k check) otherwise(e payment.Searched) bool {
	doubt, err := payment.Apply(k.before, payment.Answered{
		At: e.At, Operation: e.Operation, Epoch: e.Epoch, Known: payment.KnownNothing,
	})
	if err != nil {
		return false
	}
	after, err := payment.Apply(doubt, e)
	return err == nil && (after.Payment.State == payment.Mismatch || after.Payment.State == payment.Review)
}

func findingText(s payment.Sight) string {
	switch s.Finding {
	case payment.FindingFound:
		said := "finds it with " + amounts(s.Evidence)
		if s.Evidence.OrderID != "" {
			said += ", order " + s.Evidence.OrderID
		}
		return said
	case payment.FindingNotFound:
		return "does not find it"
	case payment.FindingEnded:
		return "finds that nothing is held or taken"
	case payment.FindingAwaitingPayer, payment.FindingPayerApproved:
		return "finds that it is not confirmed"
	case payment.FindingNothing, payment.FindingInProgress:
	}
	return "finds nothing out"
}

func (l *line) checked(version string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tally(version).Checked++
}

func (l *line) unchecked(version string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tally(version).Unchecked++
}
