package outbound

import (
	"context"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
)

// Ledger keeps payments, their operations, the keys that claim them and the journal. A change is a value,
// so that an adapter can commit many in one transaction. Implementations pass outboundtest.Ledger.
type Ledger interface {
	// Commit makes a change durable, whole or not at all. A change that loses against what is stored is
	// no error: Committed says against what. After an error the change is *in doubt*: it may have been
	// committed (fault.Unavailable, code "commit_in_doubt"), or it was certainly not, because nothing was
	// handed to the database (fault.Unavailable, code "store_unavailable"). With any of these nothing was
	// stored either: fault.Conflict code "provider_transaction_taken" (another payment has the provider's
	// transaction, or another operation its refund), fault.Internal code "change_malformed" (see Change.Check)
	// and "ledger_refused" (the change breaks the state machine or an amount rule), fault.Unavailable code
	// "schema_outdated" (the migrations have not run).
	Commit(ctx context.Context, c Change) (Committed, error)

	// Load returns a company's payment with its current operation. Another company's payment is
	// fault.NotFound, so that nobody can probe for ids.
	Load(ctx context.Context, co company.ID, id payment.ID) (payment.Record, error)

	// ByOrder returns the live payment of an order, else the newest one; fault.NotFound if there is none.
	ByOrder(ctx context.Context, k OrderKey) (payment.Record, error)

	// List returns a page, newest first.
	List(ctx context.Context, q Query) (Page, error)

	// Journal returns the entries of a stream in order, starting after entry number after.
	Journal(ctx context.Context, stream string, after int64, limit int) ([]journal.Entry, error)

	// Fence takes over, for the process life boot, every SENDING operation whose owner is listed in
	// dead. With no list it takes those of all other boots that cannot be alive: every one where one process
	// owns the ledger (SQLite), and where replicas share it (PostgreSQL) only those whose SendDeadline passed
	// two seconds ago by the database's clock, so that no replica that is at work loses its call. It only
	// raises the epoch and returns the records as they are now; the core then records UNKNOWN. limit bounds
	// one call.
	Fence(ctx context.Context, boot string, dead []string, limit int) ([]payment.Record, error)
}

// Change is one durable write.
type Change struct {
	// Claims are keys that must all be free; a taken one loses the change.
	Claims []Claim
	// Version of the payment that the change was decided on; 0 inserts the payment.
	Version int64
	// NewOperation inserts the operation instead of updating it.
	NewOperation bool
	// Epoch that the stored operation must have, without NewOperation.
	Epoch int64
	// Record after the change.
	Record payment.Record
	// Entry of the journal, with N = Record.Payment.Version and Hash = Record.Payment.Chain.
	Entry journal.Entry
}

// Check reports as fault.Internal, code "change_malformed", that the parts of a change do not fit each other. That is
// a mistake of the program: every ledger checks it before anything is stored.
func (c Change) Check() error {
	wrong := misfit(&c)
	for _, claim := range c.Claims {
		p := &c.Record.Payment
		if claim.Payment != p.ID || claim.Operation != c.Record.Operation.ID || claim.Company != p.Company ||
			claim.Environment != p.Environment {
			wrong = "a claim does not belong to the change"
		}
	}
	if wrong == "" {
		return nil
	}
	return fault.New(fault.Internal, "change_malformed", "a change of a payment is malformed: "+wrong+"; nothing was stored")
}

// misfit names what does not fit between payment, operation and entry.
func misfit(c *Change) string {
	p, o, e := &c.Record.Payment, &c.Record.Operation, &c.Entry
	switch {
	case p.ID == "" || p.Company == "" || o.ID == "":
		return "an id is missing"
	case o.Payment != p.ID:
		return "the operation belongs to another payment"
	case o.Amount.Currency != p.Amount.Currency:
		return "the operation has another currency"
	case p.Version != c.Version+1:
		return "the version does not grow by one"
	case c.Version == 0 && !c.NewOperation:
		return "a new payment has no new operation"
	case e.Stream != p.Stream() || e.N != p.Version || e.Hash != p.Chain || !e.Verify():
		return "the journal entry is not that of the change"
	default:
		return ""
	}
}

// ClaimScope says what a claimed key is.
type ClaimScope string

// The scopes: the Idempotency-Key header and the request's own id. Both are per kind of operation.
const (
	ClaimHeader  ClaimScope = "header"
	ClaimRequest ClaimScope = "request"
)

// ClaimKey finds a claim.
type ClaimKey struct {
	Company     company.ID
	Environment company.Environment
	Scope       ClaimScope
	// Hash of provider, kind of operation and key.
	Hash [32]byte
}

// Claim ties a key to the operation that it started.
type Claim struct {
	ClaimKey
	// Fingerprint of the request's meaning.
	Fingerprint [32]byte
	Payment     payment.ID
	Operation   payment.OperationID
	At          time.Time
}

// Loss says against what a change lost.
type Loss uint8

// The losses.
const (
	// NoLoss: committed.
	NoLoss Loss = iota
	// LostClaim: a key was taken; Committed.Claim is the stored claim.
	LostClaim
	// LostOrder: the order number belongs to a live payment; Committed.Payment names it.
	LostOrder
	// LostVersion: the payment has moved, another operation of it is open, or the epoch is another.
	LostVersion
)

// Committed is how a commit ended.
type Committed struct {
	Loss    Loss
	Claim   Claim
	Payment payment.ID
}

// OrderKey is the natural key of a charge.
type OrderKey struct {
	Company     company.ID
	Environment company.Environment
	Provider    string
	Account     string
	OrderNumber string
}

// Query of a list. Zero members do not filter.
type Query struct {
	Company     company.ID
	OrderNumber string
	State       payment.State
	Store       *company.StoreID
	Type        string
	CreatedFrom time.Time
	CreatedTo   time.Time
	// Before is the id of the last payment of the page before.
	Before payment.ID
	// Limit of the page, 1 to 200.
	Limit int
}

// Page of a list.
type Page struct {
	Payments []payment.Payment
	// Next is the cursor of the next page, empty on the last.
	Next payment.ID
}
