package app

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/payrack/payrack/core/release"
)

// lines are the providers as this process runs them.
type lines struct {
	all sync.Map // name → *line
	// wake tells the minder that a line wants to be looked at.
	wake chan struct{}
	once sync.Once
	// signed is when the last sign of life was given, in nanoseconds.
	signed atomic.Int64
	// begun says that this process has brought up what it found at its start.
	begun atomic.Bool
	// left says that this replica has ended: it reports no more. Reports are written under the read lock, so that none of
	// them comes after the goodbye and makes the fleet wait for a replica that is gone.
	saying sync.RWMutex
	left   bool
}

// line is one provider on this replica: what it was told to do, what it does, and what its calls brought.
type line struct {
	name string

	// routing is held while the runtime is told which releases serve: one at a time, the newest last.
	routing sync.Mutex
	// ordering is held by an order from this replica while it prepares a release.
	ordering sync.Mutex

	// tended says that a look at all providers waits for this one.
	tended atomic.Bool

	mu sync.Mutex
	// channel as it was seen last, and applied the generation of the one that the runtime routes by.
	channel release.Channel
	applied int64
	// wished is a release that an order prepares here before the channel knows of it.
	wished string
	ready  map[string]bool
	// refused are releases that could not be prepared here.
	refused  map[string]refusal
	starting map[string]*start
	// tallies count by version since the channel's Since.
	since   int64
	tallies map[string]*release.Tally
	crashed map[string]time.Time
	// unready are the versions whose process here says that it is not ready.
	unready map[string]bool
	// said is the last report, reported when it was made.
	said     release.Report
	reported time.Time
	// urgent says that the minder shall look at once.
	urgent bool
	// glancing says that it looks now.
	glancing bool
	// memory is the largest resident memory of a version's processes; it goes on when counting begins anew.
	memory map[string]int64
}

// refusal is why a release could not be prepared, and when it may be tried again.
type refusal struct {
	err   error
	text  string
	tries int
	again time.Time
}

// start is a preparation that runs.
type start struct {
	done chan struct{}
	err  error
}

func (f *lines) line(name string) *line {
	if l, ok := f.known(name); ok {
		return l
	}
	l, _ := f.all.LoadOrStore(name, &line{
		name: name, ready: map[string]bool{}, refused: map[string]refusal{}, starting: map[string]*start{},
		tallies: map[string]*release.Tally{}, crashed: map[string]time.Time{}, unready: map[string]bool{}, memory: map[string]int64{},
	})
	return l.(*line) //nolint:forcetypeassert // stored above
}

func (f *lines) known(name string) (*line, bool) {
	l, ok := f.all.Load(name)
	if !ok {
		return nil, false
	}
	return l.(*line), true //nolint:forcetypeassert // stored in line
}

// nudge wakes the minder.
func (f *lines) nudge() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// view is the channel as it was seen last.
func (l *line) view() release.Channel {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.channel
}

// see takes a newer channel over. Counting begins anew where other releases serve than before; what the release before
// showed until then stays, as the measure of the new one.
func (l *line) see(c release.Channel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.Generation < l.channel.Generation {
		return
	}
	moved := c.Generation != l.channel.Generation
	l.channel = c
	if moved {
		wanted := append(c.Wanted(), l.wished)
		// What an order prepares may start now. Another refusal stays known and is tried again in its own time: who decides
		// about a rollback must see it.
		maps.DeleteFunc(l.refused, func(v string, _ refusal) bool {
			return !slices.Contains(wanted, v) || c.Phase == release.Preparing && v == c.Candidate
		})
		maps.DeleteFunc(l.memory, func(v string, _ int64) bool { return !slices.Contains(wanted, v) })
		maps.DeleteFunc(l.ready, func(v string, _ bool) bool { return !slices.Contains(wanted, v) })
	}
	if l.since != c.Since {
		l.since = c.Since
		clear(l.crashed)
		maps.DeleteFunc(l.tallies, func(v string, _ *release.Tally) bool { return !c.Bakes() || v != c.Previous })
	}
}

// tally of a version; the lock is held.
func (l *line) tally(version string) *release.Tally {
	t, ok := l.tallies[version]
	if !ok {
		t = &release.Tally{Version: version}
		l.tallies[version] = t
	}
	return t
}

// trial is the release that is watched, and the one that it is held against; empty if none is on trial.
func trial(c release.Channel) (watched, against string) {
	switch {
	case c.Shares():
		return c.Candidate, c.Stable
	case c.Bakes():
		return c.Stable, c.Previous
	}
	return "", ""
}
