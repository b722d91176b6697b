package host

import (
	"context"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Release is an installed plugin binary.
type Release struct {
	// Name of the provider and Version as the plugin itself tells them.
	Name    string `json:"name"`
	Version string `json:"version"`
	// Path of the binary.
	Path string `json:"path"`
	// SHA256 of the binary, lower case hex. Other bytes are not started.
	SHA256 string `json:"sha256"`
}

type phase string

const (
	phaseIdle        phase = "idle"
	phaseServing     phase = "serving"
	phaseRestarting  phase = "restarting"
	phaseQuarantined phase = "quarantined"
	phaseRetired     phase = "retired"
	phaseDisabled    phase = "disabled"
	phaseClosed      phase = "closed"
)

// Slot is one provider's place in the host: its releases that are ready, each with a line of its own, and the bound
// of its calls, which all share.
type Slot struct {
	host  *Host
	name  string
	calls bulkhead

	// admin is held while an order is carried out that replaces what serves: one at a time.
	admin sync.Mutex
	// routing is what a call looks at: one load, no lock.
	routing atomic.Pointer[routing]
	// waiting is how many calls wait for a plugin to come back.
	waiting atomic.Int64

	mu      sync.Mutex
	phase   phase         // idle, serving, disabled or closed: what was ordered
	changed chan struct{} // closed and replaced when what can take calls has changed
	// lines by digest. A retired one stays until its process has ended, so that it can be taken back.
	lines    map[string]*line
	living   map[string]*instance
	draining int
}

// routing says which releases can be asked for, at one moment. It is never changed.
type routing struct {
	// usual takes the calls that name no release; nil if none does.
	usual *line
	lines map[string]*line
}

func newSlot(h *Host, name string) *Slot {
	s := &Slot{
		host: h, name: name, phase: phaseIdle, changed: make(chan struct{}),
		lines: map[string]*line{}, living: map[string]*instance{},
	}
	s.calls.setLimit(h.options.MaxInflight)
	s.routing.Store(&routing{})
	return s
}

// Acquire takes a reference on the default release's instance; close the Lease when the answer is recorded. It waits
// for a place and for a crashed plugin to come back, in all at most Options.RestartWait. After its return those that waited
// give their places to newcomers and go on one after the other, within three times RestartWait. Its error is an *Unavailable:
// nothing was handed to any plugin.
func (s *Slot) Acquire(ctx context.Context) (*Lease, error) { return s.acquire(ctx, "", true) }

// AcquireRelease is Acquire for the release with that digest.
func (s *Slot) AcquireRelease(ctx context.Context, digest string) (*Lease, error) {
	return s.acquire(ctx, digest, true)
}

// TryRelease is AcquireRelease that waits for a place only, and not for a plugin that is not ready now.
func (s *Slot) TryRelease(ctx context.Context, digest string) (*Lease, error) {
	return s.acquire(ctx, digest, false)
}

func (s *Slot) acquire(ctx context.Context, digest string, patient bool) (*Lease, error) {
	patience := s.host.options.RestartWait
	until := time.Now().Add(patience)
	queued, ok := s.calls.enter(ctx, patience)
	if !ok {
		return nil, &Unavailable{Name: s.name, Why: WhyOverloaded}
	}
	// Whoever queued for a place behind those that wait for a plugin falls in with them.
	late := queued && patient && s.waiting.Load() > 0
	if !late {
		if l := s.pick(digest); l != nil {
			return l, nil
		}
	}
	// One patience for both: when a hanging process is killed its places are free all at once, and those who waited for them
	// would otherwise all give up at one moment, too.
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	waiting := s.waiting.Add(1)
	defer s.waiting.Add(-1)
	for {
		s.mu.Lock()
		changed := s.changed
		failure, hopeless := s.unavailable(digest)
		s.mu.Unlock()
		if late && s.fitting(digest) != nil {
			late = false
			s.calls.leave() // the places are for those who come now
			// Whoever came later knows of more that wait.
			pauseFor(ctx, spread(max(waiting, s.waiting.Load()), stagger, falling*patience, rand.Float64())) //nolint:gosec // no secret
			if _, ok := s.calls.enter(ctx, patience); !ok {
				return nil, &Unavailable{Name: s.name, Why: WhyOverloaded}
			}
			continue
		}
		if l := s.pick(digest); l != nil { // after the look at changed, so that no change is missed
			return l, nil
		}
		if !hopeless && patient {
			select {
			case <-changed:
				late = true
				continue
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		s.calls.leave()
		return nil, failure
	}
}

const (
	// stagger is the mean time between two calls that waited for a plugin to come back. All at once they would take the
	// processor from the providers that had no trouble.
	stagger = 16 * time.Millisecond
	// falling times the patience of one of them is the longest that they take to fall in: behind them are those who gave up
	// and ask again, and within one patience both together were more than two processors could carry.
	falling = 3
)

// parting is the mean time between two calls that a crash cut off and that tell so: each becomes a write, an answer and, within
// a moment, the same request again.
const parting = 8 * time.Millisecond

// spread is when one of n that would come at once comes instead: each so long after the one before in the mean, none later than
// most. chance is at least 0 and less than 1.
func spread(n int64, each, most time.Duration, chance float64) time.Duration {
	return time.Duration(chance * float64(min(time.Duration(n)*each, most)))
}

func pauseFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// pick takes a reference on an instance of the release, or returns nil if none can take calls now.
func (s *Slot) pick(digest string) *Lease {
	in := s.fitting(digest)
	if in == nil || !in.acquire() {
		return nil
	}
	in.leases.Add(1)
	in.places.Add(1)
	return &Lease{instance: in, slot: s}
}

// fitting is the instance of the release that can take a call now, or nil.
func (s *Slot) fitting(digest string) *instance {
	r := s.routing.Load()
	l := r.usual
	if digest != "" {
		l = r.lines[digest]
	}
	if l == nil {
		return nil
	}
	in := l.current.Load()
	if in == nil || !in.fit() || l != r.usual && in.leases.Load() >= in.share {
		return nil
	}
	return in
}

// unavailable says why a release cannot be picked, and whether waiting cannot help. The caller holds mu.
func (s *Slot) unavailable(digest string) (failure *Unavailable, hopeless bool) {
	failure = &Unavailable{Name: s.name, Why: WhyNotActive}
	switch s.phase {
	case phaseClosed:
		failure.Why = WhyClosed
		return failure, true
	case phaseDisabled:
		failure.Why = WhyDisabled
		return failure, true
	case phaseIdle, phaseServing, phaseRestarting, phaseQuarantined, phaseRetired:
	}
	r := s.routing.Load()
	l := r.usual
	if digest != "" {
		l = r.lines[digest]
	}
	if l == nil {
		return failure, true
	}
	failure.Detail = l.detail
	switch l.phase {
	case phaseQuarantined:
		failure.Why = WhyQuarantined
		return failure, true
	case phaseServing, phaseRestarting:
		failure.Why = WhyRestarting
		if in := l.current.Load(); in != nil && in.fit() {
			failure.Why = WhyShare
		}
		return failure, false
	case phaseIdle, phaseRetired, phaseDisabled, phaseClosed:
	}
	return failure, true
}

// SetDefault moves the calls that name no release to the one with that digest: one pointer store. Those in also take
// calls beside it, by AcquireRelease; all others are only ready. The error is an *Unavailable: the release is not
// here, and what serves has not changed.
func (s *Slot) SetDefault(digest string, also ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == phaseClosed {
		return &Unavailable{Name: s.name, Why: WhyClosed}
	}
	old := s.routing.Load()
	l := old.lines[digest]
	if l == nil {
		return &Unavailable{Name: s.name, Why: WhyNotActive, Detail: "the release is not prepared"}
	}
	for d, other := range old.lines {
		other.serves = d == digest
		for _, a := range also {
			other.serves = other.serves || d == a
		}
		other.show()
	}
	s.routing.Store(&routing{usual: l, lines: old.lines})
	s.calls.setLimit(l.limit())
	s.enter(phaseServing)
	return nil
}

// Keep retires every release that is not named: what is in flight there ends, then its process is stopped, in the
// background. A release that is prepared again while it drains stays, if a call still holds it.
func (s *Slot) Keep(digests ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == phaseClosed {
		return
	}
	for digest, l := range s.lines {
		kept := l.phase == phaseRetired
		for _, d := range digests {
			kept = kept || d == digest
		}
		if !kept {
			l.retire()
		}
	}
}

// Ready reports whether the release with that digest can take a call now.
func (s *Slot) Ready(digest string) bool {
	l := s.routing.Load().lines[digest]
	if l == nil {
		return false
	}
	in := l.current.Load()
	return in != nil && in.fit()
}

// list changes which lines can be asked for. The caller holds mu.
func (s *Slot) list(digest string, l *line) {
	old := s.routing.Load()
	next := routing{usual: old.usual, lines: maps.Clone(old.lines)}
	if next.lines == nil {
		next.lines = map[string]*line{}
	}
	if l != nil {
		next.lines[digest] = l
	} else {
		if next.usual != nil && next.usual == next.lines[digest] {
			next.usual = nil
			if s.phase == phaseServing {
				s.phase = phaseIdle
			}
		}
		delete(next.lines, digest)
	}
	s.routing.Store(&next)
}

// enter changes the phase and wakes whoever waits. The caller holds mu.
func (s *Slot) enter(p phase) {
	s.phase = p
	close(s.changed)
	s.changed = make(chan struct{})
}

// wake lets those who wait look again.
func (s *Slot) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enter(s.phase)
}

func (s *Slot) add(in *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.living[in.id] = in
}

// serves reports whether some provider takes calls here: a start must not take the processor from it.
func (h *Host) serves() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.slots {
		if r := s.routing.Load(); r.usual != nil {
			if in := r.usual.current.Load(); in != nil && in.fit() {
				return true
			}
		}
	}
	return false
}
