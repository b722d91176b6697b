package providers

import (
	"cmp"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
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
	// Facts receives what happens to the processes, in order; it must not block for long. Default: nobody is told.
	Facts func(release.Fact)
	// NoBreaker names the plugins whose new payments are taken although the provider does not answer.
	NoBreaker map[string]bool
	// Log for operators. Default: no log.
	Log *slog.Logger
}

// Providers implements outbound.Providers, and outbound.Runtime by its method Runtime. It is safe for concurrent use.
type Providers struct {
	host      *host.Host
	settings  map[string]json.RawMessage
	limits    map[string]Limits
	noBreaker map[string]bool
	storeDir  string
	log       *slog.Logger

	known atomic.Pointer[known]
	// described is what the last described binary said, for Keep and Prepare, which come next.
	described atomic.Pointer[inspected]

	mu    sync.Mutex
	lanes map[string]*lane
	// claims are the descriptions of the releases that are prepared, or are being prepared, by provider and digest. No
	// two providers may bring the same payment type or route.
	claims map[string]map[string]*description
	// compiled are descriptions of releases that were looked at, by digest.
	compiled map[string]*description
}

// inspected is a binary and what it says about itself.
type inspected struct {
	digest string
	info   host.Info
}

var (
	_ outbound.Providers = (*Providers)(nil)
	_ outbound.Runtime   = runtime{}
)

// known is what the installed providers say, at one moment; never changed.
type known struct {
	plugins map[string]*description
	types   map[string]served
	list    []catalogue.Type
}

// served is a payment type and where its calls go.
type served struct {
	*paymentType

	lane *lane
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
		host: o.Host, settings: maps.Clone(o.Settings), limits: maps.Clone(o.Limits), noBreaker: maps.Clone(o.NoBreaker),
		storeDir: o.StoreDir, log: o.Log,
		lanes: map[string]*lane{}, claims: map[string]map[string]*description{}, compiled: map[string]*description{},
	}
	p.known.Store(&known{})
	if o.Facts != nil {
		o.Host.OnFact(func(f host.Fact) { o.Facts(factToCore(f)) })
	}
	return p, nil
}

// newKnown is what the plugins say. The caller holds mu.
func (p *Providers) newKnown(plugins map[string]*description) *known {
	k := &known{plugins: plugins, types: map[string]served{}}
	for plugin, d := range plugins {
		for name, t := range d.types {
			k.types[name] = served{t, p.lanes[plugin]}
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

// shown is what of a client's type may be repeated to it.
var shown = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

func unknownType(name string) error {
	message := "無此付款方式"
	if shown.MatchString(name) {
		message += " " + name
	}
	return fault.New(fault.Invalid, "unknown_type", message)
}
