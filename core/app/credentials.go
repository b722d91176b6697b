package app

import (
	"context"
	"strings"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/directory"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// credentialSet is what a call is made with.
type credentialSet struct {
	store   company.StoreID
	account string
	wire    string
	// ref is id/revision, empty for the request's own set.
	ref   string
	plain []byte
	// off says that the set is switched off: it starts no payment, and still settles those that it started.
	off bool
}

// credentials finds the set for a request: the request's own, else the store's, else the company's.
func (a *App) credentials(
	ctx context.Context, c inbound.Native, t catalogue.Type, f outbound.Form,
) (credentialSet, error) {
	if !c.Principal.In(c.Environment) {
		return credentialSet{}, fault.New(fault.Invalid, "environment_mismatch",
			"is_test does not agree with the environments of this client")
	}
	if f.Credential != nil {
		wire := f.Wire
		if wire == "" {
			wire = t.WireDefault
		}
		// A store beside the request's own credentials is only recorded.
		return credentialSet{store: storeOf(c), account: f.Account, wire: wire, plain: f.Credential}, nil
	}
	if c.Store == nil {
		return credentialSet{}, &fault.Error{
			Kind: fault.Invalid, Code: "missing_field", Message: "store_id 不可為空",
			Fields: []fault.Field{{Pointer: "/store_id", Code: "missing_field", Detail: "store_id is required without credentials in the request"}},
		}
	}
	found, ok := a.lookup(c.Principal.Company, storeOf(c), t.Name, c.Environment)
	if !ok {
		return credentialSet{}, configMissing(t.Name)
	}
	plain, err := a.open(ctx, found)
	if err != nil {
		return credentialSet{}, err
	}
	return credentialSet{
		store: storeOf(c), account: found.Account, wire: found.Wire, ref: found.Ref(), plain: plain, off: found.Disabled,
	}, nil
}

// configMissing refuses what has no set to be paid with.
func configMissing(typeName string) error {
	return fault.New(fault.Invalid, "config_missing", "公司/門市缺少 "+typeName+" 金流相關設定")
}

// storedSet opens the set that a payment or an approval was made with: the account is pinned, the secret may have been
// rotated since. A set that was switched off still settles what was paid with it.
func (a *App) storedSet(ctx context.Context, ref, account string) (credentialSet, error) {
	id, _, _ := strings.Cut(ref, "/")
	c, ok := a.index.Load().CredentialByID(credential.ID(id))
	if !ok || ref == "" || c.Account != account {
		return credentialSet{}, fault.New(fault.Conflict, "credential_gone",
			"the credentials that this payment was made with are not here any more; send them with the request, or add them again")
	}
	plain, err := a.open(ctx, c)
	if err != nil {
		return credentialSet{}, err
	}
	return credentialSet{store: c.Store, account: c.Account, wire: c.Wire, ref: c.Ref(), plain: plain}, nil
}

// setOf is the set for a payment that exists: what it was made with, or what its own request brought.
func (a *App) setOf(ctx context.Context, r payment.Record) (credentialSet, error) {
	p, o := r.Payment, r.Operation
	if p.CredentialRef == "" {
		if len(o.SealedCredential) == 0 {
			return credentialSet{}, fault.New(fault.Conflict, "credential_gone",
				"this payment came with its own credentials, which are not kept any more; send them with the request")
		}
		plain, err := a.Secrets.Open(ctx, requestCredential(p, o.ID), o.SealedCredential)
		if err != nil {
			return credentialSet{}, err
		}
		return credentialSet{store: p.Store, account: p.Account, wire: p.Wire, plain: plain}, nil
	}
	set, err := a.storedSet(ctx, p.CredentialRef, p.Account)
	set.store, set.wire = p.Store, p.Wire
	return set, err
}

// lookup finds a stored set, also one that is switched off: the store's own, then the company's. A store that the company does
// not have finds nothing and never falls back.
func (a *App) lookup(
	co company.ID, store company.StoreID, typeName string, env company.Environment,
) (credential.Credential, bool) {
	x := a.index.Load()
	k := directory.CredentialKey{Company: co, Store: store, Type: typeName, Environment: env}
	if store != company.OwnStore {
		if _, known := x.Store(directory.StoreKey{Company: co, Store: store}); !known {
			return credential.Credential{}, false
		}
		if own, ok := x.Credential(k); ok {
			// Also one that was switched off: it must not lead the store's money to the company's account.
			return own, true
		}
		k.Store = company.OwnStore
	}
	return x.Credential(k)
}

// open decrypts a stored set once per revision.
func (a *App) open(ctx context.Context, c credential.Credential) ([]byte, error) {
	if plain, ok := a.opened.Load(c.Ref()); ok {
		if set, ok := plain.([]byte); ok {
			return set, nil
		}
	}
	plain, err := a.Secrets.Open(ctx, c.Field(), c.Sealed)
	if err != nil {
		return nil, err
	}
	a.opened.Store(c.Ref(), plain)
	return plain, nil
}

// requestCredential is where a request's own credential is sealed.
func requestCredential(p payment.Payment, o payment.OperationID) credential.Field {
	return credential.Field{Company: p.Company, Provider: p.Provider, Name: "operation/" + string(o) + "/credential"}
}

// storedReply is where an operation's reply is sealed.
func storedReply(p payment.Payment, o payment.OperationID) credential.Field {
	return credential.Field{Company: p.Company, Provider: p.Provider, Name: "operation/" + string(o) + "/reply"}
}
