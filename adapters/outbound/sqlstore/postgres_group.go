package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/payrack/payrack/ports/outbound"
)

// runGroup commits what waited together. Changes that lose are taken out and the rest runs again; whatever
// else goes wrong, each change then runs alone, unless there is no server to run it on.
func (w *postgresWriter) runGroup(ctx context.Context, group []*request) {
	if len(group) == 1 {
		w.runAlone(ctx, group)
		return
	}
	first, later := fold(group)
	for len(first) > 0 {
		slices.SortStableFunc(first, func(a, b *request) int { return byStream(a.change, b.change) })
		changes := make([]*change, len(first))
		for i, r := range first {
			changes[i] = r.change
		}
		result, err := w.attempt(ctx, changes)
		if err == nil && result.lost == nil {
			for _, r := range first {
				r.finish(outbound.Committed{}, nil, len(first))
			}
			break
		}
		if err != nil {
			if !isLostRace(err) {
				w.log.LogAttrs(ctx, slog.LevelWarn, "group commit failed",
					slog.Int("changes", len(first)), slog.Any("error", err))
			}
			w.runFailed(ctx, first, err)
			break
		}
		var rest []*request
		for _, r := range first {
			if result.lost[r.change] {
				w.runAlone(ctx, []*request{r})
			} else {
				rest = append(rest, r)
			}
		}
		first = rest
	}
	w.runAlone(ctx, later)
}

// fold sets aside the changes that want a key, an order number or a payment that an earlier change of the
// group wants too: they run when it is known how that one ended.
func fold(group []*request) (first, later []*request) {
	keys := map[outbound.ClaimKey]bool{}
	orders := map[orderKey]bool{}
	streams := map[string]bool{}
	for _, r := range group {
		meets := streams[r.change.stream] || (r.change.wantsOrder() && orders[r.change.order()])
		for _, claim := range r.change.Claims {
			meets = meets || keys[claim.ClaimKey]
		}
		if meets {
			later = append(later, r)
			continue
		}
		first = append(first, r)
		streams[r.change.stream] = true
		if r.change.wantsOrder() {
			orders[r.change.order()] = true
		}
		for _, claim := range r.change.Claims {
			keys[claim.ClaimKey] = true
		}
	}
	return first, later
}

func (w *postgresWriter) runAlone(ctx context.Context, group []*request) {
	for _, r := range group {
		committed, err := w.alone(ctx, r.change)
		r.finish(committed, err, 1)
	}
}

// runFailed runs the changes of a group alone after its transaction failed. If COMMIT itself failed, each is
// asked about first.
func (w *postgresWriter) runFailed(ctx context.Context, group []*request, cause error) {
	if errors.Is(cause, errNoConnection) {
		// To try each would let the last of them wait as often as there are others.
		for _, r := range group {
			r.finish(outbound.Committed{}, cause, len(group))
		}
		return
	}
	if !errors.Is(cause, errCommit) {
		w.runAlone(ctx, group)
		return
	}
	for _, r := range group {
		committed, err := w.settle(ctx, r.change, cause)
		r.finish(committed, err, 1)
	}
}

// attempted is how a transaction ended that met no error: committed, or rolled back because some changes lost.
type attempted struct{ lost map[*change]bool }

