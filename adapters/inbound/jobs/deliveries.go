package jobs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/payrack/payrack/ports/inbound"
)

// DeliveryOptions say how often. Every has the default named here if it is zero.
type DeliveryOptions struct {
	Deliveries inbound.Deliveries
	Log        *slog.Logger
	// Every is how often the journal is read for events, and how often due deliveries are looked for: 1 s.
	Every time.Duration
}

// Deliveries drives what companies are told.
type Deliveries struct{ o DeliveryOptions }

// NewDeliveries makes a driver; Run starts it.
func NewDeliveries(o DeliveryOptions) (*Deliveries, error) {
	if o.Deliveries == nil || o.Log == nil {
		return nil, errors.New("jobs: Deliveries and Log are required")
	}
	if o.Every <= 0 {
		o.Every = time.Second
	}
	return &Deliveries{o}, nil
}

// Run drives until the context ends, and returns when nothing of it runs any more.
func (d *Deliveries) Run(ctx context.Context) {
	var all sync.WaitGroup
	for name, do := range map[string]func(context.Context) (int, error){
		feeding: d.o.Deliveries.Feed, "deliver": d.o.Deliveries.DeliverDue,
	} {
		all.Go(func() {
			d.drive(ctx, name, do)
		})
	}
	all.Wait()
}

// feeding is the job that reads the journal.
const feeding = "feed"

// drive repeats a job. Trouble is told when it begins, again each minute, and when it is over.
func (d *Deliveries) drive(ctx context.Context, name string, do func(context.Context) (int, error)) {
	tick := time.NewTicker(d.o.Every)
	defer tick.Stop()
	job := slog.String("job", name)
	var told time.Time
	for {
		n, err := do(ctx)
		switch {
		case ctx.Err() != nil:
			d.last(ctx, name, do)
			return
		case err != nil && time.Since(told) > quiet:
			told = time.Now()
			d.o.Log.ErrorContext(ctx, "webhooks are not sent; payments are not affected, and what is due is sent later",
				job, slog.String("error", err.Error()))
		case err == nil && !told.IsZero():
			told = time.Time{}
			d.o.Log.InfoContext(ctx, "webhooks are sent again", job)
		case err == nil && n > 0:
			d.o.Log.DebugContext(ctx, "webhooks were queued or sent", job, slog.Int("count", n))
		}
		select {
		case <-ctx.Done():
			d.last(ctx, name, do)
			return
		case <-tick.C:
		}
	}
}

// last lets a job record what it had begun. What it cannot record is sent again later.
func (d *Deliveries) last(ctx context.Context, name string, do func(context.Context) (int, error)) {
	if name == feeding {
		return // what it did is stored
	}
	if _, err := do(ctx); err != nil && !errors.Is(err, context.Canceled) {
		d.o.Log.WarnContext(ctx, "the outcome of the last webhooks was not recorded; they are sent again", slog.String("error", err.Error()))
	}
}
