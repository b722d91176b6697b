package configstore_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/adapters/inbound/configstore"
	"github.com/payrack/payrack/ports/inbound"
)

// reloads counts Reload and fails while broken.
type reloads struct {
	inbound.Directory

	mu     sync.Mutex
	count  int
	broken bool
}

func (r *reloads) Reload(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	if r.broken {
		return errors.New("no database")
	}
	return nil
}

func (r *reloads) set(broken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = broken
}

func (r *reloads) seen() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

func TestReloadsEachSecondUntilStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &reloads{}
		w, err := configstore.New(configstore.Options{Directory: d, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { w.Run(ctx); close(ended) }()
		time.Sleep(60 * time.Second)
		if n := d.seen(); n < 50 || n > 75 {
			t.Errorf("%d reloads in a minute, want one a second, a fifth more or less", n)
		}
		stop()
		<-ended
		before := d.seen()
		time.Sleep(10 * time.Second)
		if after := d.seen(); after != before {
			t.Errorf("%d reloads after the end", after-before)
		}
	})
}

func TestFailureIsSaidOnceAndEndsWithAWord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := &reloads{broken: true}
		w, err := configstore.New(configstore.Options{Directory: d, Log: slog.New(slog.NewTextHandler(&out, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { w.Run(ctx); close(ended) }()
		time.Sleep(20 * time.Second)
		d.set(false)
		time.Sleep(20 * time.Second)
		stop()
		<-ended
		if n := strings.Count(out.String(), "cannot be read"); n != 1 {
			t.Errorf("the failure is said %d times:\n%s", n, out.String())
		}
		if n := strings.Count(out.String(), "are read again"); n != 1 {
			t.Errorf("the recovery is said %d times:\n%s", n, out.String())
		}
	})
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	for name, o := range map[string]configstore.Options{
		"no directory":      {Log: log},
		"no log":            {Directory: &reloads{}},
		"negative interval": {Directory: &reloads{}, Log: log, Interval: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := configstore.New(o); err == nil {
				t.Error("no error")
			}
		})
	}
}
