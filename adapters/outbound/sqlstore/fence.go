package sqlstore

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
)

// fenceGrace is how long after its send deadline an operation of a replica that nobody has declared dead is left to it.
const fenceGrace = 2 * time.Second

// fencedRow names an operation that was taken over.
type fencedRow struct {
	PaymentID string `bun:"payment_id"`
	ID        string `bun:"id"`
}

// Fence takes over operations of other process lives. An operation that is taken over belongs to boot from
// then on, so that the next call returns others.
func (l *ledger) Fence(ctx context.Context, boot string, dead []string, limit int) (all []payment.Record, err error) {
	end := l.store.span(ctx, "ledger.fence", "UPDATE operation BY owner_boot")
	defer func() { end(SpanEnd{Err: err}) }()
	if boot == "" || limit < 1 {
		return nil, fault.New(fault.Invalid, "out_of_range", "fencing needs a process life and a limit of at least 1")
	}
	err = l.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		all = nil
		taken, err := fence(ctx, db, l.store.dialect, boot, dead, limit)
		if err != nil {
			return err
		}
		for _, row := range taken {
			r, err := oneRecord(ctx, records(db).Where("p.id = ?", row.PaymentID))
			if err != nil {
				return err
			}
			all = append(all, r)
		}
		return nil
	})
	if err != nil {
		return nil, writeFault(err)
	}
	return all, nil
}

func fence(ctx context.Context, db bun.IDB, d dialect, boot string, dead []string, limit int) ([]fencedRow, error) {
	// The first condition is that of the index of open operations.
	orphans := db.NewSelect().TableExpr("operation").Column("payment_id", "id").
		Where("state IN " + openStates).Where("state = 'SENDING'").OrderExpr("payment_id").Limit(int64(limit))
	if len(dead) == 0 {
		orphans = orphans.Where("owner_boot <> ?", boot)
	} else {
		orphans = orphans.Where("owner_boot IN (?)", bun.List(dead))
	}
	if len(dead) == 0 && d == postgres {
		// Whoever owns the others may be a replica that is at work.
		orphans = orphans.Where("send_deadline < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - ?", fenceGrace.Microseconds())
	}
	if d == postgres {
		// Another replica that fences at the same time takes other rows.
		orphans = orphans.For("UPDATE SKIP LOCKED")
	}
	var taken []fencedRow
	if err := orphans.Scan(ctx, &taken); err != nil {
		return nil, err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
	}
	for _, row := range taken {
		_, err := db.NewUpdate().TableExpr("operation").Set("epoch = epoch + 1").Set("owner_boot = ?", boot).
			Where("payment_id = ?", row.PaymentID).Where("id = ?", row.ID).Exec(ctx)
		if err != nil {
			return nil, err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
		}
	}
	return taken, nil
}
