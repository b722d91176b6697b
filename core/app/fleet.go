package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
)

// fleet implements inbound.Fleet.
type fleet struct{ *App }

// Converge does here what the channels say, all providers at once.
func (a fleet) Converge(ctx context.Context) error {
	a.watchTrials(ctx)
	if err := a.live(ctx); err != nil {
		return err
	}
	all, err := a.shelf().Channels(ctx)
	if err != nil {
		return err
	}
	var wait <-chan time.Time
	if a.App.fleet.begun.Swap(true) {
		t := time.NewTimer(convergeWait)
		defer t.Stop()
		wait = t.C
	}
	told := make(chan error, len(all))
	for _, c := range all {
		l := a.App.fleet.line(c.Name)
		if !l.tended.CompareAndSwap(false, true) {
			told <- nil // an earlier look still waits for a start, and follows the channel itself
			continue
		}
		a.background.Go(func() {
			defer l.tended.Store(false)
			told <- a.tend(ctx, c.Name, false)
		})
	}
	var bad []error
	for range all {
		select {
		case err := <-told:
			if err != nil {
				bad = append(bad, err)
			}
		case <-wait:
			return errors.Join(bad...)
		}
	}
	return errors.Join(bad...)
}

// convergeWait is how long a look at all providers waits for those that take long to start; the first one of a process waits
// for all. A start that hangs must not keep this process from following the other channels.
const convergeWait = 2 * time.Second

