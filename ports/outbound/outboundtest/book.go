package outboundtest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// Stores are the ports over one store.
type Stores struct {
	Ledger   outbound.Ledger
	Journal  outbound.Journal
	Mandates outbound.Mandates
	// Age makes the last sign of a process life older, where replicas share the store.
	Age func(t *testing.T, boot string, by time.Duration)
}

// book writes the payments of one company into a ledger.
type book struct {
	Stores

	ledger  outbound.Ledger
	company company.ID
	// account is the provider's name of the company: transaction ids are unique under it.
	account string
	// made counts payments, so that each is a millisecond younger than the one before.
	made int
}

func newBook(s Stores) *book {
	return &book{Stores: s, ledger: s.Ledger, company: company.ID("company-" + random(8)), account: random(5)}
}

// epochStart is when the first payment of every book is made.
func epochStart() time.Time { return time.Date(2026, 3, 31, 23, 59, 59, 123456000, time.UTC) }

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// id makes a UUIDv7 of a time.
func id(at time.Time) string {
	r := random(10)
	ms := fmt.Sprintf("%012x", at.UnixMilli())
	return ms[:8] + "-" + ms[8:] + "-7" + r[:3] + "-8" + r[3:6] + "-" + r[6:18]
}

// intent is the change that begins a payment, with a claim of each scope. edit may change the record first.
func (b *book) intent(edit ...func(*payment.Record)) outbound.Change {
	b.made++
	at := epochStart().Add(time.Duration(b.made) * time.Millisecond)
	amount := money.Amount{Units: 229, Currency: money.TWD}
	p := payment.Payment{
		ID: payment.ID(id(at)), Company: b.company, Environment: company.Test, Store: "門市1", Type: "TILL_PAY",
		Provider: "till", Account: b.account, Wire: "v4", OrderNumber: "order-" + random(6), Amount: amount,
		Attempt: 1, Capture: true, CredentialRef: "credential-1/1", Release: "till@1.0.0",
	}
	o := payment.Operation{
		ID: payment.OperationID(id(at)), Payment: p.ID, Kind: payment.KindPay, Amount: amount, OrderID: p.OrderNumber,
		RequestID: "request-1", OwnerBoot: "boot-1", SendDeadline: at.Add(55 * time.Second), Release: p.Release,
		TraceID: "0af7651916cd43dd8448eb211c80319c", SealedCredential: []byte("sealed"),
	}
	r, err := payment.Begin(p, o, at)
	if err != nil {
		panic(err) // a mistake of this suite
	}
	for _, e := range edit {
		e(&r)
	}
	c := outbound.Change{NewOperation: true, Record: r}
	link(&c, journal.Hash{})
	c.Claims = []outbound.Claim{claim(r, outbound.ClaimHeader, at), claim(r, outbound.ClaimRequest, at)}
	return c
}

// claim is a claim of a random key.
func claim(r payment.Record, s outbound.ClaimScope, at time.Time) outbound.Claim {
	c := outbound.Claim{
		ClaimKey: outbound.ClaimKey{Company: r.Payment.Company, Environment: r.Payment.Environment, Scope: s},
		Payment:  r.Payment.ID, Operation: r.Operation.ID, At: at,
	}
	_, _ = rand.Read(c.Hash[:])        // never fails
	_, _ = rand.Read(c.Fingerprint[:]) // never fails
	return c
}

// next is the change that makes edit's changes to a stored record.
func next(r payment.Record, edit func(*payment.Record)) outbound.Change {
	c := outbound.Change{Version: r.Payment.Version, Epoch: r.Operation.Epoch, Record: r}
	edit(&c.Record)
	c.Record.Payment.Version = r.Payment.Version + 1
	c.Record.Payment.UpdatedAt = r.Payment.UpdatedAt.Add(time.Second)
	c.Record.Operation.UpdatedAt = c.Record.Payment.UpdatedAt
	link(&c, r.Payment.Chain)
	return c
}

// begin is the change that starts another operation on a stored record.
func begin(r payment.Record, k payment.Kind, to payment.State, edit ...func(*payment.Record)) outbound.Change {
	c := next(r, func(x *payment.Record) {
		at := r.Payment.UpdatedAt.Add(time.Second)
		x.Payment.State, x.Payment.Failure = to, ""
		x.Operation = payment.Operation{
			ID: payment.OperationID(id(at)), Payment: r.Payment.ID, Kind: k, State: payment.OperationSending,
			Amount: r.Payment.Amount, OrderID: r.Payment.OrderNumber, Epoch: 1, OwnerBoot: "boot-1",
			SendDeadline: at.Add(time.Minute), CreatedAt: at,
		}
		for _, e := range edit {
			e(x)
		}
	})
	c.NewOperation = true
	return c
}

// link gives the change the journal entry that follows prev.
func link(c *outbound.Change, prev journal.Hash) {
	p := &c.Record.Payment
	body := []byte(`{"state":"` + string(p.State) + `","operation":"` + string(c.Record.Operation.ID) + `"}`)
	c.Entry = journal.Link(prev, p.Stream(), p.Version, p.UpdatedAt, "payment.changed", body)
	p.Chain = c.Entry.Hash
}

