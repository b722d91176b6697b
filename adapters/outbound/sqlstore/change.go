package sqlstore

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// change is an outbound.Change that is known to be whole.
type change struct {
	outbound.Change
	stream string
	// seen is the JSON of the refund ids.
	seen string
	// mandate is the id that the payment names: of the mandate that is kept, where the company has the token already.
	mandate string
}

// orderKey is the natural key of a charge.
type orderKey struct {
	company     company.ID
	environment string
	provider    string
	account     string
	number      string
}

func newChange(c outbound.Change) (*change, error) {
	if err := c.Check(); err != nil {
		return nil, err //nolint:wrapcheck // a fault already
	}
	seen := []byte("[]")
	if len(c.Record.Operation.RefundIDsSeen) > 0 {
		var err error
		if seen, err = json.Marshal(c.Record.Operation.RefundIDsSeen); err != nil {
			return nil, internal(err)
		}
	}
	return &change{Change: c, stream: c.Entry.Stream, seen: string(seen), mandate: c.Record.Payment.Mandate}, nil
}

// byStream orders changes so that two groups lock payments in the same order.
func byStream(a, b *change) int { return cmp.Compare(a.stream, b.stream) }

// order is the natural key that the payment wants to hold.
func (c *change) order() orderKey {
	p := &c.Record.Payment
	return orderKey{
		company: p.Company, environment: string(p.Environment), provider: p.Provider, account: p.Account, number: p.OrderNumber,
	}
}

// lane names the account for which claims of recovery are counted.
func (c *change) lane() string {
	p := &c.Record.Payment
	return laneOf(string(p.Environment), p.Provider, p.Account)
}

// wantsOrder reports whether the change is lost without the order number: a charge is about to be sent.
func (c *change) wantsOrder() bool { return c.Record.Payment.State == payment.Sending }

// sortedClaims orders claims so that two groups take them in the same order.
func sortedClaims(group []*change) []outbound.Claim {
	var all []outbound.Claim
	for _, c := range group {
		all = append(all, c.Claims...)
	}
	slices.SortFunc(all, func(a, b outbound.Claim) int {
		return cmp.Or(
			slices.Compare(a.Hash[:], b.Hash[:]), cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Company, b.Company),
			cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Operation, b.Operation),
		)
	})
	return all
}

// month is the generation of a claim.
func month(at time.Time) int64 {
	at = at.UTC()
	return int64(at.Year())*12 + int64(at.Month()) - 1
}

// micros is a time as it is stored: nil for the zero time.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// instant is a stored time.
func instant(stored *int64) time.Time {
	if stored == nil {
		return time.Time{}
	}
	return time.UnixMicro(*stored).UTC()
}

// orNull is a text as it is stored in a column where absence must not be equal to itself.
func orNull[T ~string](s T) any {
	if s == "" {
		return nil
	}
	return string(s)
}

// bytesOrNull keeps nil apart from nothing at all in both dialects.
func bytesOrNull(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}
