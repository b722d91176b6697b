// Package catalogue holds what installed providers say about themselves. No provider is named anywhere in
// the platform: payment types, columns, routes and native answers all come from here.
package catalogue

import (
	"time"

	"github.com/payrack/payrack/core/money"
)

// Kind names an operation.
type Kind string

// The operations.
const (
	Pay     Kind = "pay"
	Confirm Kind = "confirm"
	Capture Kind = "capture"
	Void    Kind = "void"
	Refund  Kind = "refund"
	Search  Kind = "search"
)

// Type is a payment type, the value of the `type` column.
type Type struct {
	Name     string
	Provider string
	// Version of the release that described it.
	Version string
	// MessageFrom is the label of failures that the provider answered.
	MessageFrom string
	// Credential is the JSON Schema of a stored credential set.
	Credential []byte
	// ChecksMandates and EndsMandates say whether a stored approval can be asked about, and ended.
	ChecksMandates bool
	EndsMandates   bool
	// AccountMember and WireMember are the members of a credential set with those roles, or "".
	AccountMember string
	WireMember    string
	// WireDefault is used where a set does not name the wire option.
	WireDefault string
	Currencies  []Currency
	Operations  []Operation
}

// Currency is a currency of a payment type.
type Currency struct {
	Code     string
	Exponent int
}

// Operation is one operation of a payment type, with the provider's promises.
type Operation struct {
	Kind    Kind
	Columns []byte
	Answer  []byte
	Aliases []Route
	// MovesMoney is true if a success takes, holds, gives back or releases money.
	MovesMoney bool
	// Attended is true if the columns take a one-time code: the payer stands at a till and waits.
	Attended bool
	// Redirects is true if the columns take a URL to which the payer comes back.
	Redirects        bool
	OrderIDUnique    bool
	IdempotentReplay bool
	FoundByOrderID   bool
	CancelsUnlanded  bool
	CarriesReference bool
	SearchLagMax     time.Duration
	LandingMax       time.Duration
	MaxDuration      time.Duration
	// Bodies are answers in the provider's own shape for what the platform decides.
	Bodies map[Situation][]byte
}

// Situation is a case that the platform answers without calling the provider.
type Situation string

// The situations.
const (
	DuplicateOrder Situation = "duplicate_order"
	InProgress     Situation = "in_progress"
	Reversing      Situation = "reversing"
)

// Route is a public alias route of an operation.
type Route struct {
	Method string
	Path   string
}

// Alias says which operation an alias route leads to.
type Alias struct {
	Type string
	Kind Kind
}

// Find returns the operation of the kind.
func (t Type) Find(k Kind) (Operation, bool) {
	for _, o := range t.Operations {
		if o.Kind == k {
			return o, true
		}
	}
	return Operation{}, false
}

// Values are what a provider-neutral request asks for. They are written into the columns of an operation by
// their roles; a member that the columns have no role for must be zero, but for ids, which are left out then.
type Values struct {
	Amount      money.Amount
	OrderNumber string
	// Transaction is the provider's id of the charge, for a follow-up.
	Transaction string
	// RequestID is used where the columns demand one.
	RequestID   string
	Capture     *bool
	Code        string
	Mandate     string
	ReturnURL   string
	CancelURL   string
	Description string
	// Credential is the request's own credential set, a JSON object, or nil.
	Credential []byte
	// Columns is a JSON object with the provider's own columns beside the values, or nil.
	Columns []byte
}
