package app

import (
	"context"
	"strings"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/native"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// claims are the keys that a request takes: the Idempotency-Key header and its own id. The order number is
// the third key and guards the money by itself.
func (a *App) claims(r payment.Record, d draft) []outbound.Claim {
	p, o := r.Payment, r.Operation
	fingerprint := a.fingerprint(p, o.Kind, d)
	var all []outbound.Claim
	add := func(scope outbound.ClaimScope, owner, key string) {
		if key == "" {
			return
		}
		all = append(all, outbound.Claim{
			ClaimKey: outbound.ClaimKey{
				Company: p.Company, Environment: p.Environment, Scope: scope,
				Hash: a.Secrets.Fingerprint([]byte(strings.Join([]string{owner, string(o.Kind), key}, "\x00"))),
			},
			Fingerprint: fingerprint, Payment: p.ID, Operation: o.ID, At: o.CreatedAt,
		})
	}
	// The header is one name space for all providers; a provider's own request id is the provider's.
	add(outbound.ClaimHeader, "", d.command.IdempotencyKey)
	add(outbound.ClaimRequest, p.Provider, strings.ToLower(d.form.RequestID))
	return all
}

// fingerprint is a keyed hash of the request's meaning. Credentials, iv and the till's clock are left out:
// an honest retry changes them.
func (a *App) fingerprint(p payment.Payment, k payment.Kind, d draft) [32]byte {
	head := strings.Join([]string{
		string(p.Company), string(p.Environment), p.Type, p.Account, string(k), string(d.set.store),
	}, "\x00")
	return a.Secrets.Fingerprint(append([]byte(head+"\x00"), d.form.Meaning...))
}

// again answers a request whose key was taken before.
func (a payments) again(
	ctx context.Context, session outbound.Session, held outbound.Claim, mine []outbound.Claim, d draft,
) (inbound.Reply, error) {
	for _, c := range mine {
		if c.ClaimKey == held.ClaimKey && c.Fingerprint != held.Fingerprint {
			return inbound.Reply{}, &fault.Error{
				Kind: fault.Mismatch, Code: "idempotency_mismatch", Payment: string(held.Payment),
				Message: "this key was used with another request, which keeps its outcome; look it up before you charge again, " +
					"and use a new key for a new payment",
			}
		}
	}
	return a.joined(ctx, session, held.Payment, d)
}

// joined answers for a payment that may be running in this process: its answer is this request's, too.
func (a payments) joined(
	ctx context.Context, session outbound.Session, id payment.ID, d draft,
) (inbound.Reply, error) {
	// Who waits must not hold a place at the provider.
	session.Close()
	if err := a.running.wait(ctx, id); err != nil {
		return inbound.Reply{}, &fault.Error{
			Kind: fault.Conflict, Code: "request_in_progress", Payment: string(id), RetryAfter: retryAfter,
			Message: "the same request is still running; ask again with the same key", Cause: err,
		}
	}
	r, err := a.Ledger.Load(ctx, d.command.Principal.Company, id)
	if err != nil {
		// Its key is taken, so it may have been sent.
		return pending(payment.Payment{ID: id}, outbound.Answer{}, d), nil //nolint:nilerr // see above
	}
	if r.Payment.State == payment.Failed && r.Payment.Failure == payment.NotSent {
		return a.retry(ctx, r, d)
	}
	return a.standing(ctx, r, d)
}

// retry runs a request again that was certainly never sent, as a new operation of the same payment.
func (a payments) retry(ctx context.Context, r payment.Record, d draft) (inbound.Reply, error) {
	session, err := a.Providers.Open(ctx, outbound.Route{
		Type: r.Payment.Type, Payment: r.Payment.ID, Store: d.set.store,
	})
	if err != nil {
		return inbound.Reply{}, err
	}
	defer session.Close()
	o, err := a.operation(ctx, r.Payment, d, payment.KindPay)
	if err != nil {
		return inbound.Reply{}, err
	}
	now := a.Clock.Now()
	next, err := payment.Apply(r, payment.Begun{At: now, Operation: o})
	if err != nil {
		return inbound.Reply{}, err
	}
	// This time's credential is the one that a search will need.
	next.Payment.CredentialRef = d.set.ref
	change := chained(next, "payment.sending", now)
	change.Version, change.NewOperation = r.Payment.Version, true
	finished := a.running.begin(r.Payment.ID)
	defer finished()
	committed, err := a.Ledger.Commit(context.WithoutCancel(ctx), change)
	switch {
	case err != nil:
		a.abandon(ctx, change.Record)
		return inbound.Reply{}, notRecorded(err)
	case committed.Loss == outbound.LostOrder:
		return a.taken(ctx, committed.Payment, d)
	case committed.Loss != outbound.NoLoss:
		// Another request of the same kind was faster.
		finished()
		return a.joined(ctx, session, r.Payment.ID, d)
	}
	return a.execute(ctx, session, change.Record, d)
}

// notRecorded is the error of an intent that could not be made durable. Nothing was sent for this request; an
// earlier one with the same keys keeps its own outcome.
func notRecorded(cause error) error {
	return &fault.Error{
		Kind: fault.Unavailable, Code: "store_unavailable", RetryAfter: retryAfter, Cause: cause,
		Message: "this request could not be recorded and was not sent; an earlier one with the same keys keeps its outcome; " +
			"send the same request again later",
	}
}

// taken answers a new request for an order number that a live payment holds.
func (a payments) taken(ctx context.Context, id payment.ID, d draft) (inbound.Reply, error) {
	if id == "" {
		return inbound.Reply{}, inProgress("")
	}
	r, err := a.Ledger.Load(ctx, d.command.Principal.Company, id)
	if err != nil {
		return inbound.Reply{}, err
	}
	switch r.Payment.State {
	case payment.Succeeded, payment.Authorized, payment.Refunding, payment.Refunded, payment.PartiallyRefunded,
		payment.Capturing, payment.Voiding:
		f := &fault.Error{
			Kind: fault.Conflict, Code: "order_already_paid", Payment: string(id),
			Message: "this order number was paid before; a new payment needs a new order number",
		}
		if body := d.promises.Bodies[catalogue.DuplicateOrder]; len(body) > 0 {
			f.Native = native.Append(body, native.Member{Name: labelMember, Value: fromPlatform})
			f.NativeOK = true
		}
		return inbound.Reply{}, f
	case payment.Reversing:
		return inbound.Reply{}, &fault.Error{
			Kind: fault.Conflict, Code: "order_reversing", Payment: string(id), RetryAfter: retryAfter,
			Message: "an earlier payment of this order is being given back; try again when it is reversed",
		}
	case payment.Sending, payment.Unknown, payment.RequiresAction, payment.Mismatch, payment.Review:
		return inbound.Reply{}, inProgress(string(id))
	case payment.Failed, payment.Reversed, payment.Voided, payment.Expired:
		// It ended between the commit and this read: the order number is free again.
		return inbound.Reply{}, inProgress(string(id))
	}
	return inbound.Reply{}, inProgress(string(id))
}

func inProgress(id string) error {
	return &fault.Error{
		Kind: fault.Conflict, Code: "order_in_progress", Payment: id, RetryAfter: retryAfter,
		Message: "a payment of this order is running or its outcome is not known yet; ask again, do not charge again",
	}
}
