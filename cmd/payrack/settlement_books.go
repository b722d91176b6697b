package main

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/settlement"
)

// books are the payments of the platform, read page by page through the admin plane.
type books struct {
	plane   *caller
	options matchOptions
	match   *settlement.Match
	added   map[string]bool
}

// bookedPayment is what a comparison needs of a payment.
type bookedPayment struct {
	ID             string    `json:"id"`
	State          string    `json:"state"`
	Failure        string    `json:"failure"`
	Account        string    `json:"account"`
	Provider       string    `json:"provider"`
	Environment    string    `json:"environment"`
	OrderNumber    string    `json:"order_number"`
	Attempt        int       `json:"attempt"`
	Currency       string    `json:"currency"`
	Amount         int64     `json:"amount"`
	Capture        bool      `json:"capture"`
	Captured       int64     `json:"captured"`
	Refunded       int64     `json:"refunded"`
	RefundReserved int64     `json:"refund_reserved"`
	Transaction    string    `json:"provider_transaction_id"`
	CreatedAt      time.Time `json:"created_at"`
	UpdatedAt      time.Time `json:"updated_at"`
}

// add compares all payments of the period, then those that the remaining lines name.
func (b *books) add(ctx context.Context, period settlement.Period) error {
	err := b.pages(ctx, url.Values{"created_from": {period.From.Format(time.RFC3339)}, "created_to": {period.To.Format(time.RFC3339)}})
	if err != nil {
		return err
	}
	asked := map[string]bool{}
	for _, line := range b.match.Left() {
		for _, number := range settlement.OrderNumbers(line.OrderID) {
			if number == "" || asked[number] {
				continue
			}
			asked[number] = true
			if err := b.pages(ctx, url.Values{"order_number": {number}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// pages reads a list to its end.
func (b *books) pages(ctx context.Context, query url.Values) error {
	query.Set("company_id", b.options.company)
	query.Set("limit", "200")
	for {
		var page struct {
			Data       []bookedPayment `json:"data"`
			NextCursor *string         `json:"next_cursor"`
		}
		if err := b.plane.ask(ctx, http.MethodGet, "/admin/v1/payments?"+query.Encode(), nil, &page); err != nil {
			return err
		}
		for _, p := range page.Data {
			if p.Provider == b.options.provider && p.Environment == b.options.environment && !b.added[p.ID] {
				b.added[p.ID] = true
				b.match.Add(p.payment())
			}
		}
		if page.NextCursor == nil {
			return nil
		}
		query.Set("cursor", *page.NextCursor)
	}
}

func (p bookedPayment) payment() payment.Payment {
	return payment.Payment{
		ID: payment.ID(p.ID), State: payment.State(p.State), Failure: payment.Failure(p.Failure), Provider: p.Provider, Account: p.Account, Environment: company.Environment(p.Environment),
		OrderNumber: p.OrderNumber, Attempt: p.Attempt, Amount: money.Amount{Units: p.Amount, Currency: money.Currency(p.Currency)},
		Capture: p.Capture, Captured: p.Captured, Refunded: p.Refunded, RefundReserved: p.RefundReserved, ProviderTransaction: p.Transaction,
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
}
