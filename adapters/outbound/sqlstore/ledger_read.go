package sqlstore

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// maxPage bounds every list.
const maxPage = 200

// Load returns a company's payment with its current operation, any company's if none is named.
func (l *ledger) Load(ctx context.Context, co company.ID, id payment.ID) (r payment.Record, err error) {
	end := l.store.span(ctx, "ledger.load", "SELECT payment JOIN operation BY id")
	defer func() { end(SpanEnd{Err: err}) }()
	if co != "" {
		return l.store.record(ctx, l.store.reads.byIDOfCompany, string(id), string(co))
	}
	return l.store.record(ctx, l.store.reads.byID, string(id))
}

// Find returns the payment of an order or of a provider's transaction.
func (l *ledger) Find(ctx context.Context, k outbound.Key) (r payment.Record, err error) {
	end := l.store.span(ctx, "ledger.find", "SELECT payment JOIN operation BY order_number/provider_transaction")
	defer func() { end(SpanEnd{Err: err}) }()
	if (k.OrderNumber == "") == (k.Transaction == "") {
		return payment.Record{}, fault.New(fault.Invalid, "key_malformed",
			"a payment is found by its order number or by its transaction")
	}
	of := []any{string(k.Company), string(k.Environment), k.Provider, k.Account}
	if k.Transaction != "" {
		return l.store.record(ctx, l.store.reads.byTransaction, append(of, k.Transaction)...)
	}
	of = append(of, k.OrderNumber)
	return l.store.record(ctx, l.store.reads.byOrder, append(of, of...)...)
}

// joined selects payments beside their operations.
func joined(db bun.IDB) *bun.SelectQuery {
	q := db.NewSelect().TableExpr("payment AS p").Join("JOIN operation AS o ON o.payment_id = p.id")
	for _, c := range recordColumns() {
		q = q.ColumnExpr(c)
	}
	return q
}

// recordColumns are those of a recordRow.
func recordColumns() []string {
	var all []string
	for _, c := range paymentColumns() {
		all = append(all, "p."+c+" AS p__"+c)
	}
	for _, c := range operationColumns() {
		all = append(all, "o."+c+" AS o__"+c)
	}
	return all
}

func oneRecord(ctx context.Context, q *bun.SelectQuery) (payment.Record, error) {
	var row recordRow
	err := q.Scan(ctx, &row)
	if isNoRows(err) {
		return payment.Record{}, notFound("payment_not_found", "there is no such payment")
	}
	if err != nil {
		return payment.Record{}, readFault(err)
	}
	return row.record()
}

// List returns a page, newest first: by time of creation, then by id.
func (l *ledger) List(ctx context.Context, q outbound.Query) (page outbound.Page, err error) {
	end := l.store.span(ctx, "ledger.list", "SELECT payment USING "+listIndex(q))
	defer func() { end(SpanEnd{Err: err}) }()
	if q.Limit < 1 || q.Limit > maxPage {
		return outbound.Page{}, fault.New(fault.Invalid, "out_of_range", "a page has 1 to 200 payments")
	}
	s, err := l.list(ctx, q)
	if err != nil {
		return outbound.Page{}, err
	}
	var rows []paymentRow
	if err := s.Scan(ctx, &rows); err != nil {
		return outbound.Page{}, readFault(err)
	}
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		page.Next = payment.ID(rows[q.Limit-1].ID)
	}
	for _, row := range rows {
		page.Payments = append(page.Payments, row.payment())
	}
	return page, nil
}

// list builds the query of a page and one more row, which says whether there is a next page. No page reads rows
// far beyond its own: it walks an index in its own order, or sorts the few payments of one order or those on
// their way.
func (l *ledger) list(ctx context.Context, q outbound.Query) (*bun.SelectQuery, error) {
	from := "payment AS p"
	if l.store.dialect == sqlite {
		// Without statistics SQLite takes the index of the period, however many payments that has.
		from += " INDEXED BY " + listIndex(q)
	}
	s := l.store.read.NewSelect().TableExpr(from).Where("p.company_id = ?", string(q.Company)).
		OrderExpr("p.created_at DESC, p.id DESC").Limit(int64(q.Limit) + 1)
	for _, c := range paymentColumns() {
		s = s.ColumnExpr("p." + c + " AS " + c)
	}
	if l.store.dialect == sqlite && listIndex(q) == byID {
		s = s.Where("p.id IN (?)", l.found(q))
	}
	if q.Environment != "" {
		s = s.Where("p.environment = ?", string(q.Environment))
	}
	if q.OrderNumber != "" {
		s = s.Where("p.order_number = ?", q.OrderNumber)
	}
	if q.State != "" {
		s = s.Where("p.state = ?", string(q.State))
	}
	if q.State != "" && q.State != payment.Succeeded && q.State != payment.Sending {
		// The words of the partial index, so that it can be used.
		s = s.Where("p.state <> 'SENDING' AND p.state <> 'SUCCEEDED'")
	}
	if q.Store != nil {
		s = s.Where("p.store = ?", string(*q.Store))
	}
	if q.Type != "" {
		s = s.Where("p.type = ?", q.Type)
	}
	if !q.CreatedFrom.IsZero() {
		s = s.Where("p.created_at >= ?", q.CreatedFrom.UnixMicro())
	}
	if !q.CreatedTo.IsZero() {
		s = s.Where("p.created_at < ?", q.CreatedTo.UnixMicro())
	}
	if q.Before != "" {
		var created int64
		err := l.store.read.NewSelect().TableExpr("payment").Column("created_at").
			Where("id = ?", string(q.Before)).Where("company_id = ?", string(q.Company)).Scan(ctx, &created)
		if isNoRows(err) {
			return nil, fault.New(fault.Invalid, "unknown_cursor", "the cursor of the page is not one that was given out")
		}
		if err != nil {
			return nil, readFault(err)
		}
		s = s.Where("(p.created_at, p.id) < (?, ?)", created, string(q.Before))
	}
	return s, nil
}

// byID is SQLite's index of the payments' ids.
const byID = "sqlite_autoindex_payment_1"

// found selects the ids of the payments of an order, or of all that are on their way, on SQLite. A payment on its
// way has an operation that is.
func (l *ledger) found(q outbound.Query) *bun.SelectQuery {
	if q.OrderNumber == "" {
		return l.store.read.NewSelect().TableExpr("operation INDEXED BY operation_one_open").Column("payment_id").
			Where("state IN " + openStates).Where("state = 'SENDING'")
	}
	half := func(index, live string) *bun.SelectQuery {
		return l.store.read.NewSelect().TableExpr("payment INDEXED BY "+index).Column("id").
			Where("company_id = ?", string(q.Company)).Where("order_number = ?", q.OrderNumber).Where(live)
	}
	return half("payment_live_order", "live").UnionAll(half("payment_ended_order", "NOT live"))
}

// listIndex is the index that narrows a list most. Store and type stand in the index of all payments.
func listIndex(q outbound.Query) string {
	switch {
	case q.OrderNumber != "", q.State == payment.Sending:
		return byID
	case q.State != "" && q.State != payment.Succeeded:
		return "payment_state"
	default:
		return "payment_created"
	}
}
