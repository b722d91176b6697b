package app

import (
	"context"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
)

// maxBlock is how many entries one seal covers at most.
const maxBlock = 5000

// Seal signs what was written to the journal since the last seal. Whichever replica is faster adds the seal; the others
// find it there.
func (a recovery) Seal(ctx context.Context) (int, error) {
	last, err := a.lastSeal(ctx)
	if err != nil {
		return 0, err
	}
	entries, err := a.Journal.Tail(ctx, last.To, maxBlock)
	if err != nil || len(entries) == 0 {
		return 0, err
	}
	s := journal.Seal{
		Number: last.Number + 1, From: last.To, To: entries[len(entries)-1].Place, Count: int64(len(entries)),
		Root: journal.Block(entries), At: a.Clock.Now(),
	}
	if last.Number > 0 {
		s.Prev = last.Sum()
	}
	if s.Key, s.Signature, err = a.SealKey.SignBlock(s.Text()); err != nil {
		return 0, err
	}
	if err := a.Journal.AddSeal(ctx, s); err != nil {
		if fault.CodeOf(err) == "seal_taken" {
			return 0, nil
		}
		return 0, err
	}
	a.sealed.Store(&s)
	if a.Sealed != nil {
		a.Sealed(s)
	}
	return len(entries), nil
}

// lastSeal is the newest seal; the zero seal if there is none.
func (a *App) lastSeal(ctx context.Context) (journal.Seal, error) {
	var last journal.Seal
	if known := a.sealed.Load(); known != nil {
		last = *known
	}
	for {
		more, err := a.Journal.Seals(ctx, last.Number, 100)
		if err != nil || len(more) == 0 {
			return last, err
		}
		last = more[len(more)-1]
	}
}

// Review ends a payment that is in review, by two people.
func (a recovery) Review(ctx context.Context, c inbound.ReviewPayment) (payment.Record, error) {
	r, err := a.Ledger.Load(ctx, "", c.Payment)
	if err != nil {
		return payment.Record{}, err
	}
	if c.Evidence == "" {
		return payment.Record{}, fault.New(fault.Invalid, "missing_field", "evidence is required: say what the decision rests on")
	}
	e := payment.Reviewed{At: a.Clock.Now(), To: c.To, Actor: c.Actor, Approver: c.Approver, Evidence: c.Evidence}
	if c.Captured != nil {
		e.Captured.Units, e.Captured.Currency = *c.Captured, r.Payment.Amount.Currency
	}
	if c.Refunded != nil {
		e.Refunded.Units, e.Refunded.Currency = *c.Refunded, r.Payment.Amount.Currency
	}
	next, err := payment.Apply(r, e)
	if err != nil {
		return payment.Record{}, about(err, r)
	}
	if r.Operation.Open() {
		next.Operation.SealedReply = nil // the provider never decided; from now on the state speaks
	}
	change := chainedWith(next, "payment.reviewed", e.At, func(b *fact) {
		b.text("actor", c.Actor)
		b.text("approver", c.Approver)
		b.text("evidence", c.Evidence)
	})
	change.Version, change.Epoch, change.Settled = r.Payment.Version, r.Operation.Epoch, settled(next)
	committed, err := a.Ledger.Commit(context.WithoutCancel(ctx), change)
	if err != nil {
		return payment.Record{}, err
	}
	if committed.Loss != 0 {
		return payment.Record{}, fault.New(fault.Conflict, "payment_moved", "the payment changed meanwhile; look at it again")
	}
	return change.Record, nil
}
