package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/webhook"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// NotifierOptions are what telling companies needs. Every port is required.
type NotifierOptions struct {
	Journal    outbound.Journal
	Ledger     outbound.Ledger
	Endpoints  outbound.Endpoints
	Deliveries outbound.Deliveries
	Poster     outbound.Webhooks
	Secrets    outbound.Secrets
	Clock      outbound.Clock
	IDs        outbound.IDs
	// Key makes a random secret of webhook.SecretBytes.
	Key func() ([]byte, error)
	// AtOnce bounds the messages that are on their way, 64 if zero; AtOnceEach those to one endpoint, 8 if zero, so that
	// one that hangs does not hold up the others.
	AtOnce     int
	AtOnceEach int
	// PassedOver is told of an entry of which nobody could be told, because it cannot be read: it is changed, or of a newer
	// program. The others are told all the same. nil for nobody.
	PassedOver func(ctx context.Context, e journal.Entry, err error)
	// Keep is how long ended deliveries are kept, 30 days if zero.
	Keep time.Duration
}

// Notifier tells companies of their payments. It stands beside the core and never in the way of a payment: it reads the
// journal after the fact.
type Notifier struct {
	NotifierOptions

	mu sync.Mutex
	// busy counts the messages on their way, by endpoint; ended are those whose outcome is not recorded yet.
	busy  map[webhook.EndpointID]int
	total int
	ended []webhook.Delivery
	// news says that ended has grown.
	news chan struct{}
	work sync.WaitGroup
	// sealed is the number of a seal that is known to be there.
	sealed int64
}

// NewNotifier makes one. It does nothing by itself.
func NewNotifier(o NotifierOptions) (*Notifier, error) {
	if o.Journal == nil || o.Ledger == nil || o.Endpoints == nil || o.Deliveries == nil || o.Poster == nil ||
		o.Secrets == nil || o.Clock == nil || o.IDs == nil || o.Key == nil {
		return nil, errors.New("app: the notifier needs every port")
	}
	if o.PassedOver == nil {
		o.PassedOver = func(context.Context, journal.Entry, error) {}
	}
	if o.AtOnce <= 0 {
		o.AtOnce = 64
	}
	if o.AtOnceEach <= 0 {
		o.AtOnceEach = 8
	}
	if o.Keep <= 0 {
		o.Keep = 30 * 24 * time.Hour
	}
	return &Notifier{NotifierOptions: o, busy: map[webhook.EndpointID]int{}, news: make(chan struct{}, 1)}, nil
}

// Webhooks manages endpoints.
func (n *Notifier) Webhooks() inbound.Webhooks { return webhooks{n} }

// Deliveries looks at what was sent, and sends.
func (n *Notifier) Deliveries() inbound.Deliveries { return deliveries{n} }
