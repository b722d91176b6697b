package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/webhook"
	"github.com/payrack/payrack/ports/outbound"
)

// deliveryStore is the store's outbound.Deliveries.
type deliveryStore struct{ store *Store }

type deliveryRow struct {
	bun.BaseModel `bun:"table:webhook_delivery"`

	ID         string `bun:"id,pk"`
	EndpointID string `bun:"endpoint_id"`
	CompanyID  string `bun:"company_id"`
	PaymentID  string `bun:"payment_id"`
	N          int64  `bun:"n"`
	Type       string `bun:"type"`
	At         int64  `bun:"at"`
	State      string `bun:"state"`
	Attempts   int64  `bun:"attempts"`
	Since      int64  `bun:"since"`
	NextAt     *int64 `bun:"next_at"`
	Epoch      int64  `bun:"epoch"`
	Status     int64  `bun:"status"`
	Trouble    string `bun:"trouble"`
	EndedAt    *int64 `bun:"ended_at"`
}

func newDeliveryRow(d webhook.Delivery) deliveryRow {
	row := deliveryRow{
		ID: string(d.ID), EndpointID: string(d.Endpoint), CompanyID: string(d.Company), PaymentID: string(d.Payment),
		N: d.N, Type: d.Type, At: d.At.UnixMicro(), State: string(d.State), Attempts: int64(d.Attempts),
		Since: d.Since.UnixMicro(), Epoch: d.Epoch, Status: int64(d.Status), Trouble: d.Trouble,
	}
	if !d.NextAt.IsZero() {
		row.NextAt = new(d.NextAt.UnixMicro())
	}
	if !d.EndedAt.IsZero() {
		row.EndedAt = new(d.EndedAt.UnixMicro())
	}
	return row
}

func (r deliveryRow) delivery() webhook.Delivery {
	return webhook.Delivery{
		ID: webhook.ID(r.ID), Endpoint: webhook.EndpointID(r.EndpointID), Company: company.ID(r.CompanyID),
		Payment: payment.ID(r.PaymentID), N: r.N, Type: r.Type, At: utc(r.At), State: webhook.State(r.State),
		Attempts: int(r.Attempts), Since: utc(r.Since), NextAt: instant(r.NextAt), Epoch: r.Epoch, Status: int(r.Status),
		Trouble: r.Trouble, EndedAt: instant(r.EndedAt),
	}
}

// Fed is the place up to which the journal was queued.
func (s *deliveryStore) Fed(ctx context.Context) (p journal.Place, err error) {
	end := s.store.span(ctx, "webhooks.fed", "SELECT webhook_feed")
	defer func() { end(SpanEnd{Err: err}) }()
	err = s.store.read.NewSelect().TableExpr("webhook_feed").Column("fed_tx", "fed_row").Where("only_row = 1").
		Scan(ctx, &p.Transaction, &p.Row)
	return p, readFault(err)
}

// forgottenAtOnce bounds how many old deliveries one feed forgets.
const forgottenAtOnce = 500

// errOther tells that another replica has fed this part of the journal.
var errOther = fault.New(fault.Conflict, "feed_moved", "another replica has queued this part of the journal")

// Feed queues deliveries and moves the place.
func (s *deliveryStore) Feed(ctx context.Context, f outbound.Feed) (won bool, err error) {
	end := s.store.span(ctx, "webhooks.feed", "INSERT webhook_delivery")
	defer func() { end(SpanEnd{Err: err, Batch: 1}) }()
	err = s.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		result, err := db.NewUpdate().TableExpr("webhook_feed").
			Set("fed_tx = ?", f.To.Transaction).Set("fed_row = ?", f.To.Row).
			Where("only_row = 1").Where("fed_tx = ?", f.From.Transaction).Where("fed_row = ?", f.From.Row).Exec(ctx)
		if err != nil {
			return err //nolint:wrapcheck // made a fault by the caller
		}
		if n, err := result.RowsAffected(); err != nil || n != 1 {
			return cmp.Or(err, error(errOther))
		}
		if err := queueDeliveries(ctx, db, s.store.dialect, f.Deliveries); err != nil || f.Forget.IsZero() {
			return err
		}
		_, err = db.NewRaw("DELETE FROM webhook_delivery WHERE id IN (SELECT id FROM webhook_delivery WHERE ended_at < ? LIMIT ?)",
			f.Forget.UnixMicro(), forgottenAtOnce).Exec(ctx)
		return err //nolint:wrapcheck // made a fault by the caller
	})
	if fault.CodeOf(err) == errOther.Code {
		return false, nil
	}
	return err == nil, writeFault(err)
}