// attempt makes changes durable in one transaction of three round trips: take keys and rows, write, commit.
// After an error nothing of them stays, unless it is errCommit. ctx is obeyed until a connection is there.
func (w *postgresWriter) attempt(ctx context.Context, group []*change) (attempted, error) {
	// Before there is a connection: who holds one and waits for a second waits for ever, if all others do so too.
	older, err := w.olderMonths(ctx, group)
	if err != nil {
		return attempted{}, err
	}
	conn, err := w.acquire(ctx)
	if err != nil {
		return attempted{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	defer giveBack(ctx, conn)
	if lost, err := w.take(ctx, conn, group, older); err != nil || len(lost) > 0 {
		return attempted{lost: lost}, err
	}
	if lost, err := w.write(ctx, conn, group); err != nil || len(lost) > 0 {
		return attempted{lost: lost}, err
	}
	if err := commit(ctx, conn.Conn()); err != nil {
		if isLostRace(err) || isConstraint(err) {
			return attempted{}, err // a definite answer of the server; the caller makes the fault
		}
		return attempted{}, errors.Join(errCommit, err)
	}
	return attempted{}, nil
}

// olderMonths are the other generations in which the keys of a group may be taken. Others wait for this look, so it is
// bounded and does not end with one caller.
func (w *postgresWriter) olderMonths(ctx context.Context, group []*change) (map[int64][]int64, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	older := map[int64][]int64{}
	for _, c := range group {
		for _, claim := range c.Claims {
			own := month(claim.At)
			if _, known := older[own]; known {
				continue
			}
			others, err := w.months.others(ctx, w.read, claim.At)
			if err != nil {
				return nil, err
			}
			older[own] = others
		}
	}
	return older, nil
}

// take begins the transaction, takes keys and locks payments, each in one order for all groups, and returns
// the changes that have lost.
func (w *postgresWriter) take(ctx context.Context, conn *pgxpool.Conn, group []*change, older map[int64][]int64) (map[*change]bool, error) {
	lost := map[*change]bool{}
	owner := map[outbound.Claim]*change{}
	for _, c := range group {
		for _, claim := range c.Claims {
			owner[claim] = c
		}
	}
	b := &pgx.Batch{}
	b.Queue("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
	b.Queue("SELECT set_config('lock_timeout', '" + lockTimeout.String() + "', true)")
	for _, claim := range sortedClaims(group) {
		c := owner[claim]
		missing(b.Queue(w.text.insertClaim, claimArgs(nil, claim)...), c, lost)
		if others := older[month(claim.At)]; len(others) > 0 {
			b.Queue(`SELECT 1 FROM claim WHERE month = ANY($1) AND company_id = $2 AND environment = $3 AND scope = $4
 AND key_hash = $5`, append([]any{others}, claimKeyArgs(nil, claim)[1:]...)...).Query(func(rows pgx.Rows) error {
				for rows.Next() {
					lost[c] = true
				}
				return rows.Err()
			})
		}
	}
	for _, c := range group {
		if c.Version == 0 {
			continue
		}
		b.Queue(w.text.lockPayment, c.standsArgs(nil)...).Query(func(rows pgx.Rows) error {
			found := false
			for rows.Next() {
				found = true
			}
			if !found {
				lost[c] = true
			}
			return rows.Err()
		})
	}
	for _, c := range byToken(group) {
		b.Queue(w.text.keepMandate, c.mandateArgs(nil)...).QueryRow(func(row pgx.Row) error {
			var kept string
			err := row.Scan(&kept)
			c.nameMandate(kept)
			return err //nolint:wrapcheck // the writer decides whether the change runs again
		})
	}
	err := conn.SendBatch(ctx, b).Close()
	if err != nil {
		return nil, err //nolint:wrapcheck // the writer decides whether the change runs again
	}
	return lost, nil
}

// write stores payments, operations and journal entries. What can still lose here met a transaction that was
// not visible before.
func (w *postgresWriter) write(ctx context.Context, conn *pgxpool.Conn, group []*change) (map[*change]bool, error) {
	lost := map[*change]bool{}
	b := &pgx.Batch{}
	for _, c := range byOrder(group) {
		missing(b.Queue(w.text.insertPayment, c.insertPaymentArgs(nil)...), c, lost)
	}
	for _, c := range group {
		switch {
		case c.Version == 0:
			missing(b.Queue(w.text.insertOperation, c.attemptsArgs(c.insertOperationArgs(nil))...), c, lost)
		case c.NewOperation:
			missing(b.Queue(w.text.beginOperation, c.insertOperationArgs(nil)...), c, lost)
			// Another payment may have taken the order number since this one's row was locked.
			missing(b.Queue(w.text.updatePayment, c.updatePaymentArgs(nil)...), c, lost)
			b.Queue(w.text.retireOperations, string(c.Record.Payment.ID), string(c.Record.Operation.ID))
		default:
			missing(b.Queue(w.text.updateOperation, c.updateOperationArgs(nil)...), c, lost)
			missing(b.Queue(w.text.updatePayment, c.updatePaymentArgs(nil)...), c, lost)
		}
		if c.Settled {
			b.Queue(w.text.forgetCredentials, string(c.Record.Payment.ID))
		}
		b.Queue(w.text.insertJournal, c.journalArgs(nil)...)
	}
	err := conn.SendBatch(ctx, b).Close()
	if len(lost) > 0 {
		// The error, if any, follows from the loss: an operation without its payment.
		return lost, nil
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // the writer decides whether the change runs again
	}
	return nil, nil
}

// missing marks a change as lost if its statement changes no row.
func missing(q *pgx.QueuedQuery, c *change, lost map[*change]bool) {
	q.Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() == 0 {
			lost[c] = true
		}
		return nil
	})
}

// byOrder returns the new payments of a group in the order of what they want to hold.
func byOrder(group []*change) []*change {
	var added []*change
	for _, c := range group {
		if c.Version == 0 {
			added = append(added, c)
		}
	}
	slices.SortStableFunc(added, func(a, b *change) int {
		x, y := a.order(), b.order()
		return cmp.Or(
			cmp.Compare(x.number, y.number), cmp.Compare(x.company, y.company),
			cmp.Compare(x.environment, y.environment), cmp.Compare(x.provider, y.provider), cmp.Compare(x.account, y.account),
		)
	})
	return added
}
