package sqlstore

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/payrack/payrack/ports/outbound"
)

// settle finds out how a change ended whose COMMIT got no answer. It repeats the same inserts and compares on
// a new connection: if they block, the first transaction is still there and nothing is known; if they store
// the change, the first one was gone; if they lose, the journal says whether to ourselves. Only reading would
// not do: with a standby that does not answer, a row may appear later.
func (w *postgresWriter) settle(ctx context.Context, c *change, cause error) (outbound.Committed, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), doubtBudget)
	defer cancel()
	w.log.LogAttrs(ctx, slog.LevelWarn, "a commit got no answer, asking again",
		slog.String("payment_id", string(c.Record.Payment.ID)), slog.Any("error", cause))
	for attempt := 1; ctx.Err() == nil; attempt++ {
		result, err := w.attempt(ctx, []*change{c})
		switch {
		case err == nil && result.lost == nil:
			return outbound.Committed{}, nil
		case err == nil:
			done, err := w.isCommitted(ctx, c)
			if err == nil && done {
				return outbound.Committed{}, nil
			}
			if err != nil {
				break
			}
			committed, err := diagnose(ctx, w.read, &w.months, c)
			if err == nil {
				return committed, nil
			}
		case isConstraint(err) && !isLostRace(err):
			// Refused for certain, so it was not committed before either, unless it is there.
			if done, asked := w.isCommitted(ctx, c); asked == nil {
				if done {
					return outbound.Committed{}, nil
				}
				return outbound.Committed{}, writeFault(err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(min(attempt, 10)) * 50 * time.Millisecond):
		}
	}
	return outbound.Committed{}, inDoubt(errors.Join(cause, context.Cause(ctx)))
}

func (w *postgresWriter) isCommitted(ctx context.Context, c *change) (bool, error) {
	var n int
	err := w.pool.QueryRow(ctx, w.text.committed, c.committedArgs(nil)...).Scan(&n)
	return n > 0, readFault(err)
}
