package sqlstore

import (
	"context"
	"database/sql"
)

// prepared are the statements of the SQLite writer on its connection.
type prepared struct {
	begin, commit   *sql.Stmt
	insertClaim     *sql.Stmt
	deleteClaim     *sql.Stmt
	insertPayment   *sql.Stmt
	updatePayment   *sql.Stmt
	insertOperation *sql.Stmt
	beginOperation  *sql.Stmt
	updateOperation *sql.Stmt
	insertJournal   *sql.Stmt
	all             []*sql.Stmt
}

func prepare(ctx context.Context, conn *sql.Conn) (*prepared, error) {
	s := writerStatements(sqlite)
	p := &prepared{}
	for _, one := range []struct {
		to   **sql.Stmt
		text string
	}{
		{&p.begin, "BEGIN IMMEDIATE"},
		{&p.commit, "COMMIT"},
		{&p.insertClaim, s.insertClaim},
		{&p.deleteClaim, s.deleteClaim},
		{&p.insertPayment, s.insertPayment},
		{&p.updatePayment, s.updatePayment},
		{&p.insertOperation, s.insertOperation},
		{&p.beginOperation, s.beginOperation},
		{&p.updateOperation, s.updateOperation},
		{&p.insertJournal, s.insertJournal},
	} {
		stmt, err := conn.PrepareContext(ctx, one.text) //nolint:sqlclosecheck // prepared.close closes it
		if err != nil {
			p.close()
			return nil, err //nolint:wrapcheck // the writer makes the fault
		}
		*one.to = stmt
		p.all = append(p.all, stmt)
	}
	return p, nil
}

// run executes a statement whose effect is certain.
func (p *prepared) run(ctx context.Context, s *sql.Stmt, args ...any) error {
	_, err := s.ExecContext(ctx, args...)
	return err //nolint:wrapcheck // the writer makes the fault
}

// changes executes a statement and reports whether it changed a row.
func (p *prepared) changes(ctx context.Context, s *sql.Stmt, args ...any) (bool, error) {
	result, err := s.ExecContext(ctx, args...)
	if err != nil {
		return false, err //nolint:wrapcheck // the writer makes the fault
	}
	n, err := result.RowsAffected()
	return n > 0, err //nolint:wrapcheck // the writer makes the fault
}

func (p *prepared) close() {
	for _, s := range p.all {
		_ = s.Close() // the connection is given up; there is nobody to tell
	}
}
