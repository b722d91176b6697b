package host

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// missesToKill is how many pings in a row a plugin may miss.
const missesToKill = 3

// refusalsToTell is how many pings in a row a plugin may answer with "not ready" before that is told: a moment is nobody's business.
const refusalsToTell = 3

// reliefPause is how long after a start beside an instance that missed a ping the next one may begin: one that misses every other
// ping is no reason for a process each time.
const reliefPause = 10 * time.Second

// renewalPause is how long after a process could not be replaced the next try begins.
const renewalPause = time.Minute

// watch pings an instance. At the first miss no new call goes to it, and another process is started beside it; at the third
// it is killed, because a hanging process ends in no other way. One that drains is left to its drain deadline, unless it
// missed a ping before.
func (l *line) watch(in *instance) {
	ticker := time.NewTicker(l.slot.host.options.PingEvery)
	defer ticker.Stop()
	l.slot.host.sample(in)
	var renewal, relief time.Time
	unready := 0
	for misses := 0; ; {
		select {
		case <-in.process.exited:
			return
		case <-ticker.C:
		}
		if in.planned.Load() && (!in.silent.Load() || *in.state.Load() == StateStopping) {
			misses = 0
			continue
		}
		if why := in.process.outdated(); why != "" && time.Since(renewal) > renewalPause {
			renewal = time.Now()
			l.slot.host.background(func() { l.replace(in, why) })
		}
		ready, detail, err := l.slot.ping(in)
		if in.life.Err() != nil {
			continue // it was cut off; its end is ordered
		}
		in.silent.Store(err != nil)
		if err != nil {
			misses++
		} else {
			misses = 0
		}
		if misses >= missesToKill {
			in.hung.Store(true)
			in.setState(StateWedged)
			in.log.LogAttrs(in.life, slog.LevelError, "plugin hangs and is killed",
				slog.Int("missed_pings", misses), slog.Int("pid", in.process.pid))
			in.process.kill()
			return
		}
		if fit := err == nil && ready; in.healthy.Swap(fit) != fit {
			in.log.LogAttrs(in.life, slog.LevelWarn, "plugin readiness changed", slog.Bool("ready", fit))
			l.slot.wake()
		}
		unready = l.slot.host.refusals(in, unready, ready || err != nil, detail)
		if misses == 1 && in.reachable() && time.Since(relief) > reliefPause { // of one that cannot be reached the exit is on its way
			relief = time.Now()
			l.slot.host.background(func() { l.relieve(in) })
		}
		l.slot.host.sample(in)
		l.slot.host.overruns(in)
	}
}

// refusals counts how often in a row a process that serves said that it is not ready, and tells it once, and once when it is over. A
// ping that was missed says neither, and has its own end.
func (h *Host) refusals(in *instance, before int, ready bool, detail string) int {
	if ready {
		if before >= refusalsToTell && in.healthy.Load() {
			h.tell(in, FactReady, "", 0)
		} else if before >= refusalsToTell {
			return before // it does not answer: it is not ready again
		}
		return 0
	}
	if before+1 == refusalsToTell {
		h.tell(in, FactUnready, "the plugin says that it is not ready: "+words(detail), 0)
	}
	return min(before+1, refusalsToTell)
}

// relieve gives the place of an instance that missed a ping to another process of the same release, unless it answers again
// until that one is ready: payments then do not wait for the third miss, and what the first process holds still has its chance.
// It does nothing where the hang would be the crash that means quarantine.
func (l *line) relieve(in *instance) {
	s := l.slot
	s.mu.Lock()
	last := len(l.recentCrashes())+1 >= s.host.options.CrashLimit
	s.mu.Unlock()
	if last {
		return
	}
	if next := l.startBeside(in, "it does not answer", in.silent.Load); next != nil {
		s.host.tell(next, FactRestarted, "", int64(next.process.pid))
	}
}

// replace gives the place of an instance to another process of the same release, because what it was started with is out of
// date.
func (l *line) replace(in *instance, why string) {
	l.startBeside(in, why, func() bool { return true })
}

