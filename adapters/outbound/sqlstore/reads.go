package sqlstore

import (
	"context"
	"database/sql"
	"strings"
	"sync"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// reads are the reads of single payments, which come in storms: while a provider is down, or an outcome is not known, every
// client asks again and again. A profile of such a storm showed more time in writing and parsing these statements than in running
// them, so they are parsed once for each connection. PostgreSQL's driver keeps what it has parsed by itself, unless a pooler in between forbids it.
type reads struct {
	byID, byIDOfCompany, byTransaction, byOrder, byOperation, claim string

	mu   sync.Mutex
	made map[string]*sql.Stmt
}

func newReads(d dialect) *reads {
	record := "SELECT " + strings.Join(recordColumns(), ", ") + " FROM payment AS p JOIN operation AS o ON o.payment_id = p.id WHERE "
	// Beside a payment stands its current operation: the open one, else the last one.
	const current = " ORDER BY CASE WHEN o.state IN " + openStates + " THEN 0 ELSE 1 END, o.seq DESC LIMIT 1"
	const account = "(SELECT x.id FROM payment AS x WHERE x.company_id = ? AND x.environment = ? AND x.provider = ? AND x.account = ?"
	ofOrder := func(live string) string {
		return account + " AND x.order_number = ? AND " + live + " ORDER BY x.created_at DESC, x.id DESC LIMIT 1)"
	}
	r := &reads{
		byID:          record + "p.id = ?" + current,
		byIDOfCompany: record + "p.id = ? AND p.company_id = ?" + current,
		byTransaction: record + "p.id = " + account + " AND x.provider_transaction = ? LIMIT 1)" + current,
		// Each half has an index of its own.
		byOrder:     record + "p.id = coalesce(" + ofOrder("x.live") + ", " + ofOrder("NOT x.live") + ")" + current,
		byOperation: record + "p.id = ? AND (o.id = ? OR o.retry_of = ?) ORDER BY o.seq DESC LIMIT 1",
		claim: "SELECT " + strings.Join(claimColumns(), ", ") +
			" FROM claim WHERE month = ? AND company_id = ? AND environment = ? AND scope = ? AND key_hash = ?",
		made: map[string]*sql.Stmt{},
	}
	if d == postgres {
		for _, text := range []*string{&r.byID, &r.byIDOfCompany, &r.byTransaction, &r.byOrder, &r.byOperation, &r.claim} {
			*text = numbered(*text)
		}
	}
	return r
}

// query runs one of the texts.
func (s *Store) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if s.dialect == postgres {
		return s.read.DB.QueryContext(ctx, text, args...) //nolint:wrapcheck // the caller makes the fault
	}
	s.reads.mu.Lock()
	made := s.reads.made[text]
	if made == nil {
		var err error
		if made, err = s.read.DB.PrepareContext(context.WithoutCancel(ctx), text); err != nil {
			s.reads.mu.Unlock()
			return nil, err //nolint:wrapcheck // the caller makes the fault
		}
		s.reads.made[text] = made
	}
	s.reads.mu.Unlock()
	return made.QueryContext(ctx, args...) //nolint:wrapcheck // the caller makes the fault
}

// one reads the only row of one of the texts into a row struct; false if there is none.
func (s *Store) one(ctx context.Context, row any, text string, args ...any) (bool, error) {
	rows, err := s.query(ctx, text, args...)
	if err != nil {
		return false, readFault(err)
	}
	defer func() { _ = rows.Close() }()
	if !rows.Next() {
		return false, readFault(rows.Err())
	}
	if err := s.read.ScanRow(ctx, rows, row); err != nil {
		return false, readFault(err)
	}
	return true, nil
}

// record reads one payment.
func (s *Store) record(ctx context.Context, text string, args ...any) (payment.Record, error) {
	var row recordRow
	switch found, err := s.one(ctx, &row, text, args...); {
	case err != nil:
		return payment.Record{}, err
	case !found:
		return payment.Record{}, notFound("payment_not_found", "there is no such payment")
	}
	return row.record()
}

// held looks for who claimed a key, in all months.
func (s *Store) held(ctx context.Context, k outbound.ClaimKey) (outbound.Claim, bool, error) {
	generations, err := s.generations(ctx)
	if err != nil {
		return outbound.Claim{}, false, err
	}
	for _, generation := range generations {
		var row claimRow
		found, err := s.one(ctx, &row, s.reads.claim, monthKeyArgs(nil, generation, k)...)
		if err != nil || found {
			return row.claim(), found, err
		}
	}
	return outbound.Claim{}, false, nil
}

// generations are the months in which keys were claimed.
func (s *Store) generations(ctx context.Context) (all []int64, err error) {
	rows, err := s.query(ctx, claimMonths)
	if err != nil {
		return nil, readFault(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var one int64
		if err := rows.Scan(&one); err != nil {
			return nil, readFault(err)
		}
		all = append(all, one)
	}
	return all, readFault(rows.Err())
}

// close gives the statements back.
func (r *reads) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, made := range r.made {
		_ = made.Close()
	}
	clear(r.made)
}
