package outboundtest

import (
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

func watchCases() []ledgerCase {
	return []ledgerCase{
		{"the watch list plans its next look by the age of its promise", func(t *testing.T, b *book) {
			t.Helper()
			var want []payment.Record
			for i, age := range []time.Duration{time.Minute, 7 * time.Hour, 25 * time.Hour, 6 * 24 * time.Hour} {
				want = append(want, b.watched(t, ago(age), ago(time.Minute-time.Duration(i)*time.Second)))
			}
			b.watched(t, ago(time.Minute), in(time.Hour))
			q := outbound.DueQuery{Boot: "now", Limit: 10, Lease: time.Second}
			b.claimed(t, q, want...)
			b.claimed(t, q)
		}},
		{"the last look of the watch list erases the credential", func(t *testing.T, b *book) {
			t.Helper()
			r := b.watched(t, ago(8*24*time.Hour), ago(time.Minute))
			got := b.due(t, 10)
			if len(got) != 1 {
				t.Fatalf("%d are due, want 1", len(got))
			}
			// Whoever takes the last look still needs what it erases.
			r.Operation.Epoch, r.Operation.OwnerBoot, r.Operation.NextCheckAt = 2, "now", time.Time{}
			same(t, got[0], r)
			r.Operation.SealedCredential = nil
			b.holds(t, r)
			q := outbound.DueQuery{Boot: "now", Limit: 1, Lease: time.Hour, Payment: r.Payment.ID}
			b.claimed(t, q)
		}},
		{"a charge that the watch list finds is given back", func(t *testing.T, b *book) {
			t.Helper()
			b.watched(t, ago(time.Hour), ago(time.Minute))
			r := b.stored(t, next(b.due(t, 10)[0], func(x *payment.Record) {
				x.Payment.State, x.Payment.Failure, x.Payment.Authorized, x.Payment.Captured = payment.Reversing, "", 229, 229
				x.Operation.NextCheckAt = ago(time.Second)
			}))
			b.claimed(t, outbound.DueQuery{Boot: "now", Limit: 1, Lease: time.Minute}, r)
		}},
	}
}

func paceCases() []ledgerCase {
	at := func(account string) func(*payment.Record) {
		return func(r *payment.Record) { r.Payment.Account = account }
	}
	return []ledgerCase{
		{"a long line of one account does not hide the others", func(t *testing.T, b *book) {
			t.Helper()
			var first payment.Record
			for i := range 30 {
				r := b.unknown(t, ago(time.Hour-time.Duration(i)*time.Second), at("a"))
				if i == 0 {
					first = r
				}
			}
			other := b.unknown(t, ago(time.Second), at("b"))
			b.claimed(t, outbound.DueQuery{Boot: "now", Limit: 5, Lease: time.Hour, PerAccount: 1}, first, other)
		}},
		{"what a process life has no room for is not claimed", func(t *testing.T, b *book) {
			t.Helper()
			var due []payment.Record
			for i := range 5 {
				due = append(due, b.unknown(t, ago(time.Hour-time.Duration(i)*time.Second), at("a")))
			}
			other := b.unknown(t, ago(time.Second), at("b"))
			q := outbound.DueQuery{Boot: "now", Limit: 10, Lease: time.Hour, Room: 3}
			q.Held = map[outbound.Account]int{outbound.AccountOf(due[0].Payment): 1}
			b.claimed(t, q, due[0], due[1], other)
			q.Held = map[outbound.Account]int{outbound.AccountOf(due[0].Payment): 3, outbound.AccountOf(other.Payment): 4}
			b.claimed(t, q)
			q.Held = nil
			b.claimed(t, q, due[2], due[3], due[4])
		}},
		{"claims of an account are bounded in each second, over all process lives", func(t *testing.T, b *book) {
			t.Helper()
			const perAccount = 3
			for i := range 40 {
				b.unknown(t, ago(time.Hour-time.Duration(i)*time.Second), at("a"))
				b.unknown(t, ago(time.Minute), at([]string{"b", "c"}[i%2]))
			}
			var mu sync.Mutex
			claims := map[string]int{}
			var wg sync.WaitGroup
			from := time.Now()
			for _, boot := range []string{"one", "two", "three", "four"} {
				wg.Go(func() {
					for range 5 {
						q := outbound.DueQuery{Boot: boot, Limit: 20, Lease: time.Hour, PerAccount: perAccount}
						got, err := b.ledger.Due(t.Context(), q)
						if err != nil {
							t.Errorf("Due: %v", err)
						}
						mu.Lock()
						for _, r := range got {
							claims[r.Payment.Account]++
						}
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			most := perAccount * int(time.Now().Unix()-from.Unix()+1)
			for _, account := range []string{"a", "b", "c"} {
				if n := claims[account]; n < 1 || n > most {
					t.Errorf("account %s has %d claims, want 1 to %d", account, n, most)
				}
			}
		}},
		{"a pull counts as a claim of its account", func(t *testing.T, b *book) {
			t.Helper()
			// Enough of them that two fall into one second, whenever the second changes.
			n := 0
			from := time.Now()
			for range 20 {
				r := b.unknown(t, in(time.Hour), at("a"))
				got, err := b.ledger.Due(t.Context(), outbound.DueQuery{
					Boot: "now", Limit: 1, Lease: time.Hour, PerAccount: 2, Payment: r.Payment.ID,
				})
				if err != nil {
					t.Fatalf("Due: %v", err)
				}
				n += len(got)
			}
			if most := 2 * int(time.Now().Unix()-from.Unix()+1); n < 2 || n > most {
				t.Errorf("%d were pulled, want 2 to %d", n, most)
			}
		}},
		{"without a bound all are claimed", func(t *testing.T, b *book) {
			t.Helper()
			for range 20 {
				b.unknown(t, ago(time.Second), at("a"))
			}
			if got := b.due(t, 100); len(got) != 20 {
				t.Errorf("%d were claimed, want 20", len(got))
			}
		}},
	}
}
