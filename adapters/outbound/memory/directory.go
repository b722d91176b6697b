package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/directory"
)

// directoryStore is the store's outbound.Directory.
type directoryStore struct{ s *Store }

// Generation of the stored directory.
func (d *directoryStore) Generation(ctx context.Context) (int64, error) {
	if err := d.s.enter(ctx); err != nil {
		return 0, err
	}
	defer d.s.mu.Unlock()
	return d.s.generation, nil
}

// Snapshot reads all of it at one generation.
func (d *directoryStore) Snapshot(ctx context.Context) (directory.Snapshot, error) {
	if err := d.s.enter(ctx); err != nil {
		return directory.Snapshot{}, err
	}
	defer d.s.mu.Unlock()
	s := directory.Snapshot{
		Generation:  d.s.generation,
		Companies:   slices.Collect(maps.Values(d.s.companies)),
		Stores:      slices.Collect(maps.Values(d.s.stores)),
		Credentials: slices.Collect(maps.Values(d.s.credentials)),
		Clients:     slices.Collect(maps.Values(d.s.clients)),
	}
	slices.SortFunc(s.Companies, func(a, b company.Company) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(s.Stores, func(a, b company.Store) int {
		return cmp.Or(cmp.Compare(a.Company, b.Company), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(s.Credentials, func(a, b credential.Credential) int {
		return cmp.Or(cmp.Compare(a.Company, b.Company), cmp.Compare(a.Store, b.Store), cmp.Compare(a.Type, b.Type),
			cmp.Compare(a.Environment, b.Environment))
	})
	slices.SortFunc(s.Clients, func(a, b access.Client) int { return cmp.Compare(a.ID, b.ID) })
	for i := range s.Credentials {
		s.Credentials[i].Sealed = filled(s.Credentials[i].Sealed)
	}
	for i := range s.Clients {
		s.Clients[i] = keptClient(s.Clients[i])
	}
	return s, nil
}

// AddCompany adds a tenant.
func (d *directoryStore) AddCompany(ctx context.Context, c company.Company) error {
	if err := d.s.enter(ctx); err != nil {
		return err
	}
	defer d.s.mu.Unlock()
	if _, taken := d.s.companies[c.ID]; taken {
		return conflict("company_exists", "the company exists already")
	}
	if !c.OnUnknown.Valid() {
		return refused("the policy for unknown outcomes is unknown")
	}
	c.CreatedAt = stored(c.CreatedAt)
	d.s.companies[c.ID] = c
	d.s.generation++
	return nil
}

// SaveCompany replaces what may change of a tenant.
func (d *directoryStore) SaveCompany(ctx context.Context, c company.Company) error {
	if err := d.s.enter(ctx); err != nil {
		return err
	}
	defer d.s.mu.Unlock()
	kept, ok := d.s.companies[c.ID]
	if !ok {
		return notFound("company_not_found", "there is no such company")
	}
	if !c.OnUnknown.Valid() {
		return refused("the policy for unknown outcomes is unknown")
	}
	kept.Name, kept.Suspended, kept.OnUnknown = c.Name, c.Suspended, c.OnUnknown
	d.s.companies[c.ID] = kept
	d.s.generation++
	return nil
}

// AddStore adds a store of a company.
func (d *directoryStore) AddStore(ctx context.Context, t company.Store) error {
	if err := d.s.enter(ctx); err != nil {
		return err
	}
	defer d.s.mu.Unlock()
	key := directory.StoreKey{Company: t.Company, Store: t.ID}
	if _, taken := d.s.stores[key]; taken {
		return conflict("store_exists", "the company has this store already")
	}
	if err := d.s.owned(t.Company, company.OwnStore); err != nil {
		return err
	}
	t.CreatedAt = stored(t.CreatedAt)
	d.s.stores[key] = t
	d.s.generation++
	return nil
}

// PutCredential adds a set or replaces the one before.
func (d *directoryStore) PutCredential(ctx context.Context, c credential.Credential) error {
	if err := d.s.enter(ctx); err != nil {
		return err
	}
	defer d.s.mu.Unlock()
	key := directory.CredentialKey{Company: c.Company, Store: c.Store, Type: c.Type, Environment: c.Environment}
	old, exists := d.s.credentials[key]
	foreign := false
	for k, other := range d.s.credentials {
		foreign = foreign || (k != key && other.ID == c.ID)
	}
	switch {
	case foreign,
		!exists && c.Revision != 1,
		exists && (c.ID != old.ID || c.Revision != old.Revision+1 || old.Disabled && !c.Disabled):
		return conflict("credential_moved",
			"a credential set begins with revision 1, and each later revision follows the one before")
	}
	if err := d.s.owned(c.Company, c.Store); err != nil {
		return err
	}
	c.CreatedAt, c.UpdatedAt, c.Sealed = stored(c.CreatedAt), stored(c.UpdatedAt), filled(c.Sealed)
	d.s.credentials[key] = c
	d.s.generation++
	return nil
}

// SaveCredential switches a set off and on.
func (d *directoryStore) SaveCredential(ctx context.Context, c credential.Credential) error {
	if err := d.s.enter(ctx); err != nil {
		return err
	}
	defer d.s.mu.Unlock()
	for key, kept := range d.s.credentials {
		if kept.ID == c.ID {
			kept.Disabled, kept.UpdatedAt = c.Disabled, stored(c.UpdatedAt)
			d.s.credentials[key] = kept
			d.s.generation++
			return nil
		}
	}
	return notFound("credential_not_found", "there is no such credential set")
}

// AddClient adds an OAuth client.
func (d *directoryStore) AddClient(ctx context.Context, c access.Client) error {
	if err := d.s.enter(ctx); err != nil {
		return err
	}
	defer d.s.mu.Unlock()
	if _, taken := d.s.clients[c.ID]; taken {
		return conflict("client_exists", "the client exists already")
	}
	if err := d.s.owned(c.Company, company.OwnStore); err != nil {
		return err
	}
	d.s.clients[c.ID] = keptClient(c)
	d.s.generation++
	return nil
}

// SaveClient replaces what may change of an OAuth client.
func (d *directoryStore) SaveClient(ctx context.Context, c access.Client) error {
	if err := d.s.enter(ctx); err != nil {
		return err
	}
	defer d.s.mu.Unlock()
	kept, ok := d.s.clients[c.ID]
	if !ok {
		return notFound("client_not_found", "there is no such client")
	}
	kept.Name, kept.Disabled = c.Name, c.Disabled
	d.s.clients[c.ID] = kept
	d.s.generation++
	return nil
}

// owned fails if the company, or the store unless it is OwnStore, does not exist.
func (s *Store) owned(co company.ID, t company.StoreID) error {
	_, ok := s.companies[co]
	if ok && t != company.OwnStore {
		_, ok = s.stores[directory.StoreKey{Company: co, Store: t}]
	}
	if !ok {
		return notFound("owner_not_found", "the company or store does not exist")
	}
	return nil
}

// keptClient shares no memory with c.
func keptClient(c access.Client) access.Client {
	c.CreatedAt = stored(c.CreatedAt)
	c.Scopes, c.Environments = slices.Clone(c.Scopes), slices.Clone(c.Environments)
	return c
}
