// Package company holds the tenant and its stores (門市).
package company

import "time"

// ID names a company.
type ID string

// StoreID is the code that a company gave its store; unique inside the company.
type StoreID string

// OwnStore stands for the company itself: what the seeds write as "0" or "".
const OwnStore StoreID = ""

// Environment separates live money from test money. The two never share a key, a credential or a payment.
type Environment string

// The environments.
const (
	Live Environment = "live"
	Test Environment = "test"
)

// Valid reports whether the word is one of the two; words are checked where they come in.
func (e Environment) Valid() bool { return e == Live || e == Test }

// Company is a tenant.
type Company struct {
	ID        ID
	Name      string
	Suspended bool
	CreatedAt time.Time
}

// Store is where a company sells.
type Store struct {
	Company   ID
	ID        StoreID
	Name      string
	CreatedAt time.Time
}
