package provider

// Kind names an operation of a payment type.
type Kind string

// The operations of the contract.
const (
	KindPay           Kind = "pay"
	KindConfirm       Kind = "confirm"
	KindCapture       Kind = "capture"
	KindVoid          Kind = "void"
	KindRefund        Kind = "refund"
	KindSearch        Kind = "search"
	KindCheckMandate  Kind = "check_mandate"
	KindExpireMandate Kind = "expire_mandate"
)

// Outcome of a money-moving call. The zero value is unknown, so that a forgotten outcome can never
// read as paid or as declined.
type Outcome uint8

// The outcomes of the contract.
const (
	OutcomeUnknown Outcome = iota
	OutcomeApproved
	OutcomeDeclined
	OutcomeRequiresAction
)

// Effect says whether money may have moved. The zero value is "possible".
type Effect uint8

// The effects of the contract.
const (
	EffectPossible Effect = iota
	EffectNone
)

// Reason sorts an error for people, metrics and breakers. The state machine does not read it.
type Reason string

// The reasons of the contract.
const (
	ReasonUnspecified Reason = ""
	ReasonInvalid     Reason = "invalid"
	ReasonAuth        Reason = "auth"
	ReasonRateLimited Reason = "rate_limited"
	ReasonUnavailable Reason = "unavailable"
	ReasonTimeout     Reason = "timeout"
	ReasonBadAnswer   Reason = "bad_answer"
	ReasonUnsupported Reason = "unsupported"
	ReasonInternal    Reason = "internal"
)

// Finding is the state of a payment at the provider. The zero value concludes nothing.
type Finding uint8

// The findings of the contract.
const (
	FindingInProgress Finding = iota
	FindingFound
	FindingNotFound
	FindingAwaitingPayer
	FindingPayerApproved
	FindingEnded
)

// Purpose of a search.
type Purpose uint8

// The purposes of the contract. The zero value is the cautious one.
const (
	PurposeResolve Purpose = iota
	PurposeClient
)

// MandateState is the state of a stored approval.
type MandateState uint8

// The mandate states of the contract.
const (
	MandateUnspecified MandateState = iota
	MandateActive
	MandateDead
)

// Situation is a case that the platform answers by itself, in the provider's own shape.
type Situation uint8

// The situations of the contract.
const (
	SituationUnspecified Situation = iota
	SituationDuplicateOrder
	SituationInProgress
	SituationReversing
)
