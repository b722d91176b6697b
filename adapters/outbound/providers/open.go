package providers

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/ports/outbound"
)

// looks is how often Open looks at the routing again that moved under its hands.
const looks = 4

// Open holds the release that serves a payment.
func (p *Providers) Open(ctx context.Context, r outbound.Route) (outbound.Session, error) {
	t, ok := p.known.Load().types[r.Type]
	if !ok {
		return nil, unknownType(r.Type)
	}
	var err error
	for range looks {
		now := t.lane.routing.Load()
		if err := t.lane.admits(t, now, r); err != nil {
			return nil, err
		}
		var s *session
		if s, err = t.lane.open(ctx, now, r); err == nil {
			return s, nil
		}
		// A release that was retired between the look and the reference is not asked for again.
		if t.lane.routing.Load() == now {
			break
		}
	}
	return nil, p.unavailable(ctx, t, r, err)
}

// admits reports whether the provider takes this payment at all now. It is asked before anything is recorded.
func (l *lane) admits(t served, now *routing, r outbound.Route) error {
	if r.Existing || r.Version != "" {
		return nil
	}
	if now != nil && !now.channel.Enabled {
		return refused("new payments of "+t.Name+" are switched off; nothing was sent", retryWhenOff, nil)
	}
	b := l.breaker(t.Name, r.Environment)
	if b == nil {
		return nil
	}
	if ok, wait := b.allow(time.Now()); !ok {
		return refused("the provider of "+t.Name+" does not answer now; nothing was sent, so the same request may be repeated later", wait, nil)
	}
	return nil
}

// open takes a reference on the release that the route leads to, or on one that can stand in for it.
func (l *lane) open(ctx context.Context, now *routing, r outbound.Route) (*session, error) {
	if now == nil {
		return nil, errors.New("no release was routed to yet")
	}
	if r.Version != "" {
		return l.hold(ctx, now.find(r.Version), r.Type, l.slot.AcquireRelease)
	}
	picked := now.find(now.channel.Pick(string(r.Payment), string(r.Store)))
	others := now.standIns(picked, r.Existing)
	if len(others) == 0 {
		return l.hold(ctx, picked, r.Type, l.slot.AcquireRelease)
	}
	s, err := l.hold(ctx, picked, r.Type, l.slot.TryRelease)
	if err == nil || overloaded(err) {
		return s, err
	}
	for _, other := range others {
		if s, err := l.hold(ctx, other, r.Type, l.slot.TryRelease); err == nil {
			return s, nil
		}
	}
	// Nobody can take it now: a moment for the one that all can wait for.
	return l.hold(ctx, now.find(now.channel.Stable), r.Type, l.slot.AcquireRelease)
}

// standIns are the releases that may take a payment whose own cannot: the stable one for a candidate, the one before
// while it is kept warm, and for a payment that exists every other one, because any release continues any payment. A
// new payment never goes to a candidate that it was not picked for, and nothing goes to one that is only being prepared:
// some other replica may not be able to start it.
func (r *routing) standIns(picked *routed, existing bool) []*routed {
	if len(r.releases) < 2 {
		return nil
	}
	var out []*routed
	for i := range r.releases {
		o := &r.releases[i]
		trusted := o.version == r.channel.Stable || o.version == r.channel.Previous && r.channel.Phase == release.Baking
		waits := o.version == r.channel.Candidate && !r.channel.Shares()
		if o != picked && !waits && (existing || trusted) {
			out = append(out, o)
		}
	}
	return out
}

// hold takes the reference.
func (l *lane) hold(
	ctx context.Context, one *routed, typeName string, acquire func(context.Context, string) (*host.Lease, error),
) (*session, error) {
	if one == nil {
		return nil, errors.New("the release that shall serve is not ready on this replica")
	}
	held, ok := one.description.types[typeName]
	if !ok {
		return nil, errors.New("release " + one.version + " does not have the payment type")
	}
	lease, err := acquire(ctx, one.digest)
	if err != nil {
		return nil, err
	}
	return &session{lease: lease, held: held, lane: l, log: l.log}, nil
}

// overloaded reports that the provider has no place for another call, whatever the release.
func overloaded(err error) bool {
	u, ok := errors.AsType[*host.Unavailable](err)
	return ok && u.Why == host.WhyOverloaded
}

// What a client is asked to wait: a crashed plugin is back within two seconds, an operator takes longer.
const (
	retryAfter   = 2 * time.Second
	retryWhenOff = 30 * time.Second
)

func (p *Providers) unavailable(ctx context.Context, t served, r outbound.Route, cause error) error {
	level := slog.LevelWarn
	if r.Version != "" {
		level = slog.LevelDebug // a release of the past was asked for its opinion, and is not kept ready any more
	}
	p.log.LogAttrs(ctx, level, "provider cannot take a call",
		slog.String("provider", t.Provider), slog.String("payment_type", t.Name), slog.String("reason", cause.Error()))
	return refused("the provider of "+t.Name+" cannot take a call now; nothing was sent, so the same request may be repeated in a few seconds",
		retryAfter, cause)
}

func refused(words string, wait time.Duration, cause error) error {
	f := fault.Wrap(fault.Unavailable, "provider_unavailable", words, cause)
	f.RetryAfter = wait
	return f
}
