package sqlstore

import (
	"context"
	"strings"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/webhook"
	"github.com/payrack/payrack/ports/outbound"
)

// Endpoints is the store's outbound.Endpoints.
func (s *Store) Endpoints() outbound.Endpoints { return &endpointStore{store: s} }

// Deliveries is the store's outbound.Deliveries.
func (s *Store) Deliveries() outbound.Deliveries { return &deliveryStore{store: s} }

// endpointStore is the store's outbound.Endpoints.
type endpointStore struct{ store *Store }

type endpointRow struct {
	bun.BaseModel `bun:"table:webhook_endpoint"`

	ID            string `bun:"id,pk"`
	CompanyID     string `bun:"company_id"`
	URL           string `bun:"url"`
	Types         string `bun:"types"`
	Enabled       bool   `bun:"enabled"`
	Sealed        []byte `bun:"sealed"`
	Previous      []byte `bun:"previous"`
	PreviousUntil *int64 `bun:"previous_until"`
	Version       int64  `bun:"version"`
	CreatedAt     int64  `bun:"created_at"`
	UpdatedAt     int64  `bun:"updated_at"`
}

func newEndpointRow(e webhook.Endpoint) endpointRow {
	row := endpointRow{
		ID: string(e.ID), CompanyID: string(e.Company), URL: e.URL, Types: strings.Join(e.Types, " "), Enabled: e.Enabled,
		Sealed: append([]byte{}, e.Sealed...), Previous: filled(e.Previous), Version: e.Version,
		CreatedAt: e.CreatedAt.UnixMicro(), UpdatedAt: e.UpdatedAt.UnixMicro(),
	}
	if !e.PreviousUntil.IsZero() {
		row.PreviousUntil = new(e.PreviousUntil.UnixMicro())
	}
	return row
}

func (r endpointRow) endpoint() webhook.Endpoint {
	e := webhook.Endpoint{
		ID: webhook.EndpointID(r.ID), Company: company.ID(r.CompanyID), URL: r.URL, Enabled: r.Enabled,
		Sealed: filled(r.Sealed), Previous: filled(r.Previous), PreviousUntil: instant(r.PreviousUntil), Version: r.Version,
		CreatedAt: utc(r.CreatedAt), UpdatedAt: utc(r.UpdatedAt),
	}
	if r.Types != "" {
		e.Types = strings.Split(r.Types, " ")
	}
	return e
}

func noEndpoint() error { return notFound("webhook_not_found", "there is no such webhook endpoint") }

// AddEndpoint keeps a new endpoint.
func (s *endpointStore) AddEndpoint(ctx context.Context, e webhook.Endpoint) error {
	return s.write(ctx, "webhooks.add_endpoint", "INSERT webhook_endpoint", func(ctx context.Context, db bun.IDB) error {
		known, err := db.NewSelect().TableExpr("company").Where("id = ?", string(e.Company)).Exists(ctx)
		if err != nil {
			return err //nolint:wrapcheck // made a fault by the caller
		}
		if !known {
			return notFound("company_not_found", "there is no such company; add it first")
		}
		row := newEndpointRow(e)
		_, err = db.NewInsert().Model(&row).Exec(ctx)
		return err //nolint:wrapcheck // made a fault by the caller
	})
}

// Endpoints returns endpoints, oldest first.
func (s *endpointStore) Endpoints(ctx context.Context, co company.ID) (all []webhook.Endpoint, err error) {
	end := s.store.span(ctx, "webhooks.endpoints", "SELECT webhook_endpoint")
	defer func() { end(SpanEnd{Err: err}) }()
	q := s.store.read.NewSelect().OrderExpr("created_at, id")
	if co != "" {
		q = q.Where("company_id = ?", string(co))
	}
	all, err = rowsOf(ctx, q, endpointRow.endpoint)
	return all, readFault(err)
}

// Endpoint returns one.
func (s *endpointStore) Endpoint(ctx context.Context, id webhook.EndpointID) (_ webhook.Endpoint, err error) {
	end := s.store.span(ctx, "webhooks.endpoint", "SELECT webhook_endpoint BY id")
	defer func() { end(SpanEnd{Err: err}) }()
	var row endpointRow
	err = s.store.read.NewSelect().Model(&row).Where("id = ?", string(id)).Scan(ctx)
	if isNoRows(err) {
		return webhook.Endpoint{}, noEndpoint()
	}
	if err != nil {
		return webhook.Endpoint{}, readFault(err)
	}
	return row.endpoint(), nil
}

// SaveEndpoint replaces an endpoint over the version before.
func (s *endpointStore) SaveEndpoint(ctx context.Context, e webhook.Endpoint) error {
	return s.write(ctx, "webhooks.save_endpoint", "UPDATE webhook_endpoint", func(ctx context.Context, db bun.IDB) error {
		row := newEndpointRow(e)
		result, err := db.NewUpdate().Model(&row).ExcludeColumn("id", "company_id", "created_at").WherePK().
			Where("version = ?", e.Version-1).Exec(ctx)
		if err != nil {
			return err //nolint:wrapcheck // made a fault by the caller
		}
		n, err := result.RowsAffected()
		if err == nil && n != 1 {
			err = fault.New(fault.Conflict, "endpoint_moved", "the webhook endpoint was changed or removed meanwhile; look at it again")
		}
		return err
	})
}

// RemoveEndpoint forgets an endpoint and its deliveries.
func (s *endpointStore) RemoveEndpoint(ctx context.Context, id webhook.EndpointID) error {
	return s.write(ctx, "webhooks.remove_endpoint", "DELETE webhook_endpoint", func(ctx context.Context, db bun.IDB) error {
		result, err := db.NewDelete().TableExpr("webhook_endpoint").Where("id = ?", string(id)).Exec(ctx)
		if err != nil {
			return err //nolint:wrapcheck // made a fault by the caller
		}
		n, err := result.RowsAffected()
		if err == nil && n != 1 {
			err = noEndpoint()
		}
		return err
	})
}

func (s *endpointStore) write(ctx context.Context, name, statement string, do job) (err error) {
	end := s.store.span(ctx, name, statement)
	defer func() { end(SpanEnd{Err: err, Batch: 1}) }()
	return writeFault(s.store.writer.do(ctx, do))
}
