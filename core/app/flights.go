package app

import (
	"context"
	"sync"
	"time"

	"github.com/payrack/payrack/ports/outbound"
)

// flightLife is how long a search's answer serves others that ask the same: a till that polls ten times a
// second must not become ten searches a second at the provider.
const flightLife = time.Second

// flights lets equal searches share one.
type flights struct {
	mu  sync.Mutex
	all map[[32]byte]*flight
}

type flight struct {
	done  chan struct{}
	until time.Time
	found outbound.Findings
}

// do runs search, or waits for the equal one that runs or has just run.
func (f *flights) do(
	ctx context.Context, key [32]byte, clock outbound.Clock, search func() outbound.Findings,
) (outbound.Findings, error) {
	now := clock.Now()
	f.mu.Lock()
	if f.all == nil {
		f.all = map[[32]byte]*flight{}
	}
	one, ok := f.all[key]
	if ok && (one.until.IsZero() || now.Before(one.until)) {
		f.mu.Unlock()
		select {
		case <-one.done:
			return one.found, nil
		case <-ctx.Done():
			return outbound.Findings{}, context.Cause(ctx)
		}
	}
	for k, old := range f.all {
		if !old.until.IsZero() && now.After(old.until) {
			delete(f.all, k)
		}
	}
	one = &flight{done: make(chan struct{})}
	f.all[key] = one
	f.mu.Unlock()

	defer func() {
		f.mu.Lock()
		one.until = clock.Now().Add(flightLife)
		if one.found.Failed {
			one.until = clock.Now() // a failure is not shared with later ones
		}
		f.mu.Unlock()
		close(one.done)
	}()
	one.found = outbound.Findings{Failed: true, Reason: "internal"} // stands if search panics
	one.found = search()
	return one.found, nil
}
