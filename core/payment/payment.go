package payment

import (
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/money"
)

// ID names a payment. It is a UUIDv7.
type ID string

// OperationID names an operation. It is a UUIDv7.
type OperationID string

// Kind of a money-moving operation.
type Kind string

// The kinds.
const (
	KindPay     Kind = "pay"
	KindConfirm Kind = "confirm"
	KindCapture Kind = "capture"
	KindVoid    Kind = "void"
	KindRefund  Kind = "refund"
)

// Payment is what a company sees: its state is a pure function of its operations and amounts.
type Payment struct {
	ID          ID
	Company     company.ID
	Environment company.Environment
	// Store is the company's store, OwnStore for none.
	Store company.StoreID
	// Type is the payment type, Provider the plugin that serves it, Account the provider's name for us,
	// Wire the option of the provider's dialect; all four are pinned for the life of the payment.
	Type     string
	Provider string
	Account  string
	Wire     string
	// OrderNumber is the company's; the provider's order id stands on the operation. Attempt counts the payments
	// that were sent for it, from 1: a later one has another order id at the provider.
	OrderNumber string
	Attempt     int
	// Amount asked for. Capture is false if it shall only be authorized.
	Amount  money.Amount
	Capture bool
	// Authorized ≥ Captured ≥ Refunded + RefundReserved ≥ 0, in charge units of Amount.Currency.
	Authorized     int64
	Captured       int64
	Refunded       int64
	RefundReserved int64
	State          State
	// Failure says why, with FAILED.
	Failure Failure
	// Code and DeclineCode are the provider's last word.
	Code        string
	DeclineCode string
	// ProviderTransaction is the provider's id of the charge.
	ProviderTransaction string
	AuthorizationEnds   time.Time
	// ReturnURL and CancelURL are where the client wants its payer back from the wallet.
	ReturnURL string
	CancelURL string
	// Mandate is the id of the stored approval that was charged, or that the payment brought.
	Mandate string
	// CredentialRef is id/revision of the stored credential, empty if the request brought its own.
	CredentialRef string
	// Release is name@version that the first call went to; for the record, it binds nothing.
	Release string
	// Version grows by one with each change, Chain is the head of the payment's journal.
	Version   int64
	Chain     journal.Hash
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Failure says why a payment failed.
type Failure string

// The failures. After NotSent the same request may be sent again as a new operation.
const (
	Declined   Failure = "declined"
	NotSent    Failure = "not_sent"
	NotCharged Failure = "not_charged"
)

// OperationState is the state of one operation.
type OperationState string

// The operation states. SENDING and UNKNOWN are open: at most one operation of a payment is.
const (
	OperationSending   OperationState = "SENDING"
	OperationUnknown   OperationState = "UNKNOWN"
	OperationSucceeded OperationState = "SUCCEEDED"
	OperationFailed    OperationState = "FAILED"
)

// Operation is one money-moving call to a provider, sent at most once in its life.
type Operation struct {
	ID      OperationID
	Payment ID
	Kind    Kind
	State   OperationState
	Failure Failure
	// Amount of this operation.
	Amount money.Amount
	// OrderID is the order number that the provider is told, fixed before anything is sent.
	OrderID string
	// RequestID is the client's own id of the request, where it has one.
	RequestID string
	// RetryOf is the first operation of the same request, if that one was never sent and this one takes its place.
	RetryOf OperationID
	// Reversal marks a void or refund that keeps a promise of "not paid".
	Reversal bool
	// ProviderTransaction is the provider's id of this operation.
	ProviderTransaction string
	// RefundIDsSeen are the provider's refund ids known before this refund.
	RefundIDsSeen []string
	// Epoch is the fencing number, OwnerBoot the process life that may send.
	Epoch     int64
	OwnerBoot string
	// SendDeadline is the last moment at which this operation may still be on its way.
	SendDeadline time.Time
	// NextCheckAt is when the resolver asks next; zero for never.
	NextCheckAt time.Time
	Checks      int
	// WatchedMS is the time that was really watched since the send deadline, see settled rule 23a.
	WatchedMS int64
	// Absences counts the searches that did not find the operation after everything that was sent must have landed,
	// AbsentMS is WatchedMS at the last of them.
	Absences int
	AbsentMS int64
	// Attempt counts the operations that try to give one charge back, from 1; 0 without Reversal.
	Attempt int
	// Code and DeclineCode are the provider's word on this operation.
	Code        string
	DeclineCode string
	// Release is name@version, TraceID the trace of the request.
	Release string
	TraceID string
	// SealedCredential is the request's own credential, erased when the payment is settled.
	SealedCredential []byte
	// SealedReply is the stored reply of a closed operation; of an open one the words of a provider that did not decide,
	// which become the reply if it turns out that nothing was charged.
	SealedReply []byte
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Open reports whether the operation may still move money.
func (o Operation) Open() bool { return o.State == OperationSending || o.State == OperationUnknown }

// Record is a payment with its current operation: the one that is open, else the last one.
type Record struct {
	Payment   Payment
	Operation Operation
}

// HoldEnds is when the provider lets go of what it holds; zero if it did not say, or holds nothing any more: what was captured
// or given back does not end. An authorization that expired keeps the time at which it did.
func (p Payment) HoldEnds() time.Time {
	switch p.State {
	case Voided, Reversed, Failed:
		return time.Time{}
	case Sending, RequiresAction, Authorized, Capturing, Voiding, Refunding, Succeeded, Unknown, Reversing,
		Refunded, PartiallyRefunded, Expired, Mismatch, Review:
	}
	if p.Captured > 0 {
		return time.Time{}
	}
	return p.AuthorizationEnds
}

// Stream is the name of the payment's journal.
func (p Payment) Stream() string { return "payment/" + string(p.ID) }
