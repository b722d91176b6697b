package conformance

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// watchdog bounds a check. The longest one takes a few seconds.
const watchdog = 2 * time.Minute

// maxProblems is how many problems of one check are told; more say nothing new.
const maxProblems = 12

// trial is one check about one payment type. Its methods may be called from several goroutines.
type trial struct {
	*bench

	ctx context.Context //nolint:containedctx // the life of one check

	mu       sync.Mutex
	failures []string
	skipped  string
}

// failf notes a problem; the check goes on.
func (t *trial) failf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	problem := fmt.Sprintf(format, args...)
	if len(t.failures) < maxProblems && !slices.Contains(t.failures, problem) {
		t.failures = append(t.failures, problem)
	}
}

// expect notes a problem unless ok.
func (t *trial) expect(ok bool, format string, args ...any) {
	if !ok {
		t.failf(format, args...)
	}
}

// skip says that the check has nothing to look at. Return after it.
func (t *trial) skip(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.skipped = reason
}

// try runs one check under the watchdog.
func (k *kit) try(ctx context.Context, c Check, b *bench) Result {
	began := time.Now()
	r := Result{Check: c.ID, Title: c.Title, Status: StatusPassed}
	if !c.whole {
		r.Type = b.declared.Name
	}
	if reason := k.subject.Waive[c.ID]; reason != "" {
		r.Status, r.Reason = StatusWaived, reason
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, watchdog)
	defer cancel()
	t := &trial{bench: b, ctx: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				t.failf("the check itself broke: %v\n%s", p, debug.Stack())
			}
		}()
		c.run(t)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		// Whatever is held is let go, so that the checks after this one have a gateway.
		t.failf("the check did not end within %s: a call hangs although its deadline has passed", watchdog)
	}
	k.proxy.disarm()
	k.gateway.Disarm()
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case len(t.failures) > 0:
		r.Status, r.Problems, r.Why = StatusFailed, slices.Clone(t.failures), c.Why
	case t.skipped != "":
		r.Status, r.Reason = StatusNotApplicable, t.skipped
	}
	r.TookMS = time.Since(began).Milliseconds()
	return r
}
