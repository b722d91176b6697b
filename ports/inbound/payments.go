package inbound

import (
	"context"
	"time"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/mandate"
	"github.com/payrack/payrack/core/payment"
)

// Payments moves money and looks it up at providers. Every command comes in a provider's own columns (Native.Request)
// or in neutral terms (Native.Neutral); both are the same use case.
type Payments interface {
	// Pay starts a payment, or answers for the one that the same keys started before.
	Pay(ctx context.Context, c Native) (Reply, error)

	// Confirm finishes a payment that the payer approved. One that is confirmed already answers with the stored reply.
	Confirm(ctx context.Context, c Native) (Reply, error)

	// Capture takes all or part of an authorized amount.
	Capture(ctx context.Context, c Native) (Reply, error)

	// Void gives up an authorization, or a charge that the provider can still cancel.
	Void(ctx context.Context, c Native) (Reply, error)

	// Refund gives back all or part of what was taken. At most one refund of a payment is open at a time.
	Refund(ctx context.Context, c Native) (Reply, error)

	// Cancel makes "not paid" the promise of a payment: one that is open or unknown is reversed whatever its
	// outcome, an authorized or paid one is voided.
	Cancel(ctx context.Context, c Native) (Reply, error)

	// Search asks the provider what it knows and passes its record through.
	Search(ctx context.Context, c Native) (Reply, error)
}

// Native is a request in a provider's own columns, or in neutral terms.
type Native struct {
	Principal access.Principal
	// Type is the payment type; empty for a neutral follow-up, which takes the payment's.
	Type string
	// Request is the native request, a JSON object that was read strictly (no duplicate members, valid
	// UTF-8, bounded). Nil with Neutral.
	Request []byte
	// Neutral is the request in neutral terms, nil with Request.
	Neutral *Neutral
	// Store is nil if the request had no store_id member. "" and "0" are the company's own set.
	Store *string
	// Environment chosen by is_test.
	Environment company.Environment
	// IdempotencyKey of the header, empty without.
	IdempotencyKey string
	// Wait is how long the client wants to wait for an outcome (the header Prefer); nil for as long as it takes. The
	// work goes on when the wait is over.
	Wait *time.Duration
	// TraceID of the request, for the record.
	TraceID string
	// Render makes the body of a final reply from the record that is being committed; it is stored with the result and
	// replayed byte for byte. Nil: the body is the provider's own. It must be pure.
	Render func(Rendering) []byte
}

// Neutral is a request in neutral terms.
type Neutral struct {
	// Payment that a follow-up is about; empty for Pay.
	Payment payment.ID
	// Mandate that Pay charges, empty for none.
	Mandate mandate.ID
	// Reason of a refund or a cancellation, for the record.
	Reason string
	// Values go into the columns of the operation. A zero Amount of a capture or refund is all that is left.
	Values catalogue.Values
}

// Rendering is what a body is made from.
type Rendering struct {
	Record payment.Record
	// WebURL and AppURL are what the payer opens, with REQUIRES_ACTION.
	WebURL        string
	AppURL        string
	ActionExpires time.Time
}

// ReplyClass says how a reply is to be read.
type ReplyClass uint8

// The classes.
const (
	// ReplyFinal: Body is the whole answer in the provider's shape: paid, declined, or found.
	ReplyFinal ReplyClass = iota
	// ReplyPending: the outcome is not known. Never to be told as paid or as not paid.
	ReplyPending
)

// Reply is what the client shall see.
type Reply struct {
	Class ReplyClass
	// Payment that the reply concerns, empty for a search without one.
	Payment payment.ID
	State   payment.State
	// Record as it stands, zero for a search without a payment of ours.
	Record payment.Record
	// Body is the answer in the provider's shape; with ReplyPending the provider's own members, or nil.
	Body []byte
	// MessageFrom is the provider's label, for a pending reply with members of the provider.
	MessageFrom string
	// Replayed is true if the reply was stored before.
	Replayed bool
	// RetryAfter is when to ask again, with ReplyPending.
	RetryAfter time.Duration
}

