package provider

import (
	"encoding/json"
	"time"
)

// Native is the provider's answer as the client shall see it.
type Native struct {
	// Body is a complete JSON object of at most 64 KiB.
	Body json.RawMessage
	// Sensitive is true if the body holds personal data.
	Sensitive bool
}

// Result is a parsed answer of the provider.
type Result struct {
	// Reference as the provider answered it; leave members empty that it did not answer.
	Reference Reference
	// Authorized, Captured and Refunded are the amounts that the provider named, or nil.
	Authorized *Money
	Captured   *Money
	Refunded   *Money
	// Code is the provider's return code.
	Code string
	// DeclineCode is a stable word for a decline, such as insufficient_funds.
	DeclineCode string
	// Action is what the payer must do, with RequiresAction.
	Action *Action
	// Mandate is a stored approval that came with the answer.
	Mandate *Mandate
	// ProviderTime is the provider's time of the operation.
	ProviderTime time.Time
	// AuthorizationExpires is when an uncaptured authorization lapses.
	AuthorizationExpires time.Time
}

// Action is what the payer must do to go on.
type Action struct {
	WebURL  string
	AppURL  string
	Expires time.Time
	Token   Secret
}

// Mandate is a stored approval.
type Mandate struct {
	Token   Secret
	Label   string
	State   MandateState
	Expires time.Time
}

// Failure says that there is no parsed answer, and what is known all the same.
type Failure struct {
	Effect     Effect
	Reason     Reason
	Code       string
	Detail     string
	RetryAfter time.Duration
}

// Answer is the outcome of a money-moving call. Make one with Approved, Declined, RequiresAction,
// Undecided, NotSent or Unknown: each of them says how much is known. The zero Answer is unknown.
type Answer struct {
	outcome Outcome
	result  *Result
	failure *Failure
	native  Native
}

// Approved says that the provider did what was asked, and the answer was read in full.
func Approved(r Result, n Native) Answer {
	return Answer{outcome: OutcomeApproved, result: &r, native: n}
}

// Declined is a definite no of the provider. No money moved and none will.
func Declined(r Result, n Native) Answer {
	return Answer{outcome: OutcomeDeclined, result: &r, native: n}
}

// RequiresAction says that the payer must act, no money moved yet.
func RequiresAction(r Result, n Native) Answer {
	return Answer{outcome: OutcomeRequiresAction, result: &r, native: n}
}

// Undecided says that the provider answered, and the answer does not settle it (an internal error, a duplicate
// order, a code that nobody documented). The platform searches.
func Undecided(r Result, n Native) Answer {
	return Answer{outcome: OutcomeUnknown, result: &r, native: n}
}

// NotSent says that no byte of the request left, or the provider proved that it did not take it. This is the
// only failure after which the platform may send again.
func NotSent(reason Reason, code, detail string) Answer {
	return Answer{failure: &Failure{Effect: EffectNone, Reason: reason, Code: code, Detail: detail}}
}

// Unknown says that bytes left and nobody knows. When in doubt, this is the right answer.
func Unknown(reason Reason, code, detail string) Answer {
	return Answer{failure: &Failure{Effect: EffectPossible, Reason: reason, Code: code, Detail: detail}}
}

// Outcome of the answer; OutcomeUnknown for every failure.
func (a Answer) Outcome() Outcome { return a.outcome }

// Result is the parsed answer, or nil.
func (a Answer) Result() *Result { return a.result }

// Failure is what is known without a parsed answer, or nil.
func (a Answer) Failure() *Failure { return a.failure }

// Native is the answer in the provider's own shape.
func (a Answer) Native() Native { return a.native }

// WithNative returns the answer with a native body, for a failure that has one.
func (a Answer) WithNative(n Native) Answer { a.native = n; return a }

// WithRetryAfter returns a failure that carries the provider's wish when to come back; other answers and
// a wish of 0 leave the answer as it is.
func (a Answer) WithRetryAfter(d time.Duration) Answer {
	if a.failure == nil || d <= 0 {
		return a
	}
	f := *a.failure
	f.RetryAfter = d
	a.failure = &f
	return a
}

// Findings is what a search found.
type Findings struct {
	Finding Finding
	// Complete is true if the payment would have been shown, had it landed before the search lag.
	Complete   bool
	Reference  Reference
	Authorized *Money
	Captured   *Money
	// Refunded is the sum given back, positive.
	Refunded  *Money
	Movements []Movement
	Mandate   *Mandate
}

// Movement is one capture, void or refund in the provider's records.
type Movement struct {
	Kind            Kind
	ID              string
	ClientReference string
	Amount          Money
	At              time.Time
}

// SearchAnswer is what a search brought: Findings or Failure, and the native record.
type SearchAnswer struct {
	Findings *Findings
	Failure  *Failure
	Native   Native
}

// MandateAnswer is the state of a stored approval: Mandate or Failure.
type MandateAnswer struct {
	Mandate *Mandate
	Failure *Failure
	Native  Native
}

// NotificationAnswer says which payments a notification may be about. It is a hint, never an outcome.
type NotificationAnswer struct {
	About  []Reference
	Status int
	Reply  Native
}
