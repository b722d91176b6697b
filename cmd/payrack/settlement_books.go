package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

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
	// accounts are those of the payments that were compared.
	accounts map[string]bool
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

// add compares all payments of the period, then those that lines name which are of none, or not surely of the one they have.
func (b *books) add(ctx context.Context, period settlement.Period) error {
	err := b.pages(ctx, url.Values{"created_from": {period.From.Format(time.RFC3339Nano)}, "created_to": {period.To.Format(time.RFC3339Nano)}})
	if err != nil {
		return err
	}
	asked := map[string]bool{}
	for _, line := range b.match.Unsure() {
		for _, number := range settlement.OrderNumbers(line.OrderID) {
			if asked[number] || !askable(number) {
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

// longestAsked is longer than any order number, in bytes, and in any escape fits an address.
const longestAsked = 1 << 10

// askable reports whether a payment can have the order number. A report is foreign text: the admin plane would refuse to look
// for some of it, and one odd row must not end the comparison of the others.
func askable(number string) bool {
	return number != "" && len(number) <= longestAsked && !strings.ContainsFunc(number, unicode.IsControl)
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
			if b.options.covers(p) && !b.added[p.ID] {
				b.added[p.ID], b.accounts[p.Account] = true, true
				b.match.Add(p.payment())
			}
		}
		if page.NextCursor == nil {
			return nil
		}
		query.Set("cursor", *page.NextCursor)
	}
}

// covers reports whether the report is of the account that a payment was made with.
func (o matchOptions) covers(p bookedPayment) bool {
	return p.Provider == o.provider && p.Environment == o.environment && (o.account == "" || p.Account == o.account)
}

func (p bookedPayment) payment() payment.Payment {
	return payment.Payment{
		ID: payment.ID(p.ID), State: payment.State(p.State), Failure: payment.Failure(p.Failure), Provider: p.Provider, Account: p.Account, Environment: company.Environment(p.Environment),
		OrderNumber: p.OrderNumber, Attempt: p.Attempt, Amount: money.Amount{Units: p.Amount, Currency: money.Currency(p.Currency)},
		Capture: p.Capture, Captured: p.Captured, Refunded: p.Refunded, RefundReserved: p.RefundReserved, ProviderTransaction: p.Transaction,
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
}