// stored commits a change that must win and returns its record.
func (b *book) stored(t *testing.T, c outbound.Change) payment.Record {
	t.Helper()
	got, err := b.ledger.Commit(t.Context(), c)
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	if got.Loss != outbound.NoLoss {
		t.Fatalf("Commit lost: %+v", got)
	}
	return c.Record
}

// begun stores a new payment.
func (b *book) begun(t *testing.T, edit ...func(*payment.Record)) payment.Record {
	t.Helper()
	return b.stored(t, b.intent(edit...))
}

// ended moves a record whose operation is open to a state and closes the operation.
func (b *book) ended(t *testing.T, r payment.Record, to payment.State) payment.Record {
	t.Helper()
	return b.stored(t, next(r, closing(to)))
}

// closing is the edit that ends the open operation and moves the payment.
func closing(to payment.State) func(*payment.Record) {
	return func(r *payment.Record) {
		r.Payment.State = to
		r.Operation.State, r.Operation.NextCheckAt = payment.OperationSucceeded, time.Time{}
		switch to {
		case payment.Succeeded:
			r.Payment.Authorized, r.Payment.Captured = r.Payment.Amount.Units, r.Payment.Amount.Units
		case payment.Failed:
			r.Payment.Failure, r.Operation.Failure = payment.NotSent, payment.NotSent
			r.Operation.State = payment.OperationFailed
		case payment.Unknown:
			r.Operation.State = payment.OperationUnknown
		case payment.Sending, payment.RequiresAction, payment.Authorized, payment.Capturing, payment.Voiding,
			payment.Refunding, payment.Reversing, payment.Reversed, payment.Voided, payment.Refunded,
			payment.PartiallyRefunded, payment.Expired, payment.Mismatch, payment.Review:
		}
	}
}

// lost commits a change that must lose.
func (b *book) lost(t *testing.T, c outbound.Change, want outbound.Loss) outbound.Committed {
	t.Helper()
	got, err := b.ledger.Commit(t.Context(), c)
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	if got.Loss != want {
		t.Fatalf("Commit = %+v, want loss %d", got, want)
	}
	return got
}

// refused commits a change that breaks a rule: it fails for certain, with a kind and a code.
func (b *book) refused(t *testing.T, c outbound.Change, kind fault.Kind, code string) {
	t.Helper()
	got, err := b.ledger.Commit(t.Context(), c)
	if err == nil || fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Fatalf("Commit = %+v, %v; want kind %d code %s", got, err, kind, code)
	}
}

// load reads a payment that must be there.
func (b *book) load(t *testing.T, of payment.ID) payment.Record {
	t.Helper()
	r, err := b.ledger.Load(t.Context(), b.company, of)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return r
}

// holds checks that the ledger holds exactly this record, with its journal in step.
func (b *book) holds(t *testing.T, want payment.Record) {
	t.Helper()
	same(t, b.load(t, want.Payment.ID), want)
	entries, err := b.Journal.Entries(t.Context(), want.Payment.Stream(), 0, 1000)
	if err != nil {
		t.Fatalf("Journal: %v", err)
	}
	if int64(len(entries)) != want.Payment.Version {
		t.Fatalf("journal has %d entries, want %d", len(entries), want.Payment.Version)
	}
	if last := entries[len(entries)-1]; last.Hash != want.Payment.Chain {
		t.Errorf("the last entry is not the head of the chain")
	}
}

// absent checks that nothing of a change was stored: no payment, no entry, and its keys are free.
func (b *book) absent(t *testing.T, c outbound.Change) {
	t.Helper()
	_, err := b.ledger.Load(t.Context(), b.company, c.Record.Payment.ID)
	wantKind(t, err, fault.NotFound)
	entries, err := b.Journal.Entries(t.Context(), c.Record.Payment.Stream(), 0, 10)
	if err != nil || len(entries) != 0 {
		t.Errorf("journal = %v, %v; want nothing", entries, err)
	}
	b.free(t, c.Claims...)
}

// free checks that keys are free, by taking them.
func (b *book) free(t *testing.T, claims ...outbound.Claim) {
	t.Helper()
	for _, c := range claims {
		other := b.intent()
		c.Payment, c.Operation = other.Record.Payment.ID, other.Record.Operation.ID
		other.Claims = []outbound.Claim{c}
		got, err := b.ledger.Commit(t.Context(), other)
		if err != nil || got.Loss != outbound.NoLoss {
			t.Errorf("the key of scope %s is not free: %+v, %v", c.Scope, got, err)
		}
	}
}

// same compares two values and names the members that differ.
func same(t *testing.T, got, want any) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	differ(t, "", reflect.ValueOf(got), reflect.ValueOf(want))
}

func differ(t *testing.T, path string, got, want reflect.Value) {
	t.Helper()
	_, isTime := reflect.TypeAssert[time.Time](got)
	if got.Kind() == reflect.Struct && !isTime {
		for i := range got.NumField() {
			differ(t, path+"."+got.Type().Field(i).Name, got.Field(i), want.Field(i))
		}
		return
	}
	if !reflect.DeepEqual(got.Interface(), want.Interface()) {
		t.Errorf("%s = %v, want %v", path, got.Interface(), want.Interface())
	}
}

func wantKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind {
		t.Errorf("error = %v, want kind %d", err, kind)
	}
}

func wantCode(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Errorf("error = %v, want kind %d code %s", err, kind, code)
	}
}
