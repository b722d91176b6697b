package app

import (
	"context"
	"slices"
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
	for _, k := range a.claimKeys(p, o.Kind, d) {
		all = append(all, outbound.Claim{
			ClaimKey: k, Fingerprint: fingerprint, Payment: p.ID, Operation: o.ID, At: o.CreatedAt,
		})
	}
	return all
}

// claimKeys are the names of the keys. A reply in neutral terms is no answer for a request in a provider's columns: the
// same key on the two kinds of routes is two keys.
func (a *App) claimKeys(p payment.Payment, k payment.Kind, d draft) []outbound.ClaimKey {
	var all []outbound.ClaimKey
	add := func(scope outbound.ClaimScope, owner, key string) {
		if key == "" {
			return
		}
		if d.command.Neutral != nil {
			owner += "\x00neutral"
		}
		all = append(all, outbound.ClaimKey{
			Company: p.Company, Environment: p.Environment, Scope: scope,
			Hash: a.Secrets.Fingerprint([]byte(strings.Join([]string{owner, string(k), key}, "\x00"))),
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
	parts := []string{string(p.Company), string(p.Environment), p.Type, p.Account, string(k), string(d.set.store)}
	if k != payment.KindPay {
		// A follow-up means its payment, whatever it was found by.
		parts = append(parts, string(p.ID))
	}
	return a.Secrets.Fingerprint(append([]byte(strings.Join(parts, "\x00")+"\x00"), d.form.Meaning...))
}

// again answers a request whose key was taken before.
func (a payments) again(
	ctx context.Context, session outbound.Session, held []outbound.Claim, mine outbound.Change, d draft,
) (inbound.Reply, error) {
	keys := make([]outbound.ClaimKey, 0, len(held))
	for _, c := range held {
		keys = append(keys, c.ClaimKey)
	}
	all, err := a.Ledger.Claimed(ctx, keys)
	if err != nil || len(all) == 0 {
		// Its key is taken, so it may have been sent.
		if len(held) == 0 {
			return inbound.Reply{}, inProgress("")
		}
		lost := payment.Record{Payment: payment.Payment{ID: held[0].Payment}}
		return pending(lost, outbound.Answer{}, d), nil
	}
	return a.repeated(ctx, session, all, mine.Record, mine.Claims, d)
}

// repeated answers a request whose keys lead to what an earlier request started.
func (a payments) repeated(
	ctx context.Context, session outbound.Session, held []outbound.Held, wanted payment.Record, mine []outbound.Claim, d draft,
) (inbound.Reply, error) {
	first := held[0]
	// Before any comparison: of two requests one differs always, and which one is not the point.
	if slices.ContainsFunc(held, func(h outbound.Held) bool { return h.Claim.Operation != first.Claim.Operation }) {
		return inbound.Reply{}, &fault.Error{
			Kind: fault.Mismatch, Code: "conflicting_keys", Payment: string(first.Claim.Payment),
			Message: "the Idempotency-Key and the request id belong to two different requests; look both up before you charge again",
		}
	}
	for _, h := range held {
		for _, c := range mine {
			if c.ClaimKey == h.Claim.ClaimKey && c.Fingerprint != h.Claim.Fingerprint {
				return inbound.Reply{}, mismatched(h.Record, wanted)
			}
		}
	}
	return a.joined(ctx, session, first.Record, first.Claim.ClaimKey, d)
}

// mismatched says by name, never by value, in what a request differs from the one that used its key first.
func mismatched(held, wanted payment.Record) error {
	f := &fault.Error{
		Kind: fault.Mismatch, Code: "idempotency_mismatch", Payment: string(held.Payment.ID),
		Message: "this key was used with another request, which keeps its outcome; look it up before you charge again, " +
			"and use a new key for a new payment",
	}
	h, w := held.Payment, wanted.Payment
	for _, c := range []struct {
		name   string
		differ bool
	}{
		{"type", h.Type != w.Type},
		{"store_id", h.Store != w.Store},
		{"account", h.Account != w.Account},
		{"order_number", h.OrderNumber != w.OrderNumber},
		{"amount", held.Operation.Amount.Units != wanted.Operation.Amount.Units},
		{"currency", h.Amount.Currency != w.Amount.Currency},
		{"capture", h.Capture != w.Capture},
	} {
		if c.differ {
			f.Fields = append(f.Fields, fault.Field{Pointer: "/" + c.name, Code: "differs", Detail: c.name + " differs from the first request with this key"})
		}
	}
	if len(f.Fields) == 0 {
		f.Fields = []fault.Field{{Pointer: "/request", Code: "differs", Detail: "another member of the request differs from the first request with this key"}}
	}
	return f
}

// joined answers for an operation that may be running, here or in another process: its answer is this request's, too.
func (a payments) joined(
	ctx context.Context, session outbound.Session, r payment.Record, key outbound.ClaimKey, d draft,
) (inbound.Reply, error) {
	// Who waits must not hold a place at the provider.
	session.Close()
	if r.Operation.Open() {
		began(ctx, pending(r, outbound.Answer{}, d)) // whoever does not wait hears that; what has ended is told as it ended
	}
	if err := a.running.wait(ctx, r.Payment.ID); err != nil {
		return inbound.Reply{}, &fault.Error{
			Kind: fault.Conflict, Code: "request_in_progress", Payment: string(r.Payment.ID), RetryAfter: retryAfter,
			Message: "the same request is still running; ask again with the same key", Cause: err,
		}
	}
	now, err := a.elsewhere(ctx, r, key)
	if err != nil {
		// Its key is taken, so it may have been sent.
		return pending(r, outbound.Answer{}, d), nil //nolint:nilerr // see above
	}
	if !d.unread && now.Operation.Kind == payment.KindPay && now.Payment.State == payment.Failed && now.Payment.Failure == payment.NotSent {
		if refusal := d.refusal(); refusal != nil {
			return inbound.Reply{}, refusal
		}
		return a.retry(ctx, now, key, d)
	}
	return a.standing(ctx, now, d)
}

// retry runs a request again that was certainly never sent, as a new operation of the same payment.
func (a payments) retry(
	ctx context.Context, r payment.Record, key outbound.ClaimKey, d draft,
) (inbound.Reply, error) {
	session, err := a.hold(ctx, outbound.Route{
		Type: r.Payment.Type, Payment: r.Payment.ID, Store: d.set.store, Environment: r.Payment.Environment,
	})
	if err != nil {
		return inbound.Reply{}, err
	}
	defer session.Close()
	// This time's credential is the one that a search will need.
	r.Payment.CredentialRef = d.set.ref
	o, err := a.operation(ctx, r.Payment, d, payment.KindPay, r.Payment.Amount)
	if err != nil {
		return inbound.Reply{}, err
	}
	o.OrderID, o.RetryOf = a.retryID(r, d), r.Operation.RetryOf
	if o.RetryOf == "" {
		o.RetryOf = r.Operation.ID
	}
	now := a.Clock.Now()
	next, err := payment.Apply(r, payment.Begun{At: now, Operation: o})
	if err != nil {
		return inbound.Reply{}, err
	}
	change := chainedWith(next, "payment.sending", now, d.asked)
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
	case committed.Loss == outbound.LostAttempt:
		// Another payment of the order was sent since, and ended: the order id of this one is used up for good.
		return inbound.Reply{}, &fault.Error{
			Kind: fault.Conflict, Code: "not_charged", Payment: string(r.Payment.ID),
			Message: "this payment was never sent and never will be, because the order was paid or tried with another request since; " +
				"look the order up, and start a new payment with a new request id",
		}
	case committed.Loss != outbound.NoLoss:
		// Another request of the same kind was faster.
		finished()
		return a.joined(ctx, session, r, key, d)
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
		if body := d.promises.Bodies[catalogue.DuplicateOrder]; len(body) > 0 && d.command.Neutral == nil {
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
		a.pull(ctx, r)
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
