package jobs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/payrack/payrack/ports/inbound"
)

// Options say how often. Zero members have the defaults named here.
type Options struct {
	Recovery inbound.Recovery
	Log      *slog.Logger
	// Fence is how often this process gives its sign of life and looks for dead ones: 1 s. It must be well below
	// outbound.ReplicaLease.
	Fence time.Duration
	// Resolve is how often due outcomes are claimed: 1 s.
	Resolve time.Duration
	// Seal is how often the journal is sealed: 1 s.
	Seal time.Duration
}

// Recovery drives the recovery of the core.
type Recovery struct{ o Options }

// NewRecovery makes a driver; Run starts it.
func NewRecovery(o Options) (*Recovery, error) {
	if o.Recovery == nil || o.Log == nil {
		return nil, errors.New("jobs: Recovery and Log are required")
	}
	for _, every := range []*time.Duration{&o.Fence, &o.Resolve, &o.Seal} {
		if *every <= 0 {
			*every = time.Second
		}
	}
	return &Recovery{o}, nil
}

// Run drives until the context ends, and returns when nothing of it runs any more.
func (r *Recovery) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, one := range []struct {
		name  string
		every time.Duration
		do    func(context.Context) (int, error)
	}{
		{"fence", r.o.Fence, r.o.Recovery.FenceDead},
		{"resolve", r.o.Resolve, r.o.Recovery.ResolveDue},
		{"seal", r.o.Seal, r.o.Recovery.Seal},
	} {
		all.Go(func() { r.drive(ctx, one.name, one.every, one.do) })
	}
	all.Wait()
}

// quiet is how long the same trouble is not told again.
const quiet = time.Minute

// drive repeats a job. Trouble is told when it begins, again each minute, and when it is over.
func (r *Recovery) drive(ctx context.Context, name string, every time.Duration, do func(context.Context) (int, error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var told time.Time
	for {
		n, err := do(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && time.Since(told) > quiet:
			told = time.Now()
			r.o.Log.ErrorContext(ctx, "recovery does not get on; payments with an unknown outcome wait until it does",
				slog.String("job", name), slog.String("error", err.Error()))
		case err == nil && !told.IsZero():
			told = time.Time{}
			r.o.Log.InfoContext(ctx, "recovery gets on again", slog.String("job", name))
		case err == nil && n > 0:
			r.o.Log.DebugContext(ctx, "recovery did something", slog.String("job", name), slog.Int("count", n))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
