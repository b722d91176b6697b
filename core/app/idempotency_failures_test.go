package app_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

func caseInvalid(d desk) {
	d.refused("missing_field")(d.pay(ask{amount: 100, key: "key-A", req: "req-a"}))
	unknown := d.command(requestA)
	unknown.Type = "NO_SUCH_PAY"
	d.refused("unknown_type")(d.Payments().Pay(d.t.Context(), unknown))
	bare := d.command(requestA)
	bare.Store = new("s2")
	if reply, err := d.Payments().Pay(d.t.Context(), bare); fault.KindOf(err) != fault.Invalid {
		d.t.Errorf("a store without credentials: %+v, %v", reply, err)
	}
	d.counts(0, 0, 0)
	d.paid(requestA)
	d.counts(1, 1, 1)
}

func caseDeclined(d desk) {
	d.answering(outbound.Answer{Known: payment.KnownDeclined, Native: []byte(`{"code":"51"}`)})
	declined, err := d.pay(requestA)
	if err != nil || declined.State != payment.Failed || len(declined.Body) == 0 {
		d.t.Fatalf("%+v, %v", declined, err)
	}
	d.till.answers = d.till.bank.do
	d.replays(declined, requestA)
	if !d.neutral {
		d.replays(declined, ask{order: "A", amount: 100, key: "", req: "req-a"})
	}
	d.counts(1, 1, 1)

	// Unknown first, and nothing had been charged.
	d.policy(company.Hold)
	d.answering(outbound.Answer{Native: []byte(`{"code":"9999"}`)})
	lost := ask{order: "L", amount: 100, key: "key-L", req: "req-l"}
	d.pending(d.pay(lost))
	d.resolved()
	d.till.answers = d.till.bank.do
	first, err := d.pay(lost)
	if err != nil || first.State != payment.Failed || first.Class != inbound.ReplyFinal {
		d.t.Fatalf("%+v %s, %v", first, first.Body, err)
	}
	d.replays(first, lost)
	if d.till.bank.net("L") != 0 {
		d.t.Error("it was charged after all")
	}
	d.counts(2, 2, 2)
}

func caseNotSent(d desk) {
	d.answering(outbound.Answer{Known: payment.KnownNotSent, Reason: "unavailable"})
	f := d.refused("provider_unavailable")(d.pay(requestA))
	if f.Kind != fault.Unavailable || f.RetryAfter == 0 || f.Payment == "" {
		d.t.Errorf("%+v", f)
	}
	d.till.answers = d.till.bank.do
	second, err := d.pay(requestA)
	if err != nil || second.State != payment.Succeeded || second.Replayed || string(second.Payment) != f.Payment {
		d.t.Fatalf("%+v, %v", second, err)
	}
	d.replays(second, requestA)
	d.counts(1, 2, 2)

	// A refund that was never sent is one that can be sent.
	d.answering(outbound.Answer{Known: payment.KnownNotSent, Reason: "unavailable"})
	back := ask{order: "A", amount: 30, key: "key-R", req: "req-r"}
	d.refused("provider_unavailable")(d.refund(second.Payment, back))
	d.till.answers = d.till.bank.do
	for n, replayed := range []bool{false, true} {
		reply, err := d.refund(second.Payment, back)
		if err != nil || reply.State != payment.PartiallyRefunded || reply.Replayed != replayed {
			d.t.Errorf("try %d: %+v, %v", n+2, reply, err)
		}
	}
	if d.till.bank.net("A") != 70 {
		d.t.Errorf("%d left", d.till.bank.net("A"))
	}
	d.counts(1, 4, 4)
}

// broken is a session with a bug before anything is recorded.
type broken struct{ outbound.Session }

func (broken) Form(catalogue.Kind, []byte) (outbound.Form, error) {
	return outbound.Form{}, fault.New(fault.Internal, "internal", "a bug")
}

type brokenProviders struct {
	outbound.Providers

	on *atomic.Bool
}

func (b brokenProviders) Open(ctx context.Context, r outbound.Route) (outbound.Session, error) {
	s, err := b.Providers.Open(ctx, r)
	if err == nil && b.on.Load() {
		return broken{s}, nil
	}
	return s, err
}

func caseBugBefore(d desk) {
	var on atomic.Bool
	on.Store(true)
	d.Options.Providers = brokenProviders{d.till, &on}
	if f := d.refused("internal")(d.pay(requestA)); f.Kind != fault.Internal {
		d.t.Errorf("%+v", f)
	}
	d.counts(0, 0, 0)
	on.Store(false)
	d.paid(requestA)
	d.counts(1, 1, 1)
}

// brittle cannot seal once.
type brittle struct {
	outbound.Secrets

	broken *atomic.Bool
}

func (b brittle) Seal(ctx context.Context, f credential.Field, plain []byte) ([]byte, error) {
	if b.broken.Load() {
		return nil, errors.New("a bug in the sealing of replies")
	}
	return b.Secrets.Seal(ctx, f, plain)
}

func caseBugAfter(d desk) {
	var bug atomic.Bool
	bug.Store(true)
	d.Options.Secrets = brittle{d.Options.Secrets, &bug}
	first := d.pending(d.pay(requestA)) // paid, and the reply could not be kept
	if d.till.bank.net("A") != 100 {
		d.t.Error("nothing was charged: the case does not arise")
	}
	bug.Store(false)
	panics := ask{order: "P", amount: 100, key: "key-P", req: "req-p"}
	d.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
		d.till.bank.do(ctx, i)
		panic("a bug in the call")
	}
	second := d.pending(d.pay(panics))
	d.resolved()
	for id, a := range map[payment.ID]ask{first.Payment: requestA, second.Payment: panics} {
		reply, err := d.pay(a)
		if err != nil || reply.Class != inbound.ReplyFinal || reply.State != payment.Succeeded || reply.Payment != id {
			d.t.Errorf("%s: %+v, %v", a.order, reply, err)
		}
	}
	d.counts(2, 2, 2)
}

