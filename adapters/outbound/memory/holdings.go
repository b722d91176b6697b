package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// Holdings is the store's outbound.Holdings.
func (s *Store) Holdings() outbound.Holdings { return &holdings{s} }

type holdings struct{ s *Store }

// Page returns payments with their operations, in the order of their ids.
func (h *holdings) Page(ctx context.Context, after payment.ID, limit int) ([]outbound.Holding, error) {
	if limit < 1 {
		return nil, invalid("out_of_range", "the limit is at least 1")
	}
	if err := h.s.enter(ctx); err != nil {
		return nil, err
	}
	defer h.s.mu.Unlock()
	var all []outbound.Holding
	for _, id := range slices.Sorted(maps.Keys(h.s.payments)) {
		if id <= after || len(all) == limit {
			continue
		}
		one := outbound.Holding{Payment: h.s.payments[id].payment}
		for _, o := range h.s.payments[id].operations {
			one.Operations = append(one.Operations, keptOperation(o.Operation))
		}
		slices.SortFunc(one.Operations, func(a, b payment.Operation) int { return cmp.Compare(a.ID, b.ID) })
		all = append(all, one)
	}
	return all, nil
}
