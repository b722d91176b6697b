package sqlstore_test

import (
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/ports/outbound"
)

// BenchmarkCommit measures a payment of two durable writes, intent and answer, by one and by many callers,
// without and with a key of each kind, with group commit and with a transaction for each write.
func BenchmarkCommit(b *testing.B) {
	for _, mode := range []struct {
		name     string
		oneByOne bool
	}{{"group", false}, {"each", true}} {
		for _, callers := range []int{1, 64} {
			for _, keys := range []int{0, 2} {
				b.Run("sqlite/"+mode.name+"/callers="+strconv.Itoa(callers)+"/keys="+strconv.Itoa(keys), func(b *testing.B) {
					s := opened(b, sqlstore.Options{URL: filepath.Join(b.TempDir(), "payrack.db"), OneByOne: mode.oneByOne})
					commits(b, s, callers, keys)
				})
			}
		}
	}
	for _, callers := range []int{1, 64} {
		b.Run("postgres/callers="+strconv.Itoa(callers), func(b *testing.B) {
			commits(b, onPostgres(b), callers, 2)
		})
	}
}

// commits makes all changes beforehand, so that only the store is measured.
func commits(b *testing.B, s *sqlstore.Store, callers, keys int) {
	b.Helper()
	payments := make([][2]outbound.Change, b.N)
	for i := range payments {
		intent := newPayment(b)
		intent.Claims = intent.Claims[:keys]
		payments[i] = [2]outbound.Change{intent, answered(b, intent.Record)}
	}
	var next atomic.Int64
	b.ReportAllocs()
	user, system := cpu(b)
	b.ResetTimer()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(payments)); i = next.Add(1) - 1 {
				for _, c := range payments[i] {
					won(b, s.Ledger(), c)
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	nowUser, nowSystem := cpu(b)
	b.ReportMetric(float64((nowUser-user).Microseconds())/float64(b.N), "user-µs/payment")
	b.ReportMetric(float64((nowSystem-system).Microseconds())/float64(b.N), "system-µs/payment")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "payments/s")
}

// cpu is the processor time that this process has used.
func cpu(b *testing.B) (user, system time.Duration) {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano()), time.Duration(used.Stime.Nano())
}
