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

// inFlight counts the requests that move money and are not answered yet.
type inFlight struct{ atomic.Int64 }

// patienceOfTills is how long a till asks about one payment before it gives up: longer than the truth may take.
const patienceOfTills = 90 * time.Second

// load is the clients of a run.
type load struct {
	*cluster

	notes *record.Writer
	began time.Time
	seed  uint64
	work  sync.WaitGroup
	fired tally
	// trouble is what went wrong in the harness itself.
	trouble troubles
}

// troubles are what went wrong in the harness itself.
type troubles struct {
	mu  sync.Mutex
	all []string
}

func (t *troubles) add(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.all) < 50 {
		t.all = append(t.all, err.Error())
	}
}

// now is on the harness's monotonic clock.
func (l *load) now() int64 { return time.Since(l.began).Nanoseconds() }

// run lets customers arrive, at a rate that does not depend on how fast they are served, and returns when the last one has
// arrived. The others go on; wait waits for them.
func (l *load) run(ctx context.Context, payments int, rate float64) {
	rng := rand.New(rand.NewPCG(l.seed, 1)) //nolint:gosec // chance that can be repeated
	next := time.Now()
	for n := range payments {
		c := l.customer(n, rand.New(rand.NewPCG(l.seed, uint64(n)+100))) //nolint:gosec // see above
		l.work.Go(func() { c.live(ctx) })
		next = next.Add(time.Duration(rng.ExpFloat64() / rate * float64(time.Second)))
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(next)):
		}
	}
}

func (l *load) wait() { l.work.Wait() }

// customer is one sale: a till asks for money until it knows how it ended.
type customer struct {
	*load

	rng      *rand.Rand
	mu       sync.Mutex // of rng
	number   int
	order    string
	provider string
	neutral  bool // through /v2
	online   bool // the customer is sent to the provider and comes back
	holds    bool // the money is authorized first and captured later
	stored   bool // a stored approval is charged; nobody has to show anything
	amount   int64
	key      string
	path     string
	body     []byte
}

func (l *load) customer(n int, rng *rand.Rand) *customer {
	c := &customer{load: l, rng: rng, number: n, amount: 2 + rng.Int64N(4000), key: randomUUID(rng)}
	c.provider, c.neutral = "linepay", rng.IntN(3) == 0
	if rng.IntN(2) == 0 {
		c.provider = "ipass"
	}
	if c.provider == "linepay" {
		c.online, c.holds, c.stored = rng.IntN(4) == 0, rng.IntN(4) == 0, rng.IntN(6) == 0
		c.online = c.online && !c.stored
	}
	c.order = fmt.Sprintf("C%d-%06d", l.seed, n)
	return c
}

func randomUUID(rng *rand.Rand) string {
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", rng.Uint32(), rng.Uint32()>>16, rng.Uint32()>>20, rng.Uint32()>>20, rng.Uint64()>>16)
}

func (c *customer) chance(n int) bool { return c.draw(n) == 0 }

