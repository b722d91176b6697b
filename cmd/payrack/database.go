package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/adapters/telemetry"
	"github.com/payrack/payrack/configs"
	"github.com/payrack/payrack/core/fault"
)

// database is an open store and, with SQLite, the lock that keeps a second process off its file.
type database struct {
	*sqlstore.Store
	lock *os.File
}

// Close closes the store and lets go of the file after it.
func (d *database) Close() error {
	err := d.Store.Close()
	if d.lock != nil {
		err = errors.Join(err, ignoreClosed(d.lock.Close()))
	}
	return err
}

// use says what a command does with the database.
type use struct {
	// Create makes a missing file, and its folder.
	Create bool
	// Share goes without the lock: the command only reads.
	Share bool
	Boot  string
	Trace *telemetry.Telemetry
}

// openDatabase opens the database of a configuration. A SQLite file is only made by the commands that prepare
// one, is never taken for ours if it is another program's, and has one user at a time: a second process would
// take the first for dead and its payments for orphans.
func openDatabase(ctx context.Context, c configs.Config, log *slog.Logger, u use) (_ *database, err error) {
	d := &database{}
	if path := c.SQLitePath(); path != "" {
		if d.lock, err = openFile(ctx, path, u); err != nil {
			return nil, err
		}
	}
	o := sqlstore.Options{URL: c.Database.URL, Log: log, Boot: u.Boot}
	if t := u.Trace; t != nil && t.Exports() {
		o.Trace = func(ctx context.Context, s sqlstore.Span) func(sqlstore.SpanEnd) {
			end := t.Statement(ctx, s.System, s.Name)
			return func(e sqlstore.SpanEnd) { end(e.Batch, e.Err) }
		}
	}
	if d.Store, err = sqlstore.Open(ctx, o); err != nil {
		if d.lock != nil {
			_ = d.lock.Close()
		}
		if c.Postgres() && fault.KindOf(err) == fault.Unavailable {
			return nil, unreachablef("open the database: %w", err)
		}
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return d, nil
}

// openFile looks at a SQLite file before it is opened for writing, and locks it.
func openFile(ctx context.Context, path string, u use) (*os.File, error) {
	path, err := realPath(path)
	if err != nil {
		return nil, err
	}
	if u.Create {
		if err := makeFolder(filepath.Dir(path)); err != nil {
			return nil, err
		}
	} else if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, refusedf("there is no database at %s: `payrack init` makes one", path)
	}
	var lock *os.File
	if !u.Share {
		if lock, err = lockFile(path+".lock", path); err != nil {
			return nil, err
		}
	}
	if err := refuseForeign(ctx, path); err != nil {
		if lock != nil {
			_ = lock.Close()
		}
		return nil, err
	}
	return lock, nil
}

// realPath is the absolute path of a file that may not be there, links followed: two names of one file must meet
// at one lock.
func realPath(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", path, err)
	}
	if found, err := filepath.EvalSymlinks(absolute); err == nil {
		return found, nil
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(absolute)); err == nil {
		return filepath.Join(folder, filepath.Base(absolute)), nil
	}
	return absolute, nil
}

// sqliteMagic is how a SQLite file begins.
const sqliteMagic = "SQLite format 3\x00"

// refuseForeign keeps our tables out of a file that another program wrote.
func refuseForeign(ctx context.Context, path string) error {
	foreign := refusedf("%s is not a payrack database: name the right file in database.url", path)
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return refusedf("the database cannot be read: %w", err)
	}
	head := make([]byte, len(sqliteMagic))
	n, err := io.ReadFull(file, head)
	_ = file.Close() // only read
	switch {
	case errors.Is(err, io.EOF):
		return nil // empty: nobody's
	case err != nil || n < len(head) || string(head) != sqliteMagic:
		return foreign
	}
	tables, err := tablesOf(ctx, path)
	if err != nil {
		return nil //nolint:nilerr // the store says better what is wrong with a database
	}
	others := slices.DeleteFunc(slices.Clone(tables), func(t string) bool { return t == "goose_db_version" })
	ours := slices.Contains(tables, "payment") && slices.Contains(tables, "operation")
	if len(others) > 0 && !ours {
		return foreign
	}
	return nil
}

// tablesOf lists the tables of a SQLite file without changing it.
func tablesOf(ctx context.Context, path string) (all []string, err error) {
	name := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: "mode=ro&_pragma=busy_timeout(2000)"}
	db, err := sql.Open("sqlite", name.String()) // sqlstore brings the driver
	if err != nil {
		return nil, fmt.Errorf("look into %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
	if err != nil {
		return nil, fmt.Errorf("look into %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			return nil, fmt.Errorf("look into %s: %w", path, err)
		}
		all = append(all, table)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("look into %s: %w", path, err)
	}
	return all, nil
}
