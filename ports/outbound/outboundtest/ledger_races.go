package outboundtest

import (
	"slices"
	"sync"
	"testing"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

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
					if e.Loss != outbound.LostClaim || len(e.Claims) != 1 || e.Claims[0].Payment != won.Record.Payment.ID {
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
		{"of two hundred refunds of a payment no more is given back than was taken", refundsMeet},
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

// refundsMeet lets two hundred callers refund one payment, each once and in its own steps, as the replicas would, and
// again until nothing is left.
func refundsMeet(t *testing.T, b *book) {
	t.Helper()
	const callers, part, captured = 200, 60, 229
	id := b.ended(t, b.begun(t), payment.Succeeded).Payment.ID
	given := int64(0)
	for wave := 0; given+part <= captured; wave++ {
		if wave == 20 {
			t.Fatalf("%d of %d is refunded after %d waves", given, captured, wave)
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				units := b.refundOnce(t, id, part)
				mu.Lock()
				defer mu.Unlock()
				given += units
			})
		}
		wg.Wait()
	}
	p := b.load(t, id).Payment
	if p.Refunded != given || p.RefundReserved != 0 || p.Refunded > captured || p.Refunded+part <= captured {
		t.Errorf("%d refunded, %d reserved, %d counted by the callers, of %d", p.Refunded, p.RefundReserved, given, captured)
	}
}

// refundOnce tries to refund part of a payment and returns what it gave back.
func (b *book) refundOnce(t *testing.T, id payment.ID, part int64) int64 {
	t.Helper()
	r, err := b.ledger.Load(t.Context(), b.company, id)
	if err != nil {
		t.Errorf("Load: %v", err)
		return 0
	}
	p := r.Payment
	if p.Refunded+p.RefundReserved > p.Captured {
		t.Errorf("%d refunded and %d reserved of %d", p.Refunded, p.RefundReserved, p.Captured)
	}
	if r.Operation.Open() || p.Refunded+part > p.Captured {
		return 0
	}
	begun, done := refundOf(r, part)
	got, err := b.ledger.Commit(t.Context(), begun)
	if err == nil && got.Loss == outbound.LostVersion {
		return 0
	}
	if err == nil && got.Loss == outbound.NoLoss {
		got, err = b.ledger.Commit(t.Context(), done)
	}
	if err != nil || got.Loss != outbound.NoLoss {
		t.Errorf("Commit = %+v, %v", got, err)
		return 0
	}
	return part
}

// refundOf are the two changes of a refund that succeeds.
func refundOf(r payment.Record, units int64) (begun, done outbound.Change) {
	amount := money.Amount{Units: units, Currency: r.Payment.Amount.Currency}
	begun = begin(r, payment.KindRefund, payment.Refunding, func(x *payment.Record) {
		x.Operation.Amount, x.Payment.RefundReserved = amount, units
	})
	done = next(begun.Record, func(x *payment.Record) {
		closing(payment.PartiallyRefunded)(x)
		x.Payment.RefundReserved, x.Payment.Refunded = 0, x.Payment.Refunded+units
	})
	return begun, done
}
