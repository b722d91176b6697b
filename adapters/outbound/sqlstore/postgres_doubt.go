package sqlstore

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/payrack/payrack/ports/outbound"
)

// settle finds out how a change ended whose COMMIT got no answer. It repeats the same inserts and compares on
// a new connection: if they block, the first transaction is still there and nothing is known; if they store
// the change, the first one was gone; if they lose, the journal says whether to ourselves. Only reading would
// not do: with a standby that does not answer, a row may appear later, and one that is there may be on no standby yet.
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
			done, err := w.isDurable(ctx, c)
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
			if done, asked := w.isDurable(ctx, c); asked == nil {
				if done {
					return outbound.Committed{}, nil
				}
				return outbound.Committed{}, writeFault(err)
			}
		default:
			w.leaveReadOnly(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(min(attempt, 10)) * 50 * time.Millisecond):
		}
	}
	return outbound.Committed{}, inDoubt(errors.Join(cause, context.Cause(ctx)))
}

// isDurable reports whether a change is committed and where it has to be.
func (w *postgresWriter) isDurable(ctx context.Context, c *change) (bool, error) {
	done, err := w.isCommitted(ctx, c)
	if err == nil && done {
		err = w.reachStandbys(ctx)
	}
	return done, err
}

// reachStandbys returns when the standbys that the server waits for have all that can be seen here: a commit of our own
// waits for them, and theirs came before it. A commit whose wait was cancelled, as the driver does when it loses a
// connection, can be seen without being on any, and a fail-over would forget it. The message makes it a commit that
// writes, for others do not wait.
func (w *postgresWriter) reachStandbys(ctx context.Context) error {
	conn, err := w.pool.Acquire(ctx)
	if err != nil {
		return unavailable(err)
	}
	defer giveBack(ctx, conn)
	for _, text := range []string{
		"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", "SELECT pg_logical_emit_message(true, 'payrack', '')",
	} {
		if _, err := conn.Exec(ctx, text, pgx.QueryExecModeSimpleProtocol); err != nil {
			return writeFault(err)
		}
	}
	return commit(ctx, conn.Conn())
}

// errNotWaited says that a server has committed and has stopped waiting for its standbys, as after pg_cancel_backend.
var errNotWaited = errors.New("the commit is on no standby yet")

// commit ends a transaction. An answer with a warning is no answer: the change is here, and maybe nowhere else.
func commit(ctx context.Context, conn *pgx.Conn) error {
	delete(conn.PgConn().CustomData(), warned)
	if _, err := conn.Exec(ctx, "COMMIT", pgx.QueryExecModeSimpleProtocol); err != nil {
		return err //nolint:wrapcheck // the writer tells an answer from none
	}
	if conn.PgConn().CustomData()[warned] != nil {
		return errNotWaited
	}
	return nil
}

// warned is where a connection keeps that the server has warned.
const warned = "payrack_warned"

// keepWarning hears what the server says beside its answers.
func keepWarning(conn *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" {
		conn.CustomData()[warned] = n.Code
	}
}

func (w *postgresWriter) isCommitted(ctx context.Context, c *change) (bool, error) {
	var n int
	err := w.pool.QueryRow(ctx, w.text.committed, c.committedArgs(nil)...).Scan(&n)
	return n > 0, readFault(err)
}
