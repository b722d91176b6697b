package app

import (
	"context"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// recovery implements inbound.Recovery.
type recovery struct{ *App }

// FenceDead takes over what ended process lives left in the middle of a call. It never sends: whether the
// charge landed is for a search to say.
func (a recovery) FenceDead(ctx context.Context) (int, error) {
	const batch = 100
	total := 0
	for {
		left, err := a.Ledger.Fence(ctx, a.Boot, nil, batch)
		if err != nil {
			return total, err
		}
		for _, r := range left {
			now := a.Clock.Now()
			next, err := payment.Apply(r, payment.Answered{
				At: now, Operation: r.Operation.ID, Epoch: r.Operation.Epoch, Known: payment.KnownNothing,
			})
			if err != nil {
				continue // it was settled meanwhile
			}
			change := chained(next, eventName(next.Payment.State), now)
			change.Version, change.Epoch = r.Payment.Version, r.Operation.Epoch
			committed, err := a.Ledger.Commit(ctx, change)
			if err != nil {
				return total, err
			}
			if committed.Loss == outbound.NoLoss {
				total++
			}
		}
		if len(left) < batch {
			return total, nil
		}
	}
}
