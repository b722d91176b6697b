package sqlstore_test

import (
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
)

// While a caller writes by itself nobody else does: what comes meanwhile waits, and is then committed together.
func TestNobodyWritesBesideALoneCaller(t *testing.T) {
	t.Parallel()
	var seen spans
	s := opened(t, sqlstore.Options{URL: filepath.Join(t.TempDir(), "payrack.db"), Trace: seen.trace})
	giveBack := borrowed(t, s)
	if sqlstore.Borrow(s) != nil {
		t.Fatal("the writer's place was given twice")
	}
	const others = 5
	var wg sync.WaitGroup
	for range others {
		wg.Go(func() { won(t, s.Ledger(), newPayment(t)) })
	}
	waiting(s, others)
	for range 1000 { // the writer was woken by each of them
		runtime.Gosched()
	}
	if n := len(seen.named("ledger.commit")); n != 0 {
		t.Errorf("%d changes were committed beside a caller that has the writer's place", n)
	}
	giveBack()
	wg.Wait()
	for _, e := range seen.named("ledger.commit") {
		if e.Batch != others {
			t.Errorf("a change was committed with %d, want %d", e.Batch, others)
		}
	}
}

func TestCloseWaitsForALoneCaller(t *testing.T) {
	t.Parallel()
	s := opened(t, sqlstore.Options{URL: filepath.Join(t.TempDir(), "payrack.db")})
	giveBack := borrowed(t, s)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	for range 1000 {
		runtime.Gosched()
	}
	select {
	case err := <-closed:
		t.Errorf("the store was closed under a caller that writes: %v", err)
	default:
	}
	giveBack()
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	if sqlstore.Borrow(s) != nil {
		t.Error("a closed store gave the writer's place away")
	}
}

// A place that is asked for while changes wait would let a caller overtake them.
func TestALoneCallerDoesNotOvertake(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	release := held(t, s)
	if sqlstore.Borrow(s) != nil {
		t.Error("the place was given away while the writer has it")
	}
	release()
	// Alone again, it goes by itself, many times over.
	for range 20 {
		won(t, s.Ledger(), newPayment(t))
	}
}

// borrowed takes the writer's place as soon as what opened the store has left it.
func borrowed(t *testing.T, s *sqlstore.Store) (giveBack func()) {
	t.Helper()
	for {
		if giveBack := sqlstore.Borrow(s); giveBack != nil {
			return giveBack
		}
		runtime.Gosched()
	}
}
