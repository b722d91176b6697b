package provider

import (
	"encoding/json"
	"time"
)

// ContractRevision is the revision of payrack.provider.v1 that this SDK speaks.
const ContractRevision = 1

// Version of the release, stamped by the linker:
//
//	-ldflags "-X github.com/payrack/payrack/plugins/sdk/provider.Version=1.2.3"
var Version = "0.0.0-dev"

// Description is what a provider says about itself. It must not depend on settings.
type Description struct {
	// MessageFrom is the label that clients see on a failure that the provider answered ("IPASS").
	MessageFrom string
	// Settings is the JSON Schema of the plugin-wide settings. Empty means none.
	Settings json.RawMessage
	// MaxInflight is the largest number of calls at once; 0 leaves it to the host.
	MaxInflight int
	// Types are the payment types, at least one.
	Types []Type
}

// Type is one value of the `type` column of the public API.
type Type struct {
	// Name as clients send it: [A-Z0-9_]{1,64}.
	Name string
	// Credential is the JSON Schema of a stored credential set, see the package documentation for its
	// annotations.
	Credential json.RawMessage
	// Currencies that this type takes.
	Currencies []Currency
	// Operations that this type supports.
	Operations []Operation
}

// Currency is a currency with the provider's charge unit.
type Currency struct {
	// Code is the ISO 4217 code.
	Code string
	// Exponent is the number of decimals of the charge unit. TWD is charged in whole dollars: 0.
	Exponent int
}

// Operation describes one operation of one payment type.
type Operation struct {
	// Kind of the operation.
	Kind Kind
	// Columns is the annotated JSON Schema of the client's native request.
	Columns json.RawMessage
	// Answer is the JSON Schema of the native answer, for the published documents only.
	Answer json.RawMessage
	// Aliases are extra public routes, under /v1/payment/{plugin}/ only.
	Aliases []Route
	// MovesMoney is true if a success takes, holds, gives back or releases money.
	MovesMoney bool
	// OrderIDUnique: the provider refuses a second charge with the same order id.
	OrderIDUnique bool
	// IdempotentReplay: the same order id and content returns the first result.
	IdempotentReplay bool
	// FoundByOrderID: Search finds the operation by our order id alone.
	FoundByOrderID bool
	// CancelsUnlanded: a void by order id also blocks a charge that has not landed.
	CancelsUnlanded bool
	// CarriesReference: the provider records our client reference of this operation.
	CarriesReference bool
	// SearchLagMax is how late a landed operation may be missing in Search.
	SearchLagMax time.Duration
	// LandingMax is how late an accepted call may still move money.
	LandingMax time.Duration
	// MaxDuration is the longest time one call takes, connecting included.
	MaxDuration time.Duration
	// Bodies are answers in the provider's own shape for what the platform decides by itself.
	Bodies map[Situation]json.RawMessage
}

// Route is a public HTTP route.
type Route struct {
	// Method in capitals.
	Method string
	// Path, absolute.
	Path string
}

// NativeBodies are the Bodies of an operation: for an order that was paid before, one that is being paid or unknown,
// and one that is being given back. Each is a JSON object in the provider's own shape.
func NativeBodies(duplicate, inProgress, reversing string) map[Situation]json.RawMessage {
	return map[Situation]json.RawMessage{
		SituationDuplicateOrder: json.RawMessage(duplicate),
		SituationInProgress:     json.RawMessage(inProgress),
		SituationReversing:      json.RawMessage(reversing),
	}
}
