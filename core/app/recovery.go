package app

import (
	"context"

	"github.com/payrack/payrack/core/fault"
)

// recovery implements inbound.Recovery.
type recovery struct{ *App }

// FenceDead takes over what ended process lives left in the middle of a call. It never sends: whether the
// charge landed is for a search to say.
func (a recovery) FenceDead(ctx context.Context) (int, error) {
	const batch = 100
	total := 0
	for {
		left, err := a.Ledger.Fence(ctx, a.Boot, batch)
		if err != nil {
			return total, err
		}
		for _, r := range left {
			_, won, err := a.overdue(ctx, r)
			switch {
			case fault.KindOf(err) == fault.Conflict:
				// it was settled meanwhile
			case err != nil:
				return total, err
			case won:
				total++
			}
		}
		if len(left) < batch {
			return total, nil
		}
	}
}
