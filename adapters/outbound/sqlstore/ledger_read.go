package sqlstore

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// maxPage bounds every list.
const maxPage = 200

// Load returns a company's payment with its current operation.
func (l *ledger) Load(ctx context.Context, co company.ID, id payment.ID) (r payment.Record, err error) {
	end := l.store.span(ctx, "ledger.load", "SELECT payment JOIN operation BY id")
	defer func() { end(SpanEnd{Err: err}) }()
	return oneRecord(ctx, records(l.store.read).Where("p.id = ?", string(id)).Where("p.company_id = ?", string(co)))
}

// ByOrder returns the live payment of an order, else the newest one.
func (l *ledger) ByOrder(ctx context.Context, k outbound.OrderKey) (r payment.Record, err error) {
	end := l.store.span(ctx, "ledger.by_order", "SELECT payment JOIN operation BY order_number")
	defer func() { end(SpanEnd{Err: err}) }()
	newest := l.store.read.NewSelect().TableExpr("payment AS x").ColumnExpr("x.id").
		Where("x.company_id = ?", string(k.Company)).Where("x.order_number = ?", k.OrderNumber).
		Where("x.environment = ?", string(k.Environment)).Where("x.provider = ?", k.Provider).
		Where("x.account = ?", k.Account).
		OrderExpr("x.live DESC, x.created_at DESC, x.id DESC").Limit(1)
	return oneRecord(ctx, records(l.store.read).Where("p.id = (?)", newest))
}

// records selects payments beside their current operation: the open one, else the last one.
func records(db bun.IDB) *bun.SelectQuery {
	q := db.NewSelect().TableExpr("payment AS p").Join("JOIN operation AS o ON o.payment_id = p.id").
		OrderExpr("CASE WHEN o.state IN " + openStates + " THEN 0 ELSE 1 END, o.seq DESC").Limit(1)
	for _, c := range paymentColumns() {
		q = q.ColumnExpr("p." + c + " AS p__" + c)
	}
	for _, c := range operationColumns() {
		q = q.ColumnExpr("o." + c + " AS o__" + c)
	}
	return q
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

// list builds the query of a page and one more row, which says whether there is a next page. Every filter has
// an index in the order of the page, so that no page sorts or reads rows far beyond its own.
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
	if q.OrderNumber != "" {
		s = s.Where("p.order_number = ?", q.OrderNumber)
	}
	if q.State != "" {
		s = s.Where("p.state = ?", string(q.State))
	}
	if q.State != "" && q.State != payment.Succeeded {
		// The words of the partial index, so that it can be used.
		s = s.Where("p.state <> 'SUCCEEDED'")
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

// listIndex is the index that narrows a list most.
func listIndex(q outbound.Query) string {
	switch {
	case q.OrderNumber != "":
		return "payment_order"
	case q.State != "" && q.State != payment.Succeeded:
		return "payment_state"
	case q.Store != nil:
		return "payment_store"
	case q.Type != "":
		return "payment_type"
	default:
		return "payment_created"
	}
}

// Journal returns the entries of a stream in order.
func (l *ledger) Journal(ctx context.Context, stream string, after int64, limit int) (all []journal.Entry, err error) {
	end := l.store.span(ctx, "ledger.journal", "SELECT journal BY stream")
	defer func() { end(SpanEnd{Err: err}) }()
	if limit < 1 {
		return nil, fault.New(fault.Invalid, "out_of_range", "the limit is at least 1")
	}
	var rows []journalRow
	err = l.store.read.NewSelect().TableExpr("journal").Column("stream", "n", "at", "event", "body", "prev", "hash").
		Where("stream = ?", stream).Where("n > ?", after).OrderExpr("n").Limit(int64(limit)).Scan(ctx, &rows)
	if err != nil {
		return nil, readFault(err)
	}
	for _, row := range rows {
		all = append(all, row.entry())
	}
	return all, nil
}