// Records reads what the platform knows.
type Records interface {
	// Get returns a company's payment, fault.NotFound for anyone else's.
	Get(ctx context.Context, p access.Principal, id payment.ID) (payment.Record, error)
	// List returns a page of a company's payments, newest first.
	List(ctx context.Context, p access.Principal, q RecordsQuery) (RecordsPage, error)
	// Events returns what happened to a company's payment, oldest first, starting after event number after.
	Events(ctx context.Context, p access.Principal, id payment.ID, after int64, limit int) ([]journal.Entry, error)
}

// Mandates looks after stored approvals.
type Mandates interface {
	// Get returns a company's mandate as it is known here; fault.NotFound for anyone else's.
	Get(ctx context.Context, p access.Principal, id mandate.ID) (mandate.Mandate, error)
	// Check asks the provider whether the mandate can still be charged, and keeps the answer. card also tries the card behind it.
	Check(ctx context.Context, p access.Principal, id mandate.ID, card bool) (mandate.Mandate, error)
	// Expire ends the mandate at the provider. One that is dead already is no error.
	Expire(ctx context.Context, p access.Principal, id mandate.ID) (mandate.Mandate, error)
}

// Notices takes what comes from outside about a payment. Nothing of it is believed: it leads to a question.
type Notices interface {
	// Return is the payer who comes back from a wallet. The provider is asked, an approved payment is confirmed
	// exactly once, and the answer says where to send the payer. fault.NotFound for no such payment.
	Return(ctx context.Context, id payment.ID) (ReturnTo, error)
}

// ReturnTo is where a payer is sent.
type ReturnTo struct {
	// URL of the client with the payment's ids appended; empty if the client gave none.
	URL     string
	Payment payment.ID
	State   payment.State
}

// RecordsQuery filters a list; zero members do not filter.
type RecordsQuery struct {
	OrderNumber string
	State       payment.State
	Store       *company.StoreID
	Type        string
	CreatedFrom time.Time
	CreatedTo   time.Time
	Cursor      string
	// Limit 1 to 200, 50 if zero.
	Limit int
}

// RecordsPage is one page.
type RecordsPage struct {
	Payments []payment.Payment
	Next     string
}

// Catalogue says which payment types there are.
type Catalogue interface {
	// Route returns what an alias route leads to.
	Route(method, path string) (catalogue.Alias, bool)
	// All returns every payment type, by name.
	All() []catalogue.Type
}

// Recovery finishes what stopped processes and unknown outcomes left. It is driven from outside, each second.
type Recovery interface {
	// FenceDead gives this process's sign of life, takes over the operations of process lives that have ended and
	// records them as unknown. It returns how many.
	FenceDead(ctx context.Context) (int, error)
	// ResolveDue claims what is due, asks the providers and does what follows: in the background, bounded. It returns how
	// many it claimed.
	ResolveDue(ctx context.Context) (int, error)
	// Seal signs what was written to the journal since the last seal. It returns the number of entries.
	Seal(ctx context.Context) (int, error)
	// Recheck asks the provider about one payment of any company now, as if it had been due, and returns how it stands
	// then. A payment whose client was told "not paid" is asked about, too, however long ago that was: money that is there
	// all the same is given back. fault.NotFound, fault.Conflict code credential_gone if the payment's own credentials are
	// not kept any more or order_used_again if the charge is that of a later payment under the same order id,
	// fault.Limited code busy, fault.Unavailable code provider_unavailable if the provider cannot say.
	Recheck(ctx context.Context, id payment.ID) (payment.Record, error)
	// Review ends a payment that is in review, by two people. fault.Forbidden if they are one.
	Review(ctx context.Context, c ReviewPayment) (payment.Record, error)
}

// ReviewPayment is the decision of two people.
type ReviewPayment struct {
	Payment  payment.ID
	To       payment.State
	Captured *int64
	Refunded *int64
	Actor    string
	Approver string
	Evidence string
}
