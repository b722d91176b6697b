package app

import (
	"context"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// records implements inbound.Records.
type records struct{ *App }

// Get returns a company's payment.
func (a records) Get(ctx context.Context, p access.Principal, id payment.ID) (payment.Record, error) {
	r, err := a.load(ctx, p, id)
	if err == nil && (r.Operation.State == payment.OperationUnknown || r.Payment.State == payment.RequiresAction) {
		a.pull(ctx, r) // somebody waits for it
	}
	return r, err
}

// load reads a payment of a company in an environment that the token may see.
func (a records) load(ctx context.Context, p access.Principal, id payment.ID) (payment.Record, error) {
	r, err := a.Ledger.Load(ctx, p.Company, id)
	if err == nil && !p.In(r.Payment.Environment) {
		return payment.Record{}, fault.New(fault.NotFound, "payment_not_found", "there is no such payment")
	}
	return r, err
}

// Events returns what happened to a company's payment, oldest first.
func (a records) Events(
	ctx context.Context, p access.Principal, id payment.ID, after int64, limit int,
) ([]journal.Entry, error) {
	r, err := a.load(ctx, p, id)
	if err != nil {
		return nil, err
	}
	return a.Journal.Entries(ctx, r.Payment.Stream(), after, limit)
}

// List returns a page of a company's payments, newest first.
func (a records) List(ctx context.Context, p access.Principal, q inbound.RecordsQuery) (inbound.RecordsPage, error) {
	limit := q.Limit
	if limit == 0 {
		limit = 50
	}
	page, err := a.Ledger.List(ctx, outbound.Query{
		Company: p.Company, OrderNumber: q.OrderNumber, State: q.State, Store: q.Store, Type: q.Type,
		Environment: only(p), CreatedFrom: q.CreatedFrom, CreatedTo: q.CreatedTo, Before: payment.ID(q.Cursor), Limit: min(max(limit, 1), 200),
	})
	if err != nil {
		return inbound.RecordsPage{}, err
	}
	return inbound.RecordsPage{Payments: page.Payments, Next: string(page.Next)}, nil
}

// nowhere is an environment that no payment is in.
const nowhere company.Environment = "none"

// only is the one environment that a token may see, empty if it may see both.
func only(p access.Principal) company.Environment {
	live, test := p.In(company.Live), p.In(company.Test)
	switch {
	case live && test:
		return ""
	case live:
		return company.Live
	case test:
		return company.Test
	default:
		return nowhere
	}
}
