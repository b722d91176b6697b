package outboundtest

import (
	"context"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// Ledger is the contract of an outbound.Ledger that one process owns. open returns an empty store. Most subtests share
// one, each as a company of its own; those that fence or claim get one of their own. They run in parallel.
//
// Beyond the words of the port it holds implementations to this: times are kept to the microsecond.
func Ledger(t *testing.T, open func(t *testing.T) Stores) {
	t.Helper()
	ledger(t, open, ownedFenceCases())
}

// SharedLedger is the contract of an outbound.Ledger that replicas share: Ledger's, but for which process lives are
// dead.
func SharedLedger(t *testing.T, open func(t *testing.T) Stores) {
	t.Helper()
	ledger(t, open, sharedFenceCases())
}

func ledger(t *testing.T, open func(t *testing.T) Stores, fences []ledgerCase) {
	t.Helper()
	shared := open(t)
	for _, part := range [][]ledgerCase{
		commitCases(), claimCases(), orderCases(), attemptCases(), versionCases(), ruleCases(), mandateCases(), readCases(),
		listCases(), raceCases(),
	} {
		for _, c := range part {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, newBook(shared))
			})
		}
	}
	for _, part := range [][]ledgerCase{fenceCases(), fences, dueCases(), watchCases(), paceCases()} {
		for _, c := range part {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, newBook(open(t)))
			})
		}
	}
}

// ledgerCase is one promise of a ledger.
type ledgerCase struct {
	name string
	run  func(t *testing.T, b *book)
}

func commitCases() []ledgerCase {
	return []ledgerCase{
		{"a new payment is kept as it is", func(t *testing.T, b *book) {
			t.Helper()
			b.holds(t, b.begun(t))
		}},
		{"every member is kept", keepsEveryMember},
		{"large values and all of Unicode are kept", keepsLargeValues},
		{"times are kept to the microsecond, in UTC", keepsMicroseconds},
		{"the record is that of the operation that is open, else of the last one", func(t *testing.T, b *book) {
			t.Helper()
			r := b.ended(t, b.begun(t), payment.Failed)
			b.holds(t, r)
			r = b.stored(t, begin(r, payment.KindPay, payment.Sending))
			b.holds(t, r)
			b.holds(t, b.ended(t, r, payment.Succeeded))
		}},
		{"a commit can be read as soon as it returns", func(t *testing.T, b *book) {
			t.Helper()
			for range 20 {
				r := b.begun(t)
				if got := b.load(t, r.Payment.ID); got.Payment.Version != 1 {
					t.Fatalf("version = %d, want 1", got.Payment.Version)
				}
				r = b.ended(t, r, payment.Succeeded)
				if got := b.load(t, r.Payment.ID); got.Payment.State != payment.Succeeded {
					t.Fatalf("state = %s right after the commit", got.Payment.State)
				}
			}
		}},
		{"a caller that has given up stores nothing", func(t *testing.T, b *book) {
			t.Helper()
			c := b.intent()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := b.ledger.Commit(ctx, c)
			wantCode(t, err, fault.Unavailable, "store_unavailable")
			b.absent(t, c)
		}},
		{"what the caller does with its memory afterwards changes nothing", func(t *testing.T, b *book) {
			t.Helper()
			c := b.intent(func(r *payment.Record) { r.Operation.RefundIDsSeen = []string{"a"} })
			b.stored(t, c)
			c.Record.Operation.RefundIDsSeen[0] = "b"
			c.Record.Operation.SealedCredential[0] = 'X'
			c.Entry.Body[0] = 'X'
			r := b.load(t, c.Record.Payment.ID)
			if r.Operation.RefundIDsSeen[0] != "a" || string(r.Operation.SealedCredential) != "sealed" {
				t.Errorf("the stored operation changed: %+v", r.Operation)
			}
			entries, err := b.Journal.Entries(t.Context(), c.Record.Payment.Stream(), 0, 1)
			if err != nil || len(entries) != 1 || !entries[0].Verify() {
				t.Errorf("the stored entry changed: %v, %v", entries, err)
			}
		}},
	}
}

