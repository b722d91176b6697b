package app

import (
	"context"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/failpoint"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// answerMargin is what a call may take beyond the provider's longest duration: the way to the plugin and back.
const answerMargin = time.Second

// execute performs an operation whose intent is durable, writes down what is known, and answers from what was
// written. Every money-moving operation goes through here.
func (a *App) execute(
	ctx context.Context, session outbound.Session, r payment.Record, d draft,
) (inbound.Reply, error) {
	began(ctx, pending(r, outbound.Answer{}, d))
	// A client that hangs up must not turn a clean payment into an unknown one.
	ctx = context.WithoutCancel(ctx)
	failpoint.Hit("d")
	answer := a.send(ctx, session, r, d)
	failpoint.Hit("i")
	next, change, body, err := a.result(ctx, r, answer, d)
	if err != nil {
		return inbound.Reply{}, err
	}
	failpoint.During("j")
	committed, err := a.Ledger.Commit(ctx, change)
	failpoint.Hit("k")
	switch {
	case fault.KindOf(err) == fault.Conflict:
		// Nothing was stored, and never will be: the answer names a charge that is another payment's. Nobody
		// knows what that means for this one.
		if _, doubt, _, err := a.result(ctx, r, outbound.Answer{}, d); err == nil {
			a.insist(ctx, doubt)
		}
		return pending(r, outbound.Answer{}, d), nil
	case err != nil:
		// The provider may have been paid and we cannot say so for certain: never "paid" without a commit.
		a.insist(ctx, change)
		return pending(r, answer, d), nil //nolint:nilerr // "pending" is the answer to an uncertain commit
	case committed.Loss != outbound.NoLoss:
		// Another process took the operation over. It answers from the row, never from what this one knows.
		return a.fromRow(ctx, r, d)
	}
	a.tried(ctx, session, r, change.Record, answer, d)
	if answer.MandateDead {
		a.bury(ctx, next.Payment)
	}
	return a.reply(next, answer, body, d)
}

// result is the record after an answer, the change that makes it durable, and the reply that goes with it.
func (a *App) result(
	ctx context.Context, r payment.Record, answer outbound.Answer, d draft,
) (payment.Record, outbound.Change, []byte, error) {
	if answer.Known == payment.KnownNothing && r.Operation.Kind == payment.KindPay && leadsToConfirm(d.described) {
		// No money moves before a confirm, and nobody has the address at which the payer would approve.
		answer.Known, answer.Native, answer.Reason = payment.KnownNotSent, nil, noPage
	}
	event := payment.Answered{
		At: a.Clock.Now(), Operation: r.Operation.ID, Epoch: r.Operation.Epoch, Known: answer.Known, Evidence: answer.Evidence,
	}
	next, err := payment.Apply(r, event)
	if err != nil {
		return payment.Record{}, outbound.Change{}, nil, err
	}
	approval, err := a.approved(ctx, &next, answer.Approval)
	body := final(next, answer, d)
	kept := body
	if next.Operation.Open() && len(answer.Native) > 0 && answer.Known == payment.KnownNothing && d.command.Render == nil {
		kept = answer.Native // beside "pending", and the reply if it turns out that nothing was charged
	}
	if kept != nil && err == nil {
		next.Operation.SealedReply, err = a.Secrets.Seal(ctx, storedReply(next.Payment, next.Operation.ID), shaped(kept, d))
	}
	if err != nil {
		// Without its reply the result cannot be replayed. It stays in doubt until a search settles it.
		if answer.Known == payment.KnownNothing {
			return payment.Record{}, outbound.Change{}, nil, err
		}
		return a.result(ctx, r, outbound.Answer{}, d)
	}
	change := chained(next, eventName(next.Payment.State), event.At)
	change.Version, change.Epoch, change.Mandate = r.Payment.Version, r.Operation.Epoch, approval
	change.Settled = settled(next)
	return next, change, body, nil
}

// leadsToConfirm reports whether paying with this type only asks the payer, and a confirm takes the money.
func leadsToConfirm(t catalogue.Type) bool {
	pay, _ := t.Find(catalogue.Pay)
	confirm, ok := t.Find(catalogue.Confirm)
	return ok && confirm.MovesMoney && !pay.MovesMoney
}

// settled reports whether a change ends all need of the request's own credential. Most payments have none, and pay for nothing.
func settled(r payment.Record) bool {
	return r.Payment.CredentialRef == "" && !r.Operation.Open() && payment.Settled(r.Payment)
}

// send calls the provider, at most once in the life of the operation. Whatever breaks below it after the hand-over
// leaves the outcome open.
func (a *App) send(ctx context.Context, session outbound.Session, r payment.Record, d draft) (answer outbound.Answer) {
	notAfter := r.Operation.SendDeadline.Add(-d.promises.MaxDuration)
	if !a.Clock.Now().Before(notAfter) {
		return outbound.Answer{
			Known: payment.KnownNotSent, Reason: "timeout", Detail: "the intent was durable too late to send it",
		}
	}
	ctx, cancel := context.WithTimeout(ctx, d.promises.MaxDuration+answerMargin)
	defer cancel()
	defer func() {
		if recover() != nil {
			answer = outbound.Answer{Reason: "internal", Detail: "the call broke inside the platform"}
		}
	}()
	i := outbound.Instruction{
		Kind: r.Operation.Kind, Payment: r.Payment, Operation: r.Operation,
		Credential: d.set.plain, CredentialRef: d.set.ref, Form: d.form, NotAfter: notAfter,
	}
	if d.form.ReturnURL != "" && a.CallbackURL != nil {
		// The payer comes back to us; from here to the client.
		i.ReturnURL, i.CancelURL = a.CallbackURL(r.Payment.ID), d.form.CancelURL
	}
	return session.Send(ctx, i)
}

// chained makes the change of a record, with its journal entry linked to the chain.
func chained(r payment.Record, event string, at time.Time) outbound.Change {
	return chainedWith(r, event, at, nil)
}

// chainedWith adds facts of its own to the entry.
func chainedWith(r payment.Record, event string, at time.Time, more func(*fact)) outbound.Change {
	e := journal.Link(r.Payment.Chain, r.Payment.Stream(), r.Payment.Version, at, event, facts(r, event, at, more))
	r.Payment.Chain = e.Hash
	return outbound.Change{Record: r, Entry: e}
}

// facts is the journal's body: what happened, as canonical JSON, without secrets or personal data. It is written by
// hand: it is made twice for every payment, and the order of its members is part of the evidence.
func facts(r payment.Record, event string, at time.Time, more func(*fact)) []byte {
	p, o := r.Payment, r.Operation
	b := fact{body: append(make([]byte, 0, 768), '{')}
	b.time("at", at)
	b.text("event", event)
	b.text("state", string(p.State))
	b.some("failure", string(p.Failure))
	b.text("type", p.Type)
	b.text("provider", p.Provider)
	b.text("account", p.Account)
	b.text("environment", string(p.Environment))
	b.text("company", string(p.Company))
	b.text("store", string(p.Store))
	b.text("order_number", p.OrderNumber)
	if o.OrderID != p.OrderNumber {
		b.text("order_id", o.OrderID)
	}
	b.text("currency", string(p.Amount.Currency))
	b.number("amount", p.Amount.Units)
	b.number("authorized", p.Authorized)
	b.number("captured", p.Captured)
	b.number("refunded", p.Refunded)
	b.number("refund_reserved", p.RefundReserved)
	b.some("provider_transaction_id", p.ProviderTransaction)
	b.some("code", p.Code)
	b.some("decline_code", p.DeclineCode)
	b.text("operation_id", string(o.ID))
	b.text("operation_kind", string(o.Kind))
	b.text("operation_state", string(o.State))
	b.some("operation_failure", string(o.Failure))
	b.number("operation_amount", o.Amount.Units)
	if o.Reversal {
		b.number("reversal", int64(o.Attempt))
	}
	if o.Checks > 0 {
		b.number("checks", int64(o.Checks))
	}
	b.some("operation_code", o.Code)
	b.number("epoch", o.Epoch)
	b.text("release", o.Release)
	b.some("trace_id", o.TraceID)
	if more != nil {
		more(&b)
	}
	return append(b.body, '}')
}

// fact is a JSON object that is being written.
type fact struct{ body []byte }

func (f *fact) name(name string) {
	if len(f.body) > 1 {
		f.body = append(f.body, ',')
	}
	f.body = append(append(append(f.body, '"'), name...), '"', ':')
}

func (f *fact) text(name, value string) {
	f.name(name)
	for i := range len(value) {
		if c := value[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, err := json.Marshal(value)
			if err != nil { // a string always encodes
				quoted = []byte(`""`)
			}
			f.body = append(f.body, quoted...)
			return
		}
	}
	f.body = append(append(append(f.body, '"'), value...), '"')
}

func (f *fact) time(name string, at time.Time) {
	f.name(name)
	f.body = append(at.UTC().AppendFormat(append(f.body, '"'), time.RFC3339Nano), '"')
}

func (f *fact) some(name, value string) {
	if value != "" {
		f.text(name, value)
	}
}

func (f *fact) number(name string, value int64) {
	f.name(name)
	f.body = strconv.AppendInt(f.body, value, 10)
}

// abandon settles an intent whose commit is in doubt: nothing was sent, and nothing will be. If the row
// appears after all, it is recorded as not sent, so that the same request may run again.
func (a *App) abandon(ctx context.Context, r payment.Record) {
	a.later(ctx, func(ctx context.Context) bool {
		stored, err := a.Ledger.Load(ctx, r.Payment.Company, r.Payment.ID)
		if err != nil {
			return false // not there may still mean not there yet: look again until the attempts are used up
		}
		if stored.Operation.ID != r.Operation.ID {
			// Behind this version the intent may still appear. At it or past it another operation won, and what
			// that one does is none of ours.
			return stored.Payment.Version >= r.Payment.Version
		}
		now := a.Clock.Now()
		next, err := payment.Apply(stored, payment.Answered{
			At: now, Operation: r.Operation.ID, Epoch: r.Operation.Epoch, Known: payment.KnownNotSent,
		})
		if err != nil {
			return true // somebody else settled it
		}
		change := chained(next, eventName(next.Payment.State), now)
		change.Version, change.Epoch = stored.Payment.Version, stored.Operation.Epoch
		_, err = a.Ledger.Commit(ctx, change)
		return err == nil
	})
}

// insist commits what the provider said until it is durable or somebody else settled it.
func (a *App) insist(ctx context.Context, change outbound.Change) {
	a.later(ctx, func(ctx context.Context) bool {
		_, err := a.Ledger.Commit(ctx, change)
		return err == nil // a loss means that it is committed already, or settled by another process
	})
}

// later tries in the background, half a minute at most. What is left then is the resolver's.
func (a *App) later(ctx context.Context, try func(context.Context) bool) {
	ctx = context.WithoutCancel(ctx)
	a.background.Go(func() {
		for delay := 100 * time.Millisecond; delay < 20*time.Second; delay *= 2 {
			select {
			case <-a.closing:
				return
			case <-time.After(delay):
			}
			bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
			done := try(bounded)
			cancel()
			if done {
				return
			}
		}
	})
}
