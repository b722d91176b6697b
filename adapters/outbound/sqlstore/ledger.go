package sqlstore

import (
	"context"

	"github.com/payrack/payrack/ports/outbound"
)

// ledger is the store's outbound.Ledger.
type ledger struct{ store *Store }

// Commit makes a change durable.
func (l *ledger) Commit(ctx context.Context, c outbound.Change) (committed outbound.Committed, err error) {
	batch := 0
	end := l.store.span(ctx, "ledger.commit", "INSERT/UPDATE claim, payment, operation, journal")
	defer func() { end(SpanEnd{Err: err, Batch: batch}) }()
	checked, err := newChange(c)
	if err != nil {
		return outbound.Committed{}, err
	}
	if err := ended(ctx); err != nil {
		return outbound.Committed{}, err
	}
	committed, batch, err = l.store.writer.commit(ctx, checked)
	return committed, writeFault(err)
}
