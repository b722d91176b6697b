// Package mandate holds stored approvals of payers: with one of them a company may charge again without asking.
package mandate

import (
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
)

// ID names a mandate. It is a UUIDv7.
type ID string

// State of a mandate.
type State string

// The states. A dead mandate never lives again.
const (
	Active State = "ACTIVE"
	Dead   State = "DEAD"
)

// Mandate is a stored approval. Whoever has its token can charge, so the token is kept sealed and never shown.
type Mandate struct {
	ID          ID
	Company     company.ID
	Environment company.Environment
	Store       company.StoreID
	// Type is the payment type of the payment that brought it; Provider, Account and Wire are pinned for its life.
	Type     string
	Provider string
	Account  string
	Wire     string
	// CredentialRef is id/revision of the credential it was made with, empty if the request brought its own.
	CredentialRef string
	// Sealed is the encrypted token, TokenHash its keyed hash, by which a token that a client sends is found.
	Sealed    []byte
	TokenHash [32]byte
	// Label is for people, such as a masked card number.
	Label string
	State State
	// Expires is when the provider ends it by itself, zero if it did not say.
	Expires time.Time
	// Payment that brought it.
	Payment string
	// Version grows by one with each change.
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Usable reports whether the mandate may be charged at a time.
func (m Mandate) Usable(at time.Time) bool {
	return m.State == Active && (m.Expires.IsZero() || at.Before(m.Expires))
}

// Field is where the token is sealed.
func (m Mandate) Field() credential.Field {
	return credential.Field{Company: m.Company, Provider: m.Provider, Name: "mandate/" + string(m.ID)}
}
