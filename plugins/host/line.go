package host

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// desired is what a line shall run.
type desired struct {
	release  Release
	settings []byte
	revision uint64
	image    *image
}

// line is one release's place in a slot: at most one instance of it takes calls, others start or drain beside it. Its
// crashes, its back-off and its quarantine are its own: what one release does costs another nothing.
type line struct {
	slot   *Slot
	digest string

	// turn is held while an instance is started: one at a time.
	turn    sync.Mutex
	current atomic.Pointer[instance]

	// The following are guarded by the slot's mu.

	phase  phase // idle until it was ready once, serving, restarting, quarantined or retired
	detail string
	// serves says that calls may be routed here; else it is only kept ready.
	serves  bool
	desired *desired
	// generation grows with each order; a restart for an older one gives up.
	generation uint64
	// attempt grows with each crash that orders a restart and with each instance that is published; an older restart gives up.
	attempt uint64
	crashes []time.Time
	since   time.Time // since when the present instance is ready
	// leaving drains after the line was retired, and may be taken back.
	leaving *instance
	ctx     context.Context //nolint:containedctx // ends restarts when an order changes something
	cancel  context.CancelFunc
}

// line returns the line of a release; it is made at the first use.
func (s *Slot) line(digest string) *line {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.lines[digest]
	if !ok {
		l = &line{slot: s, digest: digest, phase: phaseIdle}
		l.ctx, l.cancel = context.WithCancel(s.host.life)
		s.lines[digest] = l
	}
	return l
}

// drop forgets a line of which nothing is left. The caller holds mu.
func (l *line) drop() {
	if l.desired != nil {
		l.desired.image.release()
		l.desired = nil
	}
	l.cancel()
	if l.slot.lines[l.digest] == l {
		delete(l.slot.lines, l.digest)
	}
}

// enter changes the phase and wakes whoever waits. The caller holds mu.
func (l *line) enter(p phase, detail string) {
	l.phase, l.detail = p, detail
	l.slot.enter(l.slot.phase)
}

// show gives the instance the state that fits what is routed to it. The caller holds mu.
func (l *line) show() {
	in := l.current.Load()
	if in == nil {
		return
	}
	if l.serves {
		in.setState(StateServing)
	} else {
		in.setState(StateReady)
	}
}

// limit is how many calls at once this release wants at most. The caller holds mu.
func (l *line) limit() int {
	if in := l.current.Load(); in != nil {
		return in.limit
	}
	return l.slot.host.options.MaxInflight
}

// supersede records what shall run from now on; whatever was being restarted gives up. The caller holds mu.
func (l *line) supersede(d *desired) {
	if l.desired != nil {
		l.desired.image.release()
	}
	l.desired = d
	l.generation++
	l.cancel()
	l.ctx, l.cancel = context.WithCancel(l.slot.host.life)
}

// publish makes in the line's instance: one pointer store. The one before drains in the background. With d that is
// what shall run from now on; nil leaves it. It reports false if the slot was closed meanwhile, or what shall run has
// changed since the generation.
func (l *line) publish(in *instance, generation uint64, d *desired) bool {
	s := l.slot
	most := s.host.options.MaxInflight
	if in.info.MaxInflight > 0 {
		most = min(most, in.info.MaxInflight)
	}
	// A release beside the default one must not take all places of the provider when it hangs.
	in.limit, in.share = most, int64(max(1, min(most, s.host.options.MaxInflight/2)))
	s.mu.Lock()
	if s.phase == phaseClosed || l.generation != generation || d == nil && l.phase == phaseQuarantined {
		s.mu.Unlock()
		return false
	}
	l.attempt++
	if d != nil {
		l.supersede(d)
	}
	in.healthy.Store(true)
	old := l.current.Swap(in)
	l.since = time.Now()
	l.show()
	if s.routing.Load().lines[l.digest] != l {
		s.list(l.digest, l)
	}
	if s.routing.Load().usual == l {
		s.calls.setLimit(in.limit)
	}
	l.enter(phaseServing, "")
	if old != nil {
		l.drain(old)
	}
	s.mu.Unlock()
	s.host.background(func() { l.watch(in) })
	if in.process.gone() {
		l.onExit(in) // it ended between its last answer and the store
	}
	return true
}

