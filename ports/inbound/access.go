package inbound

import (
	"context"
	"encoding/json"
	"time"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/directory"
)

// Access issues and checks tokens (OAuth 2.0 client credentials, RFC 6749 section 4.4).
type Access interface {
	// Token issues an access token. It fails with fault.Unauthenticated code invalid_client, fault.Forbidden code
	// company_suspended, or fault.Invalid code invalid_scope.
	Token(ctx context.Context, r TokenRequest) (Token, error)
	// Authenticate reads a bearer token: fault.Unauthenticated, or fault.Forbidden code company_suspended.
	Authenticate(ctx context.Context, token string) (access.Principal, error)
	// Keys is the JSON Web Key Set.
	Keys(ctx context.Context) ([]byte, error)
}

// TokenRequest asks for a token.
type TokenRequest struct {
	ClientID     string
	ClientSecret string
	// Scope as sent; empty and "api" mean all of the client's.
	Scope string
}

// Token is an access token.
type Token struct {
	AccessToken string
	ExpiresIn   time.Duration
	Scopes      []access.Scope
}

// Directory manages companies, stores, credentials and clients. Secrets are write-only.
type Directory interface {
	AddCompany(ctx context.Context, c AddCompany) (company.Company, error)
	// SaveCompany changes a company; members that are nil stay as they are.
	SaveCompany(ctx context.Context, c SaveCompany) (company.Company, error)
	AddStore(ctx context.Context, c AddStore) (company.Store, error)
	Credentials
	Clients
	// Snapshot is the directory as this process sees it, with sealed parts left out.
	Snapshot(ctx context.Context) (directory.Snapshot, error)
	// Reload reads the stored directory again if its generation moved.
	Reload(ctx context.Context) error
}

// Credentials manages credential sets, as a part of the directory.
type Credentials interface {
	// PutCredential checks the set against the payment type's schema (fault.Invalid with Fields), seals it
	// and adds or rotates it. A set that is switched off stays so.
	PutCredential(ctx context.Context, c PutCredential) (credential.Credential, error)
	// SaveCredential switches a set off and on; a member that is nil stays as it is. One that is off starts no payment, also
	// not with the company's set in place of a store's; what was paid with it is asked about, given back and settled with it.
	// fault.NotFound without the set.
	SaveCredential(ctx context.Context, c SaveCredential) (credential.Credential, error)
}

// Clients manages OAuth clients, as a part of the directory.
type Clients interface {
	// AddClient returns the client and its secret, which is shown this once.
	AddClient(ctx context.Context, c AddClient) (access.Client, string, error)
	// SaveClient changes a client; members that are nil stay as they are. One that is disabled gets no token, and the tokens
	// that it has end: at once here, elsewhere with the next Reload. fault.NotFound without the client.
	SaveClient(ctx context.Context, c SaveClient) (access.Client, error)
}

// AddCompany adds a tenant. An empty ID gets one.
type AddCompany struct {
	ID   company.ID
	Name string
}

// SaveCompany changes a company.
type SaveCompany struct {
	ID        company.ID
	Name      *string
	Suspended *bool
	// OnUnknown is what happens to outcomes that stay unknown; empty for the default of the kind of payment.
	OnUnknown *company.OnUnknown
}

// AddStore adds a store to a company.
type AddStore struct {
	Company company.ID
	ID      company.StoreID
	Name    string
}

// PutCredential adds or rotates a credential set.
type PutCredential struct {
	Company     company.ID
	Store       company.StoreID
	Type        string
	Environment company.Environment
	// Set is the JSON object that the payment type's credential schema describes.
	Set json.RawMessage
}

// SaveCredential changes a credential set.
type SaveCredential struct {
	ID       credential.ID
	Disabled *bool
}

// AddClient adds an OAuth client.
type AddClient struct {
	Company      company.ID
	Name         string
	Scopes       []access.Scope
	Environments []company.Environment
}

// SaveClient changes an OAuth client.
type SaveClient struct {
	ID       string
	Name     *string
	Disabled *bool
}
