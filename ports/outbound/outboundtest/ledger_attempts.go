package outboundtest

import (
	"testing"

	"github.com/payrack/payrack/core/mandate"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// under gives a payment an order number and an attempt.
func under(number string, attempt int) func(*payment.Record) {
	return func(r *payment.Record) { r.Payment.OrderNumber, r.Payment.Attempt = number, attempt }
}

// declined ends a payment that was sent.
func declined(r *payment.Record) {
	closing(payment.Failed)(r)
	r.Payment.Failure, r.Operation.Failure = payment.Declined, payment.Declined
}

func attemptCases() []ledgerCase {
	return []ledgerCase{
		{"a later payment of an order number counts those that were sent before", func(t *testing.T, b *book) {
			t.Helper()
			number := "order-" + random(6)
			r := b.begun(t, under(number, 1))
			for sent := 1; sent <= 3; sent++ {
				b.stored(t, next(r, declined))
				for _, wrong := range []int{sent, sent + 2, 1, 9} {
					if wrong == sent+1 {
						continue
					}
					c := b.intent(under(number, wrong))
					if got := b.lost(t, c, outbound.LostAttempt); got.Attempts != sent {
						t.Errorf("attempt %d after %d: the loss names %d", wrong, sent, got.Attempts)
					}
					b.absent(t, c)
				}
				r = b.begun(t, under(number, sent+1))
			}
			b.holds(t, r)
		}},
		{"whatever ended after it was sent counts", func(t *testing.T, b *book) {
			t.Helper()
			for name, edits := range map[string][]func(*payment.Record){
				"not charged": {closing(payment.Unknown), func(x *payment.Record) {
					closing(payment.Failed)(x)
					x.Payment.Failure = payment.NotCharged
				}},
				"expired":  {closing(payment.RequiresAction), closing(payment.Expired)},
				"reversed": {closing(payment.Reversing), closing(payment.Reversed)},
				"voided":   {closing(payment.Succeeded), closing(payment.Voiding), closing(payment.Voided)},
			} {
				r := b.begun(t)
				for _, edit := range edits {
					r = b.stored(t, next(r, edit))
				}
				first := b.intent(under(r.Payment.OrderNumber, 1))
				if got := b.lost(t, first, outbound.LostAttempt); got.Attempts != 1 {
					t.Errorf("%s: the loss names %d, want 1", name, got.Attempts)
				}
				b.begun(t, under(r.Payment.OrderNumber, 2))
			}
		}},
		{"what was not sent does not count", func(t *testing.T, b *book) {
			t.Helper()
			r := b.ended(t, b.begun(t), payment.Failed)
			b.lost(t, b.intent(under(r.Payment.OrderNumber, 2)), outbound.LostAttempt)
			b.begun(t, under(r.Payment.OrderNumber, 1))
		}},
		{"attempts belong to company, environment, provider and account", func(t *testing.T, b *book) {
			t.Helper()
			r := b.stored(t, next(b.begun(t), declined))
			same := under(r.Payment.OrderNumber, 1)
			b.begun(t, same, func(x *payment.Record) { x.Payment.Environment = "live" })
			b.begun(t, same, func(x *payment.Record) { x.Payment.Provider = "kiosk" })
			b.begun(t, same, func(x *payment.Record) { x.Payment.Account = "other" })
			newBook(b.Stores).begun(t, same)
		}},
		{"a payment that runs again is not sent under a number that was used meanwhile", func(t *testing.T, b *book) {
			t.Helper()
			first := b.ended(t, b.begun(t), payment.Failed)
			b.stored(t, next(b.begun(t, under(first.Payment.OrderNumber, 1)), declined))
			again := begin(first, payment.KindPay, payment.Sending)
			again.Claims = []outbound.Claim{claim(again.Record, outbound.ClaimHeader, epochStart())}
			if got := b.lost(t, again, outbound.LostAttempt); got.Attempts != 1 {
				t.Errorf("the loss names %d, want 1", got.Attempts)
			}
			b.free(t, again.Claims...)
			b.holds(t, first)
		}},
		{"a held order number counts before its attempts, a moved version after the number", func(t *testing.T, b *book) {
			t.Helper()
			first := b.stored(t, next(b.begun(t), declined))
			holder := b.begun(t, under(first.Payment.OrderNumber, 2))
			if got := b.lost(t, b.intent(under(first.Payment.OrderNumber, 1)), outbound.LostOrder); got.Payment != holder.Payment.ID {
				t.Errorf("the loss names %q, want %s", got.Payment, holder.Payment.ID)
			}
			unsent := b.ended(t, b.begun(t), payment.Failed)
			again := begin(unsent, payment.KindPay, payment.Sending)
			b.stored(t, again)
			b.lost(t, begin(unsent, payment.KindPay, payment.Sending), outbound.LostVersion)
		}},
	}
}

// approval is a mandate that a payment brings.
func approval(r payment.Record) *mandate.Mandate {
	m := &mandate.Mandate{
		ID: mandate.ID(id(r.Payment.CreatedAt)), Company: r.Payment.Company, Environment: r.Payment.Environment,
		Store: r.Payment.Store, Type: r.Payment.Type, Provider: r.Payment.Provider, Account: r.Payment.Account,
		Wire: r.Payment.Wire, CredentialRef: "credential-1/1", Sealed: []byte("sealed token 1"), Label: "************1111",
		State: mandate.Active, Expires: epochStart().AddDate(1, 0, 0), Payment: string(r.Payment.ID), Version: 1,
		CreatedAt: r.Payment.UpdatedAt, UpdatedAt: r.Payment.UpdatedAt,
	}
	copy(m.TokenHash[:], random(16))
	return m
}

// approved is the change that ends a payment and brings a mandate.
func approved(r payment.Record, m *mandate.Mandate) outbound.Change {
	c := next(r, func(x *payment.Record) {
		closing(payment.Succeeded)(x)
		x.Payment.Mandate = string(m.ID)
	})
	c.Mandate = m
	return c
}

func tokenOf(m mandate.Mandate) outbound.MandateKey {
	return outbound.MandateKey{
		Company: m.Company, Environment: m.Environment, Provider: m.Provider, Account: m.Account, TokenHash: m.TokenHash,
	}
}

// keeps checks that the mandate is stored exactly like this.
func (b *book) keeps(t *testing.T, want mandate.Mandate) {
	t.Helper()
	got, err := b.Mandates.Get(t.Context(), want.Company, want.ID)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	same(t, got, want)
	if got, err = b.Mandates.ByToken(t.Context(), tokenOf(want)); err != nil {
		t.Fatalf("ByToken: %v", err)
	}
	same(t, got, want)
}
