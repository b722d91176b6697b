package memory

import (
	"context"
	"sync"
	"time"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/directory"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/mandate"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/outbound"
)

// Store holds everything under one lock. It is safe for concurrent use.
type Store struct {
	mu sync.Mutex
	// replicas is true if several process lives share the store.
	replicas bool
	// allowed is the transition table.
	allowed map[[2]payment.State]bool

	payments map[payment.ID]*held
	claims   map[outbound.ClaimKey]outbound.Claim
	// orders are the payments of an order number, in the order in which they were stored; live is the one that holds it.
	orders map[outbound.Key][]*held
	live   map[outbound.Key]payment.ID
	// charges are the payments of the providers' transactions.
	charges map[chargeKey]payment.ID
	// tenants are the payments of a company, in the order in which they were stored.
	tenants map[company.ID][]*held
	// watched are the payments whose current operation is SENDING or has a next check.
	watched map[payment.ID]*held
	// lives are the last signs of life of the replicas, paces what was claimed of an account in a second.
	lives map[string]time.Time
	paces map[chargeKey]pace

	streams map[string][]journal.Entry
	// log holds the entries of all streams in the order in which they were stored.
	log   []journal.Placed
	seals []journal.Seal

	mandates map[mandate.ID]mandate.Mandate
	tokens   map[outbound.MandateKey]mandate.ID

	generation  int64
	companies   map[company.ID]company.Company
	stores      map[directory.StoreKey]company.Store
	credentials map[directory.CredentialKey]credential.Credential
	clients     map[string]access.Client

	releases []release.Release
	channels map[string]release.Channel
	reports  map[reportKey]release.Report
	// listeners are told of every saved channel.
	listeners map[chan struct{}]struct{}
}

// held is a payment with its operations, oldest first.
type held struct {
	payment    payment.Payment
	operations []operation
}

// operation is an operation with the last claim of it.
type operation struct {
	payment.Operation

	claimedAt time.Time
	// claimed is true from a claim until the operation's next change.
	claimed bool
}

// chargeKey is the provider's name of a charge; without a transaction it names the account.
type chargeKey struct {
	environment       company.Environment
	provider, account string
	transaction       string
}

// pace is how many claims of an account a second has seen.
type pace struct {
	second int64
	claims int
}

// Option changes how a store behaves.
type Option func(*Store)

// Replicas lets several process lives share the store, as PostgreSQL does: a life is dead when it has given no sign for
// outbound.ReplicaLease. Without it one life owns the store, as with SQLite, and every other one is dead.
func Replicas() Option { return func(s *Store) { s.replicas = true } }

// New makes an empty store.
func New(options ...Option) *Store {
	s := &Store{
		allowed:     map[[2]payment.State]bool{},
		payments:    map[payment.ID]*held{},
		claims:      map[outbound.ClaimKey]outbound.Claim{},
		orders:      map[outbound.Key][]*held{},
		live:        map[outbound.Key]payment.ID{},
		charges:     map[chargeKey]payment.ID{},
		tenants:     map[company.ID][]*held{},
		watched:     map[payment.ID]*held{},
		lives:       map[string]time.Time{},
		paces:       map[chargeKey]pace{},
		streams:     map[string][]journal.Entry{},
		mandates:    map[mandate.ID]mandate.Mandate{},
		tokens:      map[outbound.MandateKey]mandate.ID{},
		companies:   map[company.ID]company.Company{},
		stores:      map[directory.StoreKey]company.Store{},
		credentials: map[directory.CredentialKey]credential.Credential{},
		clients:     map[string]access.Client{},
		channels:    map[string]release.Channel{},
		reports:     map[reportKey]release.Report{},
		listeners:   map[chan struct{}]struct{}{},
	}
	for _, t := range payment.Transitions() {
		s.allowed[[2]payment.State{t.From, t.To}] = true
	}
	for _, o := range options {
		o(s)
	}
	return s
}

// Ledger is the store's outbound.Ledger.
func (s *Store) Ledger() outbound.Ledger { return &ledger{s: s} }

// Journal is the store's outbound.Journal.
func (s *Store) Journal() outbound.Journal { return &journalStore{s: s} }

// Mandates is the store's outbound.Mandates.
func (s *Store) Mandates() outbound.Mandates { return &mandateStore{s: s} }

// Directory is the store's outbound.Directory.
func (s *Store) Directory() outbound.Directory { return &directoryStore{s: s} }

// Releases is the store's outbound.Releases.
func (s *Store) Releases() outbound.Releases { return &releaseStore{s: s} }

// Replicas is the store's outbound.Replicas.
func (s *Store) Replicas() outbound.Replicas { return &replicaStore{s: s} }

// enter takes the lock unless the caller has given up.
func (s *Store) enter(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return fault.Wrap(fault.Unavailable, "store_unavailable", "the caller gave up; nothing was stored", err)
	}
	s.mu.Lock()
	return nil
}

// now is the clock that leases and claims are measured with.
func now() time.Time { return stored(time.Now()) }

// stored is a time as a database keeps it: UTC, to the microsecond.
func stored(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

func conflict(code, message string) error { return fault.New(fault.Conflict, code, message) }

func notFound(code, message string) error { return fault.New(fault.NotFound, code, message) }

func invalid(code, message string) error { return fault.New(fault.Invalid, code, message) }
