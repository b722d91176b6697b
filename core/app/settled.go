package app

import (
	"context"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
)

// settledPage is how many entries of a journal are read at once.
const settledPage = 100

// asSettled is a record as it was when its operation ended. An operation that a search settled has no stored reply of its
// request's shape: its answer is made again for each retry, and must not change when the payment moves on.
func (a *App) asSettled(ctx context.Context, r payment.Record) (payment.Record, error) {
	for after := int64(0); ; {
		entries, err := a.Journal.Entries(ctx, r.Payment.Stream(), after, settledPage)
		if err != nil {
			return payment.Record{}, err
		}
		for _, e := range entries {
			after = e.N
			t, err := read(e)
			if err != nil {
				return payment.Record{}, err
			}
			if t.Operation == r.Operation.ID && (t.OperationState == payment.OperationSucceeded || t.OperationState == payment.OperationFailed) {
				return t.then(r), nil
			}
		}
		if len(entries) < settledPage {
			return payment.Record{}, fault.New(fault.Internal, "journal_incomplete",
				"the journal does not say how an operation ended; payrack audit verify says whether it was changed")
		}
	}
}
