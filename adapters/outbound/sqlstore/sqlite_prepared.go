package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
)

// prepared are the statements of the SQLite writer on its connection. They are the driver's own: database/sql
// takes locks and copies arguments for callers that share a connection, which costs a fifth of a write here,
// where one goroutine owns it.
type prepared struct {
	begin, commit   hotStmt
	findClaim       hotStmt
	insertClaim     hotStmt
	deleteClaim     hotStmt
	insertPayment   hotStmt
	updatePayment   hotStmt
	keepLive        hotStmt
	insertOperation hotStmt
	beginOperation  hotStmt
	updateOperation hotStmt
	retire          hotStmt
	forget          hotStmt
	insertJournal   hotStmt
	all             []hotStmt

	// args and named are used again for every statement: the driver keeps neither.
	args  []any
	named []driver.NamedValue
}

// hotStmt is what the driver's statements can do.
type hotStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// errDriver says that the driver of SQLite is another one than this package was written for.
var errDriver = errors.New("the SQLite driver does not run prepared statements")

// prepare prepares the statements on a connection that stays with the caller until after close.
func prepare(ctx context.Context, conn *sql.Conn) (*prepared, error) {
	p := &prepared{}
	err := conn.Raw(func(raw any) error { return p.on(ctx, raw) })
	if err != nil {
		p.close()
		return nil, err //nolint:wrapcheck // the writer makes the fault
	}
	return p, nil
}

func (p *prepared) on(ctx context.Context, raw any) error {
	conn, ok := raw.(driver.ConnPrepareContext)
	if !ok {
		return errDriver
	}
	s := writerStatements(sqlite)
	for _, one := range []struct {
		to   *hotStmt
		text string
	}{
		{&p.begin, "BEGIN IMMEDIATE"},
		{&p.commit, "COMMIT"},
		{&p.findClaim, s.findClaim},
		{&p.insertClaim, s.insertClaim},
		{&p.deleteClaim, s.deleteClaim},
		{&p.insertPayment, s.insertPayment},
		{&p.updatePayment, s.updatePayment},
		{&p.keepLive, s.keepLive},
		{&p.insertOperation, s.insertOperation},
		{&p.beginOperation, s.beginOperation},
		{&p.updateOperation, s.updateOperation},
		{&p.retire, s.retireOperations},
		{&p.forget, s.forgetCredentials},
		{&p.insertJournal, s.insertJournal},
	} {
		made, err := conn.PrepareContext(ctx, one.text)
		if err != nil {
			return err //nolint:wrapcheck // the writer makes the fault
		}
		stmt, ok := made.(hotStmt)
		if !ok {
			return errors.Join(errDriver, made.Close())
		}
		*one.to = stmt
		p.all = append(p.all, stmt)
	}
	return nil
}

// run executes a statement whose effect is certain.
func (p *prepared) run(ctx context.Context, s hotStmt, args []any) error {
	_, err := p.exec(ctx, s, args)
	return err
}

// changes executes a statement and reports whether it changed a row.
func (p *prepared) changes(ctx context.Context, s hotStmt, args []any) (bool, error) {
	result, err := p.exec(ctx, s, args)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err //nolint:wrapcheck // the writer makes the fault
}

// exists runs a query and reports whether it has a row.
func (p *prepared) exists(ctx context.Context, s hotStmt, args []any) (found bool, err error) {
	rows, err := s.QueryContext(ctx, p.bound(args))
	if err != nil {
		return false, err //nolint:wrapcheck // the writer makes the fault
	}
	defer func() {
		p.release(args)
		err = errors.Join(err, rows.Close())
	}()
	switch err = rows.Next(make([]driver.Value, len(rows.Columns()))); {
	case errors.Is(err, io.EOF):
		return false, nil
	default:
		return err == nil, err //nolint:wrapcheck // the writer makes the fault
	}
}

// exec takes arguments that were appended to p.args[:0]. They are int64, string, []byte, bool or nil: the
// driver takes nothing else, and nobody converts for it here.
func (p *prepared) exec(ctx context.Context, s hotStmt, args []any) (driver.Result, error) {
	result, err := s.ExecContext(ctx, p.bound(args))
	p.release(args)
	return result, err //nolint:wrapcheck // the writer makes the fault
}

// bound are the arguments as the driver wants them.
func (p *prepared) bound(args []any) []driver.NamedValue {
	p.named = p.named[:0]
	for i, value := range args {
		p.named = append(p.named, driver.NamedValue{Ordinal: i + 1, Value: value})
	}
	return p.named
}

// release lets go of what the arguments point to, and keeps their places for the next statement.
func (p *prepared) release(args []any) {
	clear(args)
	p.args = args[:0]
}

func (p *prepared) close() {
	for _, s := range p.all {
		_ = s.Close() // the connection is given up; there is nobody to tell
	}
}
