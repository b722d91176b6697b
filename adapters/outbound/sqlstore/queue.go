package sqlstore

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/outbound"
)

const (
	// maxBatch bounds a transaction, so that its writes stay short.
	maxBatch = 512
	// maxQueue bounds what waits. A database that is this far behind does not catch up by waiting.
	maxQueue = 16384
)

// request is a change or a job that waits to be handed to the database.
type request struct {
	change *change
	job    job
	// taken is set once: by the writer that hands the request over, or by the caller that gives up first.
	taken atomic.Bool
	done  chan struct{}

	committed outbound.Committed
	err       error
	batch     int
}

func newRequest(c *change, j job) *request {
	return &request{change: c, job: j, done: make(chan struct{})}
}

// finish tells the caller how the request ended. It is called once.
func (r *request) finish(committed outbound.Committed, err error, batch int) {
	r.committed, r.err, r.batch = committed, err, batch
	close(r.done)
}

// wait returns when the request has ended. A caller whose context ends takes the request back if it still
// waits; once it was handed over the caller stays, because a commit that nobody waits for must not be
// reported as failed.
func (r *request) wait(ctx context.Context) {
	select {
	case <-r.done:
		return
	case <-ctx.Done():
	}
	if r.taken.CompareAndSwap(false, true) {
		r.err = unavailable(context.Cause(ctx))
		return
	}
	<-r.done
}

// queue holds requests in the order of their arrival.
type queue struct {
	mu     sync.Mutex
	items  []*request
	closed bool
	taken  bool // the writer has a group, or is about to take the next one
	lent   bool // a caller has the writer's place
	// wake has room for one, so that a push never waits.
	wake chan struct{}
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

func (q *queue) push(r *request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return fault.New(fault.Unavailable, codeUnavailable, "the database is being closed; nothing was stored")
	case len(q.items) >= maxQueue:
		return fault.New(fault.Unavailable, codeUnavailable, "too many changes wait for the database; nothing was stored")
	}
	q.items = append(q.items, r)
	q.signal()
	return nil
}

// borrow gives the writer's place to a caller, if nobody has it and nothing waits. The caller is spared two changes
// of goroutine, which on an idle machine cost more than the transaction. It has to give the place back.
func (q *queue) borrow() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.taken || q.lent || len(q.items) > 0 {
		return false
	}
	q.lent = true
	return true
}

// giveBack ends what borrow began.
func (q *queue) giveBack() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lent = false
	if q.closed || len(q.items) > 0 {
		q.signal()
	}
}

// next waits for requests and takes them: as many changes as stand in front, at most limit, or one job. It
// returns nil when the queue is closed and empty.
func (q *queue) next(limit int) []*request {
	for {
		if group, open := q.take(limit); len(group) > 0 || !open {
			return group
		}
		<-q.wake
	}
}

func (q *queue) take(limit int) (group []*request, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lent {
		return nil, true
	}
	n := 0
	for _, r := range q.items {
		if len(group) >= limit || (r.job != nil && len(group) > 0) {
			break
		}
		n++
		if !r.taken.CompareAndSwap(false, true) {
			continue
		}
		group = append(group, r)
		if r.job != nil {
			break
		}
	}
	rest := copy(q.items, q.items[n:])
	clear(q.items[rest:])
	q.items = q.items[:rest]
	q.taken = len(group) > 0
	return group, !q.closed || rest > 0
}

// idle reports whether nothing waits.
func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) == 0
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