// queueDeliveries adds deliveries. One that waits behind others of its payment is not due before they are.
func queueDeliveries(ctx context.Context, db bun.IDB, d dialect, all []webhook.Delivery) error {
	if len(all) == 0 {
		return nil
	}
	var known []string
	q := db.NewSelect().TableExpr("webhook_endpoint").Column("id")
	if d == postgres {
		q = q.For("SHARE") // so that none is removed meanwhile
	}
	if err := q.Scan(ctx, &known); err != nil {
		return err //nolint:wrapcheck // made a fault by the caller
	}
	rows := make([]deliveryRow, 0, len(all))
	ids := make([]string, 0, len(all))
	for _, one := range all {
		if slices.Contains(known, string(one.Endpoint)) {
			rows, ids = append(rows, newDeliveryRow(one)), append(ids, string(one.ID))
		}
	}
	if len(rows) == 0 {
		return nil
	}
	if _, err := db.NewInsert().Model(&rows).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
		return err //nolint:wrapcheck // made a fault by the caller
	}
	_, err := db.NewRaw(`UPDATE webhook_delivery SET next_at = (SELECT max(w.next_at) FROM webhook_delivery w
 WHERE w.endpoint_id = webhook_delivery.endpoint_id AND w.payment_id = webhook_delivery.payment_id AND w.state = 'PENDING')
 WHERE id IN (?) AND state = 'PENDING'`, bun.List(ids)).Exec(ctx)
	return err //nolint:wrapcheck // made a fault by the caller
}

// Finish records the outcomes of claims.
func (s *deliveryStore) Finish(ctx context.Context, all []webhook.Delivery) (err error) {
	if len(all) == 0 {
		return nil
	}
	end := s.store.span(ctx, "webhooks.finish", "UPDATE webhook_delivery")
	defer func() { end(SpanEnd{Err: err, Batch: len(all)}) }()
	sorted := slices.SortedFunc(slices.Values(all), func(a, b webhook.Delivery) int { return cmp.Compare(a.ID, b.ID) })
	return writeFault(s.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		for _, d := range sorted {
			row := newDeliveryRow(d)
			result, err := db.NewUpdate().Model(&row).
				Column("state", "attempts", "next_at", "status", "trouble", "ended_at").WherePK().
				Where("epoch = ?", d.Epoch).Where("state = 'PENDING'").Exec(ctx)
			if err != nil {
				return err //nolint:wrapcheck // made a fault by the caller
			}
			if n, err := result.RowsAffected(); err != nil || n == 0 {
				if err != nil {
					return err //nolint:wrapcheck // made a fault by the caller
				}
				continue
			}
			if err := followers(ctx, db, d); err != nil {
				return err
			}
		}
		return nil
	}))
}

// followers lets the events behind one wait as long as it does, and makes them due when it has ended.
func followers(ctx context.Context, db bun.IDB, d webhook.Delivery) error {
	due := d.NextAt
	if d.State != webhook.Pending {
		due = d.EndedAt
	}
	_, err := db.NewRaw("UPDATE webhook_delivery SET next_at = ? WHERE endpoint_id = ? AND payment_id = ? AND n > ? AND state = 'PENDING'",
		due.UnixMicro(), string(d.Endpoint), string(d.Payment), d.N).Exec(ctx)
	return err //nolint:wrapcheck // made a fault by the caller
}

