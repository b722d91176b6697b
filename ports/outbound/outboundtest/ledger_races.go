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
	return func(r *payment.Record) { r.Operation.OwnerBoot, r.Operation.SendDeadline = boot, deadline }
}

// ownedFenceCases hold where one process owns the ledger: another process life is over, whatever it was doing.
func ownedFenceCases() []ledgerCase {
	return []ledgerCase{
		{"without a list, a call that may still be on its way is fenced as well", func(t *testing.T, b *book) {
			t.Helper()
			b.begun(t, busy("now"))
			b.fenced(t, nil, 10, b.begun(t, busy("old-1")), b.begun(t, owner("old-2")))
		}},
	}
}

// sharedFenceCases hold where replicas share the ledger: another process life may be at work.
func sharedFenceCases() []ledgerCase {
	return []ledgerCase{
		{"without a list, a call that may still be on its way is left to its owner", func(t *testing.T, b *book) {
			t.Helper()
			atWork := b.begun(t, busy("old-1"))
			recent := b.begun(t, ownerUntil("old-1", time.Now().Add(time.Minute).Truncate(time.Microsecond).UTC()))
			ended := b.begun(t, ownerUntil("old-1", time.Now().Add(-time.Minute).Truncate(time.Microsecond).UTC()))
			b.fenced(t, nil, 10, ended, b.begun(t, owner("old-2")))
			b.holds(t, atWork)
			b.holds(t, b.ended(t, recent, payment.Succeeded))
			b.fenced(t, []string{"old-1"}, 10, atWork)
		}},
	}
}

func fenceCases() []ledgerCase {
	return []ledgerCase{
		{"without a list, every other process life is fenced", func(t *testing.T, b *book) {
			t.Helper()
			mine := b.begun(t, owner("now"))
			first, second := b.begun(t, owner("old-1")), b.begun(t, owner("old-2"))
			b.ended(t, b.begun(t, owner("old-1")), payment.Unknown)
			b.ended(t, b.begun(t, owner("old-1")), payment.Succeeded)
			b.fenced(t, nil, 10, first, second)
			b.holds(t, mine)
			b.fenced(t, nil, 10)
		}},
		{"with a list, only those on it are fenced", func(t *testing.T, b *book) {
			t.Helper()
			dead := b.begun(t, busy("dead"))
			alive := b.begun(t, owner("alive"))
			b.fenced(t, []string{"dead", "another"}, 10, dead)
			b.holds(t, alive)
			b.fenced(t, []string{"dead"}, 10)
		}},
		{"the limit bounds one call, the next one goes on", func(t *testing.T, b *book) {
			t.Helper()
			want := map[payment.ID]bool{}
			for range 5 {
				want[b.begun(t, owner("old")).Payment.ID] = true
			}
			for _, n := range []int{2, 2, 1, 0} {
				got, err := b.ledger.Fence(t.Context(), "now", nil, 2)
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
			got, err := b.ledger.Fence(t.Context(), "now", nil, 10)
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
			b.fenced(t, nil, 1, r)
			r.Operation.Epoch, r.Operation.OwnerBoot = 2, "now"
			b.holds(t, r)
		}},
		{"fencing needs a process life and a limit", func(t *testing.T, b *book) {
			t.Helper()
			_, err := b.ledger.Fence(t.Context(), "", nil, 1)
			wantKind(t, err, fault.Invalid)
			_, err = b.ledger.Fence(t.Context(), "now", nil, 0)
			wantKind(t, err, fault.Invalid)
		}},
		{"fences and owners that meet leave one truth", fencesMeetOwners},
	}
}

// fenced checks that a call of the process life "now" takes over exactly these records.
func (b *book) fenced(t *testing.T, dead []string, limit int, want ...payment.Record) {
	t.Helper()
	const boot = "now"
	got, err := b.ledger.Fence(t.Context(), boot, dead, limit)
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
	}
}

// racers is how many callers meet in a race.
const racers = 64

// race commits changes at the same moment and returns how each ended.
func (b *book) race(t *testing.T, changes []outbound.Change) []outbound.Committed {
	t.Helper()
	ended := make([]outbound.Committed, len(changes))
	failed := make([]error, len(changes))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range changes {
		wg.Go(func() {
			<-start
			ended[i], failed[i] = b.ledger.Commit(t.Context(), changes[i])
		})
	}
	close(start)
	wg.Wait()
	for _, err := range failed {
		if err != nil {
			t.Fatalf("Commit: %v", err)
		}
	}
	return ended
}

// winner is the only change of a race that was committed.
func winner(t *testing.T, changes []outbound.Change, ended []outbound.Committed) outbound.Change {
	t.Helper()
	won := -1
	for i, e := range ended {
		if e.Loss != outbound.NoLoss {
			continue
		}
		if won >= 0 {
			t.Fatalf("both %d and %d were committed", won, i)
		}
		won = i
	}
	if won < 0 {
		t.Fatal("none was committed")
	}
	return changes[won]
}

