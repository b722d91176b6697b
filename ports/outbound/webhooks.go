package outbound

import (
	"context"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/webhook"
)

// Endpoints keeps where companies hear of their payments. Implementations pass outboundtest.Webhooks.
type Endpoints interface {
	// AddEndpoint keeps a new endpoint; fault.NotFound without the company.
	AddEndpoint(ctx context.Context, e webhook.Endpoint) error

	// Endpoints returns endpoints, oldest first, of one company or of all with an empty one.
	Endpoints(ctx context.Context, co company.ID) ([]webhook.Endpoint, error)

	// Endpoint returns one, fault.NotFound if there is none.
	Endpoint(ctx context.Context, id webhook.EndpointID) (webhook.Endpoint, error)

	// SaveEndpoint replaces all but ID, Company and CreatedAt over the version before; fault.Conflict code
	// endpoint_moved if that is not the stored one.
	SaveEndpoint(ctx context.Context, e webhook.Endpoint) error

	// RemoveEndpoint forgets an endpoint and its deliveries; fault.NotFound if there is none.
	RemoveEndpoint(ctx context.Context, id webhook.EndpointID) error
}

// Deliveries keeps what is on its way to endpoints. Implementations pass outboundtest.Webhooks.
type Deliveries interface {
	// Fed is the place of the journal up to which deliveries were queued; the zero place at first.
	Fed(ctx context.Context) (journal.Place, error)

	// Feed queues deliveries and moves the place, together or not at all. It returns false, and keeps nothing, if the
	// stored place is not f.From: another replica was faster. A delivery that is there already is left as it is, and one
	// of an endpoint that is not there any more is dropped.
	Feed(ctx context.Context, f Feed) (bool, error)

	// Claim takes what is due, of endpoints that are enabled. Of one payment and endpoint only the first that is
	// PENDING is ever due. Each claimed one gets the next epoch and is due again when the lease is over.
	Claim(ctx context.Context, q ClaimQuery) ([]webhook.Delivery, error)

	// Finish records the outcomes of claims. One whose stored epoch is another is left as it is.
	Finish(ctx context.Context, all []webhook.Delivery) error

	// Requeue makes ended deliveries PENDING, due at a time, with no attempts, and returns how many. A claim of the time
	// before is not recorded any more.
	Requeue(ctx context.Context, q DeliveryQuery, at time.Time) (int, error)

	// List returns a page, the newest event first.
	List(ctx context.Context, q DeliveryQuery) ([]webhook.Delivery, error)

	// Backlog counts what is pending of endpoints that are enabled, and what was given up.
	Backlog(ctx context.Context) (Backlog, error)
}

// Feed is what a part of the journal brings to endpoints.
type Feed struct {
	From, To   journal.Place
	Deliveries []webhook.Delivery
	// Forget says that deliveries which ended before may be forgotten, some at a time; zero for none.
	Forget time.Time
}

// ClaimQuery claims deliveries.
type ClaimQuery struct {
	// Now decides what is due.
	Now time.Time
	// Limit of claims of one call, PerEndpoint of one endpoint; both at least 1.
	Limit       int
	PerEndpoint int
	// Busy are endpoints that are left out.
	Busy []webhook.EndpointID
	// Lease of a claim: longer than an attempt can take.
	Lease time.Duration
}

// DeliveryQuery finds deliveries. Zero members do not filter.
type DeliveryQuery struct {
	Endpoint webhook.EndpointID
	ID       webhook.ID
	Payment  payment.ID
	State    webhook.State
	// Since leaves out events that happened before.
	Since time.Time
	// Before is the id of the last delivery of the page before.
	Before webhook.ID
	// Limit of the page, 1 to 200; not looked at by Requeue.
	Limit int
}

// Backlog is what has not been delivered.
type Backlog struct {
	Pending int64
	GivenUp int64
	// Oldest event among the pending; zero if there is none.
	Oldest time.Time
}

// Webhooks sends messages to companies' servers.
type Webhooks interface {
	// Allowed fails with fault.Invalid code webhook_url if nothing may be sent to the URL whatever its name resolves to.
	Allowed(url string) error

	// Post sends a message once and waits for the answer, for a bounded time. It never follows a redirect, and never
	// speaks to an address that is not public.
	Post(ctx context.Context, m webhook.Message) webhook.Outcome
}
