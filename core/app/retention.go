package app

import (
	"context"
	"errors"
	"time"

	"github.com/payrack/payrack/ports/outbound"
)

// keepKeys is how long an idempotency key answers for its request: clients are promised thirty days, and whoever sends
// again at the last moment must not meet a key that is just being forgotten.
const keepKeys = 35 * 24 * time.Hour

// RetentionOptions are what forgetting needs. Every port is required.
type RetentionOptions struct {
	Keys  outbound.Retention
	Clock outbound.Clock
}

// Retention implements inbound.Retention. It stands beside the core: nothing of a payment waits for it. Money does not
// depend on what it forgets: an order number that is paid is not charged again, whatever the key.
type Retention struct{ RetentionOptions }

// NewRetention makes one.
func NewRetention(o RetentionOptions) (*Retention, error) {
	if o.Keys == nil || o.Clock == nil {
		return nil, errors.New("app: retention needs every port")
	}
	return &Retention{o}, nil
}

// Prune forgets idempotency keys that are old enough.
func (r *Retention) Prune(ctx context.Context) (removed int, more bool, err error) {
	return r.Keys.PruneKeys(ctx, r.Clock.Now().Add(-keepKeys))
}