func raceCases() []ledgerCase {
	return []ledgerCase{
		{"of many payments of one order one wins", func(t *testing.T, b *book) {
			t.Helper()
			changes := make([]outbound.Change, racers)
			for i := range changes {
				changes[i] = b.intent(func(r *payment.Record) { r.Payment.OrderNumber = "the order" })
			}
			ended := b.race(t, changes)
			won := winner(t, changes, ended)
			b.holds(t, won.Record)
			for i, e := range ended {
				if e.Loss == outbound.NoLoss {
					continue
				}
				if e.Loss != outbound.LostOrder || e.Payment != won.Record.Payment.ID {
					t.Errorf("%d = %+v, want to lose the order to %s", i, e, won.Record.Payment.ID)
				}
				b.absent(t, changes[i])
			}
		}},
		{"of many payments of one key one wins", func(t *testing.T, b *book) {
			t.Helper()
			changes := make([]outbound.Change, racers)
			for i := range changes {
				changes[i] = b.intent()
				changes[i].Claims[i%2].ClaimKey = changes[i%2].Claims[i%2].ClaimKey
			}
			// The even ones share a header key, the odd ones a request's own id.
			ended := b.race(t, changes)
			for part := range 2 {
				var some []outbound.Change
				var ends []outbound.Committed
				for i := part; i < racers; i += 2 {
					some, ends = append(some, changes[i]), append(ends, ended[i])
				}
				won := winner(t, some, ends)
				for i, e := range ends {
					if e.Loss == outbound.NoLoss {
						continue
					}
					if e.Loss != outbound.LostClaim || e.Claim.Payment != won.Record.Payment.ID {
						t.Errorf("%d = %+v, want to lose the key to %s", i, e, won.Record.Payment.ID)
					}
					some[i].Claims = slices.Delete(slices.Clone(some[i].Claims), part, part+1)
					b.absent(t, some[i])
				}
			}
		}},
		{"of many changes of one version one wins", func(t *testing.T, b *book) {
			t.Helper()
			r := b.ended(t, b.begun(t), payment.Succeeded)
			changes := make([]outbound.Change, racers)
			for i := range changes {
				changes[i] = begin(r, payment.KindRefund, payment.Refunding)
				changes[i].Claims = []outbound.Claim{claim(changes[i].Record, outbound.ClaimHeader, epochStart())}
			}
			ended := b.race(t, changes)
			won := winner(t, changes, ended)
			b.holds(t, won.Record)
			for i, e := range ended {
				if e.Loss != outbound.NoLoss {
					if e.Loss != outbound.LostVersion {
						t.Errorf("%d = %+v, want a lost version", i, e)
					}
					b.free(t, changes[i].Claims...)
				}
			}
		}},
		{"many payments at once are all kept", func(t *testing.T, b *book) {
			t.Helper()
			changes := make([]outbound.Change, racers)
			for i := range changes {
				changes[i] = b.intent()
			}
			for range 3 {
				for i, e := range b.race(t, changes) {
					if e.Loss != outbound.NoLoss {
						t.Fatalf("%d lost: %+v", i, e)
					}
					b.holds(t, changes[i].Record)
				}
				for i, c := range changes {
					if c.Record.Payment.State == payment.Sending {
						changes[i] = next(c.Record, closing(payment.Unknown))
					} else {
						changes[i] = next(c.Record, func(x *payment.Record) { x.Operation.Checks++ })
					}
				}
			}
		}},
		{"a broken change among many harms no other", func(t *testing.T, b *book) {
			t.Helper()
			changes := make([]outbound.Change, racers)
			for i := range changes {
				changes[i] = b.intent()
				if i%8 == 5 {
					changes[i] = b.intent(func(r *payment.Record) { r.Payment.State = payment.Review })
				}
			}
			var wg sync.WaitGroup
			for i, c := range changes {
				wg.Go(func() {
					got, err := b.ledger.Commit(t.Context(), c)
					if broken := i%8 == 5; broken != (fault.CodeOf(err) == "ledger_refused") || broken == (err == nil) {
						t.Errorf("%d = %+v, %v", i, got, err)
					}
				})
			}
			wg.Wait()
			for i, c := range changes {
				if i%8 == 5 {
					b.absent(t, c)
				} else {
					b.holds(t, c.Record)
				}
			}
		}},
	}
}

// fencesMeetOwners lets owners finish while three process lives fence them: each operation ends once.
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
	for _, boot := range []string{"new-1", "new-2", "new-3"} {
		wg.Go(func() {
			for range 20 {
				got, err := b.ledger.Fence(t.Context(), boot, []string{"old"}, 10)
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
