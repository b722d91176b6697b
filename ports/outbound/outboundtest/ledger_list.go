package outboundtest

import (
	"slices"
	"testing"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

func listCases() []ledgerCase {
	return []ledgerCase{
		{"pages hold every payment once, newest first", func(t *testing.T, b *book) {
			t.Helper()
			want := []payment.ID{}
			for range 23 {
				want = append(want, b.begun(t).Payment.ID)
			}
			slices.Reverse(want)
			newBook(b.Stores).begun(t) // another company's
			for _, limit := range []int{1, 7, 22, 23, 24, 200} {
				if got := b.pages(t, outbound.Query{}, limit); !slices.Equal(got, want) {
					t.Errorf("pages of %d = %v, want %v", limit, got, want)
				}
			}
		}},
		{"a page is not moved by payments that come meanwhile", func(t *testing.T, b *book) {
			t.Helper()
			first, second := b.begun(t), b.begun(t)
			page, err := b.ledger.List(t.Context(), outbound.Query{Company: b.company, Limit: 1})
			if err != nil || page.Next != second.Payment.ID {
				t.Fatalf("first page = %+v, %v", page, err)
			}
			b.begun(t)
			page, err = b.ledger.List(t.Context(), outbound.Query{Company: b.company, Limit: 1, Before: page.Next})
			if err != nil || len(page.Payments) != 1 || page.Payments[0].ID != first.Payment.ID || page.Next != "" {
				t.Errorf("second page = %+v, %v", page, err)
			}
		}},
		{"payments of one instant are ordered by id", func(t *testing.T, b *book) {
			t.Helper()
			want := []payment.ID{}
			for range 5 {
				r := b.begun(t, func(r *payment.Record) { r.Payment.CreatedAt = epochStart() })
				want = append(want, r.Payment.ID)
			}
			slices.Reverse(want)
			if got := b.pages(t, outbound.Query{}, 2); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		}},
		{"a list shows payments as they are", func(t *testing.T, b *book) {
			t.Helper()
			r := b.ended(t, b.begun(t), payment.Succeeded)
			page, err := b.ledger.List(t.Context(), outbound.Query{Company: b.company, Limit: 10})
			if err != nil || len(page.Payments) != 1 {
				t.Fatalf("List = %+v, %v", page, err)
			}
			same(t, page.Payments[0], r.Payment)
		}},
		{"filters narrow a list, alone and together", filtersNarrow},
		{"a company without payments has an empty list", func(t *testing.T, b *book) {
			t.Helper()
			page, err := b.ledger.List(t.Context(), outbound.Query{Company: b.company, Limit: 10})
			if err != nil || len(page.Payments) != 0 || page.Next != "" {
				t.Errorf("List = %+v, %v; want nothing", page, err)
			}
			page, err = b.ledger.List(t.Context(), outbound.Query{Limit: 10})
			if err != nil || len(page.Payments) != 0 {
				t.Errorf("without a company: %+v, %v; want nothing", page, err)
			}
		}},
		{"a page has 1 to 200 payments and a cursor that was given out", func(t *testing.T, b *book) {
			t.Helper()
			for _, limit := range []int{-1, 0, 201} {
				_, err := b.ledger.List(t.Context(), outbound.Query{Company: b.company, Limit: limit})
				wantCode(t, err, fault.Invalid, "out_of_range")
			}
			foreign := newBook(b.Stores).begun(t).Payment.ID
			for _, cursor := range []payment.ID{foreign, "x", payment.ID(id(epochStart()))} {
				_, err := b.ledger.List(t.Context(), outbound.Query{Company: b.company, Limit: 1, Before: cursor})
				wantCode(t, err, fault.Invalid, "unknown_cursor")
			}
		}},
	}
}

// pages reads a list to its end.
func (b *book) pages(t *testing.T, q outbound.Query, limit int) []payment.ID {
	t.Helper()
	q.Company, q.Limit = b.company, limit
	all := []payment.ID{}
	for {
		page, err := b.ledger.List(t.Context(), q)
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		if len(page.Payments) > limit {
			t.Fatalf("a page of %d, want at most %d", len(page.Payments), limit)
		}
		for _, p := range page.Payments {
			all = append(all, p.ID)
		}
		if page.Next == "" {
			return all
		}
		if len(page.Payments) == 0 || page.Next != all[len(all)-1] {
			t.Fatalf("cursor %q is not the last payment of its page", page.Next)
		}
		q.Before = page.Next
	}
}

func filtersNarrow(t *testing.T, b *book) {
	t.Helper()
	own, other := company.OwnStore, company.StoreID("門市2")
	var all []payment.Record
	for i := range 12 {
		r := b.begun(t, func(x *payment.Record) {
			if i%2 == 0 {
				x.Payment.Store = own
			}
			if i%3 == 0 {
				x.Payment.Type = "KIOSK_PAY"
			}
		})
		switch i % 4 {
		case 1:
			r = b.ended(t, r, payment.Succeeded)
		case 2:
			r = b.ended(t, r, payment.Failed)
		case 3:
			r = b.ended(t, r, payment.Unknown)
		}
		all = append(all, r)
	}
	from, to := all[3].Payment.CreatedAt, all[8].Payment.CreatedAt
	for name, q := range map[string]outbound.Query{
		"order number": {OrderNumber: all[4].Payment.OrderNumber},
		"no order":     {OrderNumber: "none"},
		"sending":      {State: payment.Sending},
		"succeeded":    {State: payment.Succeeded},
		"failed":       {State: payment.Failed},
		"unknown":      {State: payment.Unknown},
		"no such":      {State: payment.Review},
		"own store":    {Store: &own},
		"other store":  {Store: &other},
		"type":         {Type: "KIOSK_PAY"},
		"from":         {CreatedFrom: from},
		"to":           {CreatedTo: to},
		"between":      {CreatedFrom: from, CreatedTo: to},
		"nothing":      {CreatedFrom: to, CreatedTo: from},
		"all together": {State: payment.Failed, Store: &own, Type: "TILL_PAY", CreatedFrom: from, CreatedTo: to.Add(time.Hour)},
	} {
		want := []payment.ID{}
		for _, r := range slices.Backward(all) {
			if wanted(r.Payment, q) {
				want = append(want, r.Payment.ID)
			}
		}
		for _, limit := range []int{2, 100} {
			if got := b.pages(t, q, limit); !slices.Equal(got, want) {
				t.Errorf("%s in pages of %d = %v, want %v", name, limit, got, want)
			}
		}
	}
}

// wanted is what the filters of a query mean. The end of the period is not part of it.
func wanted(p payment.Payment, q outbound.Query) bool {
	return (q.OrderNumber == "" || p.OrderNumber == q.OrderNumber) && (q.State == "" || p.State == q.State) &&
		(q.Store == nil || p.Store == *q.Store) && (q.Type == "" || p.Type == q.Type) &&
		(q.CreatedFrom.IsZero() || !p.CreatedAt.Before(q.CreatedFrom)) &&
		(q.CreatedTo.IsZero() || p.CreatedAt.Before(q.CreatedTo))
}
