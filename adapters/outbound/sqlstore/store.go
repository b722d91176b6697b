package sqlstore

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/outbound"
)

// Store is an open database. It is safe for concurrent use.
type Store struct {
	dialect dialect
	read    *bun.DB
	reads   *reads
	writer  writer
	trace   Trace
	log     *slog.Logger
	backend backend
	hints   *hints
}

// writer makes changes durable. Every method is safe for concurrent use.
type writer interface {
	// commit makes a change durable and returns with how many others it was committed.
	commit(ctx context.Context, c *change) (committed outbound.Committed, batch int, err error)
	// do runs a job in one transaction. The job may run more than once.
	do(ctx context.Context, j job) error
	close()
}

// job is work in a transaction that is no change of a payment.
type job func(ctx context.Context, db bun.IDB) error

// backend is what differs between the databases beside reading and writing.
type backend interface {
	migrate(ctx context.Context, log *slog.Logger) error
	migrations(ctx context.Context) ([]Migration, error)
	durability(ctx context.Context) (Durability, error)
	ping(ctx context.Context) error
	// listen hints that another process may have saved a channel, until ctx ends.
	listen(ctx context.Context, log *slog.Logger, give func())
	close() error
}

// Open opens a database. It does not change the schema: call Migrate. ctx ends the attempt, not the store.
// Close gives everything back.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Trace == nil {
		o.Trace = func(context.Context, Span) func(SpanEnd) { return func(SpanEnd) {} }
	}
	switch {
	case o.URL == "":
		return nil, fault.New(fault.Invalid, "database_url", "the database URL is empty")
	case strings.HasPrefix(o.URL, "postgres://"), strings.HasPrefix(o.URL, "postgresql://"):
		return openPostgres(ctx, o)
	default:
		return openSQLite(ctx, o)
	}
}

// Ledger is the store's outbound.Ledger.
func (s *Store) Ledger() outbound.Ledger { return &ledger{store: s} }

// Journal is the store's outbound.Journal.
func (s *Store) Journal() outbound.Journal { return &journalStore{store: s} }

// Mandates is the store's outbound.Mandates.
func (s *Store) Mandates() outbound.Mandates { return &mandateStore{store: s} }

// Directory is the store's outbound.Directory.
func (s *Store) Directory() outbound.Directory { return &directoryStore{store: s} }

// Releases is the store's outbound.Releases.
func (s *Store) Releases() outbound.Releases { return &releaseStore{store: s} }

// System is "sqlite" or "postgresql".
func (s *Store) System() string { return string(s.dialect) }

// Ping fails with fault.Unavailable if the database does not answer.
func (s *Store) Ping(ctx context.Context) (err error) {
	end := s.span(ctx, "store.ping", "SELECT 1")
	defer func() { end(SpanEnd{Err: err}) }()
	return unavailable(s.backend.ping(ctx))
}

// Writable fails with fault.Unavailable if the database takes no writes now. It goes the way of a payment: through the
// writer, with the lock that a write takes. It changes nothing.
func (s *Store) Writable(ctx context.Context) (err error) {
	end := s.span(ctx, "store.writable", "BEGIN")
	defer func() { end(SpanEnd{Err: err, Batch: 1}) }()
	return writeFault(s.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		if s.dialect == sqlite {
			return nil // the writer's transaction has the lock by now
		}
		// A standby refuses it, and so does a database that was set to read only.
		_, err := db.ExecContext(ctx, "SELECT 1 FROM replica WHERE false FOR UPDATE")
		return err //nolint:wrapcheck // made a fault by the caller
	}))
}

// Close finishes what was handed to the database and closes it. It is safe to call twice.
func (s *Store) Close() error {
	s.hints.close()
	s.writer.close()
	s.reads.close()
	return errors.Join(internal(s.read.Close()), internal(s.backend.close()))
}

// selectForUpdate reads a row that the transaction is about to change. On SQLite it holds the only write lock anyway.
func (s *Store) selectForUpdate(db bun.IDB) *bun.SelectQuery {
	if s.dialect == sqlite {
		return db.NewSelect()
	}
	return db.NewSelect().For("UPDATE")
}

func (s *Store) span(ctx context.Context, name, statement string) func(SpanEnd) {
	return s.trace(ctx, Span{System: string(s.dialect), Name: name, Statement: statement})
}

// dialect names a database system.
type dialect string

const (
	sqlite   dialect = "sqlite"
	postgres dialect = "postgresql"
)
