package app

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/payrack/payrack/core/directory"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// DefaultSendMargin is what an intent may wait before its call begins.
const DefaultSendMargin = 10 * time.Second

// Options are what the core needs. Every port is required but Reports and Artifacts.
type Options struct {
	Ledger    outbound.Ledger
	Journal   outbound.Journal
	Mandates  outbound.Mandates
	SealKey   outbound.SealKey
	Providers outbound.Providers
	Runtime   outbound.Runtime
	Releases  outbound.Releases
	Replicas  outbound.Replicas
	Directory outbound.Directory
	Secrets   outbound.Secrets
	Signer    outbound.Signer
	Clock     outbound.Clock
	IDs       outbound.IDs
	// Reports judges the conformance reports of new releases; nil takes releases without one and looks at none.
	Reports outbound.Reports
	// Artifacts fetches the binaries of new releases and checks who signed them; nil takes paths of this machine only and
	// looks at no signature.
	Artifacts outbound.Artifacts
	// Gates are the limits of a release on trial; members that are zero have their defaults.
	Gates release.Gates
	// BakeFor is how long the release before a new one is kept warm, DefaultBakeFor if zero.
	BakeFor time.Duration
	// PrepareFor is how long the replicas have to get a release ready, DefaultPrepareFor if zero.
	PrepareFor time.Duration
	// Contradicted is told when the release on trial and the other one do not agree about a payment; may be nil.
	Contradicted func(payment.ID, string)
	// Boot names this life of the process; a later life fences what this one leaves open.
	Boot string
	// TokenLifetime of access tokens, one hour if zero.
	TokenLifetime time.Duration
	// SendMargin is added to an operation's longest duration to make its send deadline, DefaultSendMargin if zero.
	SendMargin time.Duration
	// FinalMargin is added to the time after which "not found" is final, DefaultFinalMargin if zero.
	FinalMargin time.Duration
	// DecisionAfter is how long an outcome may stay unknown before the company's policy decides, DefaultDecisionAfter
	// if zero.
	DecisionAfter time.Duration
	// SearchesPerSecond bounds the resolver's searches of one provider account, over all replicas; 10 if zero.
	SearchesPerSecond int
	// CallbackURL is where a wallet sends the payer of a payment back to us; nil where no payer can come back.
	CallbackURL func(payment.ID) string
	// Sealed is told of every seal that was added, so that it is kept outside the database too; may be nil.
	Sealed func(journal.Seal)
}

// Defaults of the channels.
const (
	DefaultBakeFor    = 15 * time.Minute
	DefaultPrepareFor = time.Minute
)

// Defaults of the resolver.
const (
	DefaultFinalMargin   = 30 * time.Second
	DefaultDecisionAfter = 90 * time.Second
	defaultSearches      = 10
)

// App is the core, wired. Its accessors give the inbound ports.
type App struct {
	Options
	index    atomic.Pointer[directory.Index]
	opened   sync.Map // credential ref → opened set
	running  running
	flights  flights
	watching watching
	fleet    lines
	// checks bounds the questions by which a release on trial is watched.
	checks checks
	// sealed is the newest seal that this process knows.
	sealed atomic.Pointer[journal.Seal]
	// background counts work that outlives its request; Close waits for it.
	background sync.WaitGroup
	closing    chan struct{}
	closeOnce  sync.Once
	// ending is closed when Close begins: what nobody would miss stops then.
	ending  chan struct{}
	endOnce sync.Once

	nobodyOnce sync.Once
	nobodyHash string
}

// New makes the core. It opens nothing; call Directory().Reload before serving.
func New(o Options) (*App, error) {
	if o.Journal == nil || o.Mandates == nil || o.SealKey == nil {
		return nil, errors.New("app: the journal, its key and the mandates are required")
	}
	if o.Ledger == nil || o.Providers == nil || o.Runtime == nil || o.Releases == nil || o.Replicas == nil || o.Directory == nil ||
		o.Secrets == nil || o.Signer == nil || o.Clock == nil || o.IDs == nil || o.Boot == "" {
		return nil, errors.New("app: every port and the boot id are required")
	}
	if o.TokenLifetime == 0 {
		o.TokenLifetime = time.Hour
	}
	if o.SendMargin == 0 {
		o.SendMargin = DefaultSendMargin
	}
	if o.FinalMargin == 0 {
		o.FinalMargin = DefaultFinalMargin
	}
	if o.DecisionAfter == 0 {
		o.DecisionAfter = DefaultDecisionAfter
	}
	if o.SearchesPerSecond == 0 {
		o.SearchesPerSecond = defaultSearches
	}
	if o.BakeFor == 0 {
		o.BakeFor = DefaultBakeFor
	}
	if o.PrepareFor == 0 {
		o.PrepareFor = DefaultPrepareFor
	}
	o.Gates = o.Gates.WithDefaults()
	a := &App{Options: o, closing: make(chan struct{}), ending: make(chan struct{})}
	a.fleet.wake = make(chan struct{}, 1)
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

// Releases keeps the installed binaries of providers.
func (a *App) Releases() inbound.Releases { return releases{a} }

// Channels says which release of a provider serves.
func (a *App) Channels() inbound.Channels { return channels{a} }

// Fleet brings this process to what the channels say.
func (a *App) Fleet() inbound.Fleet { return fleet{a} }

// Catalogue says which payment types there are.
func (a *App) Catalogue() inbound.Catalogue { return types{a} }

// Recovery finishes what a stopped process left.
func (a *App) Recovery() inbound.Recovery { return recovery{a} }

// Mandates looks after stored approvals.
func (a *App) Mandates() inbound.Mandates { return mandates{a} }

// Notices takes what comes from outside about a payment.
func (a *App) Notices() inbound.Notices { return notices{a} }

// Close waits until work that outlives its request has ended. When the context ends first, that work is given
// up, left to the resolver, and the context's error returned.
func (a *App) Close(ctx context.Context) error {
	a.endOnce.Do(func() { close(a.ending) })
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
