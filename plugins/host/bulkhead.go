package host

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// bulkhead bounds how many calls of one provider are open, so that one that hangs cannot take the whole
// program with it. As many as may run may wait, for a short time.
type bulkhead struct {
	mu      sync.Mutex
	limit   int
	open    int
	waiting list.List // of chan struct{}, closed when the place is given
}

// setLimit changes the limit; calls that are open stay open.
func (b *bulkhead) setLimit(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = n
	b.admit()
}

// enter takes a place and reports whether it had to queue for it; not ok says that there was none in time.
func (b *bulkhead) enter(ctx context.Context, patience time.Duration) (queued, ok bool) {
	b.mu.Lock()
	if b.open < b.limit && b.waiting.Len() == 0 {
		b.open++
		b.mu.Unlock()
		return false, true
	}
	if b.waiting.Len() >= b.limit {
		b.mu.Unlock()
		return false, false
	}
	turn := make(chan struct{})
	place := b.waiting.PushBack(turn)
	b.mu.Unlock()

	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-turn:
		return true, true
	case <-timer.C:
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-turn: // the place came in the last moment
		return true, true
	default:
		b.waiting.Remove(place)
		return true, false
	}
}

// leave gives a place back.
func (b *bulkhead) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open--
	b.admit()
}

// admit gives free places to those who wait, first come first served.
func (b *bulkhead) admit() {
	for b.open < b.limit {
		first := b.waiting.Front()
		if first == nil {
			return
		}
		b.waiting.Remove(first)
		b.open++
		if turn, ok := first.Value.(chan struct{}); ok {
			close(turn)
		}
	}
}
