package inbound

import (
	"context"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/webhook"
)

// Webhooks manages where companies hear of their payments. Secrets are shown once, when they are made.
type Webhooks interface {
	// Add makes an endpoint and returns its secret. It gets what happens from then on. fault.Invalid if the URL may not
	// be told anything (code webhook_url) or a type is unknown (unknown_event_type).
	Add(ctx context.Context, c AddWebhook) (webhook.Endpoint, string, error)
	// List returns endpoints, oldest first, of one company or of all with an empty one.
	List(ctx context.Context, co company.ID) ([]webhook.Endpoint, error)
	// Save changes an endpoint; members that are nil stay as they are.
	Save(ctx context.Context, c SaveWebhook) (webhook.Endpoint, error)
	// Rotate makes a new secret and returns it. For webhook.Overlap messages carry the signatures of both.
	Rotate(ctx context.Context, id webhook.EndpointID) (webhook.Endpoint, string, error)
	// Remove forgets an endpoint with what is queued for it.
	Remove(ctx context.Context, id webhook.EndpointID) error
	// Test sends a webhook.test event now and returns how the endpoint took it.
	Test(ctx context.Context, id webhook.EndpointID) (webhook.Outcome, error)
}

// AddWebhook adds an endpoint.
type AddWebhook struct {
	Company company.ID
	URL     string
	// Types of events, all if empty.
	Types []string
}

// SaveWebhook changes an endpoint.
type SaveWebhook struct {
	ID      webhook.EndpointID
	URL     *string
	Types   *[]string
	Enabled *bool
}

// Deliveries looks at what was sent to endpoints, and sends.
type Deliveries interface {
	// List returns a page, newest first.
	List(ctx context.Context, q DeliveriesQuery) (DeliveriesPage, error)
	// Replay queues deliveries again, and returns how many.
	Replay(ctx context.Context, c ReplayWebhook) (int, error)
	// Feed queues what the journal says since the last call, for every endpoint that wants it, and returns how many
	// deliveries. It is driven from outside, each second.
	Feed(ctx context.Context) (int, error)
	// DeliverDue sends what is due and returns how many attempts were made. It is driven from outside, each second, and
	// once more when its context has ended: then it records what was on its way.
	DeliverDue(ctx context.Context) (int, error)
	// Backlog says how far behind deliveries are.
	Backlog(ctx context.Context) (Backlog, error)
}

// DeliveriesQuery filters a list; zero members do not filter.
type DeliveriesQuery struct {
	Endpoint webhook.EndpointID
	Payment  payment.ID
	State    webhook.State
	Cursor   string
	// Limit 1 to 200, 50 if zero.
	Limit int
}

// DeliveriesPage is one page.
type DeliveriesPage struct {
	Deliveries []webhook.Delivery
	Next       string
}

// ReplayWebhook says which deliveries of an endpoint are queued again: one, those of one payment, or all that were given
// up, since a time if it is not zero.
type ReplayWebhook struct {
	Endpoint webhook.EndpointID
	Delivery webhook.ID
	Payment  payment.ID
	Since    time.Time
}

// Backlog is what has not been delivered yet.
type Backlog struct {
	Pending int64
	GivenUp int64
	// Oldest is when the oldest event happened that is still to be delivered; zero if there is none.
	Oldest time.Time
	// Sealed is when the journal was sealed last; zero for never.
	Sealed time.Time
}