// startBeside starts the release of an instance anew, beside it, and puts the new one in its place if it is still wanted when
// it is ready; nil if it is not in its place. An order that comes in between wins.
func (l *line) startBeside(in *instance, why string, wanted func() bool) *instance {
	s := l.slot
	if err := s.awaitDrains(in.life); err != nil {
		return nil // the watch asks again
	}
	l.turn.Lock()
	defer l.pass()
	s.mu.Lock()
	if l.phase != phaseServing || l.desired == nil || l.current.Load() != in || !wanted() {
		s.mu.Unlock()
		return nil
	}
	ctx, generation, d := l.ctx, l.generation, *l.desired
	d.image.retain() // an order may replace it meanwhile
	s.mu.Unlock()
	defer d.image.release()

	in.log.LogAttrs(ctx, slog.LevelWarn, "another plugin process is started to replace one", slog.String("reason", why), slog.Int("pid", in.process.pid))
	next, refused := l.start(ctx, d)
	switch {
	case refused != nil && (ctx.Err() != nil || s.host.starts.Err() != nil):
		return nil // something else was ordered
	case refused != nil:
		in.log.LogAttrs(ctx, slog.LevelError, "plugin process could not be replaced and stays as long as it lives",
			slog.String("reason", why), slog.String("error", refused.Error()))
		return nil
	case !wanted():
		in.log.LogAttrs(ctx, slog.LevelInfo, "plugin process is not replaced: it answers again", slog.Int("pid", in.process.pid))
	case l.publish(next, generation, nil):
		in.log.LogAttrs(ctx, slog.LevelWarn, "plugin process was replaced", slog.String("reason", why),
			slog.Int("pid", in.process.pid), slog.Int("next_pid", next.process.pid))
		return next
	}
	next.stop(0)
	return nil
}

func (s *Slot) ping(in *instance) (ready bool, detail string, err error) {
	ctx, cancel := context.WithTimeout(in.life, s.host.options.PingTimeout)
	defer cancel()
	answer, err := in.client.Health(ctx, &providerv1.HealthRequest{})
	return answer.GetReady(), answer.GetDetail(), err
}

// onExit is called when a process has ended, for whatever reason.
func (l *line) onExit(in *instance) {
	s := l.slot
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.living, in.id)
	s.enter(s.phase)
	hung := in.hung.Load()
	// One that has been silent and was not told to end ends for a reason of its own.
	crash := hung || in.silent.Load() && *in.state.Load() != StateStopping
	if in.planned.Load() && !crash {
		in.log.LogAttrs(in.life, slog.LevelInfo, "plugin process ended", slog.Int("pid", in.process.pid))
		return
	}
	present := l.current.CompareAndSwap(in, nil)
	if !present && !crash {
		return // it was never ready: whoever was starting it knows
	}
	kind, state := FactWedged, StateWedged
	if !hung {
		kind, state = FactCrashed, StateCrashed
	}
	in.setState(state)
	if present {
		in.letGo()
	}
	ending, open := in.process.ending(), in.leases.Load()
	report := func() {
		await(in.heard, pipeGrace) // its last words are read at their own pace
		in.log.LogAttrs(in.life, slog.LevelError, "plugin crashed",
			slog.Int("pid", in.process.pid), slog.String("status", ending), slog.String("state", string(state)), slog.Int64("open_calls", open),
			slog.String("crash_report", in.lines.crashReport()))
	}
	if s.phase == phaseClosed {
		report() // nobody waits for what begins in the background now
	} else {
		s.host.background(report)
	}
	s.host.tell(in, kind, ending, open)
	if time.Since(l.since) >= s.host.options.CrashWindow {
		l.crashes = nil
	}
	if !present {
		l.crashes = append(l.recentCrashes(), time.Now()) // and no more: its place is another's, or nobody's any more
		return
	}
	l.crashed("it crashed: " + ending)
}