// keepsEveryMember fails as soon as a member is added to a payment or an operation that a ledger forgets.
func keepsEveryMember(t *testing.T, b *book) {
	t.Helper()
	r := b.begun(t, func(x *payment.Record) {
		x.Payment.ReturnURL, x.Payment.CancelURL = "https://shop.example/back?a=1", "https://shop.example/取消"
	})
	r = b.ended(t, r, payment.Succeeded)
	c := begin(r, payment.KindRefund, payment.Refunding, func(x *payment.Record) {
		p, o := &x.Payment, &x.Operation
		p.Authorized, p.Captured, p.Refunded, p.RefundReserved = 229, 228, 27, 201
		p.Failure, p.Code, p.DeclineCode, p.ProviderTransaction = payment.NotCharged, "0000", "declined", "2025111100000000001"
		p.AuthorizationEnds = epochStart().Add(time.Hour)
		p.CredentialRef, p.Release, p.Mandate = "credential-1/2", "till@1.0.1", "mandate-1"
		o.Attempt, o.Absences, o.AbsentMS, o.RetryOf = 2, 3, 4499, "operation-1"
		o.Failure, o.RequestID, o.Reversal, o.ProviderTransaction = payment.Declined, "req", true, "2025111100000000002"
		o.RefundIDsSeen = []string{"2025111100000000003", "退款"}
		o.Epoch, o.NextCheckAt, o.Checks, o.WatchedMS = 7, epochStart().Add(time.Minute), 3, 4500
		o.Code, o.DeclineCode, o.Release, o.TraceID = "1172", "duplicate", "till@1.0.1", "trace"
		o.SealedCredential, o.SealedReply = []byte{0, 1, 255}, []byte{0, 2, 254}
	})
	for _, part := range []any{c.Record.Payment, c.Record.Operation} {
		v := reflect.ValueOf(part)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Fatalf("%s.%s is not tried by this suite", v.Type(), v.Type().Field(i).Name)
			}
		}
	}
	b.holds(t, b.stored(t, c))
	// And each member that may change is changed by an update.
	u := next(c.Record, func(x *payment.Record) {
		p, o := &x.Payment, &x.Operation
		p.State, p.Failure = payment.PartiallyRefunded, payment.Declined
		p.Authorized, p.Captured, p.Refunded, p.RefundReserved = 231, 230, 228, 0
		p.Code, p.DeclineCode, p.ProviderTransaction = "1", "2", "2025111100000000009"
		p.AuthorizationEnds = time.Time{}
		p.CredentialRef, p.Release, p.Mandate = "", "till@1.0.2", "mandate-2"
		o.State, o.Failure, o.RequestID = payment.OperationUnknown, payment.NotSent, "req-2"
		o.ProviderTransaction, o.RefundIDsSeen = "", nil
		o.Epoch, o.OwnerBoot = 8, "boot-2"
		o.SendDeadline, o.NextCheckAt, o.Checks, o.WatchedMS = epochStart(), time.Time{}, 4, 4501
		o.Absences, o.AbsentMS = 4, 4501
		o.Code, o.DeclineCode, o.Release, o.TraceID = "3", "4", "till@1.0.2", "trace-2"
		o.SealedCredential, o.SealedReply = nil, []byte("reply")
	})
	b.holds(t, b.stored(t, u))
}

func keepsLargeValues(t *testing.T, b *book) {
	t.Helper()
	const unicode = "訂單-é-e\u0301-🧾-\U0001F468\u200d👩\u200d👧 '\"\\%_$1?"
	r := b.begun(t, func(r *payment.Record) {
		amount := money.Amount{Units: math.MaxInt64, Currency: money.USD}
		r.Payment.Amount, r.Operation.Amount = amount, amount
		r.Payment.OrderNumber, r.Operation.OrderID, r.Payment.Account = unicode, unicode, unicode+b.account
		r.Operation.SealedReply = make([]byte, 1<<20)
	})
	b.holds(t, r)
	r = b.stored(t, next(r, func(r *payment.Record) {
		closing(payment.Succeeded)(r)
		r.Payment.ProviderTransaction = "9223372036854775807"
	}))
	b.holds(t, r)
	got, err := b.ledger.Find(t.Context(), orderOf(r))
	if err != nil {
		t.Fatalf("Find: %v", err)
	}
	same(t, got, r)
	// Both forms of é are kept apart.
	other := orderOf(r)
	other.OrderNumber = "訂單-e\u0301-é-🧾-\U0001F468\u200d👩\u200d👧 '\"\\%_$1?"
	_, err = b.ledger.Find(t.Context(), other)
	wantKind(t, err, fault.NotFound)
}

