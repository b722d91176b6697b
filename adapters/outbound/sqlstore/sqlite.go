package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/payrack/payrack/core/fault"
)

// maxReaders bounds the read connections. Readers never wait for the writer.
const maxReaders = 8

// sqliteBackend is one SQLite file.
type sqliteBackend struct {
	path   string
	write  *sql.DB
	read   *sql.DB
	writer *sqliteWriter
}

func openSQLite(ctx context.Context, o Options) (*Store, error) {
	path, err := sqlitePath(o.URL)
	if err != nil {
		return nil, err
	}
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	write, err := sql.Open("sqlite", sqliteDSN(path, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {
			"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)",
			// 8 MiB of pages and a log of 16 MiB: what many payments change is copied to the file once.
			"cache_size(-8192)", "wal_autocheckpoint(4000)",
		},
	}))
	if err != nil {
		return nil, internal(err)
	}
	write.SetMaxOpenConns(1)
	if err := assertSafe(ctx, write); err != nil {
		return nil, errors.Join(err, internal(write.Close()))
	}
	read, err := sql.Open("sqlite", sqliteDSN(path, url.Values{
		"mode":    {"ro"},
		"_pragma": {"busy_timeout(5000)", "query_only(1)", "temp_store(MEMORY)"},
	}))
	if err != nil {
		return nil, errors.Join(internal(err), internal(write.Close()))
	}
	read.SetMaxOpenConns(maxReaders)
	read.SetMaxIdleConns(maxReaders)
	limit := maxBatch
	if o.OneByOne {
		limit = 1
	}
	w := newSQLiteWriter(context.WithoutCancel(ctx), bun.NewDB(write, sqlitedialect.New()), o.Log, limit)
	return &Store{
		dialect: sqlite,
		read:    bun.NewDB(read, sqlitedialect.New()),
		reads:   newReads(sqlite),
		writer:  w,
		trace:   o.Trace,
		log:     o.Log,
		backend: &sqliteBackend{path: path, write: write, read: read, writer: w},
		hints:   newHints(),
	}, nil
}

// sqlitePath reads the path out of a URL. A database in memory is refused: it would confirm payments and
// forget them.
func sqlitePath(raw string) (string, error) {
	path := strings.TrimPrefix(raw, "sqlite:")
	path = strings.TrimPrefix(path, "file:")
	// file:///var/lib and sqlite:///var/lib: the host is empty.
	path = strings.TrimPrefix(path, "//")
	path, query, _ := strings.Cut(path, "?")
	switch {
	case query != "":
		return "", fault.New(fault.Invalid, "database_url", "the database URL of SQLite takes no parameters")
	case path == "", strings.HasPrefix(path, ":memory:"):
		return "", fault.New(fault.Invalid, "database_url", "the database URL must name a file")
	case strings.Contains(raw, "://") && !strings.HasPrefix(raw, "file://") && !strings.HasPrefix(raw, "sqlite://"):
		return "", fault.New(fault.Invalid, "database_url", "the database URL must be a file or begin with postgres://")
	}
	return path, nil
}

// createPrivate makes the file before SQLite does, so that nobody else can read it; SQLite gives its other
// files the same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return fault.Wrap(fault.Unavailable, codeUnavailable, "the database file cannot be opened; its folder must exist", err)
	}
	return internal(f.Close())
}

func sqliteDSN(path string, parameters url.Values) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: parameters.Encode()}).String()
}

// assertSafe refuses a file that would lose what it has confirmed, as on a file system without shared memory,
// where SQLite falls back to another journal mode without a word.
func assertSafe(ctx context.Context, db *sql.DB) error {
	d, err := sqliteDurability(ctx, db)
	if err != nil {
		return unavailable(err)
	}
	if !d.OK() {
		return fault.New(fault.Unavailable, "not_durable", strings.Join(d.Problems, "; "))
	}
	return nil
}

// querier is a connection or a pool.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func sqliteDurability(ctx context.Context, db querier) (Durability, error) {
	d := Durability{System: string(sqlite), Settings: map[string]string{}}
	for _, name := range []string{"journal_mode", "synchronous", "foreign_keys"} {
		var value string
		if err := db.QueryRowContext(ctx, "PRAGMA "+name).Scan(&value); err != nil {
			return Durability{}, fmt.Errorf("read %s: %w", name, err)
		}
		d.Settings[name] = value
	}
	if d.Settings["journal_mode"] != "wal" {
		d.Problems = append(d.Problems, "journal_mode is "+d.Settings["journal_mode"]+", not wal: the file system may lack shared memory")
	}
	if s := d.Settings["synchronous"]; s != "2" && s != "3" {
		d.Problems = append(d.Problems, "synchronous is "+s+", not 2 (FULL): a power cut may take confirmed payments away")
	}
	if d.Settings["foreign_keys"] != "1" {
		d.Problems = append(d.Problems, "foreign_keys is off")
	}
	return d, nil
}

// migrate tries again if it fails: another process may have taken the same step at the same time, which has no
// lock on SQLite but the one of each step's transaction.
func (b *sqliteBackend) migrate(ctx context.Context, log *slog.Logger) error {
	db, err := b.aside()
	if err != nil {
		return err
	}
	const attempts = 5
	for attempt := range attempts {
		if err = migrateUp(ctx, sqlite, db, log); err == nil {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(attempt+1) * 50 * time.Millisecond):
		}
	}
	return errors.Join(err, internal(db.Close()))
}

func (b *sqliteBackend) migrations(ctx context.Context) ([]Migration, error) {
	db, err := b.aside()
	if err != nil {
		return nil, err
	}
	all, err := migrationStatus(ctx, sqlite, db)
	return all, errors.Join(err, internal(db.Close()))
}

// aside opens a connection of its own: the writer holds on to the only one of its pool.
func (b *sqliteBackend) aside() (*sql.DB, error) {
	db, err := sql.Open("sqlite", sqliteDSN(b.path, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(30000)", "synchronous(FULL)", "foreign_keys(1)"},
	}))
	if err != nil {
		return nil, internal(err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// durability asks the writer's own connection, for the settings belong to a connection.
func (b *sqliteBackend) durability(ctx context.Context) (d Durability, err error) {
	err = b.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		d, err = sqliteDurability(ctx, db)
		return err
	})
	return d, err
}

func (b *sqliteBackend) ping(ctx context.Context) error {
	var one int
	return b.read.QueryRowContext(ctx, "SELECT 1").Scan(&one) //nolint:wrapcheck // Store.Ping makes the fault
}

func (b *sqliteBackend) close() error { return internal(b.write.Close()) }
