package outboundtest

import (
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// ago and in are times by the clock of the ledger, which is that of this machine.
func ago(d time.Duration) time.Time { return in(-d) }

func in(d time.Duration) time.Time { return time.Now().Add(d).UTC().Truncate(time.Microsecond) }

// unknown stores a payment in doubt whose next check is at a time.
func (b *book) unknown(t *testing.T, at time.Time, edit ...func(*payment.Record)) payment.Record {
	t.Helper()
	return b.stored(t, next(b.begun(t, edit...), func(x *payment.Record) {
		closing(payment.Unknown)(x)
		x.Operation.NextCheckAt = at
	}))
}

// watched stores a payment that was told "not charged" at a time and is looked at next at another.
func (b *book) watched(t *testing.T, told, at time.Time) payment.Record {
	t.Helper()
	c := next(b.unknown(t, epochStart()), func(x *payment.Record) {
		closing(payment.Failed)(x)
		x.Payment.Failure, x.Operation.Failure = payment.NotCharged, payment.NotCharged
		x.Operation.NextCheckAt = at
	})
	c.Record.Payment.UpdatedAt, c.Record.Operation.UpdatedAt = told, told
	link(&c, c.Entry.Prev)
	return b.stored(t, c)
}

// due claims for the process life "now", with a lease of an hour.
func (b *book) due(t *testing.T, limit int) []payment.Record {
	t.Helper()
	got, err := b.ledger.Due(t.Context(), outbound.DueQuery{Boot: "now", Limit: limit, Lease: time.Hour})
	if err != nil {
		t.Fatalf("Due: %v", err)
	}
	return got
}

// claimed checks that a query claims exactly these records in this order, and how: they are returned as they are stored.
func (b *book) claimed(t *testing.T, q outbound.DueQuery, want ...payment.Record) []payment.Record {
	t.Helper()
	before := time.Now()
	got, err := b.ledger.Due(t.Context(), q)
	after := time.Now()
	if err != nil || len(got) != len(want) {
		t.Fatalf("Due = %d records, %v; want %d", len(got), err, len(want))
	}
	for i, w := range want {
		wait := q.Lease
		if w.Payment.State == payment.Failed {
			wait, _ = payment.WatchDelay(time.Since(w.Operation.UpdatedAt))
		}
		planned := got[i].Operation.NextCheckAt
		// Two clocks of one machine may differ by how they are read.
		if planned.Before(before.Add(wait-time.Second)) || planned.After(after.Add(wait+time.Second)) {
			t.Errorf("%d is planned for %v, want %v from now", i, planned, wait)
		}
		w.Operation.Epoch++
		w.Operation.OwnerBoot, w.Operation.NextCheckAt = q.Boot, planned
		same(t, got[i], w)
		b.holds(t, w)
	}
	return got
}

func dueCases() []ledgerCase {
	hour := func(boot string) outbound.DueQuery {
		return outbound.DueQuery{Boot: boot, Limit: 100, Lease: time.Hour}
	}
	return []ledgerCase{
		{"what is due is claimed once, oldest first, and nothing else", func(t *testing.T, b *book) {
			t.Helper()
			second := b.unknown(t, ago(2*time.Second))
			third := b.unknown(t, ago(time.Second))
			first := b.unknown(t, ago(time.Hour))
			later := b.unknown(t, in(time.Hour))
			never := b.unknown(t, time.Time{})
			b.ended(t, b.begun(t), payment.Succeeded)
			b.claimed(t, hour("now"), first, second, third)
			b.claimed(t, hour("now"))
			b.claimed(t, hour("other"))
			b.holds(t, later)
			b.holds(t, never)
		}},
		{"the limit bounds one call, the next one goes on", func(t *testing.T, b *book) {
			t.Helper()
			var all []payment.Record
			for i := range 5 {
				all = append(all, b.unknown(t, ago(time.Hour-time.Duration(i)*time.Second)))
			}
			q := hour("now")
			q.Limit = 2
			b.claimed(t, q, all[0], all[1])
			b.claimed(t, q, all[2], all[3])
			b.claimed(t, q, all[4])
			b.claimed(t, q)
		}},
		{"a claim whose lease is over is due again", func(t *testing.T, b *book) {
			t.Helper()
			r := b.unknown(t, ago(time.Second))
			q := outbound.DueQuery{Boot: "now", Limit: 1, Lease: time.Millisecond}
			r = b.claimed(t, q, r)[0]
			time.Sleep(10 * time.Millisecond)
			q.Boot, q.Lease = "other", time.Hour
			b.claimed(t, q, r)
		}},
		{"a call is due when its deadline has passed, never before", func(t *testing.T, b *book) {
			t.Helper()
			atWork := b.begun(t, busy("old"), func(x *payment.Record) { x.Operation.NextCheckAt = ago(time.Hour) })
			overrun := b.begun(t, ownerUntil("old", ago(time.Minute)))
			planned := b.begun(t, ownerUntil("old", ago(time.Minute)), func(x *payment.Record) { x.Operation.NextCheckAt = in(time.Hour) })
			unplanned := b.begun(t, ownerUntil("old", ago(time.Second)), func(x *payment.Record) { x.Operation.NextCheckAt = time.Time{} })
			unknown := b.unknown(t, ago(30*time.Second))
			b.claimed(t, hour("now"), overrun, unknown, unplanned)
			b.claimed(t, hour("now"))
			b.holds(t, atWork)
			b.holds(t, planned)
		}},
		{"an owner whose operation was claimed loses, whoever claimed it wins", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t, ownerUntil("old", ago(time.Minute)))
			late := next(r, closing(payment.Succeeded))
			got := b.claimed(t, hour("now"), r)[0]
			b.lost(t, late, outbound.LostVersion)
			r = b.stored(t, next(got, func(x *payment.Record) { closing(payment.Unknown)(x); x.Operation.NextCheckAt = ago(time.Second) }))
			b.lost(t, late, outbound.LostVersion)
			b.claimed(t, hour("other"), r)
		}},
		{"a payment without an open operation is looked at as planned", func(t *testing.T, b *book) {
			t.Helper()
			r := b.stored(t, next(b.begun(t), func(x *payment.Record) {
				closing(payment.RequiresAction)(x)
				x.Operation.NextCheckAt = ago(time.Second)
			}))
			b.claimed(t, hour("now"), r)
		}},
		{"an operation before a new one is not looked at any more", func(t *testing.T, b *book) {
			t.Helper()
			c := b.intent()
			r := b.stored(t, next(b.stored(t, c), func(x *payment.Record) {
				closing(payment.Authorized)(x)
				x.Payment.Authorized, x.Operation.NextCheckAt = 229, ago(time.Minute)
			}))
			r = b.stored(t, begin(r, payment.KindCapture, payment.Capturing, busy("boot-1")))
			b.claimed(t, hour("now"))
			held, err := b.ledger.Claimed(t.Context(), []outbound.ClaimKey{c.Claims[0].ClaimKey})
			if err != nil || len(held) != 1 || !held[0].Record.Operation.NextCheckAt.IsZero() {
				t.Errorf("Claimed = %+v, %v; want an operation without a next check", held, err)
			}
			b.holds(t, r)
		}},
		{"a settled payment forgets the credentials of all its operations", func(t *testing.T, b *book) {
			t.Helper()
			c := b.intent()
			r := b.ended(t, b.stored(t, c), payment.Succeeded)
			again := begin(r, payment.KindRefund, payment.Refunding, func(x *payment.Record) {
				x.Payment.RefundReserved, x.Operation.SealedCredential = 229, []byte("sealed again")
			})
			again.Claims = []outbound.Claim{claim(again.Record, outbound.ClaimHeader, epochStart())}
			r = b.stored(t, again)
			keys := []outbound.ClaimKey{c.Claims[0].ClaimKey, again.Claims[0].ClaimKey}
			before, err := b.ledger.Claimed(t.Context(), keys)
			if err != nil || len(before) != 2 || string(before[0].Record.Operation.SealedCredential) != "sealed" {
				t.Fatalf("Claimed = %+v, %v", before, err)
			}
			done := next(r, func(x *payment.Record) {
				closing(payment.Refunded)(x)
				x.Payment.RefundReserved, x.Payment.Refunded = 0, 229
			})
			done.Settled = true
			r = b.stored(t, done)
			r.Operation.SealedCredential = nil
			b.holds(t, r)
			after, err := b.ledger.Claimed(t.Context(), keys)
			if err != nil || len(after) != 2 {
				t.Fatalf("Claimed = %+v, %v", after, err)
			}
			for _, h := range after {
				if h.Record.Operation.SealedCredential != nil {
					t.Errorf("operation %s keeps its credential", h.Record.Operation.ID)
				}
			}
		}},
		{"one payment is pulled forward, but not again at once", pullsForward},
		{"of many that claim at once one has it", claimersMeet},
		{"a claim needs a process life, a lease and a limit", func(t *testing.T, b *book) {
			t.Helper()
			for _, q := range []outbound.DueQuery{
				{Limit: 1, Lease: time.Second},
				{Boot: "now", Lease: time.Second},
				{Boot: "now", Limit: 1},
				{Boot: "now", Limit: 1, Lease: time.Second, PerAccount: -1},
				{Boot: "now", Limit: 1, Lease: time.Second, Room: -1},
			} {
				_, err := b.ledger.Due(t.Context(), q)
				wantKind(t, err, fault.Invalid)
			}
		}},
	}
}

