package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// Load returns a company's payment with its current operation.
func (l *ledger) Load(ctx context.Context, co company.ID, id payment.ID) (payment.Record, error) {
	if err := l.s.enter(ctx); err != nil {
		return payment.Record{}, err
	}
	defer l.s.mu.Unlock()
	h, ok := l.s.payments[id]
	if !ok || h.payment.Company != co {
		return payment.Record{}, notFound("payment_not_found", "there is no such payment")
	}
	return h.record(), nil
}

// ByOrder returns the live payment of an order, else the newest one.
func (l *ledger) ByOrder(ctx context.Context, k outbound.OrderKey) (payment.Record, error) {
	if err := l.s.enter(ctx); err != nil {
		return payment.Record{}, err
	}
	defer l.s.mu.Unlock()
	if id, ok := l.s.orders[k]; ok {
		return l.s.payments[id].record(), nil
	}
	var newest *held
	for _, h := range l.s.payments {
		if orderOf(h.payment) == k && (newest == nil || newestFirst(h.payment, newest.payment) < 0) {
			newest = h
		}
	}
	if newest == nil {
		return payment.Record{}, notFound("payment_not_found", "there is no such payment")
	}
	return newest.record(), nil
}

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
	for _, h := range l.s.payments {
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
	return p.Company == q.Company &&
		(q.OrderNumber == "" || p.OrderNumber == q.OrderNumber) &&
		(q.State == "" || p.State == q.State) &&
		(q.Store == nil || p.Store == *q.Store) &&
		(q.Type == "" || p.Type == q.Type) &&
		(q.CreatedFrom.IsZero() || !p.CreatedAt.Before(stored(q.CreatedFrom))) &&
		(q.CreatedTo.IsZero() || p.CreatedAt.Before(stored(q.CreatedTo)))
}

// Journal returns the entries of a stream in order.
func (l *ledger) Journal(ctx context.Context, stream string, after int64, limit int) ([]journal.Entry, error) {
	if limit < 1 {
		return nil, invalid("out_of_range", "the limit is at least 1")
	}
	if err := l.s.enter(ctx); err != nil {
		return nil, err
	}
	defer l.s.mu.Unlock()
	var all []journal.Entry
	for _, e := range l.s.journal[stream] {
		if e.N > after && len(all) < limit {
			e.Body = filled(e.Body)
			all = append(all, e)
		}
	}
	return all, nil
}

// Fence takes over operations of other process lives.
func (l *ledger) Fence(ctx context.Context, boot string, dead []string, limit int) ([]payment.Record, error) {
	if boot == "" || limit < 1 {
		return nil, invalid("out_of_range", "fencing needs a process life and a limit of at least 1")
	}
	if err := l.s.enter(ctx); err != nil {
		return nil, err
	}
	defer l.s.mu.Unlock()
	ids := make([]payment.ID, 0, len(l.s.payments))
	for id := range l.s.payments {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var all []payment.Record
	for _, id := range ids {
		h := l.s.payments[id]
		for i := range h.operations {
			o := &h.operations[i]
			orphan := slices.Contains(dead, o.OwnerBoot) || (len(dead) == 0 && o.OwnerBoot != boot)
			if o.State != payment.OperationSending || !orphan || len(all) >= limit {
				continue
			}
			o.Epoch++
			o.OwnerBoot = boot
			all = append(all, h.record())
		}
	}
	return all, nil
}
