package memory

import (
	"context"
	"slices"
	"time"

	"github.com/payrack/payrack/ports/outbound"
)

// Retention is the store's outbound.Retention.
func (s *Store) Retention() outbound.Retention { return &retention{s} }

type retention struct{ s *Store }

// PruneKeys removes idempotency keys of ended operations.
func (r *retention) PruneKeys(ctx context.Context, before time.Time) (removed int, more bool, err error) {
	if err := r.s.enter(ctx); err != nil {
		return 0, false, err
	}
	defer r.s.mu.Unlock()
	for key, claim := range r.s.claims {
		if claim.Scope == outbound.ClaimHeader && claim.At.Before(before) && !r.s.payments[claim.Payment].isOpen() {
			delete(r.s.claims, key)
			removed++
		}
	}
	return removed, false, nil
}

// isOpen reports whether an operation of the payment is.
func (h *held) isOpen() bool {
	return slices.ContainsFunc(h.operations, func(o operation) bool { return o.Open() })
}
