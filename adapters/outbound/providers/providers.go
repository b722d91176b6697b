package providers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/ports/outbound"
)

// Options of New.
type Options struct {
	// Host runs the plugins; it is closed by whoever made it.
	Host *host.Host
	// Settings of plugins by name, as their settings schema describes them. Default: each plugin's own.
	Settings map[string]json.RawMessage
	// Limits by plugin name lower the times that the plugins declare. Default: as declared.
	Limits map[string]Limits
	// StoreDir is where installed binaries are kept, by digest.
	StoreDir string
	// Log for operators. Default: no log.
	Log *slog.Logger
}

// Providers implements outbound.Providers and outbound.Runtime. It is safe for concurrent use.
type Providers struct {
	host     *host.Host
	settings map[string]json.RawMessage
	limits   map[string]Limits
	storeDir string
	log      *slog.Logger

	known atomic.Pointer[known]

	mu sync.Mutex
	// reserved are plugins whose release is being activated, with what it would bring.
	reserved map[string]*description
	// byDigest are the descriptions of all releases that were activated in this process: one that drains
	// still needs its own.
	byDigest sync.Map
	// described is what the last described binary said, for Keep, which comes next.
	described atomic.Pointer[inspected]
	// turns keeps activations of one plugin apart.
	turns map[string]*sync.Mutex
}

// inspected is a binary and what it says about itself.
type inspected struct {
	digest string
	info   host.Info
}

var (
	_ outbound.Providers = (*Providers)(nil)
	_ outbound.Runtime   = (*Providers)(nil)
)

// known is what the installed providers say, at one moment; never changed.
type known struct {
	plugins map[string]*description
	types   map[string]*paymentType
	list    []catalogue.Type
}

// New makes the adapter; it starts nothing.
func New(o Options) (*Providers, error) {
	if o.Host == nil {
		return nil, errors.New("the plugin host is not set")
	}
	if o.StoreDir == "" {
		return nil, errors.New("the folder of installed plugins is not set")
	}
	for plugin, l := range o.Limits {
		if err := l.check(plugin); err != nil {
			return nil, err
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Providers{
		host: o.Host, settings: maps.Clone(o.Settings), limits: maps.Clone(o.Limits), storeDir: o.StoreDir, log: o.Log,
		reserved: map[string]*description{}, turns: map[string]*sync.Mutex{},
	}
	p.known.Store(newKnown(map[string]*description{}))
	return p, nil
}

func newKnown(plugins map[string]*description) *known {
	k := &known{plugins: plugins, types: map[string]*paymentType{}}
	for _, d := range plugins {
		for name, t := range d.types {
			k.types[name] = t
			k.list = append(k.list, t.Type)
		}
	}
	slices.SortFunc(k.list, func(a, b catalogue.Type) int { return cmp.Compare(a.Name, b.Name) })
	return k
}

// Types returns what the installed providers say about themselves, sorted by name.
func (p *Providers) Types() []catalogue.Type { return slices.Clone(p.known.Load().list) }

// Read checks a native request against what is known of the payment type; no process is needed.
func (p *Providers) Read(typeName string, kind catalogue.Kind, native []byte) (outbound.Form, error) {
	t, ok := p.known.Load().types[typeName]
	if !ok {
		return outbound.Form{}, unknownType(typeName)
	}
	return t.form(kind, native)
}

// Credential checks a stored credential set against the schema of a payment type.
func (p *Providers) Credential(typeName string, set []byte) (outbound.CredentialForm, error) {
	t, ok := p.known.Load().types[typeName]
	if !ok {
		return outbound.CredentialForm{}, unknownType(typeName)
	}
	read, err := t.credential.Read(set)
	if err != nil {
		return outbound.CredentialForm{}, err //nolint:wrapcheck // a fault already
	}
	return outbound.CredentialForm{Provider: t.Provider, Account: read.Account, Wire: read.Wire, Set: read.Set}, nil
}

// Open holds the release that serves the payment type now.
func (p *Providers) Open(ctx context.Context, r outbound.Route) (outbound.Session, error) {
	t, ok := p.known.Load().types[r.Type]
	if !ok {
		return nil, unknownType(r.Type)
	}
	lease, err := p.host.Slot(t.Provider).Acquire(ctx)
	if err != nil {
		return nil, p.unavailable(ctx, t, err)
	}
	// The lease may be on a newer or an older release than the one looked at above; its own description counts.
	if held, ok := p.typeOf(lease, r.Type); ok {
		return &session{lease: lease, held: held, log: p.log}, nil
	}
	lease.Close()
	return nil, p.unavailable(ctx, t, errors.New("the release that serves does not have the payment type"))
}

func (p *Providers) typeOf(lease *host.Lease, name string) (*paymentType, bool) {
	stored, _ := p.byDigest.Load(lease.Release().SHA256)
	d, ok := stored.(*description)
	if !ok {
		return nil, false
	}
	t, ok := d.types[name]
	return t, ok
}

// retryAfter is what a client is asked to wait: a crashed plugin is back within two seconds.
const retryAfter = 2 * time.Second

func (p *Providers) unavailable(ctx context.Context, t *paymentType, cause error) error {
	p.log.LogAttrs(ctx, slog.LevelWarn, "provider cannot take a call",
		slog.String("provider", t.Provider), slog.String("payment_type", t.Name), slog.String("reason", cause.Error()))
	f := fault.Wrap(fault.Unavailable, "provider_unavailable",
		"the provider of "+t.Name+" cannot take a call now; nothing was sent, so the same request may be repeated in a few seconds", cause)
	f.RetryAfter = retryAfter
	return f
}

// shown is what of a client's type may be repeated to it.
var shown = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

func unknownType(name string) error {
	message := "無此付款方式"
	if shown.MatchString(name) {
		message += " " + name
	}
	return fault.New(fault.Invalid, "unknown_type", message)
}
