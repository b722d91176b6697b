package provider

import (
	"encoding/json"
	"errors"
	"time"
)

// Environments of a call.
const (
	EnvironmentLive = "live"
	EnvironmentTest = "test"
)

// Call is the head of every request about a payment.
type Call struct {
	// OperationID is the platform's id of the operation.
	OperationID string
	// PaymentType is the name of the payment type.
	PaymentType string
	// Environment is EnvironmentLive or EnvironmentTest.
	Environment string
	// NotAfter is the moment after which no byte of a money-moving request may leave. Client.Do keeps it.
	NotAfter time.Time
	// MustUnderstand names contract additions that change the meaning of the request. The SDK refuses
	// what it does not know before the provider is called.
	MustUnderstand []string
	// CredentialRef is id/revision of a stored credential and a safe cache key for derived keys. Empty:
	// the credential came with the request, cache nothing.
	CredentialRef string
	// Account is the provider account pinned on the payment.
	Account string
	// Wire is the option pinned on the payment, such as an API version. Empty: the plugin's default.
	Wire string
	// RequestID is the client's own id of the request, where the columns have one.
	RequestID string
	// Credential is the credential set of this one call. Decode it into a struct with Secret members.
	Credential Document
	// Columns is the native request without the members that travel in typed fields.
	Columns Document
}

// Document is a JSON object that may hold secrets: it never prints.
type Document struct{ reveal func() []byte }

// NewDocument keeps a JSON object out of logs.
func NewDocument(raw []byte) Document { return Document{reveal: func() []byte { return raw }} }

// Decode reads the document into v; an empty document leaves v as it is. The error holds nothing of the document.
func (d Document) Decode(v any) error {
	if d.reveal == nil || len(d.reveal()) == 0 {
		return nil
	}
	if err := json.Unmarshal(d.reveal(), v); err != nil {
		return errDocument // the original names numbers that it could not read
	}
	return nil
}

var errDocument = errors.New("a member of the request or of its credential set has another type than its schema says")

// Reveal returns the bytes. The name is long to read in a review.
func (d Document) Reveal() []byte {
	if d.reveal == nil {
		return nil
	}
	return d.reveal()
}

// Money is an amount in the charge unit of its currency: 229 TWD is {229, "TWD", 0}, 9.99 USD is
// {999, "USD", 2}.
type Money struct {
	Units    int64
	Currency string
	Exponent int
}

// Reference names a payment to the provider.
type Reference struct {
	// OrderID is the order number that the provider knows.
	OrderID string
	// TransactionID is the provider's own id, decimal or opaque text.
	TransactionID string
	// ClientReference is our name of this one operation.
	ClientReference string
}

// PayRequest starts a payment. Exactly one of Code, MandateToken and Redirect is set.
type PayRequest struct {
	Call         Call
	Reference    Reference
	Amount       Money
	Capture      bool
	Description  string
	Code         Secret
	MandateToken Secret
	Redirect     *Redirect
}

// Redirect sends the payer to the wallet and back.
type Redirect struct {
	ConfirmURL  string
	CancelURL   string
	WantMandate bool
}

// ConfirmRequest finishes a payment that the payer approved.
type ConfirmRequest struct {
	Call      Call
	Reference Reference
	Amount    Money
}

// CaptureRequest takes an authorized amount.
type CaptureRequest struct {
	Call      Call
	Reference Reference
	Amount    Money
}

// VoidRequest cancels an authorization.
type VoidRequest struct {
	Call      Call
	Reference Reference
}

// RefundRequest returns captured money.
type RefundRequest struct {
	Call          Call
	Reference     Reference
	Amount        Money
	RefundIDsSeen []string
	// Bare is true if the client's own request named the order and nothing else; Amount is then all that is left.
	Bare bool
}

// SearchRequest asks what the provider knows.
type SearchRequest struct {
	Call    Call
	Purpose Purpose
	// Reference by order id, transaction id or both.
	Reference Reference
	// About is the operation in doubt, with PurposeResolve.
	About          Kind
	AboutReference string
}

// CheckMandateRequest asks about a stored approval.
type CheckMandateRequest struct {
	Call          Call
	MandateToken  Secret
	AuthorizeCard bool
}

// ExpireMandateRequest ends a stored approval.
type ExpireMandateRequest struct {
	Call         Call
	MandateToken Secret
}

// Notification is what the provider pushed to us.
type Notification struct {
	Method  string
	URL     string
	Headers [][2]string
	Body    []byte
}
