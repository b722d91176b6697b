package sim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
)

// told is what a reply says to somebody who reads it.
type told uint8

const (
	nothing told = iota
	paid
	notPaid
	pendingTold
	refundDone
	refundNotDone
	asked
)

// saying is one thing that a client was told.
type saying struct {
	payment payment.ID
	order   string
	req     string
	kind    string
	amount  int64
	what    told
	at      time.Time
}

// client is a till with one order: it pays, tries again while it does not know, and may cancel, capture, void or refund.
type client struct {
	s      *simulation
	order  string
	amount int64
	hold   bool
	// wallet pays by a redirect.
	wallet bool
	// own brings its own credentials with the payment, and not always with what follows.
	own bool
	// keyed sends the header Idempotency-Key beside its request ids, not always.
	keyed bool
}

func (c *client) native(kind, req string, amount int64) inbound.Native {
	own := c.own && (kind == "pay" || c.s.w.rng.IntN(2) == 0)
	key := ""
	if c.keyed && c.s.w.rng.IntN(3) > 0 {
		key = "key-" + req
	}
	raw, err := json.Marshal(request{Order: c.order, Req: req, Amount: amount, Hold: c.hold && amount == c.amount, Own: own})
	if err != nil {
		panic(err)
	}
	store, name := "", codePay
	if c.wallet {
		name = walletPay
	}
	return inbound.Native{
		Principal: access.Principal{Client: "till", Company: "co", Environments: []company.Environment{company.Test}},
		Type:      name, Store: &store, Environment: company.Test, Request: raw, IdempotencyKey: key,
	}
}

type answered struct {
	reply inbound.Reply
	err   error
	ok    bool
}

// call sends a request to one of the living processes. A process that dies breaks the connection: no answer.
func (c *client) call(kind, req string, amount int64) (inbound.Reply, error, bool) {
	p := c.s.alive()
	if p == nil {
		return inbound.Reply{}, nil, false
	}
	done := make(chan answered, 1)
	go func() {
		p.port("request " + c.order + " " + req)
		ctx := context.Background()
		n := c.native(kind, req, amount)
		var a answered
		switch kind {
		case "pay":
			a.reply, a.err = p.Payments().Pay(ctx, n)
		case "refund":
			a.reply, a.err = p.Payments().Refund(ctx, n)
		case "capture":
			a.reply, a.err = p.Payments().Capture(ctx, n)
		case "void":
			a.reply, a.err = p.Payments().Void(ctx, n)
		case "confirm":
			a.reply, a.err = p.Payments().Confirm(ctx, n)
		case "return":
			var to inbound.ReturnTo
			if to, a.err = p.Notices().Return(ctx, payment.ID(req)); a.err == nil {
				a.reply = inbound.Reply{Payment: to.Payment, State: to.State, Class: inbound.ReplyFinal}
			}
		case "cancel":
			a.reply, a.err = p.Payments().Cancel(ctx, n)
		}
		a.ok = true
		p.port("reply " + c.order + " " + req)
		done <- a
	}()
	select {
	case a := <-done:
		c.s.w.yield("client " + c.order + " " + req + " hears")
		c.hear(kind, req, amount, a)
		return a.reply, a.err, true
	case <-p.dead:
		c.s.w.yield("client " + c.order + " " + req + " is cut off")
		return inbound.Reply{}, nil, false
	}
}

// hear notes what the client was told.
func (c *client) hear(kind, req string, amount int64, a answered) {
	s := saying{payment: a.reply.Payment, order: c.order, req: req, kind: kind, amount: amount, at: time.Now()}
	body := string(a.reply.Body)
	f, isFault := a.err.(*fault.Error) //nolint:errorlint // the core's own
	switch {
	case a.err != nil && isFault:
		s.payment = payment.ID(f.Payment)
		if f.Code == "not_charged" {
			s.what = notPaid
		}
		if f.Code == "not_done" {
			s.what = refundNotDone
		}
	case a.err != nil:
		c.s.problem("the core answered an error that is none of its own: %v", a.err)
	case a.reply.Class == inbound.ReplyPending:
		s.what = pendingTold
		if strings.Contains(body, "0000") || strings.Contains(body, `"51"`) {
			c.s.problem("%s: pending, with the words of an outcome: %s", c.order, body)
		}
	case kind == "pay" && strings.Contains(body, "WAIT"):
		s.what = asked
	case (kind == "pay" || kind == "confirm") && strings.Contains(body, `"0000"`):
		s.what = paid
	case kind == "pay" || kind == "confirm" || kind == "cancel" && (strings.Contains(body, "REV") || strings.Contains(body, "FAILED")):
		s.what = notPaid
	case kind == "refund" && strings.Contains(body, `"0000"`):
		s.what = refundDone
	case kind == "refund":
		s.what = refundNotDone
	}
	c.s.w.log("client %s %s %s: told %d %s %v", c.order, kind, req, s.what, body, a.err)
	c.s.sayings = append(c.s.sayings, s)
}

