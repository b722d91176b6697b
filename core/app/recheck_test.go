package app_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// forgotten is a payment that was told "not paid" so long ago that nobody looks any more, and what was sent for it.
func forgotten(t *testing.T, w *world, c inbound.Native, number string) (payment.ID, outbound.Instruction) {
	t.Helper()
	w.policy(company.Hold)
	var sent outbound.Instruction
	w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
		if i.Kind == payment.KindPay {
			sent = i
			return outbound.Answer{}
		}
		return w.till.bank.do(ctx, i)
	}
	must(t)(w.Payments().Pay(t.Context(), c))
	w.resolves(10*time.Minute, time.Second)
	w.resolves(8*24*time.Hour, time.Hour)
	r := w.record(t.Context(), number)
	if r.Payment.Failure != payment.NotCharged || !r.Operation.NextCheckAt.IsZero() {
		t.Fatalf("%s, looked at again at %s", r.Payment.State, r.Operation.NextCheckAt)
	}
	return r.Payment.ID, sent
}

// resolves lets the resolver work for some time, looking for what is due every so often.
func (w *world) resolves(span, every time.Duration) {
	w.t.Helper()
	for began := time.Now(); time.Since(began) < span; time.Sleep(every) {
		synctest.Wait() // what was asked for is done
		if _, err := w.Recovery().ResolveDue(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	synctest.Wait()
}

func (w *world) recheck(id payment.ID) payment.Record {
	w.t.Helper()
	r, err := w.Recovery().Recheck(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// A settlement report names a charge that came after everybody had stopped looking.
func TestAForgottenChargeIsGivenBackWhenItIsRechecked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		id, sent := forgotten(t, w, w.order("F"), "F")
		if r := w.recheck(id); r.Payment.State != payment.Failed {
			t.Fatalf("%s, and nothing was taken", r.Payment.State)
		}
		w.till.bank.do(t.Context(), sent)
		w.resolves(24*time.Hour, time.Minute)
		if w.record(t.Context(), "F").Payment.State != payment.Failed {
			t.Fatal("somebody looked")
		}
		finds := w.till.finds
		w.till.finds = func(outbound.Question) outbound.Findings { return outbound.Findings{Failed: true, Reason: "timeout"} }
		if _, err := w.Recovery().Recheck(t.Context(), id); fault.CodeOf(err) != "provider_unavailable" {
			t.Errorf("nobody could say, and yet: %v", err)
		}
		w.till.finds = finds
		w.recheck(id)
		w.resolves(10*time.Minute, time.Second)
		if r := w.record(t.Context(), "F"); r.Payment.State != payment.Reversed || w.till.bank.net("F") != 0 {
			t.Errorf("%s, %d kept", r.Payment.State, w.till.bank.net("F"))
		}
	})
}

// The credentials that came with a request are erased with its end. Nobody can ask then, and who rechecks is told.
func TestARecheckWithoutCredentials(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		id, _ := forgotten(t, w, w.own("O"), "O")
		if _, err := w.Recovery().Recheck(t.Context(), id); fault.CodeOf(err) != "credential_gone" {
			t.Errorf("got %v", err)
		}
	})
}

// An open outcome is settled before its next look is due; what is settled is not asked about.
func TestRecheckOfOpenAndSettledPayments(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t) // nobody looks but who asks
		w.policy(company.Hold)
		asked := 0
		w.till.finds = func(q outbound.Question) outbound.Findings { asked++; return w.till.bank.find(q) }
		w.till.answers = w.till.bank.silently
		must(t)(w.Payments().Pay(t.Context(), w.order("U")))
		time.Sleep(time.Minute)
		id := w.record(t.Context(), "U").Payment.ID
		if r := w.recheck(id); r.Payment.State != payment.Succeeded || asked != 1 {
			t.Fatalf("%s after %d questions", r.Payment.State, asked)
		}
		if r := w.recheck(id); r.Payment.State != payment.Succeeded || asked != 1 {
			t.Errorf("%s after %d questions", r.Payment.State, asked)
		}
		if _, err := w.Recovery().Recheck(t.Context(), "nobody"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("got %v", err)
		}
	})
}

// What was never sent leaves its order id to the next payment of the order. The charge behind that id is then the other one's,
// and a recheck of the first one must never give it back.
func TestARecheckLeavesTheChargeOfAnotherPaymentOfTheOrder(t *testing.T) {
	t.Parallel()
	for name, names := range map[string]bool{"with a transaction": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.till.finds = func(q outbound.Question) outbound.Findings {
					f := w.till.bank.find(q)
					if !names {
						f.Evidence.ProviderTransaction = ""
					}
					return f
				}
				w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer {
					return outbound.Answer{Known: payment.KnownNotSent, Reason: "unavailable"}
				}
				_, _ = w.Payments().Pay(t.Context(), w.order("N"))
				first := w.record(t.Context(), "N").Payment
				w.till.answers = w.till.bank.do
				again := w.order("N")
				again.Request = []byte(`{"order":"N","amount":100,"req":"another"}`)
				must(t)(w.Payments().Pay(t.Context(), again))
				second := w.record(t.Context(), "N").Payment
				if first.Failure != payment.NotSent || second.State != payment.Succeeded || second.ID == first.ID {
					t.Fatalf("first %s %s, second %s", first.State, first.Failure, second.State)
				}
				_, err := w.Recovery().Recheck(t.Context(), first.ID)
				w.resolves(10*time.Minute, time.Second)
				if w.till.bank.net("N") != 100 {
					t.Error("the charge of the second payment was given back")
				}
				if fault.CodeOf(err) != "order_used_again" {
					t.Errorf("got %v", err)
				}
				if r, err := w.ledger.Load(t.Context(), "", first.ID); err != nil || r.Payment.State != payment.Failed {
					t.Errorf("%s, %v", r.Payment.State, err)
				}
			})
		})
	}
}

// Several people, or replicas, recheck one payment at once, and some of them hang up: it is given back once.
func TestRechecksAtOnceGiveBackOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		id, sent := forgotten(t, w, w.order("R"), "R")
		w.till.bank.do(t.Context(), sent)
		refunds := 0
		var mu sync.Mutex
		w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
			mu.Lock()
			refunds++
			mu.Unlock()
			return w.till.bank.do(ctx, i)
		}
		ctx, hangUp := context.WithCancel(t.Context())
		w.till.finds = func(q outbound.Question) outbound.Findings {
			f := w.till.bank.find(q)
			time.Sleep(100 * time.Millisecond)
			hangUp() // the first answer comes to nobody
			return f
		}
		for n := range 6 {
			asker := t.Context()
			if n%2 == 0 {
				asker = ctx
			}
			go func() {
				if _, err := w.Recovery().Recheck(asker, id); err != nil {
					t.Errorf("asker %d: %v", n, err)
				}
			}()
		}
		w.resolves(10*time.Minute, time.Second)
		if r := w.record(t.Context(), "R"); r.Payment.State != payment.Reversed || w.till.bank.net("R") != 0 || refunds != 1 {
			t.Errorf("%s, %d kept, %d refunds", r.Payment.State, w.till.bank.net("R"), refunds)
		}
	})
}
