package configstore

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/inbound"
)

const (
	// defaultFleetInterval is how often a process looks when nothing happens. It is its sign of life too, and well below
	// release.LiveFor.
	defaultFleetInterval = 5 * time.Second
	// busyInterval is how often it looks while a channel is on its way, and while the database cannot be read.
	busyInterval = time.Second
	// toldAgain is how soon another trouble is told while one goes on.
	toldAgain = time.Minute
)

// FleetOptions of NewFleet.
type FleetOptions struct {
	// Fleet that is brought to what the channels say. Required.
	Fleet inbound.Fleet
	// Changes hints that a channel was saved, until its context ends (outbound.Replicas.Changes). Required.
	Changes func(ctx context.Context) <-chan struct{}
	// Log takes one line when looking starts to fail, one when it fails for another reason, and one when it works again.
	// Required.
	Log *slog.Logger
	// Interval between two looks when nothing happens, five seconds if zero. Each is up to a fifth longer or shorter, so
	// that replicas do not ask in step.
	Interval time.Duration
}

// FleetWatcher brings the plugins of this process to what the channels say, and the channels on as the replicas get
// there. It is the only one that does, so that no two looks of a process overlap.
type FleetWatcher struct{ FleetOptions }

// NewFleet makes a watcher. It starts nothing.
func NewFleet(o FleetOptions) (*FleetWatcher, error) {
	if o.Fleet == nil || o.Changes == nil || o.Log == nil {
		return nil, errors.New("configstore: FleetOptions.Fleet, Changes and Log are required")
	}
	if o.Interval < 0 {
		return nil, errors.New("configstore: FleetOptions.Interval is negative")
	}
	if o.Interval == 0 {
		o.Interval = defaultFleetInterval
	}
	return &FleetWatcher{o}, nil
}

// Run looks at once, after each hint, and from time to time, until the context ends. When it returns nothing of it runs
// any more, so that the replica can leave the fleet.
func (w *FleetWatcher) Run(ctx context.Context) {
	changes, t := w.Changes(ctx), trouble{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-changes:
			if !open {
				changes = nil // the hints have ended; the timer goes on
				continue
			}
		case <-timer.C:
		}
		err := w.look(ctx)
		if ctx.Err() != nil {
			return
		}
		w.tell(ctx, &t, err)
		timer.Reset(w.pause(err))
	}
}

// look does here what the channels say, and moves them on. A release that cannot be started here is no reason to stop
// there: that it was refused is what moves its channel on.
func (w *FleetWatcher) look(ctx context.Context) error {
	err := w.Fleet.Converge(ctx)
	if away(err) {
		return err //nolint:wrapcheck // told as it is
	}
	return errors.Join(err, w.Fleet.Advance(ctx))
}

// away reports whether the channels could not be read or saved, among whatever else went wrong.
func away(err error) bool {
	if all, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		return slices.ContainsFunc(all.Unwrap(), away)
	}
	return err != nil && fault.KindOf(err) == fault.Unavailable
}

// pause is how long to wait for the next look. A release that cannot be started is not tried again at once.
func (w *FleetWatcher) pause(err error) time.Duration {
	if away(err) || w.Fleet.Busy() {
		return about(min(busyInterval, w.Interval))
	}
	return about(w.Interval)
}

// trouble is what was told last, nothing if all is well.
type trouble struct {
	what string
	at   time.Time
}

func (w *FleetWatcher) tell(ctx context.Context, t *trouble, err error) {
	switch {
	case err == nil && t.what != "":
		*t = trouble{}
		w.Log.InfoContext(ctx, "provider plugins are what the channels say again")
	case err != nil && (t.what == "" || err.Error() != t.what && time.Since(t.at) >= toldAgain):
		*t = trouble{what: err.Error(), at: time.Now()}
		w.Log.WarnContext(ctx, "provider plugins are not all what the channels say; what serves goes on serving",
			slog.String("error", t.what))
	}
}
