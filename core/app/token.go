package app

import (
	"context"
	"time"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/directory"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/inbound"
)

// gate implements inbound.Access.
type gate struct{ *App }

// Token issues an access token for a client (RFC 6749 section 4.4).
func (a gate) Token(ctx context.Context, r inbound.TokenRequest) (inbound.Token, error) {
	x := a.index.Load()
	client, known := x.Client(r.ClientID)
	hash := client.SecretHash
	if !known {
		hash = a.nobody() // an unknown client costs as much as a wrong secret
	}
	if matches := a.Secrets.Matches(hash, r.ClientSecret); !matches || !known || client.Disabled {
		return inbound.Token{}, fault.New(fault.Unauthenticated, "invalid_client", "unknown client or wrong secret")
	}
	// Only who proved who it is hears that its company is suspended.
	if err := active(x, client.Company); err != nil {
		return inbound.Token{}, err
	}
	scopes, ok := client.Narrow(r.Scope)
	if !ok {
		return inbound.Token{}, fault.New(fault.Invalid, "invalid_scope", "the client does not have a scope that was asked for")
	}
	now := a.Clock.Now()
	token, err := a.Signer.Sign(ctx, access.Principal{
		Client: client.ID, Company: client.Company, Scopes: scopes, Environments: client.Environments,
		Expires: now.Add(a.TokenLifetime),
	}, now)
	if err != nil {
		return inbound.Token{}, err
	}
	return inbound.Token{AccessToken: token, ExpiresIn: a.TokenLifetime, Scopes: scopes}, nil
}

// Authenticate reads a bearer token.
func (a gate) Authenticate(ctx context.Context, token string) (access.Principal, error) {
	p, err := a.Signer.Verify(ctx, token)
	if err != nil {
		return access.Principal{}, err
	}
	if p.May(access.Admin) && p.Company == "" {
		return p, nil
	}
	x := a.index.Load()
	if c, ok := x.Client(p.Client); !ok || c.Disabled || c.Company != p.Company {
		return access.Principal{}, fault.New(fault.Unauthenticated, "invalid_token", "the token's client may not be used any more")
	}
	if err := active(x, p.Company); err != nil {
		return access.Principal{}, err
	}
	return p, nil
}

// active refuses a company that is suspended.
func active(x *directory.Index, id company.ID) error {
	if c, ok := x.Company(id); !ok || c.Suspended {
		return fault.New(fault.Forbidden, "company_suspended", "this company is suspended")
	}
	return nil
}

// Keys is the JSON Web Key Set.
func (a gate) Keys(ctx context.Context) ([]byte, error) { return a.Signer.Keys(ctx) }

// AdminToken makes a token for the admin plane. It belongs to no company and has no other scope.
func (a *App) AdminToken(ctx context.Context, name string, life time.Duration) (string, error) {
	now := a.Clock.Now()
	return a.Signer.Sign(ctx, access.Principal{
		Client: name, Scopes: []access.Scope{access.Admin},
		Environments: []company.Environment{company.Live, company.Test}, Expires: now.Add(life),
	}, now)
}

// nobody is the hash of a secret that nobody has.
func (a gate) nobody() string {
	a.nobodyOnce.Do(func() {
		if hash, err := a.Secrets.Hash(a.IDs.New()); err == nil {
			a.nobodyHash = hash
		}
	})
	return a.nobodyHash
}
