package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/adapters/inbound/jobs"
)

// attic has so many keys to forget, ten at a time.
type attic struct {
	due, calls atomic.Int64
	away       atomic.Bool
}

func (a *attic) Prune(context.Context) (int, bool, error) {
	a.calls.Add(1)
	if a.away.Load() {
		return 0, false, errors.New("no database")
	}
	n := min(a.due.Load(), 10)
	return int(n), a.due.Add(-n) > 0, nil
}

func TestRetentionIsDrivenInParts(t *testing.T) {
	t.Parallel()
	if _, err := jobs.NewRetention(jobs.RetentionOptions{}); err == nil {
		t.Error("a driver of nothing was made")
	}
	synctest.Test(t, func(t *testing.T) {
		a := &attic{}
		a.due.Store(1000)
		var log bytes.Buffer
		r, err := jobs.NewRetention(jobs.RetentionOptions{Retention: a, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { r.Run(ctx); close(ended) }()
		time.Sleep(36*time.Minute + 10*time.Second)
		if a.due.Load() != 0 || a.calls.Load() != 100 {
			t.Errorf("%d keys are left after %d calls, want none after 100", a.due.Load(), a.calls.Load())
		}
		// Nothing is due for a while, then the database is away when something is.
		time.Sleep(24 * time.Hour)
		if n := a.calls.Load(); n != 104 {
			t.Errorf("%d calls, want four more in a day", n-100)
		}
		a.due.Store(25)
		a.away.Store(true)
		time.Sleep(12 * time.Hour)
		a.away.Store(false)
		time.Sleep(6 * time.Hour)
		cancel()
		<-ended
		if a.due.Load() != 0 {
			t.Errorf("%d keys are left", a.due.Load())
		}
		text := log.String()
		if strings.Count(text, "removed=1000") != 1 || strings.Count(text, "removed=25") != 1 ||
			strings.Count(text, "level=INFO") != 2 || strings.Count(text, "level=WARN") != 2 {
			t.Errorf("told:\n%s", text)
		}
	})
}

func TestRetentionStopsBetweenTwoParts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &attic{}
		a.due.Store(1_000_000)
		var log bytes.Buffer
		r, err := jobs.NewRetention(jobs.RetentionOptions{Retention: a, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { r.Run(ctx); close(ended) }()
		time.Sleep(40 * time.Minute)
		cancel()
		<-ended
		calls := a.calls.Load()
		if calls < 1000 || a.due.Load() == 0 || log.Len() > 0 {
			t.Errorf("%d calls, %d keys left, told:\n%s", calls, a.due.Load(), log.String())
		}
		time.Sleep(time.Hour)
		if a.calls.Load() != calls {
			t.Error("it goes on after the end")
		}
	})
}
