package app

import (
	"context"
	"crypto/rand"
	"regexp"
	"slices"
	"strings"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/directory"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/inbound"
)

// registry implements inbound.Directory.
type registry struct{ *App }

// AddCompany adds a tenant.
func (a registry) AddCompany(ctx context.Context, c inbound.AddCompany) (company.Company, error) {
	if c.ID == "" {
		c.ID = company.ID(a.IDs.New())
	}
	if err := named("id", string(c.ID), 64); err != nil {
		return company.Company{}, err
	}
	if err := titled(c.Name); err != nil {
		return company.Company{}, err
	}
	made := company.Company{ID: c.ID, Name: c.Name, CreatedAt: a.Clock.Now()}
	if err := a.App.Options.Directory.AddCompany(ctx, made); err != nil {
		return company.Company{}, err
	}
	return made, a.Reload(ctx)
}

// SaveCompany changes a company.
func (a registry) SaveCompany(ctx context.Context, c inbound.SaveCompany) (company.Company, error) {
	// What another replica has just changed must not be written back to what it was.
	if err := a.Reload(ctx); err != nil {
		return company.Company{}, err
	}
	now, ok := a.index.Load().Company(c.ID)
	if !ok {
		return company.Company{}, fault.New(fault.NotFound, "company_not_found", "there is no such company; add it first")
	}
	if c.Name != nil {
		if err := titled(*c.Name); err != nil {
			return company.Company{}, err
		}
		now.Name = *c.Name
	}
	if c.Suspended != nil {
		now.Suspended = *c.Suspended
	}
	if c.OnUnknown != nil {
		if !c.OnUnknown.Valid() {
			return company.Company{}, fault.New(fault.Invalid, "invalid_format", "on_unknown is reverse, hold, review or empty")
		}
		now.OnUnknown = *c.OnUnknown
	}
	if err := a.App.Options.Directory.SaveCompany(ctx, now); err != nil {
		return company.Company{}, err
	}
	return now, a.Reload(ctx)
}

// AddStore adds a store to a company.
func (a registry) AddStore(ctx context.Context, c inbound.AddStore) (company.Store, error) {
	if err := named("id", string(c.ID), 20); err != nil {
		return company.Store{}, err
	}
	if c.ID == "0" {
		return company.Store{}, fault.New(fault.Invalid, "invalid_format", "store 0 stands for the company itself; choose another id")
	}
	if err := titled(c.Name); err != nil {
		return company.Store{}, err
	}
	made := company.Store{Company: c.Company, ID: c.ID, Name: c.Name, CreatedAt: a.Clock.Now()}
	if err := a.App.Options.Directory.AddStore(ctx, made); err != nil {
		return company.Store{}, err
	}
	return made, a.Reload(ctx)
}

// PutCredential checks, seals and adds or rotates a credential set.
func (a registry) PutCredential(ctx context.Context, c inbound.PutCredential) (credential.Credential, error) {
	if !c.Environment.Valid() {
		return credential.Credential{}, fault.New(fault.Invalid, "invalid_format", "environment must be live or test")
	}
	form, err := a.Providers.Credential(c.Type, c.Set)
	if err != nil {
		return credential.Credential{}, err
	}
	if err := a.Reload(ctx); err != nil {
		return credential.Credential{}, err
	}
	x := a.index.Load()
	if _, ok := x.Company(c.Company); !ok {
		return credential.Credential{}, fault.New(fault.NotFound, "company_not_found", "there is no such company; add it first")
	}
	if c.Store != company.OwnStore {
		if _, ok := x.Store(directory.StoreKey{Company: c.Company, Store: c.Store}); !ok {
			return credential.Credential{}, fault.New(fault.NotFound, "store_not_found", "the company has no such store; add it first")
		}
	}
	now := a.Clock.Now()
	made := credential.Credential{
		ID: credential.ID(a.IDs.New()), Company: c.Company, Store: c.Store, Type: c.Type, Provider: form.Provider,
		Environment: c.Environment, Account: form.Account, Wire: form.Wire, Revision: 1, CreatedAt: now, UpdatedAt: now,
	}
	key := directory.CredentialKey{Company: c.Company, Store: c.Store, Type: c.Type, Environment: c.Environment}
	if old, ok := x.Credential(key); ok {
		made.ID, made.Revision, made.CreatedAt = old.ID, old.Revision+1, old.CreatedAt
		// New secrets do not switch a set on: whoever switched it off may have had another reason, and says when it is over.
		made.Disabled = old.Disabled
	}
	if made.Sealed, err = a.Secrets.Seal(ctx, made.Field(), form.Set); err != nil {
		return credential.Credential{}, err
	}
	if err := a.App.Options.Directory.PutCredential(ctx, made); err != nil {
		return credential.Credential{}, err
	}
	made.Sealed = nil
	return made, a.Reload(ctx)
}