// settle repeats a request until it hears an outcome, or gives up.
func (c *client) settle(kind, req string, amount int64, most int) told {
	for n := range most {
		c.s.requests++
		reply, err, ok := c.call(kind, req, amount)
		if ok && err == nil && reply.Class == inbound.ReplyFinal {
			if len(c.s.sayings) > 0 {
				return c.s.sayings[len(c.s.sayings)-1].what
			}
			return nothing
		}
		if ok && err != nil && !again(err) {
			return nothing
		}
		c.s.w.sleep("client "+c.order+" "+req, time.Duration(200+c.s.w.rng.IntN(1500*(n+1)))*time.Millisecond)
	}
	return nothing
}

// again reports whether the same request may be sent again.
func again(err error) bool {
	switch fault.CodeOf(err) {
	case "provider_unavailable", "store_unavailable", "request_in_progress", "order_in_progress", "operation_open", "order_reversing",
		"payment_not_found":
		return true
	}
	return false
}

// approve is what the payer does in the wallet, and what comes of it: the way back to us, once or often or never, and a shop that
// confirms by itself or waits for us.
func (c *client) approve() told {
	w := c.s.w
	id := c.s.sayings[len(c.s.sayings)-1].payment
	w.sleep("payer "+c.order, time.Duration(w.rng.IntN(40000))*time.Millisecond)
	for _, order := range slices.Sorted(maps.Keys(c.s.book.wallets)) {
		one := c.s.book.wallets[order]
		if one.number == c.order && !one.ended && time.Since(one.at) < walletLife {
			switch w.rng.IntN(5) {
			case 0: // never looks
			case 1:
				one.ended = true
			default:
				one.approved = true
			}
		}
	}
	for range w.rng.IntN(3) {
		c.s.spawn(func() { _, _, _ = c.call("return", string(id), 0) })
	}
	if w.rng.IntN(2) == 0 {
		return c.settle("confirm", c.order+"-confirm", c.amount, 4)
	}
	for range 10 {
		w.sleep("shop "+c.order, 5*time.Second)
		r, err := c.s.store.Ledger().Load(context.Background(), "co", id)
		if err == nil && r.Payment.State == payment.Succeeded {
			return paid
		}
	}
	return nothing
}

// live is the client's whole life.
func (c *client) live() {
	w := c.s.w
	w.sleep("client "+c.order, time.Duration(w.rng.IntN(20000))*time.Millisecond)
	req := c.order + "-1"
	if w.rng.IntN(8) == 0 {
		// A till that sends twice at once.
		c.s.spawn(func() { c.settle("pay", req, c.amount, 2) })
	}
	if w.rng.IntN(6) == 0 {
		c.s.spawn(func() {
			w.sleep("client "+c.order+" cancels", time.Duration(w.rng.IntN(30000))*time.Millisecond)
			c.settle("cancel", c.order+"-cancel", 0, 3)
		})
	}
	outcome := c.settle("pay", req, c.amount, 2+w.rng.IntN(8))
	for n := 2; outcome == notPaid && w.rng.IntN(2) == 0 && n < 4; n++ {
		outcome = c.settle("pay", c.order+"-"+strconv.Itoa(n), c.amount, 4)
	}
	if outcome == asked {
		outcome = c.approve()
	}
	if outcome != paid {
		return
	}
	if c.hold {
		if w.rng.IntN(3) == 0 {
			c.settle("void", c.order+"-void", 0, 4)
			return
		}
		c.settle("capture", c.order+"-capture", 1+w.rng.Int64N(c.amount), 4)
	}
	for n := range w.rng.IntN(4) {
		amount := 1 + w.rng.Int64N(c.amount)
		refund := fmt.Sprintf("%s-refund%d", c.order, n)
		if w.rng.IntN(2) == 0 {
			c.s.spawn(func() { c.settle("refund", refund, amount, 4) })
			continue
		}
		c.settle("refund", refund, amount, 4)
	}
}
