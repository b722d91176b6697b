package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// interruptible runs a platform. A signal while it starts is no failure: half of the start fails because it was
// told to stop, and what was begun is closed again.
func interruptible(ctx context.Context, log *slog.Logger, run func(ctx context.Context, serving func()) error) error {
	tuneMemory()
	served := false
	err := run(ctx, func() { served = true })
	if err != nil && !served && ctx.Err() != nil {
		log.WarnContext(ctx, "stopped while starting", slog.String("error", err.Error()))
		return nil //nolint:nilerr // being told to stop is no failure
	}
	return err
}

// Run serves until the context ends or a listener fails, then stops taking requests and waits for those in
// flight. serving is called once both planes answer and the platform is ready.
func (p *Platform) Run(ctx context.Context, serving func() error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, len(p.planes))
	var work sync.WaitGroup
	work.Go(func() { p.watcher.Run(ctx) })
	var fleet sync.WaitGroup
	fleet.Go(func() { p.fleetWatcher.Run(ctx) })
	work.Go(func() { p.deliveries.Run(ctx) })
	work.Go(func() { p.retention.Run(ctx) })
	// The sign of life goes on until the last request is answered: without it other replicas take its calls over.
	alive, rest := context.WithCancel(context.WithoutCancel(ctx))
	defer rest()
	work.Go(func() { p.recovery.Run(alive) })
	for _, s := range p.planes {
		work.Go(func() {
			if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("the %s plane stopped: %w", s.name, err)
			}
		})
	}
	p.measure()
	p.ready.serving.Store(true)
	err := serving()
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-failed:
		}
	}
	stop()
	work.Go(func() {
		fleet.Wait() // it reports, and a replica that left does not
		p.leaveFleet(context.WithoutCancel(ctx))
	})
	err = errors.Join(err, p.drain(context.WithoutCancel(ctx)))
	rest()
	work.Wait()
	return err
}

// leavePatience bounds the goodbye: without it the others wait until this replica counts as dead.
const leavePatience = 2 * time.Second

// leaveFleet says that this replica ends, so that no order about a release waits for it. What is in flight goes on with
// the releases that serve here.
func (p *Platform) leaveFleet(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leavePatience)
	defer cancel()
	if err := p.Core.Fleet().Leave(ctx); err != nil {
		p.log.WarnContext(ctx, "the other replicas could not be told that this one ends; orders about releases wait for it a little",
			slog.String("error", err.Error()))
	}
}

// cutPatience is how long clients have to be told what became of their call once it was cut off.
const cutPatience = 2 * time.Second

// drain tells load balancers to look away, then takes no more requests and waits for those in flight, as long as
// the configuration allows. Provider calls that are open then are cut off: they become unknown, are recorded as
// that, and their clients are told so.
func (p *Platform) drain(ctx context.Context) error {
	p.ready.stopping.Store(true)
	p.log.InfoContext(ctx, "stopping", slog.Int64("in_flight", p.traffic.inflight.Load()), stopping(p.config))
	time.Sleep(p.config.Shutdown.DrainDelay.Std())

	grace := p.config.Shutdown.Grace.Std()
	p.leave = time.Now().Add(grace)
	cut := time.AfterFunc(grace, func() {
		if calls := p.Host.CutCalls(); calls > 0 {
			p.log.WarnContext(ctx, "provider calls were cut off because shutdown.grace was over; the outcome of payments among them is unknown until it is searched for",
				slog.Int("calls", calls))
		}
	})
	defer cut.Stop()
	ctx, cancel := context.WithTimeout(ctx, grace+cutPatience)
	defer cancel()
	var work sync.WaitGroup
	late := make([]bool, len(p.planes))
	for i, s := range p.planes {
		work.Go(func() {
			if err := s.server.Shutdown(ctx); err != nil {
				late[i] = true
				_ = s.server.Close() // the time is over
			}
		})
	}
	work.Wait()
	for i, s := range p.planes {
		if late[i] {
			p.log.WarnContext(ctx, "connections were closed in the middle of a request because shutdown.grace was over",
				slog.String("plane", s.name), slog.Int64("in_flight", p.traffic.inflight.Load()))
		}
	}
	return nil
}

// closePatience bounds each step of Close that has no limit of its own.
const closePatience = 15 * time.Second

// What is left of shutdown.grace may be used, and so much in any case.
const (
	finishPatience = 500 * time.Millisecond
	pluginPatience = 2 * time.Second
)

// spansPatience bounds what a collector that does not answer costs a stop.
const spansPatience = 5 * time.Second

// Close stops what Wire opened, in the other direction: work in the background, plugins, database, and at last
// the spans of all of them. It is safe to call twice.
func (p *Platform) Close(ctx context.Context) error {
	if p.closed.Swap(true) {
		return nil
	}
	began := time.Now()
	var all []error
	step := func(what string, patience time.Duration, do func(context.Context) error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := do(ctx); err != nil {
			all = append(all, fmt.Errorf("%s: %w", what, err))
		}
	}
	for _, s := range p.planes {
		step("close the "+s.name+" plane", closePatience, func(context.Context) error { return s.server.Close() })
	}
	if p.Core != nil {
		step("finish payments in the background", max(time.Until(p.leave), finishPatience), p.Core.Close)
	}
	if p.Host != nil {
		step("stop the plugins", max(time.Until(p.leave), pluginPatience), p.Host.Close)
	}
	if p.exchanges != nil {
		p.exchanges.Close() // behind the plugins, which bring them
	}
	if p.Store != nil {
		step("close the database", closePatience, func(context.Context) error { return p.Store.Close() })
	}
	if p.Telemetry != nil {
		step("send the last spans", spansPatience, p.Telemetry.Shutdown)
	}
	if p.ready.stopping.Load() {
		p.log.InfoContext(ctx, "stopped", slog.Int64("took_ms", time.Since(began).Milliseconds()))
	}
	return errors.Join(all...)
}

// longestRunDir leaves room for the names of sockets in the 108 bytes that a unix address has.
const longestRunDir = 50

// runDir is the folder for the sockets of plugins. The system's temporary folder can be too deep for it.
func runDir(configured string) string {
	if configured != "" {
		return configured
	}
	name := fmt.Sprintf("payrack-%d", os.Getuid())
	if dir := filepath.Join(os.TempDir(), name); len(dir) <= longestRunDir {
		return dir
	}
	return filepath.Join("/tmp", name)
}

// makeFolder makes a private folder; an empty name is no folder.
func makeFolder(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder %s: %w", dir, err)
	}
	return nil
}
