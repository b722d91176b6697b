package sqlstore_test

import (
	"sync"
	"testing"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/ports/outbound"
)

// TestSmallPoolCommits has fewer connections than writers: no writer needs a second one beside its own.
func TestSmallPoolCommits(t *testing.T) {
	t.Parallel()
	dsn := postgresDatabase(t)
	for _, size := range []string{"1", "4"} {
		s := opened(t, sqlstore.Options{URL: dsn + "&pool_max_conns=" + size})
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if got, err := s.Ledger().Commit(t.Context(), newPayment(t)); err != nil || got.Loss != outbound.NoLoss {
					t.Errorf("with %s connections: Commit = %+v, %v", size, got, err)
				}
			})
		}
		wg.Wait()
	}
}
