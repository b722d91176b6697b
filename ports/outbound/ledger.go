package outbound

import (
	"context"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/mandate"
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
	// fault.NotFound, so that nobody can probe for ids. An empty company stands for all of them: only the platform's
	// own work (the payer's way back from a wallet, the operator's plane) asks so.
	Load(ctx context.Context, co company.ID, id payment.ID) (payment.Record, error)

	// Claimed returns what holds keys: each stored claim with its payment and the operation that it started, or the
	// newest retry of that one (Operation.RetryOf), open or long closed. Keys that are free are left out.
	Claimed(ctx context.Context, keys []ClaimKey) ([]Held, error)

	// Find returns the live payment of an order, else the newest one, or the payment of a provider's transaction;
	// fault.NotFound if there is none.
	Find(ctx context.Context, k Key) (payment.Record, error)

	// List returns a page, newest first.
	List(ctx context.Context, q Query) (Page, error)

	// Fence is the sign of life of the process life boot, and takes over what dead ones left. A life is dead where one
	// process owns the ledger (SQLite) if it is another one, and where replicas share it (PostgreSQL) if it has given no
	// sign for ReplicaLease by the database's clock. Of dead lives every SENDING operation gets the next epoch and
	// boot as its owner, and is returned as it is then: the core records UNKNOWN. What else they had claimed
	// (see Due) is due at once. limit bounds one call.
	Fence(ctx context.Context, boot string, limit int) ([]payment.Record, error)

	// Due claims operations whose NextCheckAt has come, oldest first, and returns them with their payments: each
	// gets the next epoch, boot as its owner, and NextCheckAt a lease away, so that no other replica takes it
	// meanwhile. A claim changes neither the payment's version nor its journal. A SENDING operation is due when its
	// SendDeadline has passed, never before. An operation of a payment that FAILED is on the watch list: its claim plans
	// the next look by payment.WatchDelay of the time since UpdatedAt, and when that is used up the operation
	// leaves the list and its SealedCredential is erased.
	Due(ctx context.Context, q DueQuery) ([]payment.Record, error)
}

// ReplicaLease is how long a process life counts as alive after its last sign, where replicas share a ledger.
const ReplicaLease = 10 * time.Second

// DueQuery claims due operations.
type DueQuery struct {
	// Boot claims.
	Boot string
	// Payment claims the current operation of this payment alone, due or not, unless it is SENDING before its
	// deadline, is not watched at all (NextCheckAt is zero), or was claimed less than PullPause ago. Empty for all that is due.
	Payment payment.ID
	// Limit of claims, at least 1.
	Limit int
	// PerAccount bounds the claims of one provider account in one second of the database's clock, over all
	// replicas; 0 for no bound.
	PerAccount int
	// Room bounds how many claims of one account this process life may hold, Held how many it holds already; 0 for no
	// bound. What has no room is not claimed: a claim that waits for its turn keeps everybody else away.
	Room int
	Held map[Account]int
	// Lease of a claim.
	Lease time.Duration
}

// Account is a provider account, whose provider is asked.
type Account struct {
	Environment company.Environment
	Provider    string
	Account     string
}

// AccountOf is the account of a payment.
func AccountOf(p payment.Payment) Account {
	return Account{Environment: p.Environment, Provider: p.Provider, Account: p.Account}
}

// PullPause is how long a payment that was claimed is not pulled forward again.
const PullPause = 2 * time.Second

// Change is one durable write.
type Change struct {
	// Claims are keys that must all be free; a taken one loses the change.
	Claims []Claim
	// Version of the payment that the change was decided on; 0 inserts the payment.
	Version int64
	// NewOperation inserts the operation instead of updating it. The payment's operations before it are not looked
	// at any more: their NextCheckAt becomes zero in the same commit.
	NewOperation bool
	// Settled says that no credential of the payment can ever be needed again: SealedCredential of all its operations
	// is erased in the same commit.
	Settled bool
	// Epoch that the stored operation must have, without NewOperation.
	Epoch int64
	// Record after the change.
	Record payment.Record
	// Mandate that came with the answer, nil for none. It is inserted in the same commit; a mandate that the company
	// has already (same environment, provider, account and TokenHash) is updated instead and keeps its id.
	Mandate *mandate.Mandate
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
	if wrong == "" && c.Mandate != nil {
		wrong = mandateMisfit(c.Mandate, &c.Record.Payment)
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
	case p.Attempt < 1:
		return "the payment's attempt does not count from one"
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

// mandateMisfit names what does not fit between a mandate and the payment that brought it.
func mandateMisfit(m *mandate.Mandate, p *payment.Payment) string {
	switch {
	case m.ID == "" || len(m.Sealed) == 0 || m.TokenHash == [32]byte{}:
		return "the mandate has no id or no token"
	case m.Company != p.Company || m.Environment != p.Environment || m.Provider != p.Provider || m.Account != p.Account:
		return "the mandate is of another account than the payment"
	case m.State != mandate.Active && m.State != mandate.Dead:
		return "the state of the mandate is unknown"
	case m.Version < 1:
		return "the mandate's version does not count from one"
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

// Held is a key that is taken.
type Held struct {
	Claim Claim
	// Record is the payment as it is now, with the operation that the key started, not the current one.
	Record payment.Record
}

// Loss says against what a change lost.
type Loss uint8

// The losses.
const (
	// NoLoss: committed.
	NoLoss Loss = iota
	// LostClaim: keys were taken; Committed.Claims are the stored claims.
	LostClaim
	// LostOrder: the order number belongs to a live payment; Committed.Payment names it.
	LostOrder
	// LostVersion: the payment has moved, another operation of it is open, or the epoch is another.
	LostVersion
	// LostAttempt: the order number was used before, not as often as the Attempt says of a payment that is about to be
	// sent; Committed.Attempts says how often. A provider must never see one order id for two attempts.
	LostAttempt
)

// Committed is how a commit ended.
type Committed struct {
	Loss Loss
	// Claims are the stored claims that hold the change's keys, with LostClaim.
	Claims []Claim
	// Payment that holds the order number, with LostOrder.
	Payment payment.ID
	// Attempts counts the ended payments of the order number that were sent (all but FAILED as not sent), with LostAttempt.
	Attempts int
}

// Key is the natural key of a charge: the company's order number, or the provider's transaction.
type Key struct {
	Company     company.ID
	Environment company.Environment
	Provider    string
	Account     string
	// OrderNumber or Transaction, exactly one.
	OrderNumber string
	Transaction string
}

// Query of a list. Zero members do not filter.
type Query struct {
	Company     company.ID
	Environment company.Environment
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
