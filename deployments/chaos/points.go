package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/payrack/payrack/deployments/chaos/record"
	"github.com/payrack/payrack/deployments/internal/rig"
)

// hitPatience is how long a point may take until it is hit, hitTries how often it is tried: on a busy machine an intent can be
// durable too late to be sent, and then nothing reaches the point, as it should be.
const (
	hitPatience = 20 * time.Second
	hitTries    = 4
)

// errMissed says that a payment never came to the point.
var errMissed = errors.New("the point was never reached")

// crashes are the crash points of research 1.7, one after the other on one replica: a payment runs into the point, what
// stands there dies, and the next start has to find the truth.
type crashes struct {
	*load

	replica *replica
	// sales are what the tills go on asking about at the end.
	sales []sale
}

// sale is a customer with the refund that followed, if one did.
type sale struct {
	*customer

	payment, refundKey string
	refundAmount       int64
}

// crashPoints hits each point as often as asked.
func crashPoints(ctx context.Context, s settings, dir string) (err error) {
	l, err := begin(ctx, s, 1, dir)
	if err != nil {
		return err
	}
	defer func() {
		err = l.end(err)
		if err == nil && !s.keep {
			err = leaveReport(dir)
		}
	}()
	if err := l.install(ctx); err != nil {
		return err
	}
	c := &crashes{load: l, replica: l.replicas[0]}
	c.replica.child.Kill()
	for point := range strings.SplitSeq(resolverFirst(s.points), "") {
		for i := range s.repeats {
			if err := c.insist(ctx, point, i); err != nil {
				return fmt.Errorf("point %s, repetition %d: %w", point, i+1, err)
			}
		}
	}
	c.replica.child.Kill()
	c.replica.point = ""
	if err := errors.Join(l.clear(ctx), l.startAll(ctx)); err != nil {
		return err
	}
	for _, one := range c.sales {
		l.work.Go(func() { one.ask(ctx) })
	}
	return l.finish(ctx, record.About{Layout: "crash points", Asked: len(c.sales), Repeats: s.repeats})
}

// resolverFirst puts the points of the resolver in front: they wait until nothing else is open, which is quick while nothing is.
func resolverFirst(points string) string {
	const resolver = "mn"
	first, rest := "", ""
	for _, p := range points {
		if strings.ContainsRune(resolver, p) {
			first += string(p)
		} else {
			rest += string(p)
		}
	}
	return first + rest
}

// ask repeats what was asked until it is known how it ended.
func (s sale) ask(ctx context.Context) {
	last := s.settle(ctx, record.Pay, s.path, s.key, s.body, 0, false)
	if s.refundKey != "" && s.payment != "" {
		s.settle(ctx, record.Refund, s.refundPath(), s.refundKey, s.refundBody(), s.refundAmount, false)
	}
	if last.Payment != "" {
		s.read(ctx, last.Payment)
	}
}

func (s sale) refundPath() string { return "/v2/payments/" + s.payment + "/refunds" }

func (s sale) refundBody() []byte {
	return fmt.Appendf(nil, `{"amount":{"amount":%d,"currency":"TWD"}}`, s.refundAmount)
}

