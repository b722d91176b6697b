// Package directory is everything that decides who may pay with what, as one value: companies, stores,
// credentials and clients at one generation.
package directory

import (
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
)

// Snapshot is the directory at one generation. It is read by many and never changed.
type Snapshot struct {
	Generation  int64
	Companies   []company.Company
	Stores      []company.Store
	Credentials []credential.Credential
	Clients     []access.Client
}

// CredentialKey finds one stored set. Store is company.OwnStore for the company's own set.
type CredentialKey struct {
	Company     company.ID
	Store       company.StoreID
	Type        string
	Environment company.Environment
}

// StoreKey finds one store.
type StoreKey struct {
	Company company.ID
	Store   company.StoreID
}

// Index answers look-ups over a snapshot in constant time.
type Index struct {
	Snapshot    Snapshot
	companies   map[company.ID]company.Company
	stores      map[StoreKey]company.Store
	credentials map[CredentialKey]credential.Credential
	byID        map[credential.ID]credential.Credential
	clients     map[string]access.Client
}

// NewIndex indexes a snapshot.
func NewIndex(s Snapshot) *Index {
	x := &Index{
		Snapshot:    s,
		companies:   make(map[company.ID]company.Company, len(s.Companies)),
		stores:      make(map[StoreKey]company.Store, len(s.Stores)),
		credentials: make(map[CredentialKey]credential.Credential, len(s.Credentials)),
		byID:        make(map[credential.ID]credential.Credential, len(s.Credentials)),
		clients:     make(map[string]access.Client, len(s.Clients)),
	}
	for _, c := range s.Companies {
		x.companies[c.ID] = c
	}
	for _, t := range s.Stores {
		x.stores[StoreKey{t.Company, t.ID}] = t
	}
	for _, c := range s.Credentials {
		x.credentials[CredentialKey{c.Company, c.Store, c.Type, c.Environment}] = c
		x.byID[c.ID] = c
	}
	for _, c := range s.Clients {
		x.clients[c.ID] = c
	}
	return x
}

// Company finds a company.
func (x *Index) Company(id company.ID) (company.Company, bool) {
	c, ok := x.companies[id]
	return c, ok
}

// Store finds a store of a company.
func (x *Index) Store(k StoreKey) (company.Store, bool) { s, ok := x.stores[k]; return s, ok }

// Credential finds a credential set, also one that is switched off.
func (x *Index) Credential(k CredentialKey) (credential.Credential, bool) {
	c, ok := x.credentials[k]
	return c, ok
}

// CredentialByID finds a credential set by its own id, also one that is switched off: what was paid with it is settled with it.
func (x *Index) CredentialByID(id credential.ID) (credential.Credential, bool) {
	c, ok := x.byID[id]
	return c, ok
}

// Client finds an OAuth client.
func (x *Index) Client(id string) (access.Client, bool) { c, ok := x.clients[id]; return c, ok }
