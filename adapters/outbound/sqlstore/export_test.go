package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/ports/outbound"
)

// ListSQL is the statement of a page.
func ListSQL(ctx context.Context, s *Store, q outbound.Query) (string, error) {
	l := &ledger{store: s}
	list, err := l.list(ctx, q)
	if err != nil {
		return "", err
	}
	return list.String(), nil
}

// Hold keeps the writer busy with a transaction until release is closed, and closes held when it is.
func Hold(ctx context.Context, s *Store, held chan<- struct{}, release <-chan struct{}) error {
	return s.writer.do(ctx, func(context.Context, bun.IDB) error {
		close(held)
		<-release
		return nil
	})
}

// Waiting is how many requests wait for the writer.
func Waiting(s *Store) int {
	q := queueOf(s)
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

// Borrow takes the writer's place, as a lone caller does, and returns how to give it back. It is nil if the place
// is not free.
func Borrow(s *Store) (giveBack func()) {
	q := queueOf(s)
	if !q.borrow() {
		return nil
	}
	return q.giveBack
}

// queueOf is the queue in front of the writer.
func queueOf(s *Store) *queue {
	switch w := s.writer.(type) {
	case *sqliteWriter:
		return w.queue
	case *postgresWriter:
		return w.queue
	default:
		return nil
	}
}

// PaymentRow, OperationRow and JournalRow are for the test that no column is forgotten.
type (
	PaymentRow   = paymentRow
	OperationRow = operationRow
	ClaimRow     = claimRow
)

// Columns returns the lists of columns that are read, by table.
func Columns() map[string][]string {
	return map[string][]string{"payment": paymentColumns(), "operation": operationColumns(), "claim": claimColumns()}
}

// Handed is a request that the writer has taken.
type Handed struct{ r *request }

// HandedOver makes a request that the writer has taken and not finished.
func HandedOver() Handed {
	r := newRequest(nil, nil)
	r.taken.Store(true)
	return Handed{r: r}
}

// Wait is what the caller does.
func (h Handed) Wait(ctx context.Context) { h.r.wait(ctx) }

// Finish is what the writer does.
func (h Handed) Finish() { h.r.finish(outbound.Committed{}, nil, 1) }

// Err is how the request ended.
func (h Handed) Err() error { return h.r.err }

// CommitGroup commits changes as one group of the PostgreSQL writer. It fails if one was not committed, and returns with
// how many that one ended.
func CommitGroup(ctx context.Context, s *Store, changes []outbound.Change) (batch int, err error) {
	w, ok := s.writer.(*postgresWriter)
	if !ok {
		return 0, errors.New("not PostgreSQL")
	}
	var group []*request
	for _, c := range changes {
		checked, err := newChange(c)
		if err != nil {
			return 0, err
		}
		group = append(group, newRequest(checked, nil))
	}
	w.runGroup(ctx, group)
	for _, r := range group {
		<-r.done
		if r.err != nil || r.committed.Loss != outbound.NoLoss {
			return r.batch, fmt.Errorf("%+v: %w", r.committed, r.err)
		}
	}
	return len(group), nil
}

// UnsettledSQL counts what is unsettled.
func UnsettledSQL(s *Store) string { return s.unsettledSQL() }

// DueSQL are the statements that find what is due, the first page and a later one.
func DueSQL(s *Store) []string {
	l := &ledger{store: s}
	last := candidate{operationKey: operationKey{PaymentID: "p"}, Lane: "test/x/a", DueAt: 1}
	return []string{
		l.scheduled(s.read, 100, 2, candidate{}, nil).String(),
		l.scheduled(s.read, 100, 2, last, []string{"test/x/b", "test/x/c"}).String(),
	}
}

// AttemptsSQL is the count of the attempts before a payment.
func AttemptsSQL() string {
	return "SELECT " + fmt.Sprintf(attemptsOf, "'c'", "'o'", "'test'", "'x'", "'a'")
}

// MigrateTo brings the schema up to an older version of the program.
func MigrateTo(ctx context.Context, s *Store, version int64) error {
	var db *sql.DB
	switch b := s.backend.(type) {
	case *sqliteBackend:
		aside, err := b.aside()
		if err != nil {
			return err
		}
		defer func() { _ = aside.Close() }()
		db = aside
	case *postgresBackend:
		db = b.db
	}
	p, err := migrator(s.dialect, db)
	if err != nil {
		return err
	}
	_, err = p.UpTo(ctx, version)
	return err
}
