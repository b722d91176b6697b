package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	sqlitedriver "modernc.org/sqlite"
	sqlitecode "modernc.org/sqlite/lib"

	"github.com/payrack/payrack/core/fault"
)

// Codes of the faults that a store makes.
const (
	codeUnavailable = "store_unavailable"
	codeInDoubt     = "commit_in_doubt"
	codeRefused     = "ledger_refused"
	codeTransaction = "provider_transaction_taken"
)

// unavailable says that the database could not be used and that nothing was committed.
func unavailable(err error) error {
	if err == nil || isFault(err) {
		return err
	}
	return fault.Wrap(fault.Unavailable, codeUnavailable, "the database cannot be used now; nothing was stored", err)
}

// inDoubt says that nobody knows whether a commit took place.
func inDoubt(err error) error {
	return fault.Wrap(fault.Unavailable, codeInDoubt, "the database did not answer a commit; it may have taken place", err)
}

// internal hides an error that nobody outside can do anything about.
func internal(err error) error {
	if err == nil || isFault(err) {
		return err
	}
	return fault.Wrap(fault.Internal, "store_failed", "the database failed", err)
}

// readFault turns an error of a read into a fault.
func readFault(err error) error {
	switch {
	case err == nil || isFault(err):
		return err
	case isOutdated(err):
		return outdated(err)
	case isStatementError(err):
		return internal(err)
	default:
		return unavailable(err)
	}
}

// writeFault turns an error of a write that was rolled back into a fault.
func writeFault(err error) error {
	switch {
	case err == nil || isFault(err):
		return err
	case isOutdated(err):
		return outdated(err)
	case isProviderTransaction(err):
		return fault.Wrap(fault.Conflict, codeTransaction,
			"another payment already has the provider's transaction id; nothing was stored", err)
	case isConstraint(err):
		return fault.Wrap(fault.Internal, codeRefused, "the database refused a change that breaks its rules; nothing was stored", err)
	case isStatementError(err):
		return internal(err)
	default:
		return unavailable(err)
	}
}

// outdated says that the schema is older than the program.
func outdated(err error) error {
	return fault.Wrap(fault.Unavailable, "schema_outdated",
		"the database schema is older than this program; run the migrations", err)
}

// isOutdated reports whether a table or column is missing.
func isOutdated(err error) bool {
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		return p.Code == "42P01" || p.Code == "42703" // undefined_table, undefined_column
	}
	return sqliteCode(err) == sqlitecode.SQLITE_ERROR &&
		(strings.Contains(err.Error(), "no such table") || strings.Contains(err.Error(), "no such column"))
}

func isFault(err error) bool {
	var f *fault.Error
	return errors.As(err, &f)
}

func notFound(code, message string) error { return fault.New(fault.NotFound, code, message) }

func isNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// isConstraint reports whether a CHECK, a unique index, a foreign key or a trigger refused.
func isConstraint(err error) bool {
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(p.Code, "23")
	}
	return sqliteCode(err)&0xff == sqlitecode.SQLITE_CONSTRAINT
}

// isUnique reports whether a unique index or primary key refused.
func isUnique(err error) bool {
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		return p.Code == "23505"
	}
	code := sqliteCode(err)
	return code == sqlitecode.SQLITE_CONSTRAINT_UNIQUE || code == sqlitecode.SQLITE_CONSTRAINT_PRIMARYKEY
}

// isForeignKey reports whether a row that is referred to is missing.
func isForeignKey(err error) bool {
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		return p.Code == "23503"
	}
	return sqliteCode(err) == sqlitecode.SQLITE_CONSTRAINT_FOREIGNKEY
}

// isProviderTransaction reports whether the index that ties a provider's transaction to one payment, or a
// provider's refund to one operation, refused.
func isProviderTransaction(err error) bool {
	if !isUnique(err) {
		return false
	}
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		return p.ConstraintName == "payment_provider_transaction" || p.ConstraintName == "operation_refund"
	}
	return strings.Contains(err.Error(), ".provider_transaction")
}

// isLostRace reports whether a change met another one that was not visible when it looked: it runs again and
// then sees against what it loses.
func isLostRace(err error) bool {
	p, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch p.Code {
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return true
	case "23505":
		return p.ConstraintName == "payment_live_order" || p.ConstraintName == "operation_one_open"
	default:
		return false
	}
}

// isConnectionLost reports whether the server ended the session or the network did, as a restart does to every
// connection of the pool.
func isConnectionLost(err error) bool {
	if err == nil || isFault(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return false
	}
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		return p.Code[:2] == "08" || p.Code[:3] == "57P"
	}
	return true
}

// isReadOnly reports whether the server takes no writes: it is a standby, as the old primary is after a fail-over, or set so.
func isReadOnly(err error) bool {
	p, ok := errors.AsType[*pgconn.PgError](err)
	// read_only_sql_transaction; a standby refuses BEGIN READ WRITE as a feature_not_supported.
	return ok && (p.Code == "25006" || p.Code == "0A000")
}

// isStatementError reports whether the database is there and says that a statement is wrong.
func isStatementError(err error) bool {
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		if isReadOnly(err) {
			return false
		}
		switch p.Code[:2] {
		case "08", "53", "55", "57", "58": // connection, resources, locks, operator, system
			return false
		default:
			return true
		}
	}
	switch sqliteCode(err) & 0xff {
	case sqlitecode.SQLITE_ERROR, sqlitecode.SQLITE_CONSTRAINT, sqlitecode.SQLITE_MISMATCH, sqlitecode.SQLITE_RANGE,
		sqlitecode.SQLITE_MISUSE, sqlitecode.SQLITE_TOOBIG, sqlitecode.SQLITE_CORRUPT, sqlitecode.SQLITE_NOTADB:
		return true
	default:
		return false
	}
}

func sqliteCode(err error) int {
	if s, ok := errors.AsType[*sqlitedriver.Error](err); ok {
		return s.Code()
	}
	return 0
}

// ended reports whether the caller's context is over.
func ended(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return unavailable(err)
	}
	return nil
}
