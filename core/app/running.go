package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/payrack/payrack/core/payment"
)

const (
	// JoinWait is how long a repeated request waits for the one that runs.
	JoinWait = 50 * time.Second
	// joinPlaces is how many repeated requests may wait for one payment.
	joinPlaces = 4
)

var errNoPlace = errors.New("enough requests wait for this payment already")

// running knows the payments that this process is executing, so that a repeated request can join.
type running struct {
	mu  sync.Mutex
	all map[payment.ID]*run
}

// run is one payment that runs here, perhaps for more than one request.
type run struct {
	holders int
	waiting int
	end     chan struct{}
}

// begin marks a payment as running; the returned function ends it and is safe to call twice.
func (r *running) begin(id payment.ID) func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[payment.ID]*run{}
	}
	one, ok := r.all[id]
	if !ok {
		one = &run{end: make(chan struct{})}
		r.all[id] = one
	}
	one.holders++
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if one.holders--; one.holders == 0 {
			delete(r.all, id)
			close(one.end)
		}
	})
}

// wait returns when the payment does not run here any more. It fails when enough wait already, after JoinWait, and
// with the context.
func (r *running) wait(ctx context.Context, id payment.ID) error {
	r.mu.Lock()
	one, ok := r.all[id]
	if !ok {
		r.mu.Unlock()
		return nil
	}
	if one.waiting >= joinPlaces {
		r.mu.Unlock()
		return errNoPlace
	}
	one.waiting++
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, JoinWait)
	defer cancel()
	select {
	case <-one.end:
		return nil
	case <-ctx.Done():
		r.mu.Lock()
		one.waiting--
		r.mu.Unlock()
		return context.Cause(ctx)
	}
}
