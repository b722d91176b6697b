package outbound

import (
	"context"
	"time"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
)

// Providers leads to the plugins. Implementations pass outboundtest.Providers.
type Providers interface {
	// Open holds the release that serves a payment type now, until the session is closed. It fails with
	// fault.Invalid code unknown_type if no installed provider has the type, and fault.Unavailable code
	// provider_unavailable if none can take a call; nothing was sent in either case.
	Open(ctx context.Context, r Route) (Session, error)

	// Types returns what the installed providers say about themselves, sorted by name. It does not need
	// a running process.
	Types() []catalogue.Type

	// Read checks a native request as Session.Form does, against what is known of the type; it does not need a
	// running process.
	Read(typeName string, kind catalogue.Kind, native []byte) (Form, error)

	// Credential checks a stored credential set against the schema of a payment type and reads the members
	// that are pinned on payments. It fails with fault.Invalid and every wrong member in Fields.
	Credential(typeName string, set []byte) (CredentialForm, error)
}

// CredentialForm is a credential set, read.
type CredentialForm struct {
	Provider string
	Account  string
	Wire     string
	// Set is the set in canonical spelling; secret.
	Set []byte
}

// Route chooses a release.
type Route struct {
	Type    string
	Payment payment.ID
	Store   company.StoreID
	// Environment of a payment that is to begin, for what is watched by environment; empty for one that exists.
	Environment company.Environment
	// Existing is true for a payment that exists: it is served although new ones are switched off.
	Existing bool
	// Version opens the session on exactly this release, whatever the channel says; empty lets the channel choose. A
	// release that is not ready is fault.Unavailable code provider_unavailable.
	Version string
}

// Session is a held release. It must be closed.
type Session interface {
	// Type describes the payment type as the held release does, and which release it is.
	Type() catalogue.Type

	// Form checks a native request against the columns of an operation and takes the role-bound members
	// out of it. It fails with fault.Invalid and every wrong column in Fields. It calls nobody.
	Form(kind catalogue.Kind, native []byte) (Form, error)

	// Compose writes neutral values into the columns of an operation: the native request that a client would have
	// sent. It fails with fault.Invalid if a value has no column there, naming it in Fields.
	Compose(kind catalogue.Kind, v catalogue.Values) ([]byte, error)

	// Send performs a money-moving operation. It never fails: the answer says what is known. The context
	// must carry a deadline.
	Send(ctx context.Context, i Instruction) Answer

	// Ask searches. It never moves money. The context must carry a deadline.
	Ask(ctx context.Context, q Question) Findings

	// Mandate asks about a stored approval, or ends it. The context must carry a deadline.
	Mandate(ctx context.Context, q MandateQuestion) MandateAnswer

	// Close lets go of the release; safe to call twice.
	Close()
}

// MandateQuestion is about one stored approval.
type MandateQuestion struct {
	// End ends the approval instead of asking about it; AuthorizeCard also tries the card behind it.
	End           bool
	AuthorizeCard bool
	Environment   company.Environment
	Type          string
	Account       string
	Wire          string
	Credential    []byte
	CredentialRef string
	Token         string
}

// MandateAnswer is what is known about a stored approval.
type MandateAnswer struct {
	// Known is false if nothing was found out; Reason and Detail say why.
	Known   bool
	Dead    bool
	Label   string
	Expires time.Time
	Reason  string
	Detail  string
	Native  []byte
}

// Approval is a stored approval that came with an answer.
type Approval struct {
	Token   string
	Label   string
	Dead    bool
	Expires time.Time
}

// Form is a native request, read.
type Form struct {
	// Amount is zero if the operation has no amount column or none was given.
	Amount        money.Amount
	OrderNumber   string
	RequestID     string
	TransactionID string
	Description   string
	// Capture is nil if the column was absent.
	Capture *bool
	// Code and Mandate are how the payer pays; secret. MandateID is our name of a stored approval instead of its token.
	Code      string
	Mandate   string
	MandateID string
	// ReturnURL and CancelURL are where the client wants its payer back.
	ReturnURL string
	CancelURL string
	// Credential is the request's own credential set as JSON, nil without; secret.
	Credential []byte
	// Account and Wire of the request's own credential set.
	Account string
	Wire    string
	// Columns is the rest of the request as JSON; secret.
	Columns []byte
	// Meaning is canonical text of everything that makes two requests the same one.
	Meaning []byte
}

// Instruction is one money-moving call.
type Instruction struct {
	Kind      payment.Kind
	Payment   payment.Payment
	Operation payment.Operation
	// Credential is the opened credential set; CredentialRef is empty for the request's own.
	Credential    []byte
	CredentialRef string
	Form          Form
	// ReturnURL is where the wallet shall send the payer: ours. Empty for an operation without a redirect.
	ReturnURL string
	CancelURL string
	// NotAfter is when no byte may leave any more.
	NotAfter time.Time
}

// Answer is what a call brought.
type Answer struct {
	// Known says how much the answer settles.
	Known    payment.Known
	Evidence payment.Evidence
	// Reason sorts a failure for people and metrics.
	Reason string
	// Detail for the operator; no secret.
	Detail string
	// Native is the provider's answer as the client shall see it, nil if there is none.
	Native    []byte
	Sensitive bool
	// WebURL and AppURL are what the payer opens, with KnownAction.
	WebURL        string
	AppURL        string
	ActionExpires time.Time
	// Approval that came with the answer, nil for none.
	Approval *Approval
	// MandateDead says that the stored approval that was charged can never be charged again.
	MandateDead bool
}

// Question is one search.
type Question struct {
	// Resolve asks for the cheapest certain answer instead of the native record.
	Resolve       bool
	Environment   company.Environment
	Account       string
	Wire          string
	Credential    []byte
	CredentialRef string
	OrderID       string
	TransactionID string
	RequestID     string
	// About is the kind of operation in doubt, AboutReference our id of it, with Resolve.
	About          payment.Kind
	AboutReference string
	Form           Form
}

// Findings is what a search brought.
type Findings struct {
	Finding  payment.Finding
	Complete bool
	Evidence payment.Evidence
	// Failed says that nothing was found out; Reason and Detail say why, NotSent that nothing left.
	Failed  bool
	NotSent bool
	Reason  string
	Detail  string
	Native  []byte
}
