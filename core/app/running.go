package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
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
	// abroad counts the requests that wait for a payment that runs in another process.
	abroad map[payment.ID]int
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

// queue takes a place among those who wait for a payment that runs in another process; ok is false if enough wait
// already. The returned function gives the place back.
func (r *running) queue(id payment.ID) (leave func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.abroad == nil {
		r.abroad = map[payment.ID]int{}
	}
	if r.abroad[id] >= joinPlaces {
		return nil, false
	}
	r.abroad[id]++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.abroad[id]--; r.abroad[id] == 0 {
			delete(r.abroad, id)
		}
	}, true
}

// elsewhere reads a payment with the operation that a request started, and waits while another process is sending it.
func (a *App) elsewhere(ctx context.Context, r payment.Record, key outbound.ClaimKey) (payment.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, JoinWait)
	defer cancel()
	queued := false
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		held, err := a.Ledger.Claimed(ctx, []outbound.ClaimKey{key})
		if err != nil {
			return payment.Record{}, err
		}
		if len(held) == 0 {
			return a.Ledger.Load(ctx, r.Payment.Company, r.Payment.ID)
		}
		now := held[0].Record
		o := now.Operation
		if o.State != payment.OperationSending || o.OwnerBoot == a.Boot || !a.Clock.Now().Before(o.SendDeadline) {
			return now, nil
		}
		if !queued {
			leave, ok := a.running.queue(now.Payment.ID)
			if !ok {
				return now, nil
			}
			defer leave()
			queued = true
		}
		select {
		case <-ctx.Done():
			return now, nil
		case <-time.After(pause):
		}
	}
}
