package sqlstore_test

import (
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// TestClocksDifferWhenAMonthBegins sends one request to two replicas, of which one has the next month already: in both
// orders the second one finds the key taken.
func TestClocksDifferWhenAMonthBegins(t *testing.T) {
	t.Parallel()
	newYear := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	before, after := newYear.Add(-2*time.Second), newYear.Add(time.Second)
	for name, clocks := range map[string][2]time.Time{
		"the first one is ahead": {after, before}, "the second one is ahead": {before, after},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := postgresDatabase(t)
			var replicas [2]*sqlstore.Store
			for i := range replicas {
				replicas[i] = opened(t, sqlstore.Options{URL: dsn})
			}
			won(t, replicas[1].Ledger(), claimedAt(newPayment(t), clocks[1])) // it has served in its month
			first := claimedAt(newPayment(t), clocks[0])
			r := won(t, replicas[0].Ledger(), first)
			won(t, replicas[0].Ledger(), applied(t, r, payment.Answered{
				At: r.Payment.UpdatedAt, Operation: r.Operation.ID, Epoch: 1, Known: payment.KnownDeclined,
			}))
			again := claimedAt(newPayment(t), clocks[1])
			again.Record.Payment.OrderNumber, again.Record.Payment.Attempt = first.Record.Payment.OrderNumber, 2
			for k := range again.Claims {
				again.Claims[k].ClaimKey = first.Claims[k].ClaimKey
			}
			got, err := replicas[1].Ledger().Commit(t.Context(), again)
			if err != nil || got.Loss != outbound.LostClaim || len(got.Claims) != 2 || got.Claims[0].Payment != first.Record.Payment.ID {
				t.Errorf("Commit = %+v, %v; want to lose both keys to the first request", got, err)
			}
		})
	}
}

// claimedAt is a change whose keys were claimed at a time.
func claimedAt(c outbound.Change, at time.Time) outbound.Change {
	for i := range c.Claims {
		c.Claims[i].At = at
	}
	return c
}
