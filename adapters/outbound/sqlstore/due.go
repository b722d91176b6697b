package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// Due claims what is due. On SQLite the candidates are read beside the writer, which then looks at those alone.
func (l *ledger) Due(ctx context.Context, q outbound.DueQuery) (all []payment.Record, err error) {
	end := l.store.span(ctx, "ledger.due", "UPDATE operation BY next_check_at")
	defer func() { end(SpanEnd{Err: err}) }()
	if q.Boot == "" || q.Limit < 1 || q.Lease <= 0 || q.PerAccount < 0 || q.Room < 0 {
		return nil, fault.New(fault.Invalid, "out_of_range", "a claim needs a process life, a lease and a limit of at least 1")
	}
	var found []candidate
	if l.store.dialect == sqlite {
		found, err = l.candidates(ctx, l.store.read, q, time.Now().UnixMicro())
		if err != nil || len(found) == 0 {
			return nil, readFault(err)
		}
	}
	err = l.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		now, err := l.store.now(ctx, db)
		if err != nil {
			return err
		}
		if l.store.dialect == postgres {
			if found, err = l.candidates(ctx, db, q, now); err != nil {
				return err
			}
		}
		all, err = l.claim(ctx, db, q, found, now)
		return err
	})
	if err != nil {
		return nil, writeFault(err)
	}
	return all, nil
}

// candidate is an operation that may be claimed.
type candidate struct {
	operationKey

	Lane  string `bun:"lane"`
	DueAt int64  `bun:"due_at"`
}

// candidates are what may be claimed, oldest first, at most q.Limit and no more of an account than it has room for.
func (l *ledger) candidates(ctx context.Context, db bun.IDB, q outbound.DueQuery, now int64) ([]candidate, error) {
	if q.Payment != "" {
		return l.pulled(ctx, db, q, now)
	}
	room := roomsFor(q, now)
	var all []candidate
	var sending []candidate
	if err := l.overdue(db, now).Limit(int64(q.Limit)).Scan(ctx, &sending); err != nil {
		return nil, err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
	}
	if err := room.measure(ctx, db, sending); err != nil {
		return nil, err
	}
	for _, c := range sending {
		if room.take(c.Lane) {
			all = append(all, c)
		}
	}
	// A page at a time, without the accounts that have no room left: a long line of one does not hide the others.
	for last := (candidate{}); ; {
		var page []candidate
		if err := l.scheduled(db, q.Limit, now, last, room.full).Scan(ctx, &page); err != nil {
			return nil, err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
		}
		if err := room.measure(ctx, db, page); err != nil {
			return nil, err
		}
		taken := 0
		for _, c := range page {
			if room.take(c.Lane) {
				all = append(all, c)
				taken++
			}
		}
		if len(page) < q.Limit || len(all) >= len(sending)+q.Limit {
			break
		}
		last = page[len(page)-1]
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.DueAt, b.DueAt), cmp.Compare(a.PaymentID, b.PaymentID))
	})
	return all[:min(len(all), q.Limit)], nil
}

// overdue selects what is SENDING past its deadline and not claimed.
func (l *ledger) overdue(db bun.IDB, now int64) *bun.SelectQuery {
	q := db.NewSelect().ColumnExpr("payment_id, id, lane, coalesce(next_check_at, send_deadline) AS due_at").
		Where("state = 'SENDING'").Where("send_deadline <= ?", now).
		Where("coalesce(next_check_at, send_deadline) <= ?", now).OrderExpr("due_at, payment_id")
	if l.store.dialect == sqlite {
		return q.TableExpr("operation INDEXED BY operation_one_open").Where("state IN " + openStates)
	}
	return q.TableExpr("operation").For("UPDATE SKIP LOCKED")
}

// scheduled selects a page of what is due by its schedule, behind the last one of the page before, without some accounts.
// Its order and its columns are those of the index.
func (l *ledger) scheduled(db bun.IDB, limit int, now int64, last candidate, without []string) *bun.SelectQuery {
	q := db.NewSelect().ColumnExpr("payment_id, id, lane, next_check_at AS due_at").
		Where("next_check_at IS NOT NULL").Where("state <> 'SENDING'").Where("next_check_at <= ?", now).
		OrderExpr("next_check_at, lane, payment_id").Limit(int64(limit))
	if last.PaymentID != "" {
		q = q.Where("(next_check_at, lane, payment_id) > (?, ?, ?)", last.DueAt, last.Lane, last.PaymentID)
	}
	if len(without) > 0 {
		q = q.Where("lane NOT IN (?)", bun.List(without))
	}
	if l.store.dialect == sqlite {
		return q.TableExpr("operation INDEXED BY operation_due")
	}
	return q.TableExpr("operation").For("UPDATE SKIP LOCKED")
}

// pulled is the operation of one payment, if it is watched and was not claimed just now.
func (l *ledger) pulled(ctx context.Context, db bun.IDB, q outbound.DueQuery, now int64) ([]candidate, error) {
	s := db.NewSelect().TableExpr("operation").
		ColumnExpr("payment_id, id, lane, coalesce(next_check_at, send_deadline) AS due_at").
		Where("payment_id = ?", string(q.Payment)).Where("(next_check_at IS NOT NULL OR state = 'SENDING')").
		Where("(state <> 'SENDING' OR send_deadline <= ?)", now).
		Where("coalesce(claimed_at, 0) <= ?", now-outbound.PullPause.Microseconds())
	if l.store.dialect == postgres {
		s = s.For("UPDATE SKIP LOCKED")
	}
	var found []candidate
	err := s.Scan(ctx, &found)
	return found, err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
}

