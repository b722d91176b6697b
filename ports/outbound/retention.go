package outbound

import (
	"context"
	"time"
)

// Retention forgets what was promised for a time only. Implementations pass outboundtest.Retention.
type Retention interface {
	// PruneKeys removes idempotency keys (ClaimHeader) that were claimed before a time and whose operation has ended. It
	// does a bounded part of that and reports whether there is more. A key that was claimed at that time or later is never
	// removed; an older one may stay for another month. Request ids (ClaimRequest) stay for ever.
	PruneKeys(ctx context.Context, before time.Time) (removed int, more bool, err error)
}
