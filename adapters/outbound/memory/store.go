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
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/outbound"
)

// Store holds everything under one lock. It is safe for concurrent use.
type Store struct {
	mu sync.Mutex

	payments map[payment.ID]*held
	claims   map[outbound.ClaimKey]outbound.Claim
	orders   map[outbound.OrderKey]payment.ID
	charges  map[chargeKey]payment.ID
	journal  map[string][]journal.Entry

	generation  int64
	companies   map[company.ID]company.Company
	stores      map[directory.StoreKey]company.Store
	credentials map[directory.CredentialKey]credential.Credential
	clients     map[string]access.Client

	releases []release.Release
	channels map[string]release.Channel
}

// held is a payment with its operations, oldest first.
type held struct {
	payment    payment.Payment
	operations []payment.Operation
}

// chargeKey is the provider's name of a charge.
type chargeKey struct {
	environment       company.Environment
	provider, account string
	transaction       string
}

// New makes an empty store.
func New() *Store {
	return &Store{
		payments:    map[payment.ID]*held{},
		claims:      map[outbound.ClaimKey]outbound.Claim{},
		orders:      map[outbound.OrderKey]payment.ID{},
		charges:     map[chargeKey]payment.ID{},
		journal:     map[string][]journal.Entry{},
		companies:   map[company.ID]company.Company{},
		stores:      map[directory.StoreKey]company.Store{},
		credentials: map[directory.CredentialKey]credential.Credential{},
		clients:     map[string]access.Client{},
		channels:    map[string]release.Channel{},
	}
}

// Ledger is the store's outbound.Ledger.
func (s *Store) Ledger() outbound.Ledger { return &ledger{s: s} }

// Directory is the store's outbound.Directory.
func (s *Store) Directory() outbound.Directory { return &directoryStore{s: s} }

// Releases is the store's outbound.Releases.
func (s *Store) Releases() outbound.Releases { return &releaseStore{s: s} }

// enter takes the lock unless the caller has given up.
func (s *Store) enter(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return fault.Wrap(fault.Unavailable, "store_unavailable", "the caller gave up; nothing was stored", err)
	}
	s.mu.Lock()
	return nil
}

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