// dueRow is a candidate as it is now.
type dueRow struct {
	recordRow

	ClaimedAt *int64 `bun:"claimed_at"`
}

// stillDue reports whether a row may be claimed: it may have been claimed or finished since it was found.
func (r dueRow) stillDue(q outbound.DueQuery, now int64) bool {
	o := &r.Operation
	switch {
	case o.State == string(payment.OperationSending) && (o.SendDeadline == nil || *o.SendDeadline > now):
		return false
	case o.State != string(payment.OperationSending) && o.NextCheckAt == nil:
		return false
	case q.Payment != "":
		return r.ClaimedAt == nil || *r.ClaimedAt <= now-outbound.PullPause.Microseconds()
	default:
		return o.NextCheckAt == nil || *o.NextCheckAt <= now
	}
}

// claim gives candidates to the process life that asks.
func (l *ledger) claim(ctx context.Context, db bun.IDB, q outbound.DueQuery, found []candidate, now int64) ([]payment.Record, error) {
	if len(found) == 0 {
		return nil, nil
	}
	rows, err := dueRows(ctx, db, q, found, now)
	if err != nil {
		return nil, err
	}
	if rows, err = grant(ctx, db, l.store.dialect, q, rows, now); err != nil || len(rows) == 0 {
		return nil, err
	}
	if l.store.dialect == postgres {
		// Whoever claims is in the list of lives, so that it is missed when it dies.
		_, err := db.NewRaw("INSERT INTO replica (boot, seen_at) VALUES (?, ?) ON CONFLICT DO NOTHING", q.Boot, now).Exec(ctx)
		if err != nil {
			return nil, err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
		}
	}
	plans := map[plan][]operationKey{}
	all := make([]payment.Record, 0, len(rows))
	for _, row := range rows {
		r, err := row.record()
		if err != nil {
			return nil, err
		}
		p := planned(r, q, now)
		plans[p] = append(plans[p], operationKey{PaymentID: string(r.Payment.ID), ID: string(r.Operation.ID)})
		r.Operation.Epoch++
		r.Operation.OwnerBoot, r.Operation.NextCheckAt = q.Boot, p.at()
		all = append(all, r)
	}
	for p, keys := range plans {
		if err := p.write(ctx, db, q.Boot, keys, now); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// dueRows reads candidates as they are, in their order, without those that are not due any more.
func dueRows(ctx context.Context, db bun.IDB, q outbound.DueQuery, found []candidate, now int64) ([]dueRow, error) {
	place := make(map[operationKey]int, len(found))
	payments := make([]string, 0, len(found))
	for i, c := range found {
		place[c.operationKey] = i
		payments = append(payments, c.PaymentID)
	}
	var rows []dueRow
	err := joined(db).ColumnExpr("o.claimed_at AS claimed_at").Where("p.id IN (?)", bun.List(payments)).Scan(ctx, &rows)
	if err != nil {
		return nil, err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
	}
	of := func(r dueRow) operationKey { return operationKey{PaymentID: r.Operation.PaymentID, ID: r.Operation.ID} }
	rows = slices.DeleteFunc(rows, func(r dueRow) bool {
		_, wanted := place[of(r)]
		return !wanted || !r.stillDue(q, now)
	})
	slices.SortFunc(rows, func(a, b dueRow) int { return cmp.Compare(place[of(a)], place[of(b)]) })
	return rows, nil
}

// plan is what becomes of claimed operations: when they are due next, 0 for never.
type plan struct{ next, until int64 }

// planned is the plan of a record: the end of the lease, or on the watch list the next look.
func planned(r payment.Record, q outbound.DueQuery, now int64) plan {
	until := now + q.Lease.Microseconds()
	if r.Payment.State != payment.Failed {
		return plan{next: until, until: until}
	}
	delay, more := payment.WatchDelay(utc(now).Sub(r.Operation.UpdatedAt))
	if !more {
		return plan{}
	}
	return plan{next: now + delay.Microseconds(), until: until}
}

func (p plan) at() time.Time {
	if p.next == 0 {
		return time.Time{}
	}
	return utc(p.next)
}

func (p plan) write(ctx context.Context, db bun.IDB, boot string, keys []operationKey, now int64) error {
	if p.next != 0 {
		return updateOperations(ctx, db, keys,
			"epoch = epoch + 1, owner_boot = ?, claimed_at = ?, claimed_until = ?, next_check_at = ?", boot, now, p.until, p.next)
	}
	// The watch ends with this look: what was kept for it is not needed any more.
	err := updateOperations(ctx, db, keys,
		"epoch = epoch + 1, owner_boot = ?, claimed_at = ?, claimed_until = NULL, next_check_at = NULL", boot, now)
	if err != nil {
		return err
	}
	payments := make([]string, 0, len(keys))
	for _, k := range keys {
		payments = append(payments, k.PaymentID)
	}
	_, err = db.NewRaw("UPDATE operation SET sealed_credential = NULL WHERE payment_id IN (?) AND sealed_credential IS NOT NULL",
		bun.List(payments)).Exec(ctx)
	return err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
}