func pullsForward(t *testing.T, b *book) {
	t.Helper()
	q := outbound.DueQuery{Boot: "now", Limit: 1, Lease: time.Hour}
	pull := func(r payment.Record, want ...payment.Record) []payment.Record {
		t.Helper()
		q.Payment = r.Payment.ID
		return b.claimed(t, q, want...)
	}
	due := b.unknown(t, ago(time.Second))
	atWork := b.begun(t, busy("old"))
	never := b.ended(t, b.begun(t), payment.Succeeded)
	pull(atWork)
	pull(never)
	pull(payment.Record{Payment: payment.Payment{ID: payment.ID(id(epochStart()))}})
	pull(due, due)
	for range 5 {
		if pulledOnce(t, b, pull) {
			return
		}
	}
	t.Skipf("five times the pulls took longer than %v", outbound.PullPause)
}

// pulledOnce checks that a pull is not repeated at once. It reports false where the pause was over before it could ask: on
// a slow machine that shows nothing.
func pulledOnce(t *testing.T, b *book, pull func(payment.Record, ...payment.Record) []payment.Record) bool {
	t.Helper()
	later, overrun := b.unknown(t, in(time.Hour)), b.begun(t, ownerUntil("old", ago(time.Minute)))
	began := time.Now() // before the ledger's own time of the claims
	refused := func(r payment.Record) bool {
		t.Helper()
		got, err := b.ledger.Due(t.Context(), outbound.DueQuery{Boot: "now", Limit: 1, Lease: time.Hour, Payment: r.Payment.ID})
		inTime := time.Since(began) < outbound.PullPause
		if err != nil || inTime && len(got) > 0 {
			t.Fatalf("Due = %d records, %v; want none so soon after a pull", len(got), err)
		}
		return inTime
	}
	later = pull(later, later)[0]
	overrun = pull(overrun, overrun)[0]
	if !refused(later) || !refused(overrun) {
		return false
	}
	// A change in between does not make it younger.
	later = b.stored(t, next(later, func(x *payment.Record) { x.Operation.Checks++; x.Operation.NextCheckAt = in(time.Hour) }))
	if !refused(later) {
		return false
	}
	time.Sleep(outbound.PullPause + 50*time.Millisecond)
	pull(later, later)
	return true
}

// claimersMeet lets several process lives claim at once: each operation is claimed by one.
func claimersMeet(t *testing.T, b *book) {
	t.Helper()
	for range racers {
		b.unknown(t, ago(time.Second))
	}
	var mu sync.Mutex
	taken := map[payment.ID]int{}
	var wg sync.WaitGroup
	for _, boot := range []string{"one", "two", "three", "four"} {
		wg.Go(func() {
			// What another one holds at this moment is passed over, so an empty answer does not mean that all is done.
			for range 50 {
				got, err := b.ledger.Due(t.Context(), outbound.DueQuery{Boot: boot, Limit: 7, Lease: time.Hour})
				if err != nil {
					t.Errorf("Due: %v", err)
				}
				mu.Lock()
				for _, r := range got {
					taken[r.Payment.ID]++
				}
				enough := len(taken) == racers
				mu.Unlock()
				if enough {
					return
				}
			}
		})
	}
	wg.Wait()
	if len(taken) != racers {
		t.Errorf("%d were claimed, want %d", len(taken), racers)
	}
	for of, n := range taken {
		if n != 1 {
			t.Errorf("%s was claimed %d times", of, n)
		}
	}
}
