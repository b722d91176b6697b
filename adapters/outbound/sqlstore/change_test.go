package sqlstore_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/system"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

const tenant company.ID = "company-1"

// newPayment is the change that begins a payment, as the core makes it.
func newPayment(t testing.TB) outbound.Change {
	t.Helper()
	ids, at := system.IDs{}, system.Clock{}.Now()
	amount := money.Amount{Units: 229, Currency: money.TWD}
	p := payment.Payment{
		ID: payment.ID(ids.New()), Company: tenant, Environment: company.Test, Type: "TILL_PAY",
		Provider: "till", Account: "1234567890", Wire: "v4", OrderNumber: "order-" + ids.New(), Amount: amount,
		Attempt: 1, Capture: true, CredentialRef: "credential-1/1", Release: "till@1.0.0",
	}
	o := payment.Operation{
		ID: payment.OperationID(ids.New()), Payment: p.ID, Kind: payment.KindPay, Amount: amount,
		OrderID: p.OrderNumber, OwnerBoot: "boot-1", SendDeadline: at.Add(time.Minute), Release: p.Release,
		TraceID: "0af7651916cd43dd8448eb211c80319c",
	}
	r, err := payment.Begin(p, o, at)
	if err != nil {
		t.Fatal(err)
	}
	c := outbound.Change{NewOperation: true, Record: r}
	linked(&c, journal.Hash{})
	for _, scope := range []outbound.ClaimScope{outbound.ClaimHeader, outbound.ClaimRequest} {
		c.Claims = append(c.Claims, outbound.Claim{
			ClaimKey: outbound.ClaimKey{
				Company: tenant, Environment: company.Test, Scope: scope, Hash: sha256.Sum256([]byte(ids.New())),
			},
			Fingerprint: sha256.Sum256([]byte("meaning")), Payment: p.ID, Operation: o.ID, At: at,
		})
	}
	return c
}

// answered is the change that records the provider's yes.
func answered(t testing.TB, r payment.Record) outbound.Change {
	t.Helper()
	next, err := payment.Apply(r, payment.Answered{
		At: system.Clock{}.Now(), Operation: r.Operation.ID, Epoch: r.Operation.Epoch, Known: payment.KnownApproved,
		Evidence: payment.Evidence{Code: "0000", ProviderTransaction: "txn-" + string(r.Payment.ID)},
	})
	if err != nil {
		t.Fatal(err)
	}
	next.Operation.SealedReply = make([]byte, 512)
	c := outbound.Change{Version: r.Payment.Version, Epoch: r.Operation.Epoch, Record: next}
	linked(&c, r.Payment.Chain)
	return c
}

func linked(c *outbound.Change, prev journal.Hash) {
	p := &c.Record.Payment
	body := fmt.Appendf(nil, `{"state":%q,"operation":%q,"amount":%d}`, p.State, c.Record.Operation.ID, p.Amount.Units)
	c.Entry = journal.Link(prev, p.Stream(), p.Version, p.UpdatedAt, "payment.changed", body)
	p.Chain = c.Entry.Hash
}

// won commits a change that must be stored.
func won(t testing.TB, l outbound.Ledger, c outbound.Change) payment.Record {
	t.Helper()
	got, err := l.Commit(t.Context(), c)
	if err != nil || got.Loss != outbound.NoLoss {
		t.Fatalf("Commit = %+v, %v", got, err)
	}
	return c.Record
}