// SaveCredential switches a credential set off and on.
func (a registry) SaveCredential(ctx context.Context, c inbound.SaveCredential) (credential.Credential, error) {
	if err := a.Reload(ctx); err != nil {
		return credential.Credential{}, err
	}
	now, ok := a.index.Load().CredentialByID(c.ID)
	if !ok {
		return credential.Credential{}, fault.New(fault.NotFound, "credential_not_found",
			"there is no such credential set; payrack credential list shows those that there are")
	}
	if c.Disabled != nil {
		now.Disabled, now.UpdatedAt = *c.Disabled, a.Clock.Now()
	}
	if err := a.App.Options.Directory.SaveCredential(ctx, now); err != nil {
		return credential.Credential{}, err
	}
	now.Sealed = nil
	return now, a.Reload(ctx)
}

// AddClient adds an OAuth client and returns its secret, this once.
func (a registry) AddClient(ctx context.Context, c inbound.AddClient) (access.Client, string, error) {
	for _, s := range c.Scopes {
		if !s.Known() || s == access.Admin {
			return access.Client{}, "", fault.New(fault.Invalid, "invalid_scope", "a client can have the scopes pay, search and refund")
		}
	}
	if len(c.Scopes) == 0 || len(c.Environments) == 0 || slices.ContainsFunc(c.Environments, func(e company.Environment) bool { return !e.Valid() }) {
		return access.Client{}, "", fault.New(fault.Invalid, "missing_field", "a client needs at least one scope and one environment (live, test)")
	}
	if err := titled(c.Name); err != nil {
		return access.Client{}, "", err
	}
	secret := rand.Text() + rand.Text()
	hash, err := a.Secrets.Hash(secret)
	if err != nil {
		return access.Client{}, "", err
	}
	made := access.Client{
		ID: "cl_" + strings.ToLower(rand.Text()), Company: c.Company, Name: c.Name, SecretHash: hash,
		Scopes: c.Scopes, Environments: c.Environments, CreatedAt: a.Clock.Now(),
	}
	if err := a.App.Options.Directory.AddClient(ctx, made); err != nil {
		return access.Client{}, "", err
	}
	made.SecretHash = ""
	return made, secret, a.Reload(ctx)
}

// SaveClient changes an OAuth client.
func (a registry) SaveClient(ctx context.Context, c inbound.SaveClient) (access.Client, error) {
	// What another replica has just changed stays changed: a new name must not switch a client on again.
	if err := a.Reload(ctx); err != nil {
		return access.Client{}, err
	}
	now, ok := a.index.Load().Client(c.ID)
	if !ok {
		return access.Client{}, fault.New(fault.NotFound, "client_not_found", "there is no such client; payrack client list shows those that there are")
	}
	if c.Name != nil {
		if err := titled(*c.Name); err != nil {
			return access.Client{}, err
		}
		now.Name = *c.Name
	}
	if c.Disabled != nil {
		now.Disabled = *c.Disabled
	}
	if err := a.App.Options.Directory.SaveClient(ctx, now); err != nil {
		return access.Client{}, err
	}
	now.SecretHash = ""
	return now, a.Reload(ctx)
}

// Snapshot is the directory as this process sees it, without sealed parts and hashes.
func (a registry) Snapshot(context.Context) (directory.Snapshot, error) {
	s := a.index.Load().Snapshot
	s.Credentials, s.Clients = slices.Clone(s.Credentials), slices.Clone(s.Clients)
	for i := range s.Credentials {
		s.Credentials[i].Sealed = nil
	}
	for i := range s.Clients {
		s.Clients[i].SecretHash = ""
	}
	return s, nil
}

// Reload reads the stored directory again if its generation moved.
func (a registry) Reload(ctx context.Context) error {
	now, err := a.App.Options.Directory.Generation(ctx)
	if err != nil {
		return err
	}
	if have := a.index.Load().Snapshot; have.Generation == now && now != 0 {
		return nil
	}
	s, err := a.App.Options.Directory.Snapshot(ctx)
	if err != nil {
		return err
	}
	a.index.Store(directory.NewIndex(s))
	// Secrets of rotated sets leave the memory with their revision.
	live := make(map[any]bool, len(s.Credentials))
	for _, c := range s.Credentials {
		live[c.Ref()] = true
	}
	a.opened.Range(func(ref, _ any) bool {
		if !live[ref] {
			a.opened.Delete(ref)
		}
		return true
	})
	return nil
}

// named checks an id that people type.
func named(member, id string, longest int) error {
	if len(id) > longest || !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`).MatchString(id) {
		return &fault.Error{
			Kind: fault.Invalid, Code: "invalid_format",
			Message: member + " must begin with a letter or digit and hold only letters, digits, dot, dash and underscore",
			Fields:  []fault.Field{{Pointer: "/" + member, Code: "invalid_format"}},
		}
	}
	return nil
}

// titled checks a name for people.
func titled(name string) error {
	if strings.TrimSpace(name) == "" || len(name) > 200 {
		return &fault.Error{
			Kind: fault.Invalid, Code: "missing_field", Message: "name must have 1 to 200 bytes",
			Fields: []fault.Field{{Pointer: "/name", Code: "missing_field"}},
		}
	}
	return nil
}