// each does something for all providers at once, so that the trouble of one holds up no other.
func each(all []release.Channel, do func(release.Channel) error) error {
	var (
		wait sync.WaitGroup
		mu   sync.Mutex
		bad  []error
	)
	for _, c := range all {
		wait.Go(func() {
			if err := do(c); err != nil {
				mu.Lock()
				bad = append(bad, err)
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return errors.Join(bad...)
}

// Busy reports whether some channel is on its way.
func (a fleet) Busy() bool {
	busy := false
	a.App.fleet.all.Range(func(_, value any) bool {
		if l, ok := value.(*line); ok {
			c := l.view()
			busy = c.Phase == release.Preparing || c.Phase == release.InCanary || c.Phase == release.Promoting || c.Phase == release.Baking
		}
		return !busy
	})
	return busy
}

// Observe takes a fact.
func (a fleet) Observe(f release.Fact) { a.observed(f) }

// Leave says that this replica ends.
func (a fleet) Leave(ctx context.Context) error {
	a.App.fleet.saying.Lock()
	defer a.App.fleet.saying.Unlock()
	a.App.fleet.left = true
	return a.Replicas.Leave(ctx, a.Boot)
}

// say tells the fleet something about this replica, unless it has said goodbye.
func (a *App) say(ctx context.Context, r release.Report) error {
	a.fleet.saying.RLock()
	defer a.fleet.saying.RUnlock()
	if a.fleet.left {
		return nil
	}
	return a.Replicas.Report(ctx, r)
}

// signEvery is how often a replica gives a sign of life while it waits for a preparation.
const signEvery = release.LiveFor / 5

// live is the sign of life of this replica. One without any provider counts, too: a new one must come up there as well.
func (a *App) live(ctx context.Context) error {
	a.fleet.signed.Store(a.Clock.Now().UnixNano())
	return a.say(ctx, release.Report{Replica: a.Boot})
}

// moves is how often one tending follows a channel that moves on meanwhile.
const moves = 16

// tend brings one provider of this replica to what its channel says: prepare what is wanted, route, report. What serves
// already is routed before anything new is waited for. soon leaves preparations that take long to the next time.
func (a *App) tend(ctx context.Context, name string, soon bool) error {
	l := a.fleet.line(name)
	for range moves {
		c, err := a.channel(ctx, name)
		if err != nil || c.Generation == 0 {
			return err
		}
		l.see(c)
		rows, err := a.shelf().List(ctx, name)
		if err != nil {
			return err
		}
		wanted := wantedRows(c, rows)
		starts := a.starts(ctx, l, c, wanted)
		moved := a.await(ctx, c, starts, c.Serving())
		if moved {
			continue
		}
		routed := a.route(ctx, l, c, wanted)
		if err := a.report(ctx, l); err != nil {
			return errors.Join(routed, err)
		}
		if soon && c.Phase != release.Preparing {
			return routed
		}
		if a.await(ctx, c, starts, c.Wanted()) {
			continue
		}
		if err := a.report(ctx, l); err != nil {
			return errors.Join(routed, err)
		}
		return cmp.Or(l.failures(c), routed)
	}
	return nil // it moves faster than it can be followed; the next time finds it where it came to rest
}

// wantedRows are the rows of the versions that a channel wants.
func wantedRows(c release.Channel, rows []release.Release) []release.Release {
	var all []release.Release
	for _, v := range c.Wanted() {
		i := slices.IndexFunc(rows, func(r release.Release) bool { return r.Version == v })
		if i < 0 {
			all = append(all, release.Release{Name: c.Name, Version: v})
			continue
		}
		all = append(all, rows[i])
	}
	return all
}

// starts begins to prepare what is wanted, or joins what has begun.
func (a *App) starts(ctx context.Context, l *line, c release.Channel, wanted []release.Release) map[string]*start {
	all := make(map[string]*start, len(wanted))
	for _, r := range wanted {
		if s := a.begun(ctx, l, r, c.Phase != release.Preparing || r.Version != c.Candidate); s != nil {
			all[r.Version] = s
		}
	}
	return all
}

// retryAfterRefusal is when a start that was refused is tried again: 2 s, 4 s, … a minute.
func retryAfterRefusal(tries int) time.Duration {
	return min(time.Second<<min(tries, 6), time.Minute)
}

// begun prepares a release in the background, once at a time; nil if it was refused a moment ago.
func (a *App) begun(ctx context.Context, l *line, r release.Release, patient bool) *start {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s, ok := l.starting[r.Version]; ok {
		return s
	}
	if no, ok := l.refused[r.Version]; ok && (!patient || a.Clock.Now().Before(no.again)) {
		return nil
	}
	s := &start{done: make(chan struct{})}
	l.starting[r.Version] = s
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a.background.Go(func() {
		// A process that ends waits for no start.
		select {
		case <-a.ending:
		case <-s.done:
		}
		cancel()
	})
	a.background.Go(func() {
		defer close(s.done)
		s.err = a.bring(ctx, r)
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.starting, r.Version)
		if s.err == nil {
			l.ready[r.Version] = true
			delete(l.refused, r.Version)
			return
		}
		delete(l.ready, r.Version)
		no := l.refused[r.Version]
		no.tries++
		no.err, no.text, no.again = s.err, refusalText(s.err), a.Clock.Now().Add(retryAfterRefusal(no.tries))
		l.refused[r.Version] = no
	})
	return s
}

// bring gets a release ready in the runtime.
func (a *App) bring(ctx context.Context, r release.Release) (err error) {
	defer func() {
		if recover() != nil { // one provider's trouble must not end the process
			err = fault.New(fault.Internal, "internal", "the preparation broke inside the platform")
		}
	}()
	switch {
	case r.SHA256 == "":
		return fault.New(fault.Invalid, "binary_missing", "the channel wants "+r.Name+" "+r.Version+", which is not installed any more; install it again")
	case r.Status == release.Revoked:
		return revokedRelease(r)
	}
	return a.Runtime.Prepare(ctx, r)
}

// startNow prepares a release for an order and waits for it.
func (a *App) startNow(ctx context.Context, l *line, r release.Release) error {
	l.mu.Lock()
	delete(l.refused, r.Version)
	l.mu.Unlock()
	s := a.begun(ctx, l, r, true)
	if s == nil {
		return fault.New(fault.Conflict, "generation_moved", "another order was faster; look again")
	}
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, "client_gone", "the client left before the release was ready; nothing was changed", context.Cause(ctx))
	}
}

// lookPause is how often a preparation that takes long is interrupted by a look at the channel.
const lookPause = 200 * time.Millisecond

// await waits until the starts of the given versions have ended; true says that the channel has moved on meanwhile.
func (a *App) await(ctx context.Context, c release.Channel, starts map[string]*start, versions []string) bool {
	for _, v := range versions {
		s := starts[v]
		for s != nil {
			select {
			case <-s.done:
				s = nil
			case <-ctx.Done():
				return false
			case <-a.closing:
				return false
			case <-time.After(lookPause):
				if a.Clock.Now().Sub(time.Unix(0, a.fleet.signed.Load())) >= signEvery {
					_ = a.live(ctx) // a replica that prepares is not dead
				}
				now, err := a.channel(ctx, c.Name)
				if err == nil && now.Generation != c.Generation {
					return true
				}
			}
		}
	}
	return false
}

// route tells the runtime which releases serve, the newest generation last.
func (a *App) route(ctx context.Context, l *line, c release.Channel, wanted []release.Release) error {
	l.routing.Lock()
	defer l.routing.Unlock()
	l.mu.Lock()
	older, never := c.Generation < l.applied, l.applied == 0
	wished := l.wished
	l.mu.Unlock()
	if older {
		return nil
	}
	if wished != "" && c.Candidate == "" {
		// An order prepares it here and now: it must not be taken for what nobody wants any more.
		if r, err := a.shelf().Get(ctx, c.Name, wished); err == nil && !slices.Contains(c.Wanted(), wished) {
			c.Candidate = wished
			wanted = append(slices.Clone(wanted), r)
		}
	}
	if !never || len(wanted) > 0 {
		if err := a.Runtime.Route(ctx, c, wanted); err != nil {
			return fmt.Errorf("route %s: %w", c.Name, err)
		}
	}
	l.mu.Lock()
	l.applied = c.Generation
	l.mu.Unlock()
	return nil
}

// report tells the fleet how this replica stands with a provider.
func (a *App) report(ctx context.Context, l *line) error {
	l.mu.Lock()
	r := release.Report{Replica: a.Boot, Name: l.name, Generation: l.applied, Since: l.since, Refused: map[string]string{}}
	wanted := l.channel.Wanted()
	for v := range l.ready {
		if slices.Contains(wanted, v) {
			r.Ready = append(r.Ready, v)
		}
	}
	slices.Sort(r.Ready)
	for v, no := range l.refused {
		if slices.Contains(wanted, v) {
			r.Refused[v] = no.text
		}
	}
	for v := range l.memory {
		l.tally(v).RSS = l.memory[v]
	}
	for _, v := range slices.Sorted(maps.Keys(l.tallies)) {
		r.Tallies = append(r.Tallies, *l.tallies[v])
	}
	now := a.Clock.Now()
	same := now.Sub(l.reported) < signEvery && slices.Equal(r.Tallies, l.said.Tallies) && slices.Equal(r.Ready, l.said.Ready) &&
		maps.Equal(r.Refused, l.said.Refused) && r.Generation == l.said.Generation && r.Since == l.said.Since
	if !same {
		l.reported, l.said = now, r
	}
	l.mu.Unlock()
	if same {
		return nil
	}
	err := a.say(ctx, r)
	if err != nil {
		l.mu.Lock()
		l.reported = time.Time{} // nobody heard it
		l.mu.Unlock()
	}
	return err
}

// wish keeps a release that an order prepares here.
func (l *line) wish(version string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wished = version
}