// retire takes the line out of the pick set; its instance drains. The caller holds mu.
func (l *line) retire() {
	l.cancel() // a restart that is under way gives up
	l.generation++
	l.slot.list(l.digest, nil)
	l.serves = false
	in := l.current.Swap(nil)
	l.enter(phaseRetired, "")
	if in != nil {
		l.leaving = in
		l.drain(in)
	} else if l.turn.TryLock() { // see giveUp
		l.sweep()
		l.turn.Unlock()
	}
}

// takeBack makes a draining instance the line's instance again, if a call still holds it: its count of references has
// not ended, so it was never told to stop. The caller holds mu.
func (l *line) takeBack() bool {
	in := l.leaving
	if l.phase != phaseRetired || in == nil || !in.acquire() {
		return false
	}
	in.planned.Store(false)
	if !in.reachable() {
		in.planned.Store(true)
		in.letGo()
		return false
	}
	l.leaving = nil
	l.ctx, l.cancel = context.WithCancel(l.slot.host.life)
	l.current.Store(in)
	close(in.takenBack)
	l.slot.list(l.digest, l)
	l.show()
	l.enter(phaseServing, "")
	return true
}

// drain lets an instance that nobody can pick any more end its calls, in the background. The caller holds mu.
func (l *line) drain(in *instance) {
	s := l.slot
	in.planned.Store(true)
	in.setState(StateDraining)
	if in.silent.Load() {
		for range in.places.Swap(0) { // what hangs must not keep newcomers out
			s.calls.leave()
		}
	}
	taken := make(chan struct{})
	in.takenBack = taken
	s.draining++
	s.host.background(func() {
		l.awaitDrained(in, taken)
		s.mu.Lock()
		s.draining--
		s.enter(s.phase)
		s.mu.Unlock()
	})
	in.letGo()
}

// awaitDrained waits until the last call has returned its reference, but never longer than the longest call may
// take; what is open then is cut off and reads as unknown. An instance that is taken back is left alone.
func (l *line) awaitDrained(in *instance, taken <-chan struct{}) {
	o := l.slot.host.options
	timer := time.NewTimer(in.info.LongestCall() + o.DrainExtra)
	defer timer.Stop()
	ended := false
	select {
	case <-in.drained:
		ended = true
	case <-taken:
		return
	case <-timer.C:
	case <-l.slot.host.hurry: // the host's Close has run out of time
	}
	select {
	case <-taken: // in the same moment
		return
	default:
	}
	if !l.giveUp(in) {
		return
	}
	if !ended {
		in.log.LogAttrs(l.slot.host.life, slog.LevelError, "plugin drain deadline exceeded", slog.Int64("open_calls", in.leases.Load()))
		l.slot.host.tell(in, FactOverdrawn, "its drain deadline passed with calls open", in.leases.Load())
		in.end()
		await(in.drained, time.Second)
	}
	l.awaitVerdict(in)
	in.stop(o.StopTimeout)
}

// awaitVerdict waits until pings have decided whether an instance hangs that missed one: telling it to end would make it miss
// the others.
func (l *line) awaitVerdict(in *instance) {
	o := l.slot.host.options
	most := time.NewTimer(missesToKill * (o.PingEvery + o.PingTimeout))
	defer most.Stop()
	look := time.NewTicker(o.PingEvery)
	defer look.Stop()
	for in.silent.Load() && in.life.Err() == nil {
		select {
		case <-look.C:
		case <-in.process.exited:
			return
		case <-most.C:
			return
		case <-l.slot.host.hurry:
			return
		}
	}
}

// giveUp settles that an instance is not taken back any more, and forgets its line if nothing else is there. It
// reports false if the instance was taken back in the last moment.
func (l *line) giveUp(in *instance) bool {
	l.slot.mu.Lock()
	defer l.slot.mu.Unlock()
	if l.current.Load() == in {
		return false
	}
	if l.leaving == in {
		l.leaving = nil
		if l.turn.TryLock() { // else whoever has the turn sweeps when its work is done
			l.sweep()
			l.turn.Unlock()
		}
	}
	return true
}

// sweep forgets a line of which nothing is left. The caller holds the turn and mu.
func (l *line) sweep() {
	if (l.phase == phaseIdle || l.phase == phaseRetired) && l.leaving == nil && l.current.Load() == nil {
		l.drop()
	}
}

// pass gives the turn back.
func (l *line) pass() {
	l.slot.mu.Lock()
	l.sweep()
	l.slot.mu.Unlock()
	l.turn.Unlock()
}
