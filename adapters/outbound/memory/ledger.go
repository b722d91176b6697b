package memory

import (
	"context"
	"slices"
	"time"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// ledger is the store's outbound.Ledger.
type ledger struct{ s *Store }

// Commit stores a change, whole or not at all.
func (l *ledger) Commit(ctx context.Context, c outbound.Change) (outbound.Committed, error) {
	if err := c.Check(); err != nil {
		return outbound.Committed{}, err //nolint:wrapcheck // a fault already
	}
	if err := l.s.enter(ctx); err != nil {
		return outbound.Committed{}, err
	}
	defer l.s.mu.Unlock()
	if lost := l.s.loses(c); lost.Loss != outbound.NoLoss {
		return lost, nil
	}
	if err := l.s.check(c); err != nil {
		return outbound.Committed{}, err
	}
	l.s.apply(c)
	return outbound.Committed{}, nil
}

// loses says against what a change loses, if it does.
func (s *Store) loses(c outbound.Change) outbound.Committed {
	var taken []outbound.Claim
	for _, claim := range c.Claims {
		if winner, ok := s.claims[claim.ClaimKey]; ok {
			taken = append(taken, winner)
		}
	}
	if len(taken) > 0 {
		return outbound.Committed{Loss: outbound.LostClaim, Claims: taken}
	}
	p := c.Record.Payment
	h, exists := s.payments[p.ID]
	if p.State == payment.Sending {
		if holder, ok := s.live[orderOf(p)]; ok && holder != p.ID {
			return outbound.Committed{Loss: outbound.LostOrder, Payment: holder}
		}
	}
	lost := outbound.Committed{Loss: outbound.LostVersion}
	if c.Version == 0 {
		if exists {
			return lost
		}
		return s.losesAttempt(p)
	}
	if !exists || h.payment.Company != p.Company || h.payment.Version != c.Version || h.payment.Chain != c.Entry.Prev {
		return lost
	}
	if c.NewOperation {
		if slices.ContainsFunc(h.operations, func(o operation) bool {
			return o.Open() || o.ID == c.Record.Operation.ID
		}) {
			return lost
		}
		if p.State == payment.Sending && !h.payment.State.Live() {
			return s.losesAttempt(p)
		}
		return outbound.Committed{}
	}
	i := h.find(c.Record.Operation.ID)
	if i < 0 || h.operations[i].Epoch != c.Epoch {
		return lost
	}
	return outbound.Committed{}
}

// losesAttempt holds a payment that is about to be sent against those of its order number that were sent before.
func (s *Store) losesAttempt(p payment.Payment) outbound.Committed {
	sent := 0
	for _, h := range s.orders[orderOf(p)] {
		other := h.payment
		if other.ID != p.ID && s.live[orderOf(p)] != other.ID &&
			(other.State != payment.Failed || other.Failure != payment.NotSent) {
			sent++
		}
	}
	if sent != p.Attempt-1 {
		return outbound.Committed{Loss: outbound.LostAttempt, Attempts: sent}
	}
	return outbound.Committed{}
}

// apply stores a change that is known to win and to keep the rules.
func (s *Store) apply(c outbound.Change) {
	p, o := keptPayment(c.Record.Payment), keptOperation(c.Record.Operation)
	if c.Mandate != nil {
		if kept := s.keepMandate(*c.Mandate); p.Mandate == string(c.Mandate.ID) {
			p.Mandate = string(kept)
		}
	}
	h, exists := s.payments[p.ID]
	if !exists {
		h = &held{}
		s.payments[p.ID] = h
		s.orders[orderOf(p)] = append(s.orders[orderOf(p)], h)
		s.tenants[p.Company] = append(s.tenants[p.Company], h)
	} else {
		p.CreatedAt = h.payment.CreatedAt
		delete(s.charges, chargeOf(h.payment))
	}
	if p.ProviderTransaction != "" {
		s.charges[chargeOf(p)] = p.ID
	}
	h.payment = p
	if c.NewOperation {
		h.retire()
		h.operations = append(h.operations, operation{Operation: o})
	} else {
		kept := &h.operations[h.find(o.ID)]
		o.CreatedAt = kept.CreatedAt
		kept.Operation, kept.claimed = o, false
	}
	if c.Settled {
		h.forget()
	}
	s.hold(p)
	s.watch(h)
	for _, claim := range c.Claims {
		claim.At = stored(claim.At)
		s.claims[claim.ClaimKey] = claim
	}
	s.write(c.Entry)
}

// hold gives the order number to a payment that is live, if it is free, and takes it from one that is not.
func (s *Store) hold(p payment.Payment) {
	holder, taken := s.live[orderOf(p)]
	switch {
	case p.State.Live() && !taken:
		// A charge that was told "not paid" and is found late takes the number back only if it is free.
		s.live[orderOf(p)] = p.ID
	case !p.State.Live() && holder == p.ID:
		delete(s.live, orderOf(p))
	}
}

// retire ends the checks of the operations before a new one.
func (h *held) retire() {
	for i := range h.operations {
		h.operations[i].NextCheckAt, h.operations[i].claimed = time.Time{}, false
	}
}

// forget erases the credentials of a payment's requests.
func (h *held) forget() {
	for i := range h.operations {
		h.operations[i].SealedCredential = nil
	}
}

// watch keeps the list of what may become due.
func (s *Store) watch(h *held) {
	if o := h.current(); o.State == payment.OperationSending || !o.NextCheckAt.IsZero() {
		s.watched[h.payment.ID] = h
	} else {
		delete(s.watched, h.payment.ID)
	}
}

func (h *held) find(id payment.OperationID) int {
	return slices.IndexFunc(h.operations, func(o operation) bool { return o.ID == id })
}

// current is the operation that is open, else the last one.
func (h *held) current() *operation {
	i := slices.IndexFunc(h.operations, func(o operation) bool { return o.Open() })
	if i < 0 {
		i = len(h.operations) - 1
	}
	return &h.operations[i]
}

func (h *held) record() payment.Record {
	return h.with(h.current())
}

func (h *held) with(o *operation) payment.Record {
	return payment.Record{Payment: h.payment, Operation: keptOperation(o.Operation)}
}

func orderOf(p payment.Payment) outbound.Key {
	return outbound.Key{
		Company: p.Company, Environment: p.Environment, Provider: p.Provider, Account: p.Account,
		OrderNumber: p.OrderNumber,
	}
}

func keptPayment(p payment.Payment) payment.Payment {
	p.AuthorizationEnds, p.CreatedAt, p.UpdatedAt = stored(p.AuthorizationEnds), stored(p.CreatedAt), stored(p.UpdatedAt)
	return p
}

// keptOperation shares no memory with o.
func keptOperation(o payment.Operation) payment.Operation {
	o.SendDeadline, o.NextCheckAt = stored(o.SendDeadline), stored(o.NextCheckAt)
	o.CreatedAt, o.UpdatedAt = stored(o.CreatedAt), stored(o.UpdatedAt)
	o.RefundIDsSeen = append([]string(nil), o.RefundIDsSeen...)
	o.SealedCredential, o.SealedReply = filled(o.SealedCredential), filled(o.SealedReply)
	return o
}

// filled is a copy of b, or nil if there is nothing in it.
func filled(b []byte) []byte { return append([]byte(nil), b...) }
