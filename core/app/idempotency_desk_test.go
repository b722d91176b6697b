package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// desk is a client of the core, in a provider's columns or in neutral terms.
type desk struct {
	*world

	t       *testing.T
	neutral bool
}

// ask is what differs between the requests of these cases.
type ask struct {
	order  string
	amount int64
	// key is K1, req is K2 (in neutral terms there is none).
	key, req string
}

// rendered is the body that a neutral route makes of a record.
func rendered(x inbound.Rendering) []byte {
	p, o := x.Record.Payment, x.Record.Operation
	return fmt.Appendf(nil, `{"id":%q,"state":%q,"operation":%q,"captured":%d,"refunded":%d}`, p.ID, p.State, o.State, p.Captured, p.Refunded)
}

// command makes the request that starts a payment.
func (d desk) command(a ask) inbound.Native {
	c := d.order(a.order)
	c.IdempotencyKey = a.key
	if !d.neutral {
		c.Request = mustJSON(d.t, map[string]any{"order": a.order, "amount": a.amount, "req": a.req})
		return c
	}
	c.Request, c.Render = nil, rendered
	c.Neutral = &inbound.Neutral{Values: catalogue.Values{
		OrderNumber: a.order, Amount: money.Amount{Units: a.amount, Currency: money.TWD},
	}}
	return c
}

func (d desk) pay(a ask) (inbound.Reply, error) { return d.Payments().Pay(d.t.Context(), d.command(a)) }

// paid is pay that must succeed.
func (d desk) paid(a ask) inbound.Reply {
	d.t.Helper()
	reply, err := d.pay(a)
	if err != nil || reply.Class != inbound.ReplyFinal || reply.State != payment.Succeeded || reply.Replayed {
		d.t.Fatalf("pay %+v: %+v %s, %v", a, reply, reply.Body, err)
	}
	return reply
}

// refund gives back a part of a payment.
func (d desk) refund(id payment.ID, a ask) (inbound.Reply, error) {
	c := d.command(a)
	if d.neutral {
		c.Type, c.Store = "", nil
		c.Neutral = &inbound.Neutral{Payment: id, Values: catalogue.Values{Amount: money.Amount{Units: a.amount, Currency: money.TWD}}}
	}
	return d.Payments().Refund(d.t.Context(), c)
}

// replays expects the stored reply of a payment.
func (d desk) replays(first inbound.Reply, a ask) {
	d.t.Helper()
	again, err := d.pay(a)
	if err != nil || !again.Replayed || again.Class != inbound.ReplyFinal || again.Payment != first.Payment || string(again.Body) != string(first.Body) {
		d.t.Errorf("again %+v: %+v %s, %v; the first was %s", a, again, again.Body, err, first.Body)
	}
}

// refused expects an error with a code.
func (d desk) refused(code string) func(inbound.Reply, error) fault.Error {
	return func(r inbound.Reply, err error) fault.Error {
		d.t.Helper()
		if fault.CodeOf(err) != code {
			d.t.Errorf("%+v %s, %v; want %s", r, r.Body, err, code)
		}
		f, ok := errors.AsType[*fault.Error](err)
		if !ok {
			return fault.Error{}
		}
		return *f
	}
}

// pending expects an answer that says neither paid nor not paid.
func (d desk) pending(r inbound.Reply, err error) inbound.Reply {
	d.t.Helper()
	if err != nil || r.Class != inbound.ReplyPending || r.Payment == "" || r.RetryAfter == 0 {
		d.t.Errorf("%+v %s, %v; want pending", r, r.Body, err)
	}
	return r
}

// counts compares what is stored and what was sent, over all companies.
func (d desk) counts(payments, operations, transmissions int) {
	d.t.Helper()
	stored, begun := 0, map[string]bool{}
	for _, co := range []company.ID{"co", "co2"} {
		page, err := d.ledger.List(d.t.Context(), outbound.Query{Company: co, Limit: 200})
		must(d.t)(nil, err)
		stored += len(page.Payments)
		for _, p := range page.Payments {
			entries, err := d.Journal.Entries(d.t.Context(), p.Stream(), 0, 100)
			must(d.t)(nil, err)
			for _, e := range entries {
				var told struct {
					Operation string `json:"operation_id"`
				}
				must(d.t)(nil, json.Unmarshal(e.Body, &told))
				begun[told.Operation] = true
			}
		}
	}
	d.till.mu.Lock()
	sent := 0
	for _, n := range d.till.sent {
		sent += n
	}
	d.till.mu.Unlock()
	if stored != payments || len(begun) != operations || sent != transmissions {
		d.t.Errorf("%d payments, %d operations, %d transmissions; want %d, %d, %d", stored, len(begun), sent, payments, operations, transmissions)
	}
}

// silent makes the bank take what is sent and lose its answers, and not find it again until told.
func (d desk) silent() (show func()) {
	var visible atomic.Bool
	d.till.answers = d.till.bank.silently
	d.till.finds = func(q outbound.Question) outbound.Findings {
		if !visible.Load() {
			return outbound.Findings{Failed: true, Reason: "timeout"}
		}
		return d.till.bank.find(q)
	}
	return func() { visible.Store(true) }
}

// answering makes the bank answer so, and do nothing.
func (d desk) answering(a outbound.Answer) {
	d.till.answers = func(context.Context, outbound.Instruction) outbound.Answer { return a }
}

// held keeps calls at the bank until release; entered is closed by the first.
func (d desk) held() (entered <-chan struct{}, release func()) {
	in, out := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
		once.Do(func() { close(in) })
		<-out
		return d.till.bank.do(ctx, i)
	}
	return in, func() { close(out) }
}

// resolved lets the recovery work until every window is over.
func (d desk) resolved() {
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		must(d.t)(d.Recovery().ResolveDue(d.t.Context()))
	}
	synctest.Wait()
}