func caseHungUp(d desk) {
	entered, release := d.held()
	ctx, hangUp := context.WithCancel(d.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = d.Payments().Pay(ctx, d.command(requestA))
	}()
	<-entered
	hangUp()
	joined := make(chan inbound.Reply)
	go func() {
		reply, err := d.pay(requestA)
		if err != nil {
			d.t.Error(err)
		}
		joined <- reply
	}()
	synctest.Wait()
	release()
	reply := <-joined
	<-done
	if reply.Class != inbound.ReplyFinal || reply.State != payment.Succeeded {
		d.t.Errorf("%+v", reply)
	}
	d.replays(reply, requestA)
	d.counts(1, 1, 1)
}

// pruned is a ledger that has forgotten every header.
type pruned struct{ outbound.Ledger }

func (p pruned) Commit(ctx context.Context, c outbound.Change) (outbound.Committed, error) {
	c.Claims = slices.DeleteFunc(slices.Clone(c.Claims), func(x outbound.Claim) bool { return x.Scope == outbound.ClaimHeader })
	return p.Ledger.Commit(ctx, c)
}

func caseForgotten(d desk) {
	whole := d.ledger.Ledger
	d.ledger.Ledger = pruned{whole}
	first := d.paid(requestA)
	d.ledger.Ledger = whole
	if !d.neutral { // K2
		d.replays(first, ask{order: "A", amount: 100, key: "key-A", req: "req-a"})
		d.refused("idempotency_mismatch")(d.pay(ask{order: "A", amount: 1, key: "key-A", req: "req-a"}))
	}
	// K3
	f := d.refused("order_already_paid")(d.pay(ask{order: "A", amount: 100, key: "key-9", req: "req-9"}))
	if f.Payment != string(first.Payment) {
		d.t.Errorf("%+v", f)
	}
	d.counts(1, 1, 1)
}

func caseHundred(d desk) {
	d.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
		time.Sleep(2 * time.Second)
		return d.till.bank.do(ctx, i)
	}
	lives := []*app.App{d.App, d.otherLife("boot-2"), d.otherLife("boot-3")}
	for _, other := range lives[1:] {
		must(d.t)(nil, other.Directory().Reload(d.t.Context()))
	}
	var (
		wait           sync.WaitGroup
		mu             sync.Mutex
		told           []inbound.Reply
		final, refused int
	)
	for i := range 100 {
		wait.Go(func() {
			reply, err := lives[i%len(lives)].Payments().Pay(d.t.Context(), d.command(requestA))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && reply.Class == inbound.ReplyFinal:
				final++
				told = append(told, reply)
			case err == nil && reply.Class == inbound.ReplyPending, fault.CodeOf(err) == "request_in_progress":
				refused++
			default:
				d.t.Errorf("%+v, %v", reply, err)
			}
		})
	}
	wait.Wait()
	if final < 1+3*4-2 || final+refused != 100 {
		d.t.Errorf("%d had the answer and %d were asked to come back", final, refused)
	}
	for _, r := range told {
		if r.Payment != told[0].Payment || string(r.Body) != string(told[0].Body) {
			d.t.Errorf("%s and %s", r.Body, told[0].Body)
		}
	}
	for _, life := range lives {
		reply, err := life.Payments().Pay(d.t.Context(), d.command(requestA))
		if err != nil || string(reply.Body) != string(told[0].Body) || !reply.Replayed {
			d.t.Errorf("%+v, %v", reply, err)
		}
	}
	d.counts(1, 1, 1)
}

func caseRefundWithoutKey(d desk) {
	first := d.paid(requestA)
	f := d.refused("idempotency_key_required")(d.refund(first.Payment, ask{order: "A", amount: 10}))
	if f.Kind != fault.Invalid {
		d.t.Errorf("%+v", f)
	}
	d.counts(1, 1, 1)
}

func caseRefundAgain(d desk) {
	first := d.paid(requestA)
	back := ask{order: "A", amount: 10, key: "key-R", req: "req-r"}
	reply, err := d.refund(first.Payment, back)
	if err != nil || reply.State != payment.PartiallyRefunded {
		d.t.Fatalf("%+v, %v", reply, err)
	}
	other, err := d.refund(first.Payment, ask{order: "A", amount: 20, key: "key-S", req: "req-s"})
	must(d.t)(other, err)
	again, err := d.refund(first.Payment, back)
	if err != nil || !again.Replayed || string(again.Body) != string(reply.Body) {
		d.t.Errorf("%+v %s, %v; the first was %s", again, again.Body, err, reply.Body)
	}
	d.refused("idempotency_mismatch")(d.refund(first.Payment, ask{order: "A", amount: 11, key: "key-R", req: "req-r"}))
	if d.till.bank.net("A") != 70 {
		d.t.Errorf("%d left", d.till.bank.net("A"))
	}
	d.counts(1, 3, 3)
}

func caseOtherVersion(d desk) {
	first := d.paid(requestA)
	newer := d.command(requestA)
	if d.neutral {
		newer.Render = func(inbound.Rendering) []byte { return []byte(`{"newer":true}`) }
	} else {
		d.till.answers = approved // the newer provider has other bodies
	}
	again, err := d.Payments().Pay(d.t.Context(), newer)
	if err != nil || !again.Replayed || string(again.Body) != string(first.Body) {
		d.t.Errorf("%+v %s, %v; the first was %s", again, again.Body, err, first.Body)
	}
	d.counts(1, 1, 1)
}