// recentCrashes are those that count for quarantine. The caller holds mu.
func (l *line) recentCrashes() []time.Time {
	recent := l.crashes[:0]
	for _, at := range l.crashes {
		if time.Since(at) < l.slot.host.options.CrashWindow {
			recent = append(recent, at)
		}
	}
	l.crashes = recent
	return recent
}

// crashed counts a crash and orders a restart, or quarantine. The caller holds mu.
func (l *line) crashed(detail string) {
	o := l.slot.host.options
	l.crashes = append(l.recentCrashes(), time.Now())
	if l.slot.phase == phaseClosed || l.slot.phase == phaseDisabled || l.phase == phaseRetired || l.desired == nil {
		return
	}
	if len(l.crashes) >= o.CrashLimit {
		l.quarantine(detail)
		return
	}
	l.enter(phaseRestarting, detail)
	wait := backoff(len(l.crashes)-1, o.BackoffBase, o.BackoffCap)
	ctx := l.ctx
	l.attempt++
	attempt := l.attempt
	l.slot.host.background(func() { l.restart(ctx, attempt, wait) })
}

// quarantine gives up until somebody orders something, BackoffCap after the last crash at the earliest. The caller holds mu.
func (l *line) quarantine(detail string) {
	o := l.slot.host.options
	if len(l.crashes) == 0 {
		l.crashes = append(l.crashes, time.Now())
	}
	l.enter(phaseQuarantined, detail)
	o.Log.LogAttrs(l.slot.host.life, slog.LevelError, "plugin quarantined; it is not prepared again before the longest back-off since its last crash is over, then at the next look of this replica or when it is activated",
		slog.Duration("longest_backoff", o.BackoffCap),
		slog.String("plugin", l.slot.name), slog.String("plugin_version", l.version()),
		slog.Int("crashes", len(l.crashes)), slog.String("detail", detail))
	l.slot.host.report(Fact{
		Kind: FactQuarantined, Name: l.slot.name, Version: l.version(), SHA256: l.digest, Detail: detail, Value: int64(len(l.crashes)),
	})
}

// backoff is 0 for the first restart, then base × 2ⁿ with full jitter in its upper half, at most limit.
func backoff(crashesBefore int, base, limit time.Duration) time.Duration {
	if crashesBefore <= 0 {
		return 0
	}
	wait := base << min(crashesBefore-1, 20)
	if wait <= 0 || wait > limit {
		wait = limit
	}
	return wait/2 + rand.N(wait/2+1) //nolint:gosec // jitter, no secret
}

// restart starts the release again after a crash, unless an order changes something first.
func (l *line) restart(ctx context.Context, attempt uint64, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return
	}
	l.turn.Lock()
	defer l.pass()
	s := l.slot
	s.mu.Lock()
	if l.attempt != attempt || l.desired == nil || ctx.Err() != nil {
		s.mu.Unlock()
		return
	}
	generation, d := l.generation, *l.desired
	d.image.retain() // an order may replace it meanwhile
	s.mu.Unlock()
	defer d.image.release()

	in, refused := l.start(ctx, d)
	if refused == nil {
		if !l.publish(in, generation, nil) { //nolint:contextcheck // an instance outlives the order to start it
			in.stop(0)
			return
		}
		in.log.LogAttrs(ctx, slog.LevelWarn, "plugin restarted", slog.Int("pid", in.process.pid))
		s.host.tell(in, FactRestarted, "", int64(in.process.pid))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.generation != generation || ctx.Err() != nil {
		return
	}
	s.host.options.Log.LogAttrs(ctx, slog.LevelError, "plugin not restarted",
		slog.String("plugin", s.name), slog.String("plugin_version", d.release.Version), slog.String("reason", refused.Error()))
	if refused.settings || refused.Code == CodeInfoMismatch {
		l.quarantine(refused.Error()) // starting it again would give the same answer
		return
	}
	l.crashed(refused.Error()) //nolint:contextcheck // the next restart has the line's context
}
