package host

import (
	"context"
	"log/slog"
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

// desired is what a slot shall run.
type desired struct {
	release  Release
	settings []byte
	revision uint64
	image    *image
}

type phase string

const (
	phaseIdle        phase = "idle"
	phaseServing     phase = "serving"
	phaseRestarting  phase = "restarting"
	phaseQuarantined phase = "quarantined"
	phaseDisabled    phase = "disabled"
	phaseClosed      phase = "closed"
)

// Slot is one provider's place in the host: at most one instance serves, others start or drain beside it.
type Slot struct {
	host  *Host
	name  string
	calls bulkhead

	// admin is held while what shall run is changed: one change at a time.
	admin   sync.Mutex
	current atomic.Pointer[instance]

	mu         sync.Mutex
	phase      phase
	detail     string
	changed    chan struct{} // closed and replaced when what serves has changed
	desired    *desired
	generation uint64 // grows with each change by an operator; a restart for an older one gives up
	living     map[string]*instance
	draining   int
	crashes    []time.Time
	serving    time.Time       // since when the present instance serves
	ctx        context.Context //nolint:containedctx // ends restarts when the operator changes something
	cancel     context.CancelFunc
}

func newSlot(h *Host, name string) *Slot {
	s := &Slot{host: h, name: name, phase: phaseIdle, changed: make(chan struct{}), living: map[string]*instance{}}
	s.calls.setLimit(h.options.MaxInflight)
	s.ctx, s.cancel = context.WithCancel(h.life)
	return s
}

// Acquire takes a reference on the serving instance; close the Lease when the answer is recorded. It waits
// for a place, and for a crashed plugin to come back, each at most Options.RestartWait. Its error is an
// *Unavailable: nothing was handed to any plugin.
func (s *Slot) Acquire(ctx context.Context) (*Lease, error) {
	patience := s.host.options.RestartWait
	if !s.calls.enter(ctx, patience) {
		return nil, &Unavailable{Name: s.name, Why: WhyOverloaded}
	}
	if l := s.pick(); l != nil {
		return l, nil
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		s.mu.Lock()
		changed, why, hopeless, detail := s.changed, s.why(), s.hopeless(), s.detail
		s.mu.Unlock()
		if l := s.pick(); l != nil { // after the look at changed, so that no change is missed
			return l, nil
		}
		if !hopeless {
			select {
			case <-changed:
				continue
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		s.calls.leave()
		return nil, &Unavailable{Name: s.name, Why: why, Detail: detail}
	}
}

// pick takes a reference on the serving instance, or returns nil if none can take calls now.
func (s *Slot) pick() *Lease {
	in := s.current.Load()
	if in == nil || !in.healthy.Load() || !in.reachable() || !in.acquire() {
		return nil
	}
	in.leases.Add(1)
	return &Lease{instance: in, slot: s}
}

// hopeless reports whether waiting cannot help.
func (s *Slot) hopeless() bool {
	switch s.phase {
	case phaseServing, phaseRestarting:
		return false
	case phaseIdle, phaseQuarantined, phaseDisabled, phaseClosed:
		return true
	default:
		return true
	}
}

func (s *Slot) why() Why {
	switch s.phase {
	case phaseServing, phaseRestarting:
		return WhyRestarting
	case phaseQuarantined:
		return WhyQuarantined
	case phaseDisabled:
		return WhyDisabled
	case phaseClosed:
		return WhyClosed
	case phaseIdle:
		return WhyNotActive
	default:
		return WhyNotActive
	}
}

// enter changes the phase and wakes whoever waits. The caller holds mu.
func (s *Slot) enter(p phase, detail string) {
	s.phase, s.detail = p, detail
	close(s.changed)
	s.changed = make(chan struct{})
}

// wake lets those who wait look again.
func (s *Slot) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enter(s.phase, s.detail)
}

func (s *Slot) add(in *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.living[in.id] = in
}

// publish makes in the serving instance: one pointer store. The old one drains in the background.
func (s *Slot) publish(in *instance) {
	limit := s.host.options.MaxInflight
	if in.info.MaxInflight > 0 {
		limit = min(limit, in.info.MaxInflight)
	}
	s.calls.setLimit(limit)
	in.setState(StateServing)
	in.healthy.Store(true)
	old := s.current.Swap(in)
	s.mu.Lock()
	s.serving = time.Now()
	s.enter(phaseServing, "")
	s.mu.Unlock()
	s.host.background(func() { s.watch(in) })
	if old != nil {
		s.retire(old)
	}
	if in.process.gone() {
		s.onExit(in) // it ended between its last answer and the store
	}
}

// retire drains an instance that nobody can pick any more, in the background.
func (s *Slot) retire(in *instance) {
	in.planned.Store(true)
	in.setState(StateDraining)
	s.mu.Lock()
	s.draining++
	s.mu.Unlock()
	s.host.background(func() {
		s.drain(in)
		s.mu.Lock()
		s.draining--
		s.enter(s.phase, s.detail)
		s.mu.Unlock()
	})
	in.letGo()
}

// drain waits until the last call has returned its reference, but never longer than the longest call may
// take; what is open then is cut off and reads as unknown.
func (s *Slot) drain(in *instance) {
	deadline := in.info.LongestCall() + s.host.options.DrainExtra
	if !s.awaitDrained(in, deadline) {
		s.host.options.Log.LogAttrs(s.host.life, slog.LevelError, "plugin drain deadline exceeded",
			slog.String("plugin", in.release.Name), slog.String("plugin_version", in.release.Version),
			slog.String("instance", in.id), slog.Int64("open_calls", in.leases.Load()))
		in.end()
		await(in.drained, time.Second)
	}
	in.stop(s.host.options.StopTimeout)
}

func (s *Slot) awaitDrained(in *instance, deadline time.Duration) bool {
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	select {
	case <-in.drained:
		return true
	case <-timer.C:
		return false
	case <-s.host.hurry: // the host's Close has run out of time
		return false
	}
}
