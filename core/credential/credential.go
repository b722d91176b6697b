// Package credential holds the provider accounts of companies and stores.
package credential

import (
	"strconv"
	"time"

	"github.com/payrack/payrack/core/company"
)

// ID names a credential.
type ID string

// Credential is one stored set for one payment type. Its secret part is sealed outside the domain.
type Credential struct {
	ID      ID
	Company company.ID
	// Store is OwnStore for the company's own set.
	Store company.StoreID
	// Type is the payment type, Provider the plugin that serves it.
	Type     string
	Provider string
	// Environment that the set belongs to.
	Environment company.Environment
	// Account is the provider's name for us, pinned on each payment.
	Account string
	// Wire is the option pinned on each payment, such as the provider's API version.
	Wire string
	// Revision grows with each rotation of the secret.
	Revision  int64
	Disabled  bool
	CreatedAt time.Time
	UpdatedAt time.Time
	// Sealed is the encrypted JSON object.
	Sealed []byte
}

// Ref is id/revision: a stable name of exactly this secret, used as a cache key by plugins.
func (c Credential) Ref() string { return string(c.ID) + "/" + strconv.FormatInt(c.Revision, 10) }

// Field is the associated data of a sealed credential: a ciphertext moved to another row does not open.
func (c Credential) Field() Field {
	return Field{Company: c.Company, Provider: c.Provider, Name: "credential/" + string(c.ID)}
}

// Field names where a sealed value belongs.
type Field struct {
	Company  company.ID
	Provider string
	Name     string
}