func (c *customer) draw(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

// live is a sale with everything that belongs to it.
func (c *customer) live(ctx context.Context) {
	decline := ""
	if c.chance(30) {
		decline = map[string]string{"linepay": "1142", "ipass": "S402"}[c.provider]
	}
	if err := c.prepare(ctx, decline); err != nil {
		c.trouble.add(err)
		return
	}
	abandons, doubled, cancels := c.chance(20), c.chance(16), c.chance(20)
	if doubled {
		c.work.Go(func() { c.settle(ctx, record.Pay, c.path, c.key, c.body, 0, false) })
	}
	if cancels {
		c.work.Go(func() {
			pause(ctx, time.Duration(c.draw(6000))*time.Millisecond)
			c.cancel(ctx)
		})
	}
	last := c.settle(ctx, record.Pay, c.path, c.key, c.body, 0, abandons)
	if last.Payment == "" {
		return
	}
	if last.State == requiresAction {
		last = c.visit(ctx, last.Payment)
	}
	if c.chance(4) {
		c.read(ctx, last.Payment)
	}
	taken := c.amount
	if last.Told == record.Held {
		taken = c.takeHeld(ctx, last.Payment)
	} else if last.Told != record.Paid {
		return
	}
	if taken < 2 || !c.chance(6) {
		return
	}
	c.work.Go(func() { c.refund(ctx, last.Payment, taken) })
	if c.chance(2) {
		c.refund(ctx, last.Payment, taken) // two tills at once
	}
	c.read(ctx, last.Payment)
}

// prepare gets the customer's code and writes the request.
func (c *customer) prepare(ctx context.Context, decline string) error {
	var code string
	var err error
	if !c.online && !c.stored {
		if code, err = c.box.Code(ctx, c.provider, decline); err != nil {
			return err
		}
	}
	c.path, c.body, err = c.request(code)
	return err
}

// settle repeats a request until it hears how it ended. The till's patience with one try differs from try to try.
func (c *customer) settle(ctx context.Context, kind, path, key string, body []byte, amount int64, once bool) record.Call {
	var last record.Call
	for end := time.Now().Add(patienceOfTills); ctx.Err() == nil; {
		patience := time.Duration(2000+c.draw(8000)) * time.Millisecond
		if c.chance(6) {
			patience = time.Duration(50+c.draw(800)) * time.Millisecond
		}
		heard := c.try(ctx, kind, path, key, body, amount, patience)
		if heard.Payment == "" {
			heard.Payment = last.Payment
		}
		last = heard
		if once || time.Now().After(end) {
			break
		}
		switch last.Told {
		case record.Held, record.Paid, record.NotPaid, record.Done, record.NotDone, record.Refused:
			return last
		case record.Nothing, record.Pending:
		}
		if kind == record.Pay && last.State == requiresAction {
			return last
		}
		pause(ctx, time.Duration(200+c.draw(1300))*time.Millisecond)
	}
	return last
}

// try sends a request once, to a replica that runs if there is one, and writes down what was heard.
func (c *customer) try(ctx context.Context, kind, path, key string, body []byte, amount int64, patience time.Duration) record.Call {
	r := c.replicas[(c.number+c.draw(len(c.replicas)))%len(c.replicas)]
	method := http.MethodPost
	if kind == record.Read {
		method = http.MethodGet
	}
	return c.send(ctx, r, record.Call{
		Client: c.number, Kind: kind, Order: c.order, Provider: c.provider, Key: key, Amount: amount, Online: c.online, Holds: c.holds, Stored: c.stored,
	}, rig.Call{Method: method, URL: "http://" + r.public + path, Bearer: c.bearer, Key: key, Body: body}, patience)
}

// send performs a call on a replica and writes it down.
func (l *load) send(ctx context.Context, r *replica, c record.Call, request rig.Call, patience time.Duration) record.Call {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	moves := c.Kind != record.Read
	if moves {
		r.flying.Add(1)
	}
	c.Replica, c.Begin = r.number, l.now()
	a, err := l.http.Do(ctx, request)
	c.End = l.now()
	if moves {
		r.flying.Add(-1)
	}
	if err != nil {
		c.Error = "no answer"
		if errors.Is(err, context.DeadlineExceeded) {
			c.Error = "hung up"
		}
	} else {
		rig.Hear(&c, a)
	}
	l.notes.Call(c)
	return c
}

func (c *customer) read(ctx context.Context, id string) record.Call {
	return c.try(ctx, record.Read, "/v2/payments/"+id, "", nil, 0, 5*time.Second)
}

// newKey is a key for one request and all its tries.
func (c *customer) newKey() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return randomUUID(c.rng)
}

// refund gives a part of what was taken back.
func (c *customer) refund(ctx context.Context, id string, taken int64) {
	amount := 1 + int64(c.draw(int(taken-1)))
	c.settle(ctx, record.Refund, "/v2/payments/"+id+"/refunds", c.newKey(), sum(amount), amount, false)
}

func (c *customer) cancel(ctx context.Context) {
	c.settle(ctx, record.Cancel, "/v1/payment/integrate/cancel", c.newKey(), c.cancelRequest(), 0, false)
}

// sum is the body that names a part of a payment.
func sum(amount int64) []byte {
	return fmt.Appendf(nil, `{"amount":{"amount":%d,"currency":"TWD"}}`, amount)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