// Requeue makes ended deliveries due again. The next epoch lets what was claimed before record nothing.
func (s *deliveryStore) Requeue(ctx context.Context, q outbound.DeliveryQuery, at time.Time) (n int, err error) {
	end := s.store.span(ctx, "webhooks.requeue", "UPDATE webhook_delivery")
	defer func() { end(SpanEnd{Err: err, Batch: 1}) }()
	err = s.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		u := db.NewUpdate().TableExpr("webhook_delivery").
			Set("state = 'PENDING'").Set("attempts = 0").Set("since = ?", at.UnixMicro()).Set("next_at = ?", at.UnixMicro()).
			Set("epoch = epoch + 1").Set("ended_at = NULL").Where("state <> 'PENDING'")
		for _, w := range wheres(q) {
			u = u.Where(w.text, w.value)
		}
		result, err := u.Exec(ctx)
		if err != nil {
			return err //nolint:wrapcheck // made a fault by the caller
		}
		changed, err := result.RowsAffected()
		n = int(changed)
		return err //nolint:wrapcheck // made a fault by the caller
	})
	return n, writeFault(err)
}

type where struct {
	text  string
	value any
}

// wheres are the filters of a query.
func wheres(q outbound.DeliveryQuery) []where {
	var all []where
	for column, value := range map[string]string{
		"endpoint_id": string(q.Endpoint), "id": string(q.ID), "payment_id": string(q.Payment), "state": string(q.State),
	} {
		if value != "" {
			all = append(all, where{column + " = ?", value})
		}
	}
	if !q.Since.IsZero() {
		all = append(all, where{"at >= ?", q.Since.UnixMicro()})
	}
	return all
}

// List returns a page, the newest event first.
func (s *deliveryStore) List(ctx context.Context, q outbound.DeliveryQuery) (all []webhook.Delivery, err error) {
	end := s.store.span(ctx, "webhooks.list", "SELECT webhook_delivery BY at")
	defer func() { end(SpanEnd{Err: err}) }()
	if q.Limit < 1 || q.Limit > maxPage {
		return nil, fault.New(fault.Invalid, "out_of_range", "a page has 1 to 200 deliveries")
	}
	list := s.store.read.NewSelect().OrderExpr("at DESC, id DESC").Limit(int64(q.Limit))
	for _, w := range wheres(q) {
		list = list.Where(w.text, w.value)
	}
	if q.Before != "" {
		var at int64
		err := s.store.read.NewSelect().TableExpr("webhook_delivery").Column("at").Where("id = ?", string(q.Before)).Scan(ctx, &at)
		if isNoRows(err) {
			return nil, fault.New(fault.Invalid, "unknown_cursor", "the cursor of the page is not one that was given out")
		}
		if err != nil {
			return nil, readFault(err)
		}
		list = list.Where("(at, id) < (?, ?)", at, string(q.Before))
	}
	all, err = rowsOf(ctx, list, deliveryRow.delivery)
	return all, readFault(err)
}

// Backlog counts what is not delivered.
func (s *deliveryStore) Backlog(ctx context.Context) (b outbound.Backlog, err error) {
	end := s.store.span(ctx, "webhooks.backlog", "SELECT webhook_delivery")
	defer func() { end(SpanEnd{Err: err}) }()
	var oldest *int64
	err = s.store.read.NewRaw(`SELECT count(*), min(d.at) FROM webhook_delivery d JOIN webhook_endpoint e ON e.id = d.endpoint_id
 WHERE d.state = 'PENDING' AND e.enabled`).Scan(ctx, &b.Pending, &oldest)
	if err != nil {
		return outbound.Backlog{}, readFault(err)
	}
	b.Oldest = instant(oldest)
	err = s.store.read.NewRaw("SELECT count(*) FROM webhook_delivery WHERE state = 'GIVEN_UP'").Scan(ctx, &b.GivenUp)
	return b, readFault(err)
}
