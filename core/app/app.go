package app

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/payrack/payrack/core/directory"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// DefaultSendMargin is what an intent may wait before its call begins.
const DefaultSendMargin = 10 * time.Second

// Options are what the core needs. Every port is required.
type Options struct {
	Ledger    outbound.Ledger
	Providers outbound.Providers
	Runtime   outbound.Runtime
	Releases  outbound.Releases
	Directory outbound.Directory
	Secrets   outbound.Secrets
	Signer    outbound.Signer
	Clock     outbound.Clock
	IDs       outbound.IDs
	// Boot names this life of the process; a later life fences what this one leaves open.
	Boot string
	// TokenLifetime of access tokens, one hour if zero.
	TokenLifetime time.Duration
	// SendMargin is added to an operation's longest duration to make its send deadline, DefaultSendMargin if zero.
	SendMargin time.Duration
}

// App is the core, wired. Its accessors give the inbound ports.
type App struct {
	Options
	index   atomic.Pointer[directory.Index]
	opened  sync.Map // credential ref → opened set
	running running
	flights flights
	// background counts work that outlives its request; Close waits for it.
	background sync.WaitGroup
	closing    chan struct{}
	closeOnce  sync.Once

	nobodyOnce sync.Once
	nobodyHash string
}

// New makes the core. It opens nothing; call Directory().Reload before serving.
func New(o Options) (*App, error) {
	if o.Ledger == nil || o.Providers == nil || o.Runtime == nil || o.Releases == nil || o.Directory == nil ||
		o.Secrets == nil || o.Signer == nil || o.Clock == nil || o.IDs == nil || o.Boot == "" {
		return nil, errors.New("app: every port and the boot id are required")
	}
	if o.TokenLifetime == 0 {
		o.TokenLifetime = time.Hour
	}
	if o.SendMargin == 0 {
		o.SendMargin = DefaultSendMargin
	}
	a := &App{Options: o, closing: make(chan struct{})}
	a.index.Store(directory.NewIndex(directory.Snapshot{}))
	return a, nil
}

// Payments moves money and looks it up.
func (a *App) Payments() inbound.Payments { return payments{a} }

// Records reads what the platform knows.
func (a *App) Records() inbound.Records { return records{a} }

// Access issues and checks tokens.
func (a *App) Access() inbound.Access { return gate{a} }

// Directory manages companies, stores, credentials and clients.
func (a *App) Directory() inbound.Directory { return registry{a} }

// Plugins installs and activates provider releases.
func (a *App) Plugins() inbound.Plugins { return plugins{a} }

// Catalogue says which payment types there are.
func (a *App) Catalogue() inbound.Catalogue { return types{a} }

// Recovery finishes what a stopped process left.
func (a *App) Recovery() inbound.Recovery { return recovery{a} }

// Close waits until work that outlives its request has ended. When the context ends first, that work is given
// up, left to the resolver, and the context's error returned.
func (a *App) Close(ctx context.Context) error {
	done := make(chan struct{})
	go func() { a.background.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		a.closeOnce.Do(func() { close(a.closing) })
		<-done
		return context.Cause(ctx)
	}
}
