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

// OnUnknown says what happens to a payment whose outcome is still unknown when the decision is due.
type OnUnknown string

// The policies. The empty one leaves it to the kind of payment: a payer who stands at a till is told "not paid" and the charge is
// reversed if it landed; one who pays in a web shop waits.
const (
	OnUnknownDefault OnUnknown = ""
	// Reverse promises "not paid" and gives back what landed.
	Reverse OnUnknown = "reverse"
	// Hold keeps asking.
	Hold OnUnknown = "hold"
	// ToReview leaves it to people.
	ToReview OnUnknown = "review"
)

// Valid reports whether the word is one of them.
func (p OnUnknown) Valid() bool {
	return p == OnUnknownDefault || p == Reverse || p == Hold || p == ToReview
}

// Company is a tenant.
type Company struct {
	ID        ID
	Name      string
	Suspended bool
	OnUnknown OnUnknown
	CreatedAt time.Time
}

// Store is where a company sells.
type Store struct {
	Company   ID
	ID        StoreID
	Name      string
	CreatedAt time.Time
}
