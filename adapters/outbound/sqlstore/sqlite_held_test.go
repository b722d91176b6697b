package sqlstore_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/core/fault"
)

// TestFileHeldByAnotherProgram lets another program write to the file for long. Who waits for it meanwhile is told together
// that nothing was stored, not one after another.
func TestFileHeldByAnotherProgram(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "payrack.db")
	s := opened(t, sqlstore.Options{URL: path})
	won(t, s.Ledger(), newPayment(t))
	conn, err := rawSQLite(t, path).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var wg sync.WaitGroup
	commit := func() {
		if _, err := s.Ledger().Commit(t.Context(), newPayment(t)); fault.CodeOf(err) != "store_unavailable" {
			t.Errorf("Commit: %v, want store_unavailable", err)
		}
	}
	wg.Go(commit)
	for sqlstore.Waiting(s) < 4 { // behind the first one, which has the writer's place
		before := sqlstore.Waiting(s)
		wg.Go(commit)
		for i := 0; i < 100 && sqlstore.Waiting(s) == before; i++ {
			time.Sleep(time.Millisecond)
		}
	}
	wg.Wait()
	// The first waits as long as SQLite does, 5 s, and then the others do.
	if took := time.Since(began); took > 18*time.Second {
		t.Errorf("it took %s", took)
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	won(t, s.Ledger(), newPayment(t))
}
