package sqlstore_test

import (
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
)

// BenchmarkCommit measures a payment of two durable writes, intent and answer, by one and by many callers,
// with group commit and with a transaction for each write.
func BenchmarkCommit(b *testing.B) {
	for _, mode := range []struct {
		name     string
		oneByOne bool
	}{{"group", false}, {"each", true}} {
		for _, callers := range []int{1, 64} {
			b.Run("sqlite/"+mode.name+"/callers="+strconv.Itoa(callers), func(b *testing.B) {
				s := opened(b, sqlstore.Options{URL: filepath.Join(b.TempDir(), "payrack.db"), OneByOne: mode.oneByOne})
				commits(b, s, callers)
			})
		}
	}
	for _, callers := range []int{1, 64} {
		b.Run("postgres/callers="+strconv.Itoa(callers), func(b *testing.B) {
			commits(b, onPostgres(b), callers)
		})
	}
}

func commits(b *testing.B, s *sqlstore.Store, callers int) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				r := won(b, s.Ledger(), newPayment(b))
				won(b, s.Ledger(), answered(b, r))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "payments/s")
}
