package payment_test

import (
	"testing"
	"time"

	"github.com/payrack/payrack/core/payment"
)

// What is held ends some day; what was taken or given back does not.
func TestOnlyAHoldEnds(t *testing.T) {
	t.Parallel()
	ends := start.Add(time.Hour)
	for state, captured := range map[payment.State][]int64{
		payment.Authorized: {0}, payment.Capturing: {0}, payment.Voiding: {0, 100}, payment.Review: {0}, payment.Expired: {0},
		payment.Succeeded: {100}, payment.Refunding: {100}, payment.PartiallyRefunded: {100}, payment.Refunded: {100},
		payment.Voided: {0, 100}, payment.Reversed: {0}, payment.Failed: {0},
	} {
		for _, units := range captured {
			p := payment.Payment{State: state, Captured: units, AuthorizationEnds: ends}
			held := units == 0 && state != payment.Voided && state != payment.Reversed && state != payment.Failed
			if got := p.HoldEnds(); got.Equal(ends) != held || !held && !got.IsZero() {
				t.Errorf("%s with %d captured: %v", state, units, got)
			}
		}
	}
}
