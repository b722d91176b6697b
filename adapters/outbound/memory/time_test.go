package memory_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/adapters/outbound/memory"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// stored commits the change that an event makes; a new payment has no event.
func stored(t *testing.T, s *memory.Store, before, after payment.Record, fresh bool) payment.Record {
	t.Helper()
	c := outbound.Change{Version: before.Payment.Version, Epoch: before.Operation.Epoch, NewOperation: fresh, Record: after}
	p := &c.Record.Payment
	c.Entry = journal.Link(before.Payment.Chain, p.Stream(), p.Version, p.UpdatedAt, "payment.changed", []byte(`{}`))
	p.Chain = c.Entry.Hash
	if got, err := s.Ledger().Commit(t.Context(), c); err != nil || got.Loss != outbound.NoLoss {
		t.Fatalf("Commit = %+v, %v", got, err)
	}
	return c.Record
}

// begun stores a payment that a process life sends now.
func begun(t *testing.T, s *memory.Store, id payment.ID, boot string) payment.Record {
	t.Helper()
	amount := money.Amount{Units: 229, Currency: money.TWD}
	p := payment.Payment{
		ID: id, Company: "c", Environment: "test", Type: "TILL_PAY", Provider: "till", Account: "a", OrderNumber: string(id),
		Attempt: 1, Amount: amount, Capture: true,
	}
	o := payment.Operation{
		ID: "o", Payment: id, Kind: payment.KindPay, Amount: amount, OrderID: string(id), OwnerBoot: boot,
		SendDeadline: time.Now().Add(time.Minute), SealedCredential: []byte("sealed"),
	}
	r, err := payment.Begin(p, o, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return stored(t, s, payment.Record{}, r, true)
}

func applied(t *testing.T, s *memory.Store, r payment.Record, e payment.Event) payment.Record {
	t.Helper()
	next, err := payment.Apply(r, e)
	if err != nil {
		t.Fatal(err)
	}
	return stored(t, s, r, next, false)
}

// TestLeasesInABubble lets the time of a bubble decide which replica is dead.
func TestLeasesInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(memory.Replicas())
		fence := func(boot string, want int) {
			t.Helper()
			if got, err := s.Ledger().Fence(t.Context(), boot, 10); err != nil || len(got) != want {
				t.Fatalf("Fence by %s = %d records, %v; want %d", boot, len(got), err, want)
			}
		}
		fence("one", 0)
		begun(t, s, "p1", "one")
		for range 20 {
			time.Sleep(time.Second)
			fence("one", 0)
			fence("two", 0)
		}
		time.Sleep(outbound.ReplicaLease)
		fence("two", 0)
		time.Sleep(time.Microsecond)
		fence("two", 1)
		fence("two", 0)
	})
}

// TestWatchListInABubble follows a payment that was told "not charged" for more than a week: hours first, then days, and
// then never again.
func TestWatchListInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		r := begun(t, s, "p1", "one")
		r = applied(t, s, r, payment.Answered{At: time.Now(), Operation: "o", Epoch: 1, Known: payment.KnownNothing})
		told := time.Now()
		applied(t, s, r, payment.Searched{At: told, Operation: "o", Epoch: 1, Verdict: payment.VerdictNotDone})
		var looks []time.Duration
		for range 10 * 24 * 60 {
			time.Sleep(time.Minute)
			got, err := s.Ledger().Due(t.Context(), outbound.DueQuery{Boot: "one", Limit: 1, Lease: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 1 {
				looks = append(looks, time.Since(told))
			}
		}
		const hour = time.Hour
		want := []time.Duration{
			1 * hour, 2 * hour, 3 * hour, 4 * hour, 5 * hour, 6 * hour, 12 * hour, 18 * hour, 24 * hour, 48 * hour, 72 * hour,
			96 * hour, 120 * hour, 144 * hour, 168 * hour,
		}
		if !slices.Equal(looks, want) {
			t.Errorf("looked after %v, want %v", looks, want)
		}
		if r, err := s.Ledger().Load(t.Context(), "c", "p1"); err != nil || r.Operation.SealedCredential != nil {
			t.Errorf("the credential is kept: %+v, %v", r.Operation, err)
		}
	})
}

// TestSameCallsHaveSameAnswers makes the same calls in many bubbles: what a map holds comes out in one order.
func TestSameCallsHaveSameAnswers(t *testing.T) {
	t.Parallel()
	var want []payment.ID
	for round := range 20 {
		synctest.Test(t, func(t *testing.T) {
			s := memory.New()
			for i := range 30 {
				begun(t, s, payment.ID("p"+string(rune('a'+i*7%26))+string(rune('a'+i))), "old")
			}
			var got []payment.ID
			fenced, err := s.Ledger().Fence(t.Context(), "new", 10)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			due, err := s.Ledger().Due(t.Context(), outbound.DueQuery{Boot: "new", Limit: 12, PerAccount: 12, Lease: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range append(fenced, due...) {
				got = append(got, r.Payment.ID)
			}
			if round == 0 {
				want = got
			}
			if len(got) != 22 || !slices.Equal(got, want) {
				t.Errorf("round %d: %v, want %v", round, got, want)
			}
		})
	}
}