func keepsMicroseconds(t *testing.T, b *book) {
	t.Helper()
	taipei := time.FixedZone("Taipei", 8*60*60)
	at := time.Date(2026, 11, 22, 8, 30, 0, 123456789, taipei)
	r := b.begun(t, func(r *payment.Record) {
		r.Payment.CreatedAt, r.Payment.UpdatedAt = at, at
		r.Operation.SendDeadline = at
	})
	want := time.Date(2026, 11, 22, 0, 30, 0, 123456000, time.UTC)
	got := b.load(t, r.Payment.ID)
	for name, x := range map[string]time.Time{
		"created": got.Payment.CreatedAt, "updated": got.Payment.UpdatedAt, "deadline": got.Operation.SendDeadline,
	} {
		if !x.Equal(want) || x.Location() != time.UTC {
			t.Errorf("%s = %v, want %v", name, x, want)
		}
	}
	if !got.Payment.AuthorizationEnds.IsZero() {
		t.Errorf("a time that was not said = %v, want the zero time", got.Payment.AuthorizationEnds)
	}
}

func orderOf(r payment.Record) outbound.Key {
	p := r.Payment
	return outbound.Key{
		Company: p.Company, Environment: p.Environment, Provider: p.Provider, Account: p.Account,
		OrderNumber: p.OrderNumber,
	}
}

func readCases() []ledgerCase {
	return []ledgerCase{
		{"another company's payment is not found", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t)
			_, err := b.ledger.Load(t.Context(), "another", r.Payment.ID)
			wantKind(t, err, fault.NotFound)
			_, unknown := b.ledger.Load(t.Context(), "another", payment.ID(id(epochStart())))
			if err == nil || unknown == nil || err.Error() != unknown.Error() {
				t.Errorf("another's payment %v and an unknown one %v can be told apart", err, unknown)
			}
			k := orderOf(r)
			k.Company = "another"
			_, err = b.ledger.Find(t.Context(), k)
			wantKind(t, err, fault.NotFound)
			_, err = b.ledger.Load(t.Context(), b.company, "")
			wantKind(t, err, fault.NotFound)
		}},
		{"an order is found by its whole key only", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t)
			for name, edit := range map[string]func(*outbound.Key){
				"environment": func(k *outbound.Key) { k.Environment = company.Live },
				"provider":    func(k *outbound.Key) { k.Provider = "kiosk" },
				"account":     func(k *outbound.Key) { k.Account = "other" },
				"number":      func(k *outbound.Key) { k.OrderNumber += "x" },
			} {
				k := orderOf(r)
				edit(&k)
				if _, err := b.ledger.Find(t.Context(), k); fault.KindOf(err) != fault.NotFound {
					t.Errorf("another %s: %v, want not found", name, err)
				}
			}
			got, err := b.ledger.Find(t.Context(), orderOf(r))
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, r)
		}},
		{"an order leads to its live payment, else to the newest", func(t *testing.T, b *book) {
			t.Helper()
			first := b.ended(t, b.begun(t), payment.Failed)
			again := func(r *payment.Record) { r.Payment.OrderNumber = first.Payment.OrderNumber }
			second := b.ended(t, b.begun(t, again), payment.Failed)
			b.leads(t, second)
			// The first one runs again and holds the number, although it is older.
			b.leads(t, b.stored(t, begin(first, payment.KindPay, payment.Sending)))
		}},
		{"an empty company stands for all of them", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t)
			got, err := b.ledger.Load(t.Context(), "", r.Payment.ID)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, r)
			_, err = b.ledger.Load(t.Context(), "", payment.ID(id(epochStart())))
			wantKind(t, err, fault.NotFound)
		}},
		{"a payment is found by the provider's transaction", func(t *testing.T, b *book) {
			t.Helper()
			r := b.stored(t, next(b.begun(t), func(x *payment.Record) {
				closing(payment.Succeeded)(x)
				x.Payment.ProviderTransaction = "2025111100000000077"
			}))
			k := orderOf(r)
			k.OrderNumber, k.Transaction = "", r.Payment.ProviderTransaction
			got, err := b.ledger.Find(t.Context(), k)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, r)
			for name, edit := range map[string]func(*outbound.Key){
				"company":     func(k *outbound.Key) { k.Company = "another" },
				"environment": func(k *outbound.Key) { k.Environment = company.Live },
				"provider":    func(k *outbound.Key) { k.Provider = "kiosk" },
				"account":     func(k *outbound.Key) { k.Account = "other" },
				"transaction": func(k *outbound.Key) { k.Transaction += "0" },
			} {
				other := k
				edit(&other)
				if _, err := b.ledger.Find(t.Context(), other); fault.KindOf(err) != fault.NotFound {
					t.Errorf("another %s: %v, want not found", name, err)
				}
			}
			for _, malformed := range []outbound.Key{{Company: b.company}, {Company: b.company, OrderNumber: "o", Transaction: "t"}} {
				_, err := b.ledger.Find(t.Context(), malformed)
				wantCode(t, err, fault.Invalid, "key_malformed")
			}
		}},
		{"keys lead to the operations that they started", keysLead},
		{"keys lead to the newest retry of what they started", keysLeadToRetries},
		{"a list is of one environment or of all", listsAnEnvironment},
		{"a journal is read in order, in parts, and verifies", journalInOrder},
	}
}

