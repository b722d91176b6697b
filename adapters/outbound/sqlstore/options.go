package sqlstore

import (
	"context"
	"log/slog"
)

// Options of a store.
type Options struct {
	// URL is a path, a file: URL or a sqlite: URL for SQLite, a postgres:// URL for PostgreSQL. Required. The
	// folder of a SQLite file must exist; the file is made with mode 0600.
	URL string
	// Log receives what an operator has to know. Nothing is logged by default.
	Log *slog.Logger
	// Boot names this process life to PostgreSQL, so that its sessions can be told from those of other
	// replicas. Empty by default.
	Boot string
	// Trace is told about every call of the database. Nothing is traced by default.
	Trace Trace
	// OneByOne gives every change its own transaction on SQLite. It is there to measure what group commit
	// brings; off by default.
	OneByOne bool
}

// Trace opens a span around a call of the database and returns how it ends.
type Trace func(ctx context.Context, s Span) func(SpanEnd)

// Span is one call of the database.
type Span struct {
	// System is "sqlite" or "postgresql".
	System string
	// Name of the call, such as ledger.commit.
	Name string
	// Statement says what is done, without any value.
	Statement string
}

// SpanEnd is how a call ended.
type SpanEnd struct {
	// Err is nil if the call succeeded.
	Err error
	// Batch is the number of changes in the transaction, 0 for reads.
	Batch int
}
