package app

import (
	"context"
	"encoding/json"
	"time"

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
	// A client that hangs up must not turn a clean payment into an unknown one.
	ctx = context.WithoutCancel(ctx)
	answer := a.send(ctx, session, r, d)
	next, change, body, err := a.result(ctx, r, answer, d)
	if err != nil {
		return inbound.Reply{}, err
	}
	committed, err := a.Ledger.Commit(ctx, change)
	switch {
	case fault.KindOf(err) == fault.Conflict:
		// Nothing was stored, and never will be: the answer names a charge that is another payment's. Nobody
		// knows what that means for this one.
		if _, doubt, _, err := a.result(ctx, r, outbound.Answer{}, d); err == nil {
			a.insist(ctx, doubt)
		}
		return pending(r.Payment, outbound.Answer{}, d), nil
	case err != nil:
		// The provider may have been paid and we cannot say so for certain: never "paid" without a commit.
		a.insist(ctx, change)
		return pending(r.Payment, answer, d), nil //nolint:nilerr // "pending" is the answer to an uncertain commit
	case committed.Loss != outbound.NoLoss:
		// Another process took the operation over. It answers from the row, never from what this one knows.
		return a.fromRow(ctx, r, d)
	}
	return a.reply(next, answer, body, d)
}

// result is the record after an answer, the change that makes it durable, and the reply that goes with it.
func (a *App) result(
	ctx context.Context, r payment.Record, answer outbound.Answer, d draft,
) (payment.Record, outbound.Change, []byte, error) {
	event := payment.Answered{
		At: a.Clock.Now(), Operation: r.Operation.ID, Epoch: r.Operation.Epoch, Known: answer.Known, Evidence: answer.Evidence,
	}
	next, err := payment.Apply(r, event)
	if err != nil {
		return payment.Record{}, outbound.Change{}, nil, err
	}
	body := final(next.Payment, answer, d)
	if body != nil {
		next.Operation.SealedReply, err = a.Secrets.Seal(ctx, storedReply(next.Payment, next.Operation.ID), body)
	}
	if err != nil {
		// Without its reply the result cannot be replayed. It stays in doubt until a search settles it.
		if answer.Known == payment.KnownNothing {
			return payment.Record{}, outbound.Change{}, nil, err
		}
		return a.result(ctx, r, outbound.Answer{}, d)
	}
	change := chained(next, eventName(next.Payment.State), event.At)
	change.Version, change.Epoch = r.Payment.Version, r.Operation.Epoch
	return next, change, body, nil
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
	return session.Send(ctx, outbound.Instruction{
		Kind: r.Operation.Kind, Payment: r.Payment, Operation: r.Operation,
		Credential: d.set.plain, CredentialRef: d.set.ref, Form: d.form, NotAfter: notAfter,
	})
}

// chained makes the change of a record, with its journal entry linked to the chain.
func chained(r payment.Record, event string, at time.Time) outbound.Change {
	e := journal.Link(r.Payment.Chain, r.Payment.Stream(), r.Payment.Version, at, event, facts(r, event, at))
	r.Payment.Chain = e.Hash
	return outbound.Change{Record: r, Entry: e}
}

// facts is the journal's body: what happened, without secrets or personal data.
func facts(r payment.Record, event string, at time.Time) []byte {
	p, o := r.Payment, r.Operation
	body, err := json.Marshal(struct {
		At             string `json:"at"`
		Event          string `json:"event"`
		State          string `json:"state"`
		Failure        string `json:"failure,omitempty"`
		Type           string `json:"type"`
		Provider       string `json:"provider"`
		Account        string `json:"account"`
		Environment    string `json:"environment"`
		Store          string `json:"store"`
		OrderNumber    string `json:"order_number"`
		Currency       string `json:"currency"`
		Amount         int64  `json:"amount"`
		Authorized     int64  `json:"authorized"`
		Captured       int64  `json:"captured"`
		Refunded       int64  `json:"refunded"`
		Reserved       int64  `json:"refund_reserved"`
		Transaction    string `json:"provider_transaction_id,omitempty"`
		Code           string `json:"code,omitempty"`
		Operation      string `json:"operation_id"`
		Kind           string `json:"operation_kind"`
		OperationState string `json:"operation_state"`
		Epoch          int64  `json:"epoch"`
		Release        string `json:"release"`
		TraceID        string `json:"trace_id,omitempty"`
	}{
		at.UTC().Format(time.RFC3339Nano), event, string(p.State), string(p.Failure), p.Type, p.Provider, p.Account, string(p.Environment),
		string(p.Store), p.OrderNumber, string(p.Amount.Currency), p.Amount.Units, p.Authorized, p.Captured,
		p.Refunded, p.RefundReserved, p.ProviderTransaction, p.Code, string(o.ID), string(o.Kind),
		string(o.State), o.Epoch, o.Release, o.TraceID,
	})
	if err != nil { // strings and integers always encode
		return []byte("{}")
	}
	return body
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
