package app

import (
	"context"
	"sync"
	"time"

	"github.com/payrack/payrack/core/payment"
)

// joinWait is how long a repeated request waits for the one that runs.
const joinWait = 50 * time.Second

// running knows the payments that this process is executing, so that a repeated request can join.
type running struct {
	mu   sync.Mutex
	ends map[payment.ID]chan struct{}
}

// begin marks a payment as running; the returned function ends it.
func (r *running) begin(id payment.ID) func() {
	end := make(chan struct{})
	r.mu.Lock()
	if r.ends == nil {
		r.ends = map[payment.ID]chan struct{}{}
	}
	r.ends[id] = end
	r.mu.Unlock()
	return func() {
		r.mu.Lock()
		if r.ends[id] == end {
			delete(r.ends, id)
		}
		r.mu.Unlock()
		close(end)
	}
}

// wait returns when the payment does not run here any more, or with the context's error.
func (r *running) wait(ctx context.Context, id payment.ID) error {
	r.mu.Lock()
	end, ok := r.ends[id]
	r.mu.Unlock()
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, joinWait)
	defer cancel()
	select {
	case <-end:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