// insist runs payments into a point until one hits it.
func (c *crashes) insist(ctx context.Context, point string, i int) (err error) {
	for range hitTries {
		if err = c.repeat(ctx, point, i); !errors.Is(err, errMissed) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// repeat runs one payment into a point.
func (c *crashes) repeat(ctx context.Context, point string, i int) error {
	n := len(c.sales)
	s := sale{customer: c.customer(n, rand.New(rand.NewPCG(c.seed, uint64(n)+100)))} //nolint:gosec // chance that can be repeated
	s.online, s.holds, s.stored = false, false, false                                // the points lie on the way of a till's payment
	if err := s.prepare(ctx, ""); err != nil {
		return err
	}
	if err := c.clear(ctx); err != nil {
		return err
	}
	var err error
	switch point {
	case "a", "b", "c", "d", "i", "j", "k":
		err = c.inCore(ctx, point, i, &s)
	case "m", "n":
		err = c.inResolver(ctx, point, &s)
	case "e", "f", "g", "h":
		err = c.onTheWire(ctx, point, &s)
	case "l":
		err = c.inTheReply(ctx, &s)
	case "o":
		err = c.inSwap(ctx, i, &s)
	}
	c.sales = append(c.sales, s)
	return err
}

// pay sends the payment once. It is fine if no answer comes.
func (c *crashes) pay(ctx context.Context, s sale) record.Call {
	return s.try(ctx, record.Pay, s.path, s.key, s.body, 0, hitPatience)
}

// fresh starts the replica anew, armed with a point or with none.
func (c *crashes) fresh(ctx context.Context, point string) error {
	if c.replica.child.Alive() {
		c.replica.child.Kill()
	}
	c.replica.point = point
	return c.startReplica(ctx, c.replica)
}

// died waits until the replica has ended by itself.
func (c *crashes) died(point string) error {
	select {
	case <-c.replica.child.Ended:
		c.struck(point, "core")
		return nil
	case <-time.After(hitPatience):
		return errMissed
	}
}

// struck notes a kill. Every point lies within a payment.
func (c *crashes) struck(point, target string) {
	c.notes.Blow(record.Blow{At: c.now(), Kind: record.Kill, Target: target, Point: point, InFlight: 1})
}

// inCore hits a failpoint of the core with a payment, and every other time with the refund of one.
func (c *crashes) inCore(ctx context.Context, point string, i int, s *sale) error {
	times := 1 + i%2
	if err := c.fresh(ctx, fmt.Sprintf("%s:%d", point, times)); err != nil {
		return err
	}
	first := c.pay(ctx, *s)
	if times == 2 {
		if first.Told == record.Nothing {
			return errMissed // it was not sent in time
		}
		if first.Told != record.Paid {
			return fmt.Errorf("a payment that nothing disturbs was told %q (%d %s %s)", first.Told, first.Status, first.Code, first.Error)
		}
		s.payment, s.refundKey, s.refundAmount = first.Payment, randomUUID(s.rng), 1+s.rng.Int64N(s.amount-1)
		s.try(ctx, record.Refund, s.refundPath(), s.refundKey, s.refundBody(), s.refundAmount, hitPatience)
	}
	return c.died(point)
}

// inResolver hits a failpoint of the resolver, on a payment whose answer was lost. For n it is cancelled, so that the charge
// has to be given back.
func (c *crashes) inResolver(ctx context.Context, point string, s *sale) error {
	// What is still open from before would run into the point at once.
	if err := c.fresh(ctx, ""); err != nil {
		return err
	}
	if err := c.settled(ctx); err != nil {
		return err
	}
	if err := c.fresh(ctx, point); err != nil {
		return err
	}
	faults := []rig.Fault{{Fault: "drop_after_commit", Operation: "pay", OrderID: s.order}}
	if point == "n" {
		// The search does not see the charge before the cancellation came.
		faults = append(faults, rig.Fault{Fault: "search_lag", Operation: "pay", OrderID: s.order, DelayMS: searchLagMax.Milliseconds()})
	}
	if err := c.arm(ctx, faults...); err != nil {
		return err
	}
	c.pay(ctx, *s)
	if point == "n" {
		s.try(ctx, record.Cancel, "/v1/payment/integrate/cancel", randomUUID(s.rng), s.cancelRequest(), 0, hitPatience)
	}
	return c.died(point)
}

func (c *crashes) arm(ctx context.Context, all ...rig.Fault) error { return c.box.Arm(ctx, all...) }

// charging is the first line of the requests with which the plugins ask for money.
var charging = regexp.MustCompile(`^POST \S*/[pP]ay(\?\S*)? HTTP/`)

// onTheWire stops the traffic between plugin and gateway at a place of the request or of the answer, and kills.
func (c *crashes) onTheWire(ctx context.Context, point string, s *sale) error {
	if err := c.fresh(ctx, ""); err != nil {
		return err
	}
	core := func() { _ = c.replica.child.Signal(syscall.SIGKILL) }
	var mine atomic.Int64 // the connection of the request
	var once sync.Once
	hit := make(chan struct{})
	strike := func(after time.Duration, do func()) {
		once.Do(func() {
			time.AfterFunc(after, func() { do(); close(hit) })
		})
	}
	c.gateway.watch(func(conn int, up bool, chunk []byte) []byte {
		asks := up && charging.Match(chunk)
		if asks {
			mine.CompareAndSwap(0, int64(conn))
		}
		if int64(conn) != mine.Load() {
			return chunk
		}
		switch {
		case point == "e" && asks:
			strike(0, core)
			return nil
		case point == "f" && asks:
			strike(20*time.Millisecond, core)
			return chunk[:len(chunk)/2]
		case point == "g" && !up:
			strike(0, core)
			return nil
		case point == "h" && !up:
			// The answer reaches the plugin, which cannot tell anybody.
			victims := c.replica.plugins()
			for _, pid := range victims {
				_ = syscall.Kill(pid, syscall.SIGSTOP)
			}
			strike(20*time.Millisecond, func() {
				for _, pid := range victims {
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			})
		}
		return chunk
	})
	defer c.gateway.watch(nil)
	c.pay(ctx, *s)
	if point != "h" {
		return c.died(point)
	}
	select {
	case <-hit:
		c.struck(point, "plugin")
		return nil
	case <-time.After(hitPatience):
		return errMissed
	}
}

// inTheReply lets half of the reply through to the client, and kills the core.
func (c *crashes) inTheReply(ctx context.Context, s *sale) error {
	if err := c.fresh(ctx, ""); err != nil {
		return err
	}
	front, err := newProxy(ctx, c.replica.public)
	if err != nil {
		return err
	}
	defer front.close()
	var once sync.Once
	front.watch(func(_ int, up bool, chunk []byte) []byte {
		if up {
			return chunk
		}
		once.Do(func() {
			time.AfterFunc(10*time.Millisecond, func() { _ = c.replica.child.Signal(syscall.SIGKILL); front.drop() })
		})
		return chunk[:len(chunk)/2]
	})
	s.send(ctx, c.replica, record.Call{Client: s.number, Kind: record.Pay, Order: s.order, Provider: s.provider, Key: s.key},
		rig.Call{Method: "POST", URL: "http://" + front.addr() + s.path, Bearer: c.bearer, Key: s.key, Body: s.body}, hitPatience)
	return c.died("l")
}

// inSwap swaps the release while a payment is at the gateway: every other time nothing else happens and the payment must be
// paid, the other times the core dies in the middle of the swap.
func (c *crashes) inSwap(ctx context.Context, i int, s *sale) error {
	if err := c.fresh(ctx, ""); err != nil {
		return err
	}
	if err := c.arm(ctx, rig.Fault{Fault: "delay", Operation: "pay", OrderID: s.order, DelayMS: 400}); err != nil {
		return err
	}
	arrived := make(chan struct{})
	var once sync.Once
	c.gateway.watch(func(_ int, up bool, chunk []byte) []byte {
		if up && charging.Match(chunk) {
			once.Do(func() { close(arrived) })
		}
		return chunk
	})
	defer c.gateway.watch(nil)
	told := make(chan record.Call, 1)
	go func() { told <- c.pay(ctx, *s) }()
	select {
	case <-arrived:
	case <-time.After(hitPatience):
		return errMissed
	}
	if i%2 == 1 {
		go func() { _ = c.activate(ctx, c.replica, s.provider, c.other(i)) }() // it is cut off
		pause(ctx, time.Duration(s.draw(300))*time.Millisecond)
		c.replica.child.Kill()
		<-told
		c.struck("o", "core")
		return nil
	}
	err := c.activate(ctx, c.replica, s.provider, c.other(i))
	if heard := <-told; err == nil && heard.Told != record.Paid {
		err = fmt.Errorf("a payment in a planned swap was told %q (%d %s)", heard.Told, heard.Status, heard.Code)
	}
	c.notes.Blow(record.Blow{At: c.now(), Kind: record.Swap, Target: s.provider, Point: "o", InFlight: 1})
	return err
}

func (c *crashes) other(i int) string {
	if i/2%2 == 0 {
		return c.versionB
	}
	return c.versionA
}
