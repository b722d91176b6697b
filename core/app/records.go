package app

import (
	"context"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// records implements inbound.Records.
type records struct{ *App }

// Get returns a company's payment.
func (a records) Get(ctx context.Context, p access.Principal, id payment.ID) (payment.Record, error) {
	return a.Ledger.Load(ctx, p.Company, id)
}

// List returns a page of a company's payments, newest first.
func (a records) List(ctx context.Context, p access.Principal, q inbound.RecordsQuery) (inbound.RecordsPage, error) {
	limit := q.Limit
	if limit == 0 {
		limit = 50
	}
	page, err := a.Ledger.List(ctx, outbound.Query{
		Company: p.Company, OrderNumber: q.OrderNumber, State: q.State, Store: q.Store, Type: q.Type,
		CreatedFrom: q.CreatedFrom, CreatedTo: q.CreatedTo, Before: payment.ID(q.Cursor), Limit: min(max(limit, 1), 200),
	})
	if err != nil {
		return inbound.RecordsPage{}, err
	}
	return inbound.RecordsPage{Payments: page.Payments, Next: string(page.Next)}, nil
}
