package inbound

import "context"

// Retention forgets what was promised for a time only.
type Retention interface {
	// Prune does a bounded part of what is due and reports whether there is more.
	Prune(ctx context.Context) (removed int, more bool, err error)
}
