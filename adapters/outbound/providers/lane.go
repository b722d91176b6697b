package providers

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/host"
)

// lane is one provider in this process: the releases that are ready, and which of them serves what.
type lane struct {
	name string
	slot *host.Slot
	log  *slog.Logger
	// sheds is false if the operator switched the breakers off.
	sheds bool

	// routing is what a call looks at: one load, no lock. Nil until the first Route.
	routing atomic.Pointer[routing]
	// breakers by what they watch; replaced, never changed.
	breakers atomic.Pointer[map[watched]*breaker]

	// turn is held while the routing changes: one change at a time.
	turn sync.Mutex

	mu sync.Mutex
	// fresh are releases that were prepared and that no channel has named yet, with the time of the last attempt: the
	// order that prepared them is about to be saved.
	fresh map[string]time.Time
	// sweeping is true while a look at fresh is due.
	sweeping bool
}

// routing is one generation of a channel, on this process. It is never changed.
type routing struct {
	channel release.Channel
	// releases that are here, in the order of Channel.Wanted.
	releases []routed
}

// routed is a release that may be picked.
type routed struct {
	version     string
	digest      string
	description *description
}

// find returns the release of a version, or nil.
func (r *routing) find(version string) *routed {
	if r == nil || version == "" {
		return nil
	}
	for i := range r.releases {
		if r.releases[i].version == version {
			return &r.releases[i]
		}
	}
	return nil
}

// has reports whether the digest is among the releases.
func (r *routing) has(digest string) bool {
	return r != nil && slices.ContainsFunc(r.releases, func(o routed) bool { return o.digest == digest })
}

// lane returns the provider's lane; it is made at the first use.
func (p *Providers) lane(name string) *lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.lanes[name]
	if !ok {
		l = &lane{
			name: name, slot: p.host.Slot(name), log: p.log, sheds: !p.noBreaker[name], fresh: map[string]time.Time{},
		}
		l.breakers.Store(&map[watched]*breaker{})
		p.lanes[name] = l
	}
	return l
}

// breaker of a payment type in an environment; it is made at the first use. Nil if there is none to be asked.
func (l *lane) breaker(typeName string, e company.Environment) *breaker {
	if !l.sheds || e == "" {
		return nil
	}
	key := watched{typeName, e}
	if b := (*l.breakers.Load())[key]; b != nil {
		return b
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	all := *l.breakers.Load()
	if b := all[key]; b != nil {
		return b
	}
	next := maps.Clone(all)
	next[key] = &breaker{}
	l.breakers.Store(&next)
	return next[key]
}

// ended tells the breaker how a money-moving call ended.
func (l *lane) ended(ctx context.Context, typeName string, e company.Environment, failed bool) {
	b := l.breaker(typeName, e)
	if b == nil {
		return
	}
	opened, closed := b.ended(time.Now(), failed)
	l.changed(ctx, typeName, e, opened, closed)
}

// answered tells the breaker that the provider answered a search.
func (l *lane) answered(ctx context.Context, typeName string, e company.Environment) {
	if b := l.breaker(typeName, e); b != nil {
		l.changed(ctx, typeName, e, false, b.answered(time.Now()))
	}
}

// changed tells the operator, once for each change.
func (l *lane) changed(ctx context.Context, typeName string, e company.Environment, opened, closed bool) {
	about := []slog.Attr{slog.String("provider", l.name), slog.String("payment_type", typeName), slog.String("environment", string(e))}
	switch {
	case opened:
		l.log.LogAttrs(ctx, slog.LevelError, "provider does not answer; new payments are refused until it does, follow-ups and searches go on", about...)
	case closed:
		l.log.LogAttrs(ctx, slog.LevelWarn, "provider answers again; new payments are taken", about...)
	}
}

// Breaker is how one of the breakers stands.
type Breaker struct {
	Provider    string
	Type        string
	Environment string
	// State is closed, open, half_open or trickling; in the last one payment a second is taken.
	State string
}

// Breakers of all providers, by provider, payment type and environment. One that never saw a call is not listed.
func (p *Providers) Breakers() []Breaker {
	p.mu.Lock()
	lanes := slices.Collect(maps.Values(p.lanes))
	p.mu.Unlock()
	var all []Breaker
	for _, l := range lanes {
		for key, b := range *l.breakers.Load() {
			all = append(all, Breaker{
				Provider: l.name, Type: key.typeName, Environment: string(key.environment), State: string(b.status(time.Now())),
			})
		}
	}
	slices.SortFunc(all, func(a, b Breaker) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Environment, b.Environment))
	})
	return all
}
