package outbound

import (
	"context"

	"github.com/payrack/payrack/core/payment"
)

// Holdings reads what the ledger holds now, whole, so that it can be held against the journal. Implementations pass
// outboundtest.Holdings.
type Holdings interface {
	// Page returns payments of all companies in the order of their ids, starting after one, each with all of its
	// operations. A payment that changes meanwhile may come with operations that are newer than itself. Fewer than limit are
	// the last ones.
	Page(ctx context.Context, after payment.ID, limit int) ([]Holding, error)
}

// Holding is a payment with all of its operations, in the order of their ids.
type Holding struct {
	Payment    payment.Payment
	Operations []payment.Operation
}
