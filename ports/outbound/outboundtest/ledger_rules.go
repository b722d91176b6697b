package outboundtest

import (
	"math"
	"testing"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

func ruleCases() []ledgerCase {
	return []ledgerCase{
		{"the transition table is kept", keepsTransitions},
		{"the amount rules are kept", keepsAmounts},
		{"a payment begins with SENDING and a positive amount", func(t *testing.T, b *book) {
			t.Helper()
			for name, edit := range map[string]func(*payment.Record){
				"succeeded":      func(r *payment.Record) { r.Payment.State = payment.Succeeded },
				"sent operation": func(r *payment.Record) { r.Operation.State = payment.OperationUnknown },
				"zero":           func(r *payment.Record) { r.Payment.Amount.Units, r.Operation.Amount.Units = 0, 0 },
				"negative":       func(r *payment.Record) { r.Payment.Amount.Units, r.Operation.Amount.Units = -1, -1 },
				"environment":    func(r *payment.Record) { r.Payment.Environment = "prod" },
				"order number":   func(r *payment.Record) { r.Payment.OrderNumber = "" },
				"kind":           func(r *payment.Record) { r.Operation.Kind = "charge" },
				"epoch":          func(r *payment.Record) { r.Operation.Epoch = 0 },
				"absences":       func(r *payment.Record) { r.Operation.Absences = -1 },
				"absent time":    func(r *payment.Record) { r.Operation.AbsentMS = 1 },
				"attempt":        func(r *payment.Record) { r.Operation.Attempt = 1 },
			} {
				c := b.intent(edit)
				c.Record.Payment.Company = b.company
				_, err := b.ledger.Commit(t.Context(), c)
				if fault.KindOf(err) != fault.Internal || fault.CodeOf(err) != "ledger_refused" {
					t.Errorf("%s: %v, want ledger_refused", name, err)
				}
				if name != "environment" {
					b.absent(t, c)
				}
			}
		}},
		{"an operation is sent once, closed once, and its epoch never falls", func(t *testing.T, b *book) {
			t.Helper()
			r := b.ended(t, b.begun(t), payment.Unknown)
			b.refused(t, next(r, func(x *payment.Record) { x.Operation.State = payment.OperationSending }), fault.Internal, "ledger_refused")
			b.refused(t, next(r, func(x *payment.Record) { x.Operation.Epoch = 0 }), fault.Internal, "ledger_refused")
			r = b.ended(t, r, payment.Succeeded)
			b.refused(t, next(r, func(x *payment.Record) {
				x.Payment.State, x.Operation.State = payment.Voiding, payment.OperationUnknown
			}), fault.Internal, "ledger_refused")
			b.holds(t, r)
		}},
		{"what a payment is does not change", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t)
			for _, edit := range []func(*payment.Record){
				func(x *payment.Record) { x.Payment.OrderNumber += "x" },
				func(x *payment.Record) {
					x.Payment.Amount.Units++
					x.Payment.State = payment.Unknown
				},
			} {
				_, _ = b.ledger.Commit(t.Context(), next(r, func(x *payment.Record) { closing(payment.Succeeded)(x); edit(x) }))
				got := b.load(t, r.Payment.ID)
				if got.Payment.OrderNumber != r.Payment.OrderNumber || got.Payment.Amount != r.Payment.Amount {
					t.Errorf("the payment is another one now: %+v", got.Payment)
				}
			}
		}},
		{"a provider's transaction belongs to one payment", transactionBelongsToOne},
		{"a provider's refund belongs to one operation", refundBelongsToOne},
		{"a change that does not fit together is refused before it is stored", refusesMalformed},
	}
}

// keepsTransitions tries every state from every state that a payment can reach in few steps.
func keepsTransitions(t *testing.T, b *book) {
	t.Helper()
	for _, from := range []payment.State{payment.Sending, payment.Succeeded, payment.Failed, payment.Unknown} {
		for _, to := range payment.States() {
			if payment.Allowed(from, to) {
				continue
			}
			r := b.begun(t)
			if from != payment.Sending {
				r = b.ended(t, r, from)
			}
			c := next(r, func(x *payment.Record) { x.Payment.State = to })
			c.Claims = []outbound.Claim{claim(r, outbound.ClaimHeader, epochStart())}
			_, err := b.ledger.Commit(t.Context(), c)
			if fault.KindOf(err) != fault.Internal || fault.CodeOf(err) != "ledger_refused" {
				t.Errorf("%s to %s: %v, want ledger_refused", from, to, err)
				continue
			}
			b.holds(t, r)
			b.free(t, c.Claims...)
		}
	}
}

