package host

import (
	"context"
	"sync"
	"time"
)

// A host starts at most launchBurst processes at once and one each launchEvery after that: plugins that crash
// together, because something that they share is gone, must not take the machine with them.
const (
	launchBurst = 10
	launchEvery = 100 * time.Millisecond
)

// launches spaces the starts of processes. It counts in time: full is when there is room for a whole burst again.
type launches struct {
	mu   sync.Mutex
	full time.Time
}

// wait blocks until a process may be started, and reports false if the context ended before.
func (l *launches) wait(ctx context.Context) bool {
	l.mu.Lock()
	now := time.Now()
	if l.full.Before(now) {
		l.full = now
	}
	l.full = l.full.Add(launchEvery)
	delay := l.full.Sub(now) - launchBurst*launchEvery
	l.mu.Unlock()
	if delay <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
