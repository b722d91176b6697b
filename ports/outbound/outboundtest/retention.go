package outboundtest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// RetentionStores are the ports over one store.
type RetentionStores struct {
	Stores

	Retention outbound.Retention
}

// Retention is the contract of outbound.Retention, over stores whose Ledger keeps its own contract. open returns an empty
// store; the suite calls it once a subtest and runs the subtests in parallel.
func Retention(t *testing.T, open func(t *testing.T) RetentionStores) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, *archive){
		"a key of long ago is free again, its request id is not":     oldKeyFree,
		"a key that is young enough stays":                           youngKeyStays,
		"a key answers as long as the outcome is open":               openKeyStays,
		"keys of all companies, environments and months are found":   allKeysFound,
		"what became old since the last time is found the next time": foundLater,
		"replicas that prune at once remove each key once":           prunedOnce,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			run(t, &archive{book: newBook(s.Stores), retention: s.Retention})
		})
	}
}

// archive is a book whose keys are forgotten.
type archive struct {
	*book

	retention outbound.Retention
}

// pruned removes all that is there to remove and returns how many keys that were.
func (a *archive) pruned(t *testing.T, before time.Time) int {
	t.Helper()
	total := 0
	for more := true; more; {
		var removed int
		var err error
		if removed, more, err = a.retention.PruneKeys(t.Context(), before); err != nil {
			t.Fatalf("PruneKeys: %v", err)
		}
		total += removed
	}
	return total
}

// keyed stores a payment whose claims were made at a time.
func (b *book) keyed(t *testing.T, at time.Time, edit ...func(*payment.Record)) (outbound.Change, payment.Record) {
	t.Helper()
	c := b.intent(edit...)
	for i := range c.Claims {
		c.Claims[i].At = at
		c.Claims[i].Environment = c.Record.Payment.Environment
	}
	return c, b.stored(t, c)
}

// taken checks that a key is held.
func (b *book) taken(t *testing.T, claim outbound.Claim) {
	t.Helper()
	held, err := b.ledger.Claimed(t.Context(), []outbound.ClaimKey{claim.ClaimKey})
	if err != nil || len(held) != 1 || held[0].Claim != claim {
		t.Errorf("Claimed = %v, %v; want the key of scope %s held", held, err, claim.Scope)
	}
}

func oldKeyFree(t *testing.T, a *archive) {
	t.Helper()
	c, r := a.keyed(t, epochStart())
	a.ended(t, r, payment.Succeeded)
	refund := begin(a.load(t, r.Payment.ID), payment.KindRefund, payment.Refunding)
	refund.Claims = []outbound.Claim{claim(refund.Record, outbound.ClaimHeader, epochStart())}
	last := a.stored(t, refund)
	last = a.stored(t, next(last, closing(payment.Refunded)))
	if n := a.pruned(t, epochStart().AddDate(0, 2, 0)); n != 2 {
		t.Errorf("%d keys were removed, want that of the payment and that of the refund", n)
	}
	a.free(t, c.Claims[0], refund.Claims[0])
	a.taken(t, c.Claims[1])
	a.holds(t, last)
}

func youngKeyStays(t *testing.T, a *archive) {
	t.Helper()
	c, r := a.keyed(t, epochStart())
	a.ended(t, r, payment.Succeeded)
	for _, before := range []time.Time{{}, epochStart().AddDate(-1, 0, 0), epochStart()} {
		if n := a.pruned(t, before); n != 0 {
			t.Errorf("%d keys were removed that were claimed at %s or later", n, before)
		}
	}
	a.taken(t, c.Claims[0])
}

func openKeyStays(t *testing.T, a *archive) {
	t.Helper()
	long := epochStart().AddDate(1, 0, 0)
	sending, _ := a.keyed(t, epochStart())
	unknown, r := a.keyed(t, epochStart())
	r = a.ended(t, r, payment.Unknown)
	if n := a.pruned(t, long); n != 0 {
		t.Errorf("%d keys of open operations were removed", n)
	}
	a.taken(t, sending.Claims[0])
	a.taken(t, unknown.Claims[0])
	a.ended(t, r, payment.Succeeded)
	if n := a.pruned(t, long); n != 1 {
		t.Errorf("%d keys were removed, want that of the payment that ended", n)
	}
	a.taken(t, sending.Claims[0])
}

func allKeysFound(t *testing.T, a *archive) {
	t.Helper()
	var old, young []outbound.Change
	for range 3 {
		b := newBook(a.Stores)
		for _, env := range []company.Environment{company.Live, company.Test} {
			for month := range 14 {
				at := epochStart().AddDate(0, 0, -31*month)
				c, r := b.keyed(t, at, func(r *payment.Record) { r.Payment.Environment = env })
				b.ended(t, r, payment.Succeeded)
				if month >= 2 {
					old = append(old, c)
				} else {
					young = append(young, c)
				}
			}
		}
	}
	if n := a.pruned(t, epochStart().AddDate(0, 0, -35)); n != len(old) {
		t.Errorf("%d keys were removed, want %d", n, len(old))
	}
	for _, c := range young {
		a.taken(t, c.Claims[0])
	}
	for _, c := range old {
		a.taken(t, c.Claims[1])
	}
}

func foundLater(t *testing.T, a *archive) {
	t.Helper()
	for month := range 4 {
		_, r := a.keyed(t, epochStart().AddDate(0, 0, 31*month))
		a.ended(t, r, payment.Succeeded)
		before := epochStart().AddDate(0, 0, 31*month+40)
		if n := a.pruned(t, before); n != 1 {
			t.Errorf("month %d: %d keys were removed, want the new one", month, n)
		}
		if n := a.pruned(t, before); n != 0 {
			t.Errorf("month %d: %d keys were removed twice", month, n)
		}
	}
}

func prunedOnce(t *testing.T, a *archive) {
	t.Helper()
	const payments = 24
	for range payments {
		_, r := a.keyed(t, epochStart())
		a.ended(t, r, payment.Succeeded)
	}
	var total atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { total.Add(int64(a.pruned(t, epochStart().AddDate(0, 2, 0)))) })
	}
	wg.Wait()
	if total.Load() != payments {
		t.Errorf("%d keys were removed, want %d", total.Load(), payments)
	}
}