func keepsAmounts(t *testing.T, b *book) {
	t.Helper()
	for _, a := range []struct {
		authorized, captured, refunded, reserved int64
		ok                                       bool
	}{
		{229, 229, 0, 0, true},
		{229, 229, 100, 129, true},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64, 0, true},
		{math.MaxInt64, math.MaxInt64, 0, math.MaxInt64, true},
		{0, 0, 0, 0, true},
		{228, 229, 0, 0, false},
		{229, 229, 230, 0, false},
		{229, 229, 0, 230, false},
		{229, 229, 115, 115, false},
		{229, 229, -1, 0, false},
		{229, 229, 0, -1, false},
		{0, -1, 0, 0, false},
		{-1, -1, 0, 0, false},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64, false},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64, 1, false},
	} {
		r := b.begun(t)
		c := next(r, func(x *payment.Record) {
			closing(payment.Succeeded)(x)
			p := &x.Payment
			p.Authorized, p.Captured, p.Refunded, p.RefundReserved = a.authorized, a.captured, a.refunded, a.reserved
		})
		if a.ok {
			b.holds(t, b.stored(t, c))
			continue
		}
		if _, err := b.ledger.Commit(t.Context(), c); fault.CodeOf(err) != "ledger_refused" {
			t.Errorf("%+v: %v, want ledger_refused", a, err)
		}
		b.holds(t, r)
	}
}

func transactionBelongsToOne(t *testing.T, b *book) {
	t.Helper()
	const charge = "2025111100000000001"
	named := func(x *payment.Record) { closing(payment.Succeeded)(x); x.Payment.ProviderTransaction = charge }
	first := b.stored(t, next(b.begun(t), named))
	second := b.begun(t)
	b.refused(t, next(second, named), fault.Conflict, "provider_transaction_taken")
	b.holds(t, second)
	// The number is another one in another environment, at another provider, under another account.
	b.stored(t, next(b.begun(t, func(x *payment.Record) { x.Payment.Environment = company.Live }), named))
	b.stored(t, next(b.begun(t, func(x *payment.Record) { x.Payment.Provider = "kiosk" }), named))
	b.stored(t, next(b.begun(t, func(x *payment.Record) { x.Payment.Account = "other" }), named))
	// Payments without one do not disturb each other, and a payment keeps its own.
	b.ended(t, b.begun(t), payment.Succeeded)
	b.ended(t, b.begun(t), payment.Succeeded)
	b.holds(t, b.stored(t, begin(first, payment.KindRefund, payment.Refunding)))
}

func refundBelongsToOne(t *testing.T, b *book) {
	t.Helper()
	one := money.Amount{Units: 1, Currency: money.TWD}
	refunded := func(x *payment.Record) {
		closing(payment.PartiallyRefunded)(x)
		x.Payment.Refunded++
		x.Operation.ProviderTransaction = "2025111100000000009"
	}
	part := func(x *payment.Record) { x.Operation.Amount = one }
	r := b.ended(t, b.begun(t), payment.Succeeded)
	r = b.stored(t, next(b.stored(t, begin(r, payment.KindRefund, payment.Refunding, part)), refunded))
	r = b.stored(t, begin(r, payment.KindRefund, payment.Refunding, part))
	b.refused(t, next(r, refunded), fault.Conflict, "provider_transaction_taken")
	b.holds(t, r)
}

func refusesMalformed(t *testing.T, b *book) {
	t.Helper()
	for name, edit := range map[string]func(*outbound.Change){
		"no id":             func(c *outbound.Change) { c.Record.Payment.ID = "" },
		"no company":        func(c *outbound.Change) { c.Record.Payment.Company = "" },
		"another payment":   func(c *outbound.Change) { c.Record.Operation.Payment = "x" },
		"another currency":  func(c *outbound.Change) { c.Record.Operation.Amount.Currency = money.JPY },
		"no attempt":        func(c *outbound.Change) { c.Record.Payment.Attempt = 0 },
		"version":           func(c *outbound.Change) { c.Record.Payment.Version = 2 },
		"no operation":      func(c *outbound.Change) { c.NewOperation = false },
		"entry number":      func(c *outbound.Change) { c.Entry.N = 2 },
		"entry stream":      func(c *outbound.Change) { c.Entry.Stream = "payment/x" },
		"entry body":        func(c *outbound.Change) { c.Entry.Body = []byte("{}") },
		"chain":             func(c *outbound.Change) { c.Record.Payment.Chain[0]++ },
		"another's claim":   func(c *outbound.Change) { c.Claims[0].Payment = "x" },
		"claim's operation": func(c *outbound.Change) { c.Claims[1].Operation = "x" },
		"claim's company":   func(c *outbound.Change) { c.Claims[1].Company = "x" },
	} {
		c := b.intent()
		whole := c
		whole.Claims = append([]outbound.Claim(nil), c.Claims...)
		edit(&c)
		if _, err := b.ledger.Commit(t.Context(), c); fault.KindOf(err) != fault.Internal || fault.CodeOf(err) != "change_malformed" {
			t.Errorf("%s: %v, want change_malformed", name, err)
		}
		b.absent(t, whole)
	}
}
