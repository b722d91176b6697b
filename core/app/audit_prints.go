package app

import (
	"hash/maphash"

	"github.com/payrack/payrack/ports/outbound"
)

// prints are what a journal says of its payment's rows, in a few bytes: a run over a large journal keeps one for each payment.
// Only where they are not those of the rows is that journal read once more, for the columns.
type prints struct {
	payment uint64
	// operations is the sum over all of them. newest and newestIs are the one that was begun last: only that one changes.
	operations       uint64
	newest, newestIs uint64
}

// print is a short hash of columns. Nobody who writes to the database knows its seed.
func (v *verification) print(columns []column) uint64 {
	var h maphash.Hash
	h.SetSeed(v.seed)
	for _, c := range columns {
		_, _ = h.WriteString(c.value) // never fails
		_ = h.WriteByte(0)            // never fails
	}
	return h.Sum64()
}

// after is what a journal says with one more entry.
func (v *verification) after(before prints, t told) prints {
	now := prints{
		payment: v.print(paymentColumns(t)), operations: before.operations,
		newest: maphash.String(v.seed, string(t.Operation)), newestIs: v.print(operationColumns(t)),
	}
	if now.newest == before.newest {
		now.operations -= before.newestIs
	}
	now.operations += now.newestIs
	return now
}

// fits reports whether rows are what their journal says.
func (v *verification) fits(said prints, h outbound.Holding) bool {
	var all uint64
	for _, o := range h.Operations {
		all += v.print(operationColumns(heldOperation(o)))
	}
	return said.payment == v.print(paymentColumns(heldPayment(h.Payment))) && said.operations == all
}
