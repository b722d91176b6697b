// Package access says who may ask for what: clients, scopes, and the principal that a token names.
package access

import (
	"slices"
	"strings"
	"time"

	"github.com/payrack/payrack/core/company"
)

// Scope is a permission.
type Scope string

// The scopes. Admin opens the admin plane and nothing else.
const (
	Pay    Scope = "pay"
	Search Scope = "search"
	Refund Scope = "refund"
	Admin  Scope = "admin"
)

// Known reports whether the platform has this scope.
func (s Scope) Known() bool { return slices.Contains([]Scope{Pay, Search, Refund, Admin}, s) }

// Client is an OAuth 2.0 client of a company.
type Client struct {
	ID           string
	Company      company.ID
	Name         string
	SecretHash   string
	Scopes       []Scope
	Environments []company.Environment
	Disabled     bool
	CreatedAt    time.Time
}

// Grant is what a client asked for and may have.
type Grant struct {
	Scopes       []Scope
	Environments []company.Environment
}

// Principal is who a token names.
type Principal struct {
	Client       string
	Company      company.ID
	Scopes       []Scope
	Environments []company.Environment
	TokenID      string
	Expires      time.Time
}

// May reports whether the principal has the scope.
func (p Principal) May(s Scope) bool { return slices.Contains(p.Scopes, s) }

// In reports whether the principal may use the environment.
func (p Principal) In(e company.Environment) bool { return slices.Contains(p.Environments, e) }

// Narrow reads a requested scope list (RFC 6749 section 3.3). Empty text and "api" mean everything that
// the client has. ok is false if a word is not one of the client's scopes.
func (c Client) Narrow(requested string) (scopes []Scope, ok bool) {
	words := strings.Fields(requested)
	if len(words) == 0 {
		return slices.Clone(c.Scopes), true
	}
	for _, w := range words {
		switch {
		case w == "api":
			for _, s := range c.Scopes {
				scopes = addOnce(scopes, s)
			}
		case slices.Contains(c.Scopes, Scope(w)):
			scopes = addOnce(scopes, Scope(w))
		default:
			return nil, false
		}
	}
	return scopes, true
}

func addOnce(all []Scope, s Scope) []Scope {
	if slices.Contains(all, s) {
		return all
	}
	return append(all, s)
}
