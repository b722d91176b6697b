package jobs

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/payrack/payrack/ports/inbound"
)

// RetentionOptions say how often. Zero members have the defaults named here.
type RetentionOptions struct {
	Retention inbound.Retention
	Log       *slog.Logger
	// Every is how often it is looked whether something is due: 6 h. The first look is somewhere in the first tenth of it,
	// so that neither a start nor replicas that start together are slowed down.
	Every time.Duration
	// Step is the pause between two parts, in which payments have the database to themselves: 100 ms.
	Step time.Duration
}

// Retention drives the forgetting of what was promised for a time only.
type Retention struct{ o RetentionOptions }

// NewRetention makes a driver; Run starts it.
func NewRetention(o RetentionOptions) (*Retention, error) {
	if o.Retention == nil || o.Log == nil {
		return nil, errors.New("jobs: Retention and Log are required")
	}
	if o.Every <= 0 {
		o.Every = 6 * time.Hour
	}
	if o.Step <= 0 {
		o.Step = 100 * time.Millisecond
	}
	return &Retention{o}, nil
}

// Run drives until the context ends.
func (r *Retention) Run(ctx context.Context) {
	timer := time.NewTimer(rand.N(r.o.Every/10 + 1)) //nolint:gosec // spreading load is no secret
	defer timer.Stop()
	for failing := false; ; timer.Reset(r.o.Every) {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		removed, err := r.pass(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failing = true
			r.o.Log.WarnContext(ctx, "old idempotency keys are not removed; payments are not affected, the database grows",
				slog.Int("removed", removed), slog.String("error", err.Error()))
		case removed > 0 || failing:
			failing = false
			r.o.Log.InfoContext(ctx, "old idempotency keys were removed", slog.Int("removed", removed))
		}
	}
}

// pass does all that is due, a part at a time.
func (r *Retention) pass(ctx context.Context) (total int, err error) {
	pause := time.NewTicker(r.o.Step)
	defer pause.Stop()
	for {
		removed, more, err := r.o.Retention.Prune(ctx)
		total += removed
		if err != nil || !more {
			return total, err //nolint:wrapcheck // for the log
		}
		select {
		case <-ctx.Done():
			return total, ctx.Err() //nolint:wrapcheck // Run looks at the context
		case <-pause.C:
		}
	}
}
