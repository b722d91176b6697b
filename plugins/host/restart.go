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

// watch pings a serving instance. At the first miss no new call goes to it; at the third it is killed,
// because a hanging process ends in no other way.
func (s *Slot) watch(in *instance) {
	ticker := time.NewTicker(s.host.options.PingEvery)
	defer ticker.Stop()
	for misses := 0; ; {
		select {
		case <-in.process.exited:
			return
		case <-ticker.C:
		}
		if in.planned.Load() {
			return
		}
		ready, err := s.ping(in)
		switch {
		case err != nil:
			misses++
		case misses > 0:
			misses = 0
		}
		if misses >= missesToKill {
			in.setState(StateWedged)
			in.log.LogAttrs(in.life, slog.LevelError, "plugin hangs and is killed",
				slog.Int("missed_pings", misses), slog.Int("pid", in.process.pid))
			in.process.kill()
			return
		}
		if fit := err == nil && ready; in.healthy.Swap(fit) != fit {
			in.log.LogAttrs(in.life, slog.LevelWarn, "plugin readiness changed", slog.Bool("ready", fit))
			s.wake()
		}
	}
}

func (s *Slot) ping(in *instance) (ready bool, err error) {
	ctx, cancel := context.WithTimeout(in.life, s.host.options.PingTimeout)
	defer cancel()
	answer, err := in.client.Health(ctx, &providerv1.HealthRequest{})
	return answer.GetReady(), err
}

// onExit is called when a process has ended, for whatever reason.
func (s *Slot) onExit(in *instance) {
	s.mu.Lock()
	delete(s.living, in.id)
	s.enter(s.phase, s.detail)
	s.mu.Unlock()
	if in.planned.Load() {
		in.log.LogAttrs(in.life, slog.LevelInfo, "plugin process ended", slog.Int("pid", in.process.pid))
		return
	}
	if !s.current.CompareAndSwap(in, nil) {
		return // it never served: whoever was starting it knows
	}
	if *in.state.Load() != StateWedged {
		in.setState(StateCrashed)
	}
	in.letGo()
	in.log.LogAttrs(in.life, slog.LevelError, "plugin crashed",
		slog.Int("pid", in.process.pid), slog.String("status", in.process.ending()),
		slog.String("state", string(*in.state.Load())), slog.Int64("open_calls", in.leases.Load()),
		slog.String("crash_report", in.lines.crashReport()))
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.serving) >= s.host.options.CrashWindow {
		s.crashes = nil
	}
	s.crashed("it crashed: " + in.process.ending())
}

// crashed counts a crash and orders a restart, or quarantine. The caller holds mu.
func (s *Slot) crashed(detail string) {
	o := s.host.options
	now := time.Now()
	recent := s.crashes[:0]
	for _, at := range s.crashes {
		if now.Sub(at) < o.CrashWindow {
			recent = append(recent, at)
		}
	}
	s.crashes = append(recent, now)
	if s.phase == phaseClosed || s.phase == phaseDisabled || s.desired == nil {
		return
	}
	if len(s.crashes) >= o.CrashLimit {
		s.quarantine(detail)
		return
	}
	s.enter(phaseRestarting, detail)
	wait := backoff(len(s.crashes)-1, o.BackoffBase, o.BackoffCap)
	ctx, generation := s.ctx, s.generation
	s.host.background(func() { s.restart(ctx, generation, wait) })
}

// quarantine gives up until an operator activates something. The caller holds mu.
func (s *Slot) quarantine(detail string) {
	s.enter(phaseQuarantined, detail)
	s.host.options.Log.LogAttrs(s.host.life, slog.LevelError, "plugin quarantined; activate a release to end it",
		slog.String("plugin", s.name), slog.Int("crashes", len(s.crashes)), slog.String("detail", detail))
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

// restart starts the desired release again after a crash, unless the operator changes something first.
func (s *Slot) restart(ctx context.Context, generation uint64, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return
	}
	s.admin.Lock()
	defer s.admin.Unlock()
	s.mu.Lock()
	if s.generation != generation || s.desired == nil || ctx.Err() != nil {
		s.mu.Unlock()
		return
	}
	d := *s.desired
	s.mu.Unlock()

	in, refused := s.start(ctx, d)
	if refused == nil {
		s.publish(in) //nolint:contextcheck // an instance outlives the order to start it
		in.log.LogAttrs(ctx, slog.LevelWarn, "plugin restarted", slog.Int("pid", in.process.pid))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.generation != generation || ctx.Err() != nil {
		return
	}
	s.host.options.Log.LogAttrs(ctx, slog.LevelError, "plugin not restarted",
		slog.String("plugin", s.name), slog.String("reason", refused.Error()))
	if refused.settings || refused.Code == CodeInfoMismatch {
		s.quarantine(refused.Error()) // starting it again would give the same answer
		return
	}
	s.crashed(refused.Error()) //nolint:contextcheck // the next restart has the slot's context
}
