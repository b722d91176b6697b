package outboundtest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// owner makes boot the owner of a call that can no longer be on its way.
func owner(boot string) func(*payment.Record) {
	return ownerUntil(boot, time.Unix(1000000000, 0).UTC())
}

// busy makes boot the owner of a call that may still be on its way.
func busy(boot string) func(*payment.Record) {
	return ownerUntil(boot, time.Unix(10000000000, 0).UTC())
}

func ownerUntil(boot string, deadline time.Time) func(*payment.Record) {
	return func(r *payment.Record) {
		r.Operation.OwnerBoot, r.Operation.SendDeadline, r.Operation.NextCheckAt = boot, deadline, deadline
	}
}

// dies ends a process life that has given a sign, where signs count.
func (b *book) dies(t *testing.T, boot string) {
	t.Helper()
	if b.Age != nil {
		b.Age(t, boot, outbound.ReplicaLease+time.Second)
	}
}

// ownedFenceCases hold where one process owns the ledger: another process life is over.
func ownedFenceCases() []ledgerCase {
	return []ledgerCase{
		{"another process life is dead, whatever sign it gave", func(t *testing.T, b *book) {
			t.Helper()
			b.fenced(t, "old", 10)
			b.fenced(t, "now", 10, b.begun(t, busy("old")), b.begun(t, owner("older")))
		}},
	}
}

// sharedFenceCases hold where replicas share the ledger: another process life may be at work.
func sharedFenceCases() []ledgerCase {
	return []ledgerCase{
		{"a process life that gave a sign is fenced when the lease is over", func(t *testing.T, b *book) {
			t.Helper()
			b.fenced(t, "other", 10)
			r := b.begun(t, busy("other"))
			b.fenced(t, "now", 10)
			// The lease has room for a slow machine; two halves are a whole.
			b.Age(t, "other", outbound.ReplicaLease/2)
			b.fenced(t, "now", 10)
			// The next sign counts anew.
			b.fenced(t, "other", 10)
			b.Age(t, "other", outbound.ReplicaLease/2)
			b.fenced(t, "now", 10)
			b.holds(t, r)
			b.Age(t, "other", outbound.ReplicaLease/2+time.Second)
			b.fenced(t, "now", 10, r)
		}},
		{"a process life that never gave a sign is dead when its operation is older than the lease", func(t *testing.T, b *book) {
			t.Helper()
			recent := b.begun(t, busy("other"), func(x *payment.Record) {
				at := time.Now().UTC().Truncate(time.Microsecond)
				x.Payment.CreatedAt, x.Operation.CreatedAt = at, at
			})
			b.fenced(t, "now", 10, b.begun(t, busy("other")))
			b.holds(t, recent)
		}},
		{"a process life that was taken for dead may come back", func(t *testing.T, b *book) {
			t.Helper()
			b.fenced(t, "other", 10)
			b.dies(t, "other")
			r := b.begun(t, busy("other"))
			b.fenced(t, "now", 10, r)
			b.fenced(t, "other", 10)
			second := b.begun(t, busy("other"))
			b.fenced(t, "now", 10)
			b.holds(t, second)
		}},
	}
}

