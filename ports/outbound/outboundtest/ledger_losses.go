package outboundtest

import (
	"testing"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

func claimCases() []ledgerCase {
	return []ledgerCase{
		{"a taken key loses and names the claim that has it", func(t *testing.T, b *book) {
			t.Helper()
			for i := range 2 {
				first := b.intent()
				b.stored(t, first)
				second := b.intent()
				second.Claims[i].ClaimKey = first.Claims[i].ClaimKey
				got := b.lost(t, second, outbound.LostClaim)
				same(t, got.Claims, first.Claims[i:i+1])
				// The other key was free and must be free again.
				second.Claims[i].ClaimKey = b.intent().Claims[i].ClaimKey
				b.absent(t, second)
			}
		}},
		{"all stored claims that hold a change's keys are named", func(t *testing.T, b *book) {
			t.Helper()
			first, second := b.intent(), b.intent()
			b.stored(t, first)
			b.stored(t, second)
			third := b.intent()
			third.Claims[0].ClaimKey = first.Claims[0].ClaimKey
			third.Claims[1].ClaimKey = second.Claims[1].ClaimKey
			got := b.lost(t, third, outbound.LostClaim)
			same(t, got.Claims, []outbound.Claim{first.Claims[0], second.Claims[1]})
		}},
		{"a key is taken for another payment and for a follow-up alike", func(t *testing.T, b *book) {
			t.Helper()
			first := b.intent()
			r := b.ended(t, b.stored(t, first), payment.Succeeded)
			refund := begin(r, payment.KindRefund, payment.Refunding)
			refund.Claims = []outbound.Claim{claim(refund.Record, outbound.ClaimHeader, epochStart())}
			refund.Claims[0].Hash = first.Claims[0].Hash
			b.lost(t, refund, outbound.LostClaim)
			b.holds(t, r)
		}},
		{"a key belongs to its company, environment and scope", func(t *testing.T, b *book) {
			t.Helper()
			first := b.intent()
			b.stored(t, first)
			hash := first.Claims[0].Hash
			other := newBook(b.Stores)
			inOther := other.intent()
			inOther.Claims[0].Hash = hash
			other.stored(t, inOther)
			live := b.intent(func(r *payment.Record) { r.Payment.Environment = company.Live })
			live.Claims[0].Hash = hash
			b.stored(t, live)
			request := b.intent()
			request.Claims[1].Hash = hash
			b.stored(t, request)
		}},
		{"a key of another month is still taken", func(t *testing.T, b *book) {
			t.Helper()
			first := b.intent()
			b.stored(t, first)
			for _, months := range []int{1, 2, -1, 14} {
				at := first.Claims[0].At.AddDate(0, 0, months*31)
				later := b.intent()
				later.Claims = later.Claims[:1]
				later.Claims[0].At = at
				b.stored(t, later) // the month exists now
				again := b.intent()
				again.Claims[0].ClaimKey, again.Claims[0].At = first.Claims[0].ClaimKey, at
				got := b.lost(t, again, outbound.LostClaim)
				same(t, got.Claims, first.Claims[:1])
				again.Claims = again.Claims[1:]
				b.absent(t, again)
			}
		}},
		{"a change without keys needs none", func(t *testing.T, b *book) {
			t.Helper()
			c := b.intent()
			c.Claims = nil
			b.holds(t, b.stored(t, c))
		}},
		{"a follow-up takes its keys", func(t *testing.T, b *book) {
			t.Helper()
			r := b.ended(t, b.begun(t), payment.Succeeded)
			c := begin(r, payment.KindRefund, payment.Refunding)
			c.Claims = []outbound.Claim{claim(c.Record, outbound.ClaimHeader, epochStart())}
			b.holds(t, b.stored(t, c))
			other := b.intent()
			other.Claims[0].ClaimKey = c.Claims[0].ClaimKey
			same(t, b.lost(t, other, outbound.LostClaim).Claims, c.Claims)
		}},
		{"a key counts before the order number, the order number before the version", func(t *testing.T, b *book) {
			t.Helper()
			first := b.intent()
			b.stored(t, first)
			second := b.intent(func(r *payment.Record) { r.Payment.OrderNumber = first.Record.Payment.OrderNumber })
			second.Claims[1].ClaimKey = first.Claims[1].ClaimKey
			b.lost(t, second, outbound.LostClaim)
			again := first
			again.Claims = nil
			again.Record.Payment.ID = first.Record.Payment.ID
			if got := b.lost(t, again, outbound.LostVersion); got.Payment != "" {
				t.Errorf("a lost version names payment %s", got.Payment)
			}
		}},
	}
}

func orderCases() []ledgerCase {
	return []ledgerCase{
		{"an order number that is held loses and names the payment that holds it", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t)
			states := []func(payment.Record) payment.Record{
				func(r payment.Record) payment.Record { return r },
				func(r payment.Record) payment.Record { return b.ended(t, r, payment.Unknown) },
				func(r payment.Record) payment.Record { return b.ended(t, r, payment.Succeeded) },
			}
			for _, move := range states {
				r = move(r)
				second := b.intent(func(x *payment.Record) { x.Payment.OrderNumber = r.Payment.OrderNumber })
				if got := b.lost(t, second, outbound.LostOrder); got.Payment != r.Payment.ID {
					t.Errorf("in %s the loss names %q, want %s", r.Payment.State, got.Payment, r.Payment.ID)
				}
				// The keys were claimed before the order number was lost.
				b.absent(t, second)
			}
			b.holds(t, r)
		}},
		{"an order number belongs to company, environment, provider and account", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t)
			number := func(x *payment.Record) { x.Payment.OrderNumber = r.Payment.OrderNumber }
			b.begun(t, number, func(x *payment.Record) { x.Payment.Environment = company.Live })
			b.begun(t, number, func(x *payment.Record) { x.Payment.Provider = "kiosk" })
			b.begun(t, number, func(x *payment.Record) { x.Payment.Account = "other" })
			newBook(b.Stores).begun(t, number)
		}},
		{"a failed payment gives its order number back", func(t *testing.T, b *book) {
			t.Helper()
			first := b.ended(t, b.begun(t), payment.Failed)
			second := b.begun(t, func(x *payment.Record) { x.Payment.OrderNumber = first.Payment.OrderNumber })
			// It was not sent, so it might run again, but the number is taken now.
			retry := begin(first, payment.KindPay, payment.Sending)
			retry.Claims = []outbound.Claim{claim(retry.Record, outbound.ClaimHeader, epochStart())}
			if got := b.lost(t, retry, outbound.LostOrder); got.Payment != second.Payment.ID {
				t.Errorf("the loss names %q, want %s", got.Payment, second.Payment.ID)
			}
			b.free(t, retry.Claims...)
			b.holds(t, first)
		}},
		{"a failed payment that runs again holds its order number again", func(t *testing.T, b *book) {
			t.Helper()
			first := b.ended(t, b.begun(t), payment.Failed)
			first = b.stored(t, begin(first, payment.KindPay, payment.Sending))
			second := b.intent(func(x *payment.Record) { x.Payment.OrderNumber = first.Payment.OrderNumber })
			if got := b.lost(t, second, outbound.LostOrder); got.Payment != first.Payment.ID {
				t.Errorf("the loss names %q, want %s", got.Payment, first.Payment.ID)
			}
		}},
		{"a late charge is given back although another payment holds the order number", func(t *testing.T, b *book) {
			t.Helper()
			first := b.ended(t, b.begun(t), payment.Failed)
			second := b.begun(t, func(x *payment.Record) { x.Payment.OrderNumber = first.Payment.OrderNumber })
			orphan := next(first, func(x *payment.Record) {
				x.Payment.State, x.Payment.Failure = payment.Reversing, ""
				x.Payment.Authorized, x.Payment.Captured = 229, 229
				x.Operation.State, x.Operation.NextCheckAt = payment.OperationSucceeded, epochStart()
			})
			first = b.stored(t, orphan)
			b.holds(t, first)
			b.leads(t, second)
			first = b.stored(t, begin(first, payment.KindRefund, payment.Reversing, func(x *payment.Record) {
				x.Payment.RefundReserved, x.Operation.Reversal = 229, true
			}))
			b.holds(t, b.stored(t, next(first, func(x *payment.Record) {
				closing(payment.Reversed)(x)
				x.Payment.RefundReserved, x.Payment.Refunded = 0, 229
			})))
			b.leads(t, second)
		}},
		{"a late charge holds the order number again if it is free", func(t *testing.T, b *book) {
			t.Helper()
			first := b.ended(t, b.begun(t), payment.Failed)
			first = b.stored(t, next(first, func(x *payment.Record) {
				x.Payment.State, x.Payment.Failure, x.Payment.Authorized, x.Payment.Captured = payment.Reversing, "", 229, 229
				x.Operation.State = payment.OperationSucceeded
			}))
			second := b.intent(func(x *payment.Record) { x.Payment.OrderNumber = first.Payment.OrderNumber })
			if got := b.lost(t, second, outbound.LostOrder); got.Payment != first.Payment.ID {
				t.Errorf("the loss names %q, want %s", got.Payment, first.Payment.ID)
			}
		}},
	}
}

