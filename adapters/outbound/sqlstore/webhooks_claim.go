package sqlstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/webhook"
	"github.com/payrack/payrack/ports/outbound"
)

// Claim takes what is due. On SQLite what may be claimed is found beside the writer, which is not asked if there is
// nothing; on PostgreSQL other replicas pass by what one has locked.
func (s *deliveryStore) Claim(ctx context.Context, q outbound.ClaimQuery) (all []webhook.Delivery, err error) {
	end := s.store.span(ctx, "webhooks.claim", "UPDATE webhook_delivery BY next_at")
	defer func() { end(SpanEnd{Err: err}) }()
	if q.Limit < 1 || q.PerEndpoint < 1 || q.Lease <= 0 || q.Now.IsZero() {
		return nil, fault.New(fault.Invalid, "out_of_range", "a claim needs a time, a lease and limits of at least 1")
	}
	endpoints, err := s.dueEndpoints(ctx, q)
	if err != nil || len(endpoints) == 0 {
		return nil, readFault(err)
	}
	err = s.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		var ids []string
		for _, endpoint := range endpoints {
			if room := min(q.PerEndpoint, q.Limit-len(ids)); room > 0 {
				found, err := s.dueOf(ctx, db, endpoint, q, room)
				if err != nil {
					return err
				}
				ids = append(ids, found...)
			}
		}
		if len(ids) == 0 {
			return nil
		}
		var rows []deliveryRow
		err := db.NewUpdate().Model(&rows).Set("epoch = epoch + 1").Set("next_at = ?", q.Now.Add(q.Lease).UnixMicro()).
			Where("id IN (?)", bun.List(ids)).Returning("*").Scan(ctx)
		all = nil
		for _, row := range rows {
			all = append(all, row.delivery())
		}
		return err //nolint:wrapcheck // made a fault by the caller
	})
	if err != nil {
		return nil, writeFault(err)
	}
	slices.SortFunc(all, func(a, b webhook.Delivery) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// dueEndpoints are the endpoints that have something due, the longest overdue first.
func (s *deliveryStore) dueEndpoints(ctx context.Context, q outbound.ClaimQuery) ([]string, error) {
	var rows []struct {
		ID  string `bun:"id"`
		Due *int64 `bun:"due"`
	}
	err := s.store.read.NewRaw(`SELECT e.id AS id, (SELECT min(d.next_at) FROM webhook_delivery d
 WHERE d.endpoint_id = e.id AND d.state = 'PENDING') AS due FROM webhook_endpoint e WHERE e.enabled`).Scan(ctx, &rows)
	if err != nil {
		return nil, err //nolint:wrapcheck // made a fault by the caller
	}
	slices.SortFunc(rows, func(a, b struct {
		ID  string `bun:"id"`
		Due *int64 `bun:"due"`
	},
	) int {
		return cmp.Or(instant(a.Due).Compare(instant(b.Due)), cmp.Compare(a.ID, b.ID))
	})
	var ids []string
	for _, row := range rows {
		if row.Due != nil && *row.Due <= q.Now.UnixMicro() && !slices.Contains(q.Busy, webhook.EndpointID(row.ID)) {
			ids = append(ids, row.ID)
		}
	}
	return ids, nil
}

// dueOf are the due deliveries of an endpoint that wait behind no other.
func (s *deliveryStore) dueOf(ctx context.Context, db bun.IDB, endpoint string, q outbound.ClaimQuery, limit int) (ids []string, err error) {
	query := db.NewSelect().TableExpr("webhook_delivery AS d").ColumnExpr("d.id").
		Where("d.endpoint_id = ?", endpoint).Where("d.state = 'PENDING'").Where("d.next_at <= ?", q.Now.UnixMicro()).
		Where(`NOT EXISTS (SELECT 1 FROM webhook_delivery w WHERE w.endpoint_id = d.endpoint_id AND w.payment_id = d.payment_id
 AND w.n < d.n AND w.state = 'PENDING')`).OrderExpr("d.next_at, d.id").Limit(int64(limit))
	if s.store.dialect == postgres {
		query = query.For("UPDATE SKIP LOCKED")
	}
	err = query.Scan(ctx, &ids)
	return ids, err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
}
