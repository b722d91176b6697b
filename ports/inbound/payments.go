package inbound

import (
	"context"
	"time"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/payment"
)

// Payments moves money and looks it up at providers.
type Payments interface {
	// Pay starts a payment, or answers for the one that the same keys started before.
	Pay(ctx context.Context, c Native) (Reply, error)

	// Search asks the provider what it knows and passes its record through.
	Search(ctx context.Context, c Native) (Reply, error)
}

// Native is a request in a provider's own columns.
type Native struct {
	Principal access.Principal
	// Type is the payment type.
	Type string
	// Request is the native request, a JSON object that was read strictly (no duplicate members, valid
	// UTF-8, bounded).
	Request []byte
	// Store is nil if the request had no store_id member. "" and "0" are the company's own set.
	Store *string
	// Environment chosen by is_test.
	Environment company.Environment
	// IdempotencyKey of the header, empty without.
	IdempotencyKey string
	// TraceID of the request, for the record.
	TraceID string
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

// Recovery finishes what a stopped process left. Its schedule is driven from outside.
type Recovery interface {
	// FenceDead takes over the operations of process lives that have ended and records them as unknown.
	// It returns how many.
	FenceDead(ctx context.Context) (int, error)
}
