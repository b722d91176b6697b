package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/payrack/payrack/deployments/chaos/record"
	"github.com/payrack/payrack/deployments/internal/rig"
)

const (
	// clientPatience is how long a till waits for one answer, and truthPatience how long it asks until it knows.
	clientPatience = 20 * time.Second
	truthPatience  = 90 * time.Second
	// firstRetry and lastRetry are the mean times between two questions.
	firstRetry = 500 * time.Millisecond
	lastRetry  = 8 * time.Second
	// ahead is how long before its time a sale gets its customer's code, which is no part of the payment.
	ahead = time.Second
	// lateAfter is when a sale counts as sent too late, because the harness itself was behind.
	lateAfter = 25 * time.Millisecond
)

// try is one payment's first request: what nobody shall notice anything in.
type try struct {
	record.Call

	// Due is when it should have been sent, on the harness's clock.
	Due int64
	// Cut is true if the replica that had it was killed meanwhile: it is down until it serves again.
	Cut bool
}

// load sends payments at a rate that does not depend on how fast they are answered.
type load struct {
	*platform

	began time.Time
	rate  float64
	// kind says what the n-th sale is; it may give the customer's code a decline.
	kind func(n int) saleKind

	stop    context.CancelFunc
	work    sync.WaitGroup
	flying  atomic.Int64
	offered atomic.Int64

	mu      sync.Mutex
	tries   []try
	calls   []record.Call
	trouble []string
}

// saleKind is what one sale is.
type saleKind struct {
	provider string
	decline  string
	// online sends the customer to the wallet, and does not wait for it.
	online bool
}

func (l *load) now() int64 { return time.Since(l.began).Nanoseconds() }

// at is the moment of a wall clock's time on the harness's clock.
func (l *load) at(t time.Time) int64 { return t.Sub(l.began).Nanoseconds() }

func (l *load) note(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.trouble) < 20 {
		l.trouble = append(l.trouble, err.Error())
	}
}

// start begins to send.
func (p *platform) load(ctx context.Context, rate float64, kind func(int) saleKind) *load {
	l := &load{platform: p, began: time.Now(), rate: rate, kind: kind}
	sending, stop := context.WithCancel(ctx)
	l.stop = stop
	l.work.Go(func() {
		first := l.began.Add(ahead)
		for n := 0; ; n++ {
			due := first.Add(time.Duration(float64(n) / rate * float64(time.Second)))
			if pause(sending, time.Until(due)-ahead); sending.Err() != nil {
				return
			}
			l.offered.Add(1)
			l.work.Go(func() { l.sale(ctx, n, due) })
		}
	})
	return l
}

// end stops sending and waits until every sale knows how it ended.
func (l *load) end() {
	l.stop()
	l.work.Wait()
}

// pick is the replica of the n-th request: one that is not being killed.
func (l *load) pick(n int) *replica {
	for i := range l.replicas {
		if r := l.replicas[(n+i)%len(l.replicas)]; !r.down.Load() {
			return r
		}
	}
	return l.replicas[0]
}

func (l *load) sale(ctx context.Context, n int, due time.Time) {
	k := l.kind(n)
	s := rig.Sale{
		Provider: k.provider, Store: l.dev.StoreID, Order: fmt.Sprintf("S%08d", n), Amount: int64(10 + n%3990),
		Key: fmt.Sprintf("5a1e0000-0000-4000-8000-%012x", n), Online: k.online,
	}
	var code string
	var err error
	if !k.online {
		code, err = l.box.Code(ctx, k.provider, k.decline)
	}
	if err != nil {
		l.note(err)
		return
	}
	path, body, err := s.Pay(code)
	if err != nil {
		l.note(err)
		return
	}
	pause(ctx, time.Until(due))
	r := l.pick(n)
	l.flying.Add(1)
	first := l.send(ctx, r, n, s, path, body)
	l.flying.Add(-1)
	t := try{Call: first, Due: l.at(due), Cut: r.down.Load()}
	l.mu.Lock()
	l.tries = append(l.tries, t)
	l.mu.Unlock()
	if k.online {
		return
	}
	// Whoever did not hear how it ended asks again, as a till does: less and less often.
	last, wait := first, firstRetry
	for end := time.Now().Add(truthPatience); !final(last.Told) && time.Now().Before(end) && ctx.Err() == nil; wait = min(2*wait, lastRetry) {
		pause(ctx, wait/2+time.Duration(rand.Int64N(int64(wait)))) //nolint:gosec // no secret
		n++
		last = l.send(ctx, l.pick(n), n, s, path, body)
	}
}

func final(t record.Told) bool { return t == record.Paid || t == record.NotPaid || t == record.Refused }

// send sends a request once and writes down what was heard.
func (l *load) send(ctx context.Context, r *replica, n int, s rig.Sale, path string, body []byte) record.Call {
	ctx, cancel := context.WithTimeout(ctx, clientPatience)
	defer cancel()
	c := record.Call{Client: n, Kind: record.Pay, Order: s.Order, Provider: s.Provider, Key: s.Key, Amount: s.Amount, Replica: r.number, Begin: l.now()}
	a, err := l.wire.Do(ctx, rig.Call{Method: http.MethodPost, URL: r.public + path, Bearer: l.bearer, Key: s.Key, Body: body})
	c.End = l.now()
	if err != nil {
		c.Error = "no answer"
		if errors.Is(err, context.DeadlineExceeded) {
			c.Error = "hung up"
		}
	} else {
		rig.Hear(&c, a)
	}
	l.mu.Lock()
	l.calls = append(l.calls, c)
	l.mu.Unlock()
	return c
}
