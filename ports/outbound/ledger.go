package outbound

import (
	"context"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
)

// Ledger keeps payments, their operations, the keys that claim them and the journal. A change is a value,
// so that an adapter can commit many in one transaction. Implementations pass outboundtest.Ledger.
type Ledger interface {
	// Commit makes a change durable, whole or not at all. A change that loses against what is stored is
	// no error: Committed says against what. After an error the change is *in doubt*: it may have been
	// committed (fault.Unavailable, code "commit_in_doubt"), or it was certainly not, because nothing was
	// handed to the database (fault.Unavailable, code "store_unavailable").
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
	// dead, or, with no list, every one that belongs to another boot. It only raises the epoch and
	// returns the records as they are now; the core then records UNKNOWN. limit bounds one call.
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
	// Before is the id of the last payment of the page before; ids sort by time.
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