func keysLead(t *testing.T, b *book) {
	t.Helper()
	first := b.intent()
	paid := b.ended(t, b.stored(t, first), payment.Succeeded)
	refund := begin(paid, payment.KindRefund, payment.Refunding)
	refund.Claims = []outbound.Claim{claim(refund.Record, outbound.ClaimHeader, epochStart().AddDate(0, 2, 0))}
	now := b.stored(t, refund)
	free := b.intent().Claims[0].ClaimKey
	keys := []outbound.ClaimKey{refund.Claims[0].ClaimKey, free, first.Claims[1].ClaimKey, first.Claims[0].ClaimKey}
	held, err := b.ledger.Claimed(t.Context(), keys)
	if err != nil || len(held) != 3 {
		t.Fatalf("Claimed = %+v, %v; want three", held, err)
	}
	same(t, held[0], outbound.Held{Claim: refund.Claims[0], Record: now})
	// The payment is as it is now, the operation is the one of the key.
	old := payment.Record{Payment: now.Payment, Operation: paid.Operation}
	same(t, held[1], outbound.Held{Claim: first.Claims[1], Record: old})
	same(t, held[2], outbound.Held{Claim: first.Claims[0], Record: old})
	other := first.Claims[0].ClaimKey
	other.Company = "another"
	if none, err := b.ledger.Claimed(t.Context(), []outbound.ClaimKey{free, other}); err != nil || len(none) != 0 {
		t.Errorf("free keys: %+v, %v; want nothing", none, err)
	}
	if none, err := b.ledger.Claimed(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("no keys: %+v, %v; want nothing", none, err)
	}
}

// keysLeadToRetries: what was never sent is begun again as another operation, which the keys of the first find.
func keysLeadToRetries(t *testing.T, b *book) {
	t.Helper()
	first := b.intent()
	r := b.ended(t, b.stored(t, first), payment.Failed)
	for range 2 {
		again := begin(r, payment.KindPay, payment.Sending, func(x *payment.Record) {
			x.Operation.RetryOf = first.Record.Operation.ID
		})
		r = b.stored(t, again)
		held, err := b.ledger.Claimed(t.Context(), []outbound.ClaimKey{first.Claims[0].ClaimKey})
		if err != nil || len(held) != 1 {
			t.Fatalf("Claimed = %+v, %v; want one", held, err)
		}
		same(t, held[0], outbound.Held{Claim: first.Claims[0], Record: r})
		r = b.ended(t, r, payment.Failed)
	}
}

func listsAnEnvironment(t *testing.T, b *book) {
	t.Helper()
	b.begun(t)
	b.begun(t, func(x *payment.Record) { x.Payment.Environment = company.Live })
	for environment, want := range map[company.Environment]int{"": 2, company.Live: 1, company.Test: 1, "none": 0} {
		page, err := b.ledger.List(t.Context(), outbound.Query{Company: b.company, Environment: environment, Limit: 10})
		if err != nil || len(page.Payments) != want {
			t.Errorf("%q: %d payments, %v; want %d", environment, len(page.Payments), err, want)
		}
	}
}

// leads checks that the order of a record leads to exactly this record.
func (b *book) leads(t *testing.T, want payment.Record) {
	t.Helper()
	got, err := b.ledger.Find(t.Context(), orderOf(want))
	if err != nil {
		t.Fatalf("Find: %v", err)
	}
	same(t, got, want)
}
