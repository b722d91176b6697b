package sqlstore_test

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/core/fault"
)

// TestFileHeldByAnotherProgram lets another program write to the file for long. Who waits for it meanwhile is told together
// that nothing was stored, not one after another.
func TestFileHeldByAnotherProgram(t *testing.T) {
	t.Parallel()
	var seen spans
	path := filepath.Join(t.TempDir(), "payrack.db")
	s := opened(t, sqlstore.Options{URL: path, Trace: seen.trace})
	won(t, s.Ledger(), newPayment(t))
	conn, err := rawSQLite(t, path).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	giveBack := sqlstore.Borrow(s)
	const waits = 5
	var wg sync.WaitGroup
	for range waits {
		wg.Go(func() {
			if _, err := s.Ledger().Commit(t.Context(), newPayment(t)); fault.CodeOf(err) != "store_unavailable" {
				t.Errorf("Commit: %v, want store_unavailable", err)
			}
		})
	}
	waiting(s, waits)
	giveBack()
	wg.Wait()
	together := 0
	for _, e := range seen.named("ledger.commit") {
		if e.Err != nil && e.Batch == waits {
			together++
		}
	}
	if together != waits {
		t.Errorf("%d of %d were refused together", together, waits)
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	won(t, s.Ledger(), newPayment(t))
}
