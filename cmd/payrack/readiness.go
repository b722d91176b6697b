package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/payrack/payrack/adapters/inbound/adminapi"
	"github.com/payrack/payrack/adapters/inbound/httpapi"
	"github.com/payrack/payrack/adapters/telemetry"
	"github.com/payrack/payrack/configs"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/ports/inbound"
)

// How often, and how long, the database is asked whether it takes a write.
const (
	probeEvery   = time.Second
	probeTimeout = 2 * time.Second
)

// readiness says whether traffic should come here, and why not.
type readiness struct {
	serving  atomic.Bool
	stopping atomic.Bool

	platform *Platform

	probing sync.Mutex
	probed  time.Time
	failure error
	// better are the providers that other replicas serve and this one cannot.
	better []string

	telling sync.Mutex
	told    string
}

// watch makes the platform the one that is asked.
func (r *readiness) watch(p *Platform) { r.platform = p }

// readyz answers for the route. The cause in words goes to the client, the whole error to the log.
func (p *Platform) readyz(ctx context.Context) error {
	state := p.ready.look(ctx)
	p.ready.tell(ctx, state)
	if len(state.Causes) == 0 {
		return nil
	}
	return state
}

func (r *readiness) look(ctx context.Context) *httpapi.NotReadyError {
	switch {
	case r.stopping.Load():
		return &httpapi.NotReadyError{Causes: []string{"the platform is stopping"}}
	case !r.serving.Load():
		return &httpapi.NotReadyError{Causes: []string{"the platform is starting"}}
	}
	state := &httpapi.NotReadyError{Serving: true}
	up, down := sortSlots(r.platform.Host.Status())
	better, err := r.probe(ctx, len(down) > 0)
	if err != nil {
		state.Serving, state.Err = false, err
		state.Causes = append(state.Causes, "the database cannot be written")
	}
	if len(better) > 0 {
		state.Serving = false
		state.Causes = append(state.Causes, "other replicas serve what this one cannot: "+strings.Join(better, ", "))
	}
	if up == 0 {
		state.Serving = false
		state.Causes = append(state.Causes, "no provider serves")
	}
	state.Causes = append(state.Causes, down...)
	return state
}

// readiness is the same for the metrics.
func (p *Platform) readiness(ctx context.Context) telemetry.Readiness {
	state := p.ready.look(ctx)
	now := telemetry.Readiness{Ready: state.Serving, Database: state.Err == nil, Providers: map[string]bool{}}
	for _, s := range p.Host.Status() {
		switch s.Phase {
		case "disabled", "closed":
		default:
			now.Providers[s.Name] = s.Phase == "serving" || s.Phase == "restarting"
		}
	}
	return now
}

// sortSlots counts the providers that take calls, or will in a moment, and names the others.
func sortSlots(slots []host.SlotStatus) (up int, down []string) {
	for _, s := range slots {
		switch s.Phase {
		case "serving", "restarting":
			up++
		case "disabled", "closed":
		default:
			down = append(down, "provider "+s.Name+" is "+phaseWord(s.Phase))
		}
	}
	return up, down
}

func phaseWord(phase string) string {
	if phase == "idle" {
		return "not running"
	}
	return phase
}

// probe asks the database for a write, and if something does not run here whether others do better, at most once in
// probeEvery however often it is asked.
func (r *readiness) probe(ctx context.Context, lacking bool) (better []string, failure error) {
	r.probing.Lock()
	defer r.probing.Unlock()
	if !r.probed.IsZero() && time.Since(r.probed) < probeEvery {
		return r.better, r.failure
	}
	// One who hangs up must not make the answer of the others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
	defer cancel()
	r.failure, r.better = r.platform.writable(ctx), nil
	if lacking && r.failure == nil {
		if all, err := r.platform.Core.Channels().Status(ctx); err == nil {
			r.better = servedElsewhere(all, r.platform.boot)
		}
	}
	r.probed = time.Now()
	return r.better, r.failure
}

// servedElsewhere are the providers whose stable release is not ready on this replica and is on another one that lives.
// Payments should go there. Where no other can serve it either, it is no reason to send everything away from here.
func servedElsewhere(all []inbound.PluginStatus, boot string) []string {
	var names []string
	for _, s := range all {
		here := slices.ContainsFunc(s.Instances, func(i release.Instance) bool {
			return i.Version == s.Channel.Stable && (i.State == "serving" || i.State == "ready")
		})
		there := slices.ContainsFunc(s.Replicas, func(r release.Report) bool {
			return r.Replica != boot && r.Alive && r.HasReady(s.Channel.Stable)
		})
		if s.Channel.Enabled && s.Channel.Stable != "" && !here && there {
			names = append(names, s.Name)
		}
	}
	return names
}

// writable goes the way of a payment's write, through the writer and with the lock that a write takes.
func (p *Platform) writable(ctx context.Context) error {
	if err := p.Store.Writable(ctx); err != nil {
		return fmt.Errorf("ask the database for a write: %w", err)
	}
	if path := p.config.SQLitePath(); path != "" {
		return roomBeside(path)
	}
	return nil
}

// probeBytes is what a small payment takes.
const probeBytes = 16 << 10

// roomBeside writes a file beside the database: the lock of a database can be had on a disk that is full.
func roomBeside(path string) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".probe-*")
	if err != nil {
		return fmt.Errorf("write beside the database: %w", err)
	}
	_, err = file.Write(make([]byte, probeBytes))
	if err := errors.Join(err, file.Sync(), file.Close(), os.Remove(file.Name())); err != nil {
		return fmt.Errorf("write beside the database: %w", err)
	}
	return nil
}

// tell logs a change, once.
func (r *readiness) tell(ctx context.Context, state *httpapi.NotReadyError) {
	now := strings.Join(state.Causes, "; ")
	r.telling.Lock()
	before := r.told
	r.told = now
	r.telling.Unlock()
	if now == before {
		return
	}
	log := r.platform.log
	switch {
	case now == "":
		log.InfoContext(ctx, "ready again, nothing is limited")
	case state.Err != nil:
		log.ErrorContext(ctx, "readiness changed", slog.Bool("ready", state.Serving), slog.String("cause", now), slog.String("error", state.Err.Error()))
	default:
		log.WarnContext(ctx, "readiness changed", slog.Bool("ready", state.Serving), slog.String("cause", now))
	}
}

// runtime is what the host says about a provider, for the admin plane.
func (p *Platform) runtime(name string) adminapi.Runtime {
	all := p.Host.Status()
	i := slices.IndexFunc(all, func(s host.SlotStatus) bool { return s.Name == name })
	if i < 0 {
		return adminapi.Runtime{Phase: "idle", Detail: "no release was started by this process", Remedy: "activate a release"}
	}
	r := adminapi.Runtime{Phase: all[i].Phase, Detail: all[i].Detail}
	switch r.Phase {
	case "quarantined":
		r.Remedy = "it is tried again about once a minute: roll back or activate another release, or the same one once its trouble is over"
	case "restarting":
		r.Remedy = "it is being started again; too many crashes put it into quarantine"
	case "idle":
		r.Remedy = "activate a release"
	}
	return r
}

// stopping is what the log says about the time that a stop may take.
func stopping(c configs.Config) slog.Attr {
	return slog.Group("bound", slog.Int64("drain_delay_ms", c.Shutdown.DrainDelay.Std().Milliseconds()),
		slog.Int64("grace_ms", c.Shutdown.Grace.Std().Milliseconds()))
}
