package rig

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	_ "modernc.org/sqlite"             // the driver sqlite

	"github.com/payrack/payrack/deployments/chaos/record"
)

// Collect reads what the verifier needs from the sandbox and from the database. The replicas have ended by then.
func Collect(ctx context.Context, box *Sandbox, db *sql.DB, r *record.Report) error {
	var ledger struct {
		Entries []record.Entry `json:"entries"`
	}
	var requests struct {
		Requests []record.Request `json:"requests"`
	}
	if err := errors.Join(
		box.Ask(ctx, http.MethodGet, "ledger", nil, &ledger), box.Ask(ctx, http.MethodGet, "requests", nil, &requests),
	); err != nil {
		return err
	}
	r.Ledger, r.Requests = ledger.Entries, requests.Requests
	var err error
	if r.Payments, err = rows(ctx, db, `SELECT id, environment, provider, account, order_number, currency, amount, authorized, captured, refunded,
		refund_reserved, state, failure, version, chain FROM payment ORDER BY created_at, id`, func(s scan, p *record.Payment) error {
		return s(&p.ID, &p.Environment, &p.Provider, &p.Account, &p.OrderNumber, &p.Currency, &p.Amount, &p.Authorized, &p.Captured, &p.Refunded,
			&p.Reserved, &p.State, &p.Failure, &p.Version, &p.Chain)
	}); err != nil {
		return err
	}
	if r.Operations, err = rows(ctx, db, `SELECT id, payment_id, kind, state, failure, order_id, amount, reversal FROM operation
		ORDER BY payment_id, seq`, func(s scan, o *record.Operation) error {
		return s(&o.ID, &o.Payment, &o.Kind, &o.State, &o.Failure, &o.OrderID, &o.Amount, &o.Reversal)
	}); err != nil {
		return err
	}
	r.Journal, err = rows(ctx, db, `SELECT stream, n, at, event, body, prev, hash FROM journal ORDER BY stream, n`,
		func(s scan, f *record.Fact) error {
			var body []byte
			err := s(&f.Stream, &f.N, &f.AtUS, &f.Event, &body, &f.Prev, &f.Hash)
			f.Body = body
			return err
		})
	return err
}

type scan func(...any) error

func rows[T any](ctx context.Context, db *sql.DB, query string, read func(scan, *T) error) ([]T, error) {
	found, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = found.Close() }()
	var all []T
	for found.Next() {
		var one T
		if err := read(found.Scan, &one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, found.Err()
}

// OpenDatabase opens what the replicas write to: postgres://…, or the path of a SQLite file, which is only read.
func OpenDatabase(url string) (*sql.DB, error) {
	if strings.HasPrefix(url, "postgres://") {
		return sql.Open("pgx", url)
	}
	return sql.Open("sqlite", "file:"+url+"?mode=ro&_pragma=busy_timeout(5000)")
}

// OpenPayments counts the payments that are not settled yet.
func OpenPayments(ctx context.Context, db *sql.DB) (n int, err error) {
	err = db.QueryRowContext(ctx, `SELECT count(*) FROM payment WHERE state IN
		('SENDING', 'CAPTURING', 'VOIDING', 'REFUNDING', 'UNKNOWN', 'REVERSING', 'MISMATCH')`).Scan(&n)
	return n, err
}
