package memory

import (
	"context"
	"slices"

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
	for _, claim := range c.Claims {
		if winner, taken := s.claims[claim.ClaimKey]; taken {
			return outbound.Committed{Loss: outbound.LostClaim, Claim: winner}
		}
	}
	p := c.Record.Payment
	if p.State == payment.Sending {
		if holder, taken := s.orders[orderOf(p)]; taken && holder != p.ID {
			return outbound.Committed{Loss: outbound.LostOrder, Payment: holder}
		}
	}
	lost := outbound.Committed{Loss: outbound.LostVersion}
	h, exists := s.payments[p.ID]
	if c.Version == 0 {
		if exists {
			return lost
		}
		return outbound.Committed{}
	}
	if !exists || h.payment.Company != p.Company || h.payment.Version != c.Version || h.payment.Chain != c.Entry.Prev {
		return lost
	}
	if c.NewOperation {
		if slices.ContainsFunc(h.operations, func(o payment.Operation) bool {
			return o.Open() || o.ID == c.Record.Operation.ID
		}) {
			return lost
		}
		return outbound.Committed{}
	}
	i := h.find(c.Record.Operation.ID)
	if i < 0 || h.operations[i].Epoch != c.Epoch {
		return lost
	}
	return outbound.Committed{}
}

// apply stores a change that is known to win and to keep the rules.
func (s *Store) apply(c outbound.Change) {
	p, o := keptPayment(c.Record.Payment), keptOperation(c.Record.Operation)
	h, exists := s.payments[p.ID]
	if !exists {
		h = &held{}
		s.payments[p.ID] = h
	} else {
		p.CreatedAt = h.payment.CreatedAt
		delete(s.charges, chargeOf(h.payment))
	}
	if p.ProviderTransaction != "" {
		s.charges[chargeOf(p)] = p.ID
	}
	h.payment = p
	if c.NewOperation {
		h.operations = append(h.operations, o)
	} else {
		i := h.find(o.ID)
		o.CreatedAt = h.operations[i].CreatedAt
		h.operations[i] = o
	}
	holder, taken := s.orders[orderOf(p)]
	switch {
	case p.State.Live() && !taken:
		// A charge that was told "not paid" and is found late takes the number back only if it is free.
		s.orders[orderOf(p)] = p.ID
	case !p.State.Live() && holder == p.ID:
		delete(s.orders, orderOf(p))
	}
	for _, claim := range c.Claims {
		claim.At = stored(claim.At)
		s.claims[claim.ClaimKey] = claim
	}
	e := c.Entry
	e.At, e.Body = stored(e.At), filled(e.Body)
	s.journal[e.Stream] = append(s.journal[e.Stream], e)
}

func (h *held) find(id payment.OperationID) int {
	return slices.IndexFunc(h.operations, func(o payment.Operation) bool { return o.ID == id })
}

// record is the payment with the operation that is open, else the last one.
func (h *held) record() payment.Record {
	i := slices.IndexFunc(h.operations, payment.Operation.Open)
	if i < 0 {
		i = len(h.operations) - 1
	}
	return payment.Record{Payment: h.payment, Operation: keptOperation(h.operations[i])}
}

func orderOf(p payment.Payment) outbound.OrderKey {
	return outbound.OrderKey{
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
