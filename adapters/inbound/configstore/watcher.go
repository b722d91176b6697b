package configstore

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/payrack/payrack/ports/inbound"
)

// Options of New.
type Options struct {
	// Directory that is reloaded. Required.
	Directory inbound.Directory
	// Log takes one line when a reload starts to fail and one when it works again. Required.
	Log *slog.Logger
	// Interval between two looks, one second if zero. Each is up to a fifth longer or shorter, so that
	// replicas do not ask in step.
	Interval time.Duration
}

// Watcher reloads the directory until it is told to stop.
type Watcher struct{ Options }

// New makes a watcher. It starts nothing.
func New(o Options) (*Watcher, error) {
	if o.Directory == nil || o.Log == nil {
		return nil, errors.New("configstore: Options.Directory and Options.Log are required")
	}
	if o.Interval < 0 {
		return nil, errors.New("configstore: Options.Interval is negative")
	}
	if o.Interval == 0 {
		o.Interval = time.Second
	}
	return &Watcher{o}, nil
}

// Run reloads until the context ends.
func (w *Watcher) Run(ctx context.Context) {
	timer := time.NewTimer(w.pause())
	defer timer.Stop()
	for behind := false; ; timer.Reset(w.pause()) {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			behind = w.look(ctx, behind)
		}
	}
}

// look reloads once and reports whether this process may be behind.
func (w *Watcher) look(ctx context.Context, behind bool) bool {
	err := w.Directory.Reload(ctx)
	switch {
	case ctx.Err() != nil:
		return behind
	case err != nil && !behind:
		w.Log.WarnContext(ctx, "companies, stores, credentials and clients cannot be read; what is known goes on serving, changes wait",
			slog.String("error", err.Error()))
	case err == nil && behind:
		w.Log.InfoContext(ctx, "companies, stores, credentials and clients are read again")
	}
	return err != nil
}

// pause is the interval, up to a fifth longer or shorter.
func (w *Watcher) pause() time.Duration { return about(w.Interval) }

// about is an interval, up to a fifth longer or shorter.
func about(interval time.Duration) time.Duration {
	fifth := int64(interval) / 5
	if fifth == 0 {
		return interval
	}
	return interval + time.Duration(rand.Int64N(2*fifth+1)-fifth) //nolint:gosec // spreading load is no secret
}