func versionCases() []ledgerCase {
	return []ledgerCase{
		{"a change that was decided on another version loses", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t)
			first, second := next(r, closing(payment.Succeeded)), next(r, closing(payment.Unknown))
			second.Claims = []outbound.Claim{claim(r, outbound.ClaimHeader, epochStart())}
			r = b.stored(t, first)
			b.lost(t, second, outbound.LostVersion)
			b.holds(t, r)
			b.free(t, second.Claims...)
		}},
		{"a change of a future version loses", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t)
			ahead := r
			ahead.Payment.Version = 2
			b.lost(t, next(ahead, closing(payment.Succeeded)), outbound.LostVersion)
			b.holds(t, r)
		}},
		{"a change that follows another entry loses", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t)
			forged := r
			forged.Payment.Chain = journal.Hash{1}
			b.lost(t, next(forged, closing(payment.Succeeded)), outbound.LostVersion)
			b.holds(t, r)
		}},
		{"a change of an unknown payment or another company's loses", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t)
			c := b.intent()
			b.lost(t, next(c.Record, closing(payment.Succeeded)), outbound.LostVersion)
			foreign := next(r, closing(payment.Succeeded))
			foreign.Record.Payment.Company = "another"
			b.lost(t, foreign, outbound.LostVersion)
			b.holds(t, r)
			b.absent(t, c)
		}},
		{"a change of another epoch loses", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t)
			for _, epoch := range []int64{0, 2, -1} {
				c := next(r, closing(payment.Succeeded))
				c.Epoch = epoch
				b.lost(t, c, outbound.LostVersion)
			}
			b.holds(t, r)
		}},
		{"a change of an unknown operation loses", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t)
			c := next(r, func(x *payment.Record) {
				closing(payment.Succeeded)(x)
				x.Operation.ID = payment.OperationID(id(epochStart()))
			})
			b.lost(t, c, outbound.LostVersion)
			b.holds(t, r)
		}},
		{"a second open operation loses", func(t *testing.T, b *book) {
			t.Helper()
			r := b.ended(t, b.begun(t), payment.Unknown)
			second := begin(r, payment.KindVoid, payment.Reversing, func(x *payment.Record) { x.Operation.Reversal = true })
			second.Claims = []outbound.Claim{claim(second.Record, outbound.ClaimHeader, epochStart())}
			b.lost(t, second, outbound.LostVersion)
			b.holds(t, r)
			b.free(t, second.Claims...)
		}},
		{"an operation is not begun twice", func(t *testing.T, b *book) {
			t.Helper()
			r := b.ended(t, b.begun(t), payment.Failed)
			again := begin(r, payment.KindPay, payment.Sending, func(x *payment.Record) { x.Operation.ID = r.Operation.ID })
			b.lost(t, again, outbound.LostVersion)
			b.holds(t, r)
		}},
		{"a new payment under an id that is taken loses", func(t *testing.T, b *book) {
			t.Helper()
			r := b.ended(t, b.begun(t), payment.Failed)
			c := b.intent(func(x *payment.Record) {
				x.Payment.ID, x.Operation.Payment = r.Payment.ID, r.Payment.ID
			})
			b.lost(t, c, outbound.LostVersion)
			b.holds(t, r)
			b.free(t, c.Claims...)
		}},
		{"the same commit twice loses to itself", func(t *testing.T, b *book) {
			t.Helper()
			c := b.intent()
			r := b.stored(t, c)
			got := b.lost(t, c, outbound.LostClaim)
			same(t, got.Claims, c.Claims)
			b.holds(t, r)
		}},
	}
}
