package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// Load returns a company's payment with its current operation, any company's if none is named.
func (l *ledger) Load(ctx context.Context, co company.ID, id payment.ID) (payment.Record, error) {
	if err := l.s.enter(ctx); err != nil {
		return payment.Record{}, err
	}
	defer l.s.mu.Unlock()
	h, ok := l.s.payments[id]
	if !ok || (co != "" && h.payment.Company != co) {
		return payment.Record{}, noPayment()
	}
	return h.record(), nil
}

// Claimed returns what holds keys.
func (l *ledger) Claimed(ctx context.Context, keys []outbound.ClaimKey) ([]outbound.Held, error) {
	if err := l.s.enter(ctx); err != nil {
		return nil, err
	}
	defer l.s.mu.Unlock()
	var all []outbound.Held
	for _, k := range keys {
		claim, taken := l.s.claims[k]
		if !taken {
			continue
		}
		h := l.s.payments[claim.Payment]
		last := h.find(claim.Operation)
		for i := last + 1; i < len(h.operations); i++ {
			if h.operations[i].RetryOf == claim.Operation {
				last = i
			}
		}
		all = append(all, outbound.Held{Claim: claim, Record: h.with(&h.operations[last])})
	}
	return all, nil
}

// Find returns the payment of an order or of a provider's transaction.
func (l *ledger) Find(ctx context.Context, k outbound.Key) (payment.Record, error) {
	if (k.OrderNumber == "") == (k.Transaction == "") {
		return payment.Record{}, invalid("key_malformed", "a payment is found by its order number or by its transaction")
	}
	if err := l.s.enter(ctx); err != nil {
		return payment.Record{}, err
	}
	defer l.s.mu.Unlock()
	if k.Transaction != "" {
		h, ok := l.s.payments[l.s.charges[chargeKey{k.Environment, k.Provider, k.Account, k.Transaction}]]
		if !ok || h.payment.Company != k.Company {
			return payment.Record{}, noPayment()
		}
		return h.record(), nil
	}
	if id, ok := l.s.live[k]; ok {
		return l.s.payments[id].record(), nil
	}
	of := l.s.orders[k]
	if len(of) == 0 {
		return payment.Record{}, noPayment()
	}
	return slices.MinFunc(of, func(a, b *held) int { return newestFirst(a.payment, b.payment) }).record(), nil
}

func noPayment() error { return notFound("payment_not_found", "there is no such payment") }

// newestFirst orders payments as pages do.
func newestFirst(a, b payment.Payment) int {
	return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
}

// List returns a page, newest first.
func (l *ledger) List(ctx context.Context, q outbound.Query) (outbound.Page, error) {
	if q.Limit < 1 || q.Limit > 200 {
		return outbound.Page{}, invalid("out_of_range", "a page has 1 to 200 payments")
	}
	if err := l.s.enter(ctx); err != nil {
		return outbound.Page{}, err
	}
	defer l.s.mu.Unlock()
	before, ok := l.s.payments[q.Before]
	if q.Before != "" && (!ok || before.payment.Company != q.Company) {
		return outbound.Page{}, invalid("unknown_cursor", "the cursor of the page is not one that was given out")
	}
	var page outbound.Page
	for _, h := range l.s.tenants[q.Company] {
		if matches(h.payment, q) && (before == nil || newestFirst(before.payment, h.payment) < 0) {
			page.Payments = append(page.Payments, h.payment)
		}
	}
	slices.SortFunc(page.Payments, newestFirst)
	if len(page.Payments) > q.Limit {
		page.Payments = page.Payments[:q.Limit:q.Limit]
		page.Next = page.Payments[q.Limit-1].ID
	}
	return page, nil
}

func matches(p payment.Payment, q outbound.Query) bool {
	return (q.Environment == "" || p.Environment == q.Environment) &&
		(q.OrderNumber == "" || p.OrderNumber == q.OrderNumber) &&
		(q.State == "" || p.State == q.State) &&
		(q.Store == nil || p.Store == *q.Store) &&
		(q.Type == "" || p.Type == q.Type) &&
		(q.CreatedFrom.IsZero() || !p.CreatedAt.Before(stored(q.CreatedFrom))) &&
		(q.CreatedTo.IsZero() || p.CreatedAt.Before(stored(q.CreatedTo)))
}
