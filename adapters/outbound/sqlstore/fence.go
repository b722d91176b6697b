package sqlstore

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

const (
	// fenceBatch bounds how many claims of dead process lives one call ends.
	fenceBatch = 1000
	// lifeKept is how long a dead process life stays in the list: by then what it left was taken over.
	lifeKept = time.Hour
)

// now is the clock of the database in microseconds. SQLite has that of this machine.
func (s *Store) now(ctx context.Context, db bun.IDB) (micro int64, err error) {
	if s.dialect == sqlite {
		return time.Now().UnixMicro(), nil
	}
	err = db.NewRaw("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").Scan(ctx, &micro)
	return micro, err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
}

// Fence notes a sign of life and takes over what dead process lives left. An operation that is taken over belongs to
// boot from then on, so that the next call returns others.
func (l *ledger) Fence(ctx context.Context, boot string, limit int) (all []payment.Record, err error) {
	end := l.store.span(ctx, "ledger.fence", "UPDATE replica, operation BY owner_boot")
	defer func() { end(SpanEnd{Err: err}) }()
	if boot == "" || limit < 1 {
		return nil, fault.New(fault.Invalid, "out_of_range", "fencing needs a process life and a limit of at least 1")
	}
	if l.store.dialect == sqlite {
		// A sign of life is not needed here, and the writer is asked only if there is something to take.
		left, err := l.left(ctx, boot)
		if err != nil || !left {
			return nil, readFault(err)
		}
	}
	err = l.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		all, err = l.fence(ctx, db, boot, limit)
		return err
	})
	if err != nil {
		return nil, writeFault(err)
	}
	return all, nil
}

// left reports whether another process life has left anything in a SQLite file.
func (l *ledger) left(ctx context.Context, boot string) (found bool, err error) {
	err = l.store.read.NewRaw("SELECT EXISTS (?) OR EXISTS (?)",
		l.orphans(l.store.read, boot, 0), l.claimsOfDead(l.store.read, boot, 0)).Scan(ctx, &found)
	return found, err //nolint:wrapcheck // the caller makes the fault
}

// orphans selects what dead process lives were sending.
func (l *ledger) orphans(db bun.IDB, boot string, now int64) *bun.SelectQuery {
	q := db.NewSelect().ColumnExpr("o.payment_id, o.id").Where("o.owner_boot <> ?", boot)
	if l.store.dialect == sqlite {
		// The first condition is that of the index of open operations.
		return q.TableExpr("operation AS o INDEXED BY operation_one_open").
			Where("o.state IN " + openStates).Where("o.state = 'SENDING'")
	}
	// One that never gave a sign is judged by its operation. Another replica that fences at the same time takes others.
	return q.TableExpr("operation AS o").Join("LEFT JOIN replica AS r ON r.boot = o.owner_boot").
		Where("o.state = 'SENDING'").Where("coalesce(r.seen_at, o.created_at) < ?", now-outbound.ReplicaLease.Microseconds()).
		For("UPDATE OF o SKIP LOCKED")
}

// claimsOfDead selects what dead process lives had claimed and not finished. Every life that claims is in the list.
func (l *ledger) claimsOfDead(db bun.IDB, boot string, now int64) *bun.SelectQuery {
	q := db.NewSelect().ColumnExpr("o.payment_id, o.id").Where("o.claimed_until IS NOT NULL").Where("o.state <> 'SENDING'").
		Limit(fenceBatch)
	if l.store.dialect == sqlite {
		return q.TableExpr("operation AS o INDEXED BY operation_claimed").Where("(o.owner_boot < ? OR o.owner_boot > ?)", boot, boot)
	}
	return q.TableExpr("operation AS o").
		Where("o.owner_boot IN (SELECT boot FROM replica WHERE seen_at < ? AND boot <> ?)",
			now-outbound.ReplicaLease.Microseconds(), boot).
		For("UPDATE OF o SKIP LOCKED")
}

func (l *ledger) fence(ctx context.Context, db bun.IDB, boot string, limit int) ([]payment.Record, error) {
	now, err := l.store.now(ctx, db)
	if err != nil {
		return nil, err
	}
	if l.store.dialect == postgres {
		if err := signOfLife(ctx, db, boot, now); err != nil {
			return nil, err
		}
	}
	var taken []operationKey
	if err := l.orphans(db, boot, now).OrderExpr("o.payment_id").Limit(int64(limit)).Scan(ctx, &taken); err != nil {
		return nil, err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
	}
	err = updateOperations(ctx, db, taken, "epoch = epoch + 1, owner_boot = ?, claimed_until = NULL", boot)
	if err != nil {
		return nil, err
	}
	var claimed []operationKey
	if err := l.claimsOfDead(db, boot, now).Scan(ctx, &claimed); err != nil {
		return nil, err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
	}
	if err := updateOperations(ctx, db, claimed, "next_check_at = ?, claimed_until = NULL", now); err != nil {
		return nil, err
	}
	var all []payment.Record
	for _, k := range taken {
		r, err := oneRecord(ctx, joined(db).Where("p.id = ?", k.PaymentID).Where("o.id = ?", k.ID))
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// signOfLife keeps the process life in the list of the living, and forgets those that are long dead.
func signOfLife(ctx context.Context, db bun.IDB, boot string, now int64) error {
	_, err := db.NewRaw(`INSERT INTO replica (boot, seen_at) VALUES (?, ?)
 ON CONFLICT (boot) DO UPDATE SET seen_at = greatest(replica.seen_at, excluded.seen_at)`, boot, now).Exec(ctx)
	if err != nil {
		return err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
	}
	_, err = db.NewRaw(`DELETE FROM replica WHERE boot IN (SELECT boot FROM replica r WHERE r.seen_at < ? AND NOT EXISTS
 (SELECT 1 FROM operation o WHERE o.claimed_until IS NOT NULL AND o.owner_boot = r.boot) FOR UPDATE SKIP LOCKED)`,
		now-lifeKept.Microseconds()).Exec(ctx)
	return err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
}

// operationKey names an operation.
type operationKey struct {
	PaymentID string `bun:"payment_id"`
	ID        string `bun:"id"`
}

// updateOperations runs one UPDATE over a list of operations.
func updateOperations(ctx context.Context, db bun.IDB, keys []operationKey, set string, args ...any) error {
	if len(keys) == 0 {
		return nil
	}
	for _, k := range keys {
		args = append(args, k.PaymentID, k.ID)
	}
	pairs := strings.Repeat(", (?, ?)", len(keys))[2:]
	_, err := db.NewRaw("UPDATE operation SET "+set+" WHERE (payment_id, id) IN (VALUES "+pairs+")", args...).Exec(ctx)
	return err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
}
