package sqlstore

import (
	"context"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// Holdings is the store's outbound.Holdings.
func (s *Store) Holdings() outbound.Holdings { return &holdings{store: s} }

type holdings struct{ store *Store }

// Page returns payments with their operations. Both tables are walked along their primary keys, so that no page costs more
// than the one before.
func (h *holdings) Page(ctx context.Context, after payment.ID, limit int) (all []outbound.Holding, err error) {
	end := h.store.span(ctx, "holdings.page", "SELECT payment, operation BY id")
	defer func() { end(SpanEnd{Err: err}) }()
	if err := positive(limit); err != nil {
		return nil, err
	}
	var payments []paymentRow
	err = h.store.read.NewSelect().TableExpr("payment").Column(paymentColumns()...).
		Where("id > ?", string(after)).OrderExpr("id").Limit(int64(limit)).Scan(ctx, &payments)
	if err != nil || len(payments) == 0 {
		return nil, readFault(err)
	}
	at := make(map[string]int, len(payments))
	for i, row := range payments {
		at[row.ID] = i
		all = append(all, outbound.Holding{Payment: row.payment()})
	}
	var operations []operationRow
	err = h.store.read.NewSelect().TableExpr("operation").Column(operationColumns()...).
		Where("payment_id > ?", string(after)).Where("payment_id <= ?", payments[len(payments)-1].ID).
		OrderExpr("payment_id, id").Scan(ctx, &operations)
	if err != nil {
		return nil, readFault(err)
	}
	for _, row := range operations {
		o, err := row.operation()
		if err != nil {
			return nil, err
		}
		// One of a payment that was stored between the two reads belongs to the next page.
		if i, ok := at[row.PaymentID]; ok {
			all[i].Operations = append(all[i].Operations, o)
		}
	}
	return all, nil
}
