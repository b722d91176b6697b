package outboundtest

import (
	"slices"
	"testing"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// HoldingsStores are the ports over one store.
type HoldingsStores struct {
	Stores

	Holdings outbound.Holdings
}

// Holdings is the contract of outbound.Holdings, over stores whose Ledger keeps its own contract. open returns an empty
// store; the suite calls it once a subtest and runs the subtests in parallel.
func Holdings(t *testing.T, open func(t *testing.T) HoldingsStores) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, *book, outbound.Holdings){
		"pages hold every payment of every company once, in the order of ids": holdingsWhole,
		"a payment is held as it is, with its operations of before":           holdingsAsTheyAre,
		"an empty store holds nothing":                                        holdingsBounds,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			run(t, newBook(s.Stores), s.Holdings)
		})
	}
}

func holdingsWhole(t *testing.T, b *book, h outbound.Holdings) {
	t.Helper()
	other := newBook(b.Stores)
	var want []payment.ID
	for range 9 {
		want = append(want, b.begun(t).Payment.ID, other.begun(t).Payment.ID)
	}
	slices.Sort(want)
	for _, limit := range []int{1, 5, 18, 100} {
		var got []payment.ID
		for {
			after := payment.ID("")
			if len(got) > 0 {
				after = got[len(got)-1]
			}
			page, err := h.Page(t.Context(), after, limit)
			if err != nil || len(page) > limit {
				t.Fatalf("a page of %d, %v; want at most %d", len(page), err, limit)
			}
			for _, one := range page {
				got = append(got, one.Payment.ID)
				if len(one.Operations) != 1 || one.Operations[0].Payment != one.Payment.ID {
					t.Errorf("%s with %+v; want its own operation", one.Payment.ID, one.Operations)
				}
			}
			if len(page) < limit {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %v, want %v", limit, got, want)
		}
	}
}

func holdingsAsTheyAre(t *testing.T, b *book, h outbound.Holdings) {
	t.Helper()
	first := b.ended(t, b.begun(t), payment.Succeeded)
	second := begin(first, payment.KindRefund, payment.Refunding)
	now := b.stored(t, second)
	page, err := h.Page(t.Context(), "", 10)
	if err != nil || len(page) != 1 || len(page[0].Operations) != 2 {
		t.Fatalf("%+v, %v; want the payment with both operations", page, err)
	}
	same(t, payment.Record{Payment: page[0].Payment, Operation: page[0].Operations[1]}, now)
	if got := page[0].Operations[0]; got.ID != first.Operation.ID || got.State != payment.OperationSucceeded {
		t.Errorf("the operation of before is %+v", got)
	}
}

func holdingsBounds(t *testing.T, _ *book, h outbound.Holdings) {
	t.Helper()
	if page, err := h.Page(t.Context(), "", 5); err != nil || len(page) != 0 {
		t.Errorf("%+v, %v; want nothing", page, err)
	}
	_, err := h.Page(t.Context(), "", 0)
	wantKind(t, err, fault.Invalid)
}
