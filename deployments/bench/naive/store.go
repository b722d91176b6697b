package naive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

// Schema is the one table, with the indexes that its questions need: by order, the list of a company, and what is
// still open.
const Schema = `
CREATE TABLE IF NOT EXISTS payment (
	id           TEXT PRIMARY KEY,
	company      TEXT NOT NULL,
	store        TEXT NOT NULL,
	type         TEXT NOT NULL,
	order_no     TEXT NOT NULL,
	amount       INTEGER NOT NULL CHECK (amount > 0),
	currency     TEXT NOT NULL,
	state        TEXT NOT NULL,
	provider_txn TEXT,
	reply        TEXT,
	created_at   INTEGER NOT NULL,
	updated_at   INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS payment_order ON payment (company, order_no);
CREATE INDEX IF NOT EXISTS payment_company ON payment (company, id);
CREATE INDEX IF NOT EXISTS payment_open ON payment (updated_at) WHERE state IN ('SENDING', 'UNKNOWN');
`

// States of a payment.
const (
	Sending   = "SENDING"
	Succeeded = "SUCCEEDED"
	Failed    = "FAILED"
	Unknown   = "UNKNOWN"
)

// ErrOrderTaken says that the company has a payment with this order number.
var ErrOrderTaken = errors.New("order number is taken")

// Payment is a row.
type Payment struct {
	bun.BaseModel `bun:"table:payment"`

	ID          string `bun:"id,pk"`
	Company     string `bun:"company"`
	Store       string `bun:"store"`
	Type        string `bun:"type"`
	OrderNo     string `bun:"order_no"`
	Amount      int64  `bun:"amount"`
	Currency    string `bun:"currency"`
	State       string `bun:"state"`
	ProviderTxn string `bun:"provider_txn,nullzero"`
	Reply       string `bun:"reply,nullzero"`
	CreatedAt   int64  `bun:"created_at"` // microseconds since 1970, UTC
	UpdatedAt   int64  `bun:"updated_at"`
}

// Store keeps payments in one SQLite file.
type Store struct{ db *bun.DB }

// OpenSQLite opens a file in WAL mode with synchronous=FULL on one connection, and fails unless SQLite confirms both.
func OpenSQLite(ctx context.Context, path string) (*sql.DB, error) {
	query := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", "file:"+path+"?"+query.Encode())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	var mode string
	var synchronous int
	err = errors.Join(
		db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode),
		db.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&synchronous),
	)
	if err == nil && (mode != "wal" || synchronous != 2) {
		err = fmt.Errorf("journal_mode is %s and synchronous is %d, want wal and 2", mode, synchronous)
	}
	if err == nil {
		_, err = db.ExecContext(ctx, Schema)
	}
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("prepare %s: %w", path, err)
	}
	return db, nil
}

// OpenStore opens the store in a file and makes its table.
func OpenStore(ctx context.Context, path string) (*Store, error) {
	db, err := OpenSQLite(ctx, path)
	if err != nil {
		return nil, err
	}
	return &Store{db: bun.NewDB(db, sqlitedialect.New())}, nil
}

// Add writes a new payment down. It fails with ErrOrderTaken.
func (s *Store) Add(ctx context.Context, p *Payment) error {
	_, err := s.db.NewInsert().Model(p).Exec(ctx)
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code() == sqlitelib.SQLITE_CONSTRAINT_UNIQUE {
		return ErrOrderTaken
	}
	return err
}

// Finish writes the result of a payment that is being sent.
func (s *Store) Finish(ctx context.Context, p *Payment) error {
	p.UpdatedAt = time.Now().UnixMicro()
	result, err := s.db.NewUpdate().Model(p).
		Column("state", "provider_txn", "reply", "updated_at").
		WherePK().Where("state = ?", Sending).Exec(ctx)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n != 1 {
		err = fmt.Errorf("payment %s is not being sent any more", p.ID)
	}
	return err
}

// Get reads a payment by its order number.
func (s *Store) Get(ctx context.Context, company, order string) (Payment, error) {
	var p Payment
	err := s.db.NewSelect().Model(&p).Where("company = ? AND order_no = ?", company, order).Scan(ctx)
	return p, err
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }
