package sim_test

import (
	"context"
	"encoding/json"

	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// reckon holds the provider's book against what was told, stored and journaled.
func (s *simulation) reckon() {
	ctx := context.Background()
	page, err := s.store.Ledger().List(ctx, outbound.Query{Company: "co", Limit: 200})
	if err != nil {
		s.problem("the ledger cannot be read: %v", err)
		return
	}
	byID := map[payment.ID]payment.Record{}
	orders := map[string][]payment.Record{} // by the provider's order id
	for _, p := range page.Payments {
		r, err := s.store.Ledger().Load(ctx, "co", p.ID)
		if err != nil {
			s.problem("%v", err)
			continue
		}
		byID[p.ID] = r
		orders[r.Operation.OrderID] = append(orders[r.Operation.OrderID], r)
		s.ended(r)
		s.chained(ctx, r)
		s.agrees(r)
		if payment.Settled(r.Payment) && len(r.Operation.SealedCredential) > 0 {
			s.problem("%s %s is settled and keeps its request's credential", r.Payment.OrderNumber, r.Payment.State)
		}
	}
	s.charges(orders)
	s.told(byID)
	s.audited(ctx)
	for _, what := range s.book.unsigned {
		s.problem("%s went out without a credential", what)
	}
	for op, n := range s.book.sent {
		if n > 1 {
			s.problem("I10: operation %s was sent %d times", op, n)
		}
	}
}

// audited is I12 over everything: the rows are what the journal says of them, to the column.
func (s *simulation) audited(ctx context.Context) {
	audit, err := app.NewAudit(app.AuditOptions{
		Journal: s.store.Journal(), SealKey: sealKey{}, Ledger: s.store.Ledger(), Holdings: s.store.Holdings(),
		Releases: s.store.Releases(), Clock: clock{},
	})
	if err != nil {
		s.problem("%v", err)
		return
	}
	report, err := audit.Verify(ctx, inbound.VerifyAudit{})
	if err != nil {
		s.problem("I12: %v", err)
	}
	for _, f := range report.Findings {
		s.problem("I12: %s %s: %s", f.Stream, f.Code, f.What)
	}
}

// waitsForPeople reports whether a payment is in review.
func (s *simulation) waitsForPeople(id payment.ID) bool {
	r, err := s.store.Ledger().Load(context.Background(), "co", id)
	return err == nil && r.Payment.State == payment.Review
}

// ended is I4: after twenty minutes of peace nothing is open but what waits for people.
func (s *simulation) ended(r payment.Record) {
	switch r.Payment.State {
	case payment.Sending, payment.Unknown, payment.Capturing, payment.Voiding, payment.Refunding, payment.Reversing, payment.Mismatch:
		s.problem("I4: %s %s is still %s, its %s %s", r.Payment.OrderNumber, r.Payment.ID, r.Payment.State, r.Operation.Kind, r.Operation.State)
	case payment.RequiresAction:
		s.problem("I4: %s %s still waits for a payer whose request has ended", r.Payment.OrderNumber, r.Payment.ID)
	case payment.Authorized, payment.Succeeded, payment.Failed, payment.Reversed, payment.Voided, payment.Refunded,
		payment.PartiallyRefunded, payment.Expired, payment.Review:
	}
}

// chained is I7 and I12: the chain holds, versions grow by one, and only changes of the table occur.
func (s *simulation) chained(ctx context.Context, r payment.Record) {
	all, err := s.store.Journal().Entries(ctx, r.Payment.Stream(), 0, 10_000)
	if err != nil || int64(len(all)) != r.Payment.Version {
		s.problem("I12: %s has version %d and %d entries, %v", r.Payment.ID, r.Payment.Version, len(all), err)
		return
	}
	var (
		prev journal.Hash
		from payment.State
		ever payment.Promise
	)
	for i, e := range all {
		if e.N != int64(i+1) || e.Prev != prev || !e.Verify() {
			s.problem("I12: the chain of %s breaks at %d", r.Payment.ID, i+1)
			return
		}
		prev = e.Hash
		var body struct {
			State   payment.State   `json:"state"`
			Failure payment.Failure `json:"failure"`
		}
		if err := json.Unmarshal(e.Body, &body); err != nil {
			s.problem("I12: %v", err)
			return
		}
		if i > 0 {
			if !payment.Allowed(from, body.State) {
				s.problem("I7: %s went from %s to %s", r.Payment.ID, from, body.State)
			}
			s.moved[[2]payment.State{from, body.State}]++
			if body.State == payment.Review && from != payment.Unknown {
				s.problem("I4: %s went from %s to people, and nothing here contradicts itself", r.Payment.ID, from)
			}
		}
		promise := body.State.Promise()
		if body.Failure == payment.NotSent {
			promise = payment.NothingPromised
		}
		if promise != payment.NothingPromised {
			if ever != payment.NothingPromised && ever != promise && from != payment.Voiding {
				s.problem("I6: %s was promised %d and then %d", r.Payment.ID, ever, promise)
			}
			ever = promise
		}
		from = body.State
	}
	if prev != r.Payment.Chain {
		s.problem("I12: the head of %s is not its last entry", r.Payment.ID)
	}
}

// agrees is I3 and I8: the ledger and the provider's book agree to the unit.
func (s *simulation) agrees(r payment.Record) {
	p, e := r.Payment, s.book.orders[r.Operation.OrderID]
	if p.State == payment.Review {
		return // people look at the book themselves
	}
	var want int64
	switch p.State {
	case payment.Authorized:
		want = p.Authorized
	case payment.Succeeded, payment.PartiallyRefunded:
		want = p.Captured - p.Refunded
	case payment.Failed, payment.Reversed, payment.Voided, payment.Refunded, payment.Expired, payment.Sending,
		payment.RequiresAction, payment.Capturing, payment.Voiding, payment.Refunding, payment.Unknown, payment.Reversing,
		payment.Mismatch, payment.Review:
	}
	if got := e.live(); got != want {
		s.problem("I3: %s %s is %s with %d, the provider has %d", p.OrderNumber, r.Operation.OrderID, p.State, want, got)
	}
	if e != nil && e.taken > 0 && p.Refunded != e.back && p.State != payment.Failed {
		s.problem("I8: %s gave back %d, the provider %d", p.OrderNumber, p.Refunded, e.back)
	}
	if p.RefundReserved != 0 {
		s.problem("I8: %s still reserves %d", p.OrderNumber, p.RefundReserved)
	}
}

// charges is I1: at most one live charge per order of the company, and none that no payment knows.
func (s *simulation) charges(orders map[string][]payment.Record) {
	live := map[string]int{}
	for id, e := range s.book.orders {
		if len(orders[id]) == 0 {
			s.problem("I3: the provider has an order %s that no payment knows", id)
		}
		if e.charges > 1 {
			s.problem("I1: %s was charged %d times", id, e.charges)
		}
		if len(orders[id]) > 1 {
			s.problem("I1: %d payments are one order %s at the provider", len(orders[id]), id)
		}
		if len(orders[id]) > 0 && e.live() > 0 {
			live[orders[id][0].Payment.OrderNumber]++
		}
	}
	for order, n := range live {
		if n > 1 {
			s.problem("I1: %d live charges of order %s", n, order)
		}
	}
}

// told is I2, I5 and I6: what clients heard is what happened, and nobody heard both.
func (s *simulation) told(byID map[payment.ID]payment.Record) {
	heard := map[payment.ID]told{}
	refunds := map[string]told{}
	for _, say := range s.sayings {
		switch say.what {
		case paid, notPaid:
			if say.payment == "" {
				s.problem("I6: %s was told %d about no payment", say.order, say.what)
				continue
			}
			if before, ok := heard[say.payment]; ok && before != say.what {
				if r := byID[say.payment]; r.Payment.State != payment.Voided {
					s.problem("I6: %s %s was told %d and %d", say.order, say.payment, before, say.what)
				}
			}
			heard[say.payment] = say.what
		case refundDone, refundNotDone:
			if before, ok := refunds[say.req]; ok && before != say.what {
				s.problem("I6: refund %s was told %d and %d", say.req, before, say.what)
			}
			refunds[say.req] = say.what
		case nothing, pendingTold, asked:
		}
	}
	for id, what := range heard {
		r, ok := byID[id]
		if !ok {
			s.problem("I2: a client was told %d about %s, which is not there", what, id)
			continue
		}
		promise := r.Payment.State.Promise()
		if what == notPaid && s.book.orders[r.Operation.OrderID].live() > 0 && r.Payment.State != payment.Review {
			s.problem("I5: %s was told not paid, and %d was taken", r.Payment.OrderNumber, s.book.orders[r.Operation.OrderID].live())
		}
		e := s.book.orders[r.Operation.OrderID]
		if what == paid && (e == nil || e.charges != 1) {
			s.problem("I2: %s was told paid, and the provider never took it", r.Payment.OrderNumber)
		}
		if what == paid && promise == payment.NotPaid && r.Payment.State != payment.Voided {
			s.problem("I6: %s was told paid and is %s", r.Payment.OrderNumber, r.Payment.State)
		}
	}
}
