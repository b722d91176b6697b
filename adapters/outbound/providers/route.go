package providers

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
)

// freshFor is how long a prepared release is kept ready that no channel names: the order that prepared it is saved
// within that time, or was given up.
const freshFor = time.Minute

// Route lets traffic go as the channel says, by one pointer store.
func (p *Providers) Route(_ context.Context, c release.Channel, releases []release.Release) error {
	l := p.lane(c.Name)
	l.turn.Lock()
	defer l.turn.Unlock()
	next, err := p.routingOf(l, c, releases)
	if err != nil {
		return err
	}
	if stable := next.find(c.Stable); stable != nil {
		var also []string
		if candidate := next.find(c.Candidate); candidate != nil && c.Shares() {
			also = append(also, candidate.digest)
		}
		if err := l.slot.SetDefault(stable.digest, also...); err != nil {
			return notReady(c.Name, c.Stable, err)
		}
		p.publish(l, stable.description)
	}
	l.routing.Store(next)
	l.named(next)
	p.retire(l)
	return nil
}

// routingOf is what the channel means here. Every release that would take calls has to be ready, or to serve already:
// a crash of what serves must not keep the operator from routing away from another release.
func (p *Providers) routingOf(l *lane, c release.Channel, releases []release.Release) (*routing, error) {
	next := &routing{channel: c}
	before := l.routing.Load()
	for _, version := range c.Wanted() {
		var row release.Release
		for _, r := range releases {
			if r.Version == version {
				row = r
			}
		}
		d := p.claimed(c.Name, row.SHA256)
		ready := d != nil && (l.slot.Ready(row.SHA256) || before.has(row.SHA256) && l.standing(row.SHA256))
		serves := version == c.Stable || version == c.Candidate && c.Shares()
		switch {
		case ready:
			next.releases = append(next.releases, routed{version, row.SHA256, d})
		case serves:
			return nil, notReady(c.Name, version, errors.New("its process is not ready"))
		}
	}
	return next, nil
}

func notReady(name, version string, cause error) error {
	return fault.Wrap(fault.Conflict, "not_ready",
		"release "+version+" of provider "+name+" is not ready on this replica; what serves goes on", cause)
}

// standing reports that a release was prepared and not retired, whatever happened to its process since.
func (l *lane) standing(digest string) bool {
	for _, r := range l.slot.Status().Releases {
		if r.SHA256 == digest {
			return true
		}
	}
	return false
}

// named ends the grace of the releases that a channel knows of.
func (l *lane) named(r *routing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.fresh, func(digest string, _ time.Time) bool { return r.has(digest) })
}

// touch marks a release that is being prepared, so that a routing that does not know of it yet leaves it alone.
func (l *lane) touch(digest string) {
	if l.routing.Load().has(digest) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fresh[digest] = time.Now()
}

// retire stops what neither the routing nor an order wants. The caller holds the lane's turn.
func (p *Providers) retire(l *lane) {
	keep := make([]string, 0, len(l.routing.Load().releases))
	for _, r := range l.routing.Load().releases {
		keep = append(keep, r.digest)
	}
	l.mu.Lock()
	for digest, at := range l.fresh {
		if time.Since(at) >= freshFor {
			delete(l.fresh, digest)
			continue
		}
		keep = append(keep, digest)
	}
	sweep := len(l.fresh) > 0 && !l.sweeping
	l.sweeping = l.sweeping || sweep
	l.mu.Unlock()
	l.slot.Keep(keep...)
	p.unclaim(l.name, keep...)
	if sweep {
		time.AfterFunc(freshFor, func() { p.sweep(l) })
	}
}

// sweep looks again when the grace of a prepared release is over.
func (p *Providers) sweep(l *lane) {
	l.turn.Lock()
	defer l.turn.Unlock()
	l.mu.Lock()
	l.sweeping = false
	l.mu.Unlock()
	p.retire(l)
}