func fenceCases() []ledgerCase {
	return []ledgerCase{
		{"what dead process lives were sending is taken over, and nothing else", func(t *testing.T, b *book) {
			t.Helper()
			mine := b.begun(t, owner("now"))
			first, second := b.begun(t, owner("old-1")), b.begun(t, busy("old-2"))
			unknown := b.ended(t, b.begun(t, owner("old-1")), payment.Unknown)
			b.ended(t, b.begun(t, owner("old-1")), payment.Succeeded)
			b.fenced(t, "now", 10, first, second)
			b.holds(t, mine)
			b.holds(t, unknown)
			b.fenced(t, "now", 10)
		}},
		{"the limit bounds one call, the next one goes on", func(t *testing.T, b *book) {
			t.Helper()
			want := map[payment.ID]bool{}
			for range 5 {
				want[b.begun(t, owner("old")).Payment.ID] = true
			}
			for _, n := range []int{2, 2, 1, 0} {
				got, err := b.ledger.Fence(t.Context(), "now", 2)
				if err != nil || len(got) != n {
					t.Fatalf("Fence = %d records, %v; want %d", len(got), err, n)
				}
				for _, r := range got {
					if !want[r.Payment.ID] {
						t.Errorf("%s was fenced twice", r.Payment.ID)
					}
					delete(want, r.Payment.ID)
				}
			}
		}},
		{"a fenced owner loses, whoever fenced it wins", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t, owner("old"))
			late := next(r, closing(payment.Succeeded))
			got, err := b.ledger.Fence(t.Context(), "now", 10)
			if err != nil || len(got) != 1 {
				t.Fatalf("Fence = %v, %v", got, err)
			}
			b.lost(t, late, outbound.LostVersion)
			r = b.stored(t, next(got[0], func(x *payment.Record) { closing(payment.Unknown)(x); x.Operation.Epoch++ }))
			b.lost(t, late, outbound.LostVersion)
			b.holds(t, r)
		}},
		{"fencing changes neither version nor journal", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t, owner("old"))
			b.fenced(t, "now", 1, r)
			r.Operation.Epoch, r.Operation.OwnerBoot = 2, "now"
			b.holds(t, r)
		}},
		{"what a dead process life had claimed is due at once", func(t *testing.T, b *book) {
			t.Helper()
			first, second := b.unknown(t, ago(time.Minute)), b.unknown(t, ago(time.Hour))
			watched := b.watched(t, ago(time.Hour), ago(2*time.Second))
			finished := b.unknown(t, ago(time.Second))
			all := b.claimed(t, outbound.DueQuery{Boot: "old", Limit: 10, Lease: time.Hour}, second, first, watched, finished)
			finished = b.stored(t, next(all[3], func(x *payment.Record) { x.Operation.NextCheckAt = in(time.Hour) }))
			b.due(t, 10)
			b.dies(t, "old")
			b.fenced(t, "now", 10)
			// What it had finished keeps its plan.
			b.holds(t, finished)
			got := b.due(t, 10)
			if len(got) != 3 {
				t.Fatalf("%d are due, want 3", len(got))
			}
			for _, r := range got {
				if r.Operation.Epoch != 3 || r.Operation.OwnerBoot != "now" {
					t.Errorf("%s has epoch %d and owner %s", r.Payment.ID, r.Operation.Epoch, r.Operation.OwnerBoot)
				}
			}
			b.lost(t, next(all[0], closing(payment.Succeeded)), outbound.LostVersion)
		}},
		{"a call that a dead process life had claimed is fenced", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t, ownerUntil("old", ago(time.Minute)))
			got := b.claimed(t, outbound.DueQuery{Boot: "older", Limit: 10, Lease: time.Hour}, r)
			b.dies(t, "older")
			b.fenced(t, "now", 10, got[0])
		}},
		{"fencing needs a process life and a limit", func(t *testing.T, b *book) {
			t.Helper()
			_, err := b.ledger.Fence(t.Context(), "", 1)
			wantKind(t, err, fault.Invalid)
			_, err = b.ledger.Fence(t.Context(), "now", 0)
			wantKind(t, err, fault.Invalid)
		}},
		{"fences and owners that meet leave one truth", fencesMeetOwners},
	}
}

// fenced checks that a call of a process life takes over exactly these records.
func (b *book) fenced(t *testing.T, boot string, limit int, want ...payment.Record) {
	t.Helper()
	got, err := b.ledger.Fence(t.Context(), boot, limit)
	if err != nil || len(got) != len(want) {
		t.Fatalf("Fence = %d records, %v; want %d", len(got), err, len(want))
	}
	for _, w := range want {
		w.Operation.Epoch++
		w.Operation.OwnerBoot = boot
		i := slices.IndexFunc(got, func(r payment.Record) bool { return r.Payment.ID == w.Payment.ID })
		if i < 0 {
			t.Fatalf("%s was not fenced", w.Payment.ID)
		}
		same(t, got[i], w)
		b.holds(t, w)
	}
}

// fencesMeetOwners lets owners finish while three callers fence them: each operation ends once.
func fencesMeetOwners(t *testing.T, b *book) {
	t.Helper()
	records := make([]payment.Record, racers)
	for i := range records {
		records[i] = b.begun(t, func(r *payment.Record) { r.Operation.OwnerBoot = "old" })
	}
	var mu sync.Mutex
	finished, taken := map[payment.ID]bool{}, map[payment.ID]int{}
	var wg sync.WaitGroup
	for _, r := range records {
		wg.Go(func() {
			got, err := b.ledger.Commit(t.Context(), next(r, closing(payment.Succeeded)))
			if err != nil {
				t.Errorf("Commit: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			finished[r.Payment.ID] = got.Loss == outbound.NoLoss
		})
	}
	for range 3 {
		wg.Go(func() {
			for range 20 {
				got, err := b.ledger.Fence(t.Context(), "new", 10)
				if err != nil {
					t.Errorf("Fence: %v", err)
				}
				mu.Lock()
				for _, r := range got {
					taken[r.Payment.ID]++
				}
				mu.Unlock()
				time.Sleep(time.Millisecond)
			}
		})
	}
	wg.Wait()
	for _, r := range records {
		of := r.Payment.ID
		if finished[of] == (taken[of] == 1) || taken[of] > 1 {
			t.Errorf("%s: finished %v, fenced %d times; want exactly one of both", of, finished[of], taken[of])
		}
		if got := b.load(t, of); (got.Payment.State == payment.Succeeded) != finished[of] {
			t.Errorf("%s is %s, finished %v", of, got.Payment.State, finished[of])
		}
	}
}
