package app_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// Every case in this file was a bug of the recovery once.

// own is an order whose request brings its own credentials.
func (w *world) own(number string) inbound.Native {
	c := w.order(number)
	c.Request = mustJSON(w.t, map[string]any{"order": number, "amount": 100, "req": number + "-req", "secret": "{}"})
	return c
}

// Several replicas look at one payment in turns. The time that two of them watched at once counts once: otherwise "not
// found" is final in a part of the time in which the charge may land.
func TestReplicasDoNotWatchTheSameTimeTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.policy(company.Hold)
		w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer { return outbound.Answer{} }
		replicas := []*app.App{w.App}
		for i := range 4 {
			o := w.Options
			o.Boot = fmt.Sprintf("boot-%d", i+2)
			another, err := app.New(o)
			if err != nil {
				t.Fatal(err)
			}
			must(t)(nil, another.Directory().Reload(t.Context()))
			replicas = append(replicas, another)
		}
		must(t)(w.Payments().Pay(t.Context(), w.order("W")))
		began := time.Now()
		// Every two seconds the next replica is asked, and pulls the payment forward.
		id := w.record(t.Context(), "W").Payment.ID
		for n := 0; w.record(t.Context(), "W").Payment.State == payment.Unknown && time.Since(began) < 10*time.Minute; n++ {
			must(t)(replicas[n%len(replicas)].Records().Get(t.Context(), w.who, id))
			time.Sleep(outbound.PullPause + 10*time.Millisecond)
		}
		r := w.record(t.Context(), "W")
		pay := described().Operations[0]
		earliest := r.Operation.SendDeadline.Add(pay.LandingMax + pay.SearchLagMax + app.DefaultFinalMargin)
		if now := time.Now(); r.Payment.State != payment.Failed || now.Before(earliest) {
			t.Errorf("%s %s before everything must have landed", r.Payment.State, earliest.Sub(now))
		}
	})
}

// The provider is slow for a long time and many outcomes are unknown: what waits for its turn stays bounded, another
// account gets its turn, and at the end everything is settled.
func TestASlowAccountHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := resolving(t)
		w.policy(company.Hold)
		var slow atomic.Bool
		slow.Store(true)
		w.till.finds = func(q outbound.Question) outbound.Findings {
			if slow.Load() && q.Account == "store-account" {
				time.Sleep(5 * time.Second)
				return outbound.Findings{Failed: true, Reason: "timeout"}
			}
			return w.till.bank.find(q)
		}
		w.till.answers = w.till.bank.silently
		const many = 300
		for n := range many {
			must(t)(w.Payments().Pay(t.Context(), w.order(fmt.Sprintf("S%d", n))))
		}
		before := runtime.NumGoroutine()
		time.Sleep(10 * time.Minute)
		if n := runtime.NumGoroutine() - before; n > 100 {
			t.Errorf("%d goroutines wait for their turn", n)
		}
		must(t)(w.Payments().Pay(t.Context(), w.own("other")))
		time.Sleep(90 * time.Second)
		if r := w.record(t.Context(), "other"); r.Payment.State != payment.Succeeded {
			t.Errorf("the other account's payment is %s", r.Payment.State)
		}
		slow.Store(false)
		time.Sleep(30 * time.Minute)
		open := 0
		for n := range many {
			if w.record(t.Context(), fmt.Sprintf("S%d", n)).Payment.State != payment.Succeeded {
				open++
			}
		}
		if open > 0 {
			t.Errorf("%d payments are still open", open)
		}
	})
}

// What was never sent is cancelled: nothing has to be asked, and nothing to ask with is kept.
func TestCancelOfWhatWasNeverSentEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := resolving(t)
		w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer {
			return outbound.Answer{Known: payment.KnownNotSent, Reason: "unavailable"}
		}
		_, _ = w.Payments().Pay(t.Context(), w.own("N"))
		c := w.own("N")
		must(t)(w.Payments().Cancel(t.Context(), c))
		time.Sleep(time.Minute)
		if got := w.record(t.Context(), "N").Payment.State; got != payment.Reversed {
			t.Errorf("%s", got)
		}
	})
}

// A payment that came with its own credentials is refunded with the stored ones of the same account. The refund in doubt
// is settled with those.
func TestAFollowUpInDoubtHasACredential(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := resolving(t)
		must(t)(w.Directory().PutCredential(t.Context(), inbound.PutCredential{
			Company: "co", Store: "s1", Type: "TILL_PAY", Environment: "test", Set: []byte(`{"account":"own-account"}`),
		}))
		must(t)(w.Payments().Pay(t.Context(), w.own("F")))
		w.till.answers = w.till.bank.silently
		reply, err := w.Payments().Refund(t.Context(), w.followUp("F", 40, "f1"))
		if err != nil || reply.State != payment.Refunding {
			t.Fatalf("%+v, %v", reply, err)
		}
		time.Sleep(5 * time.Minute)
		if r := w.record(t.Context(), "F"); r.Payment.State != payment.PartiallyRefunded {
			t.Errorf("%s", r.Payment.State)
		}
	})
}

// A promise of "not paid" that nobody can keep goes to people, also where there is no credential to look with.
func TestABlindReversalGoesToPeople(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		rounds := func(n int, every time.Duration) {
			for range n {
				must(t)(w.Recovery().ResolveDue(t.Context()))
				time.Sleep(every)
			}
		}
		w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
			if i.Kind == payment.KindPay {
				return w.till.bank.silently(ctx, i)
			}
			return outbound.Answer{Known: payment.KnownDeclined, Native: []byte(`{"code":"51"}`)}
		}
		must(t)(w.Payments().Pay(t.Context(), w.order("B")))
		must(t)(w.Payments().Cancel(t.Context(), w.followUp("B", 0, "b1")))
		rounds(60, time.Second)
		if got := w.record(t.Context(), "B").Payment.State; got != payment.Reversing {
			t.Fatalf("%s", got)
		}
		w.till.down.Store(true)
		rounds(9*24, time.Hour)
		if got := w.record(t.Context(), "B").Payment.State; got != payment.Review {
			t.Errorf("%s after nine days", got)
		}
	})
}

// Money was seen under another order's name, and a search of ours finds nothing. That is a contradiction, not "not charged".
func TestMoneyThatWasSeenIsNeverNotCharged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := resolving(t)
		w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
			answer := approved(ctx, i)
			answer.Evidence.OrderID = "another"
			return answer
		}
		must(t)(w.Payments().Pay(t.Context(), w.order("M")))
		time.Sleep(10 * time.Minute)
		if got := w.record(t.Context(), "M").Payment; got.State != payment.Review {
			t.Errorf("%s %s with %d captured", got.State, got.Failure, got.Captured)
		}
	})
}

// The provider held the money and took it only later, or somebody gave a part back by hand: what is there is given back.
func TestWhatIsThereIsGivenBack(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(*account){
		"held, never taken":    func(a *account) { a.taken = 0 },
		"held, taken later":    func(a *account) { a.taken = 0; time.AfterFunc(30*time.Second, func() { a.taken = 100 }) },
		"a part is given back": func(a *account) { a.back = 30 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := resolving(t)
				w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
					if i.Kind != payment.KindPay {
						return w.till.bank.do(ctx, i)
					}
					answer := w.till.bank.silently(ctx, i)
					meanwhile(w.till.bank.book[i.Operation.OrderID])
					return answer
				}
				must(t)(w.Payments().Pay(t.Context(), w.order("G")))
				must(t)(w.Payments().Cancel(t.Context(), w.followUp("G", 0, "g1")))
				time.Sleep(time.Hour)
				if r := w.record(t.Context(), "G"); r.Payment.State != payment.Reversed || w.till.bank.net("G") != 0 {
					t.Errorf("%s, %d kept", r.Payment.State, w.till.bank.net("G"))
				}
			})
		})
	}
}

// A record that says what was given back but not what was taken does not prove that all of it is back.
func TestAPartGivenBackIsNotAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := resolving(t)
		w.till.finds = func(q outbound.Question) outbound.Findings {
			f := w.till.bank.find(q)
			f.Evidence.Captured, f.Evidence.Authorized = money.Amount{}, money.Amount{}
			return f
		}
		w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
			if i.Kind != payment.KindPay {
				return w.till.bank.do(ctx, i)
			}
			answer := w.till.bank.silently(ctx, i)
			w.till.bank.book[i.Operation.OrderID].back = 30
			return answer
		}
		must(t)(w.Payments().Pay(t.Context(), w.order("P")))
		time.Sleep(time.Hour)
		if r := w.record(t.Context(), "P"); r.Payment.State.Promise() == payment.NotPaid && w.till.bank.net("P") != 0 {
			t.Errorf("%s, %d kept", r.Payment.State, w.till.bank.net("P"))
		}
	})
}

// Two people decide. The words of a provider that did not decide are no answer any more.
func TestAReviewEndsTheProvidersUndecidedWords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := resolving(t)
		w.policy(company.ToReview)
		w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer {
			return outbound.Answer{Native: []byte(`{"code":"9999"}`)}
		}
		w.till.finds = func(outbound.Question) outbound.Findings { return outbound.Findings{Failed: true} }
		must(t)(w.Payments().Pay(t.Context(), w.order("R")))
		time.Sleep(3 * time.Minute)
		r := w.record(t.Context(), "R")
		if r.Payment.State != payment.Review {
			t.Fatalf("%s", r.Payment.State)
		}
		must(t)(w.Recovery().Review(t.Context(), inbound.ReviewPayment{
			Payment: r.Payment.ID, To: payment.Succeeded, Captured: new(int64(100)), Actor: "a", Approver: "b", Evidence: "the settlement file",
		}))
		reply, err := w.Payments().Pay(t.Context(), w.order("R"))
		if err != nil || strings.Contains(string(reply.Body), "9999") || reply.State != payment.Succeeded {
			t.Errorf("%+v %s, %v", reply, reply.Body, err)
		}
	})
}

// Nobody ever said whether a hold stands, and two people find out that it does: then it is one as any other, and can be captured.
func TestAHoldInDoubtIsReviewedAsHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := resolving(t)
		w.policy(company.ToReview)
		w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer { return outbound.Answer{} }
		w.till.finds = func(outbound.Question) outbound.Findings { return outbound.Findings{Failed: true} }
		c := w.order("H")
		c.Request = mustJSON(t, map[string]any{"order": "H", "amount": 100, "req": "h-req", "hold": true})
		must(t)(w.Payments().Pay(t.Context(), c))
		must(t)(w.Payments().Pay(t.Context(), w.order("P")))
		time.Sleep(3 * time.Minute)
		decision := func(order string) error {
			_, err := w.Recovery().Review(t.Context(), inbound.ReviewPayment{
				Payment: w.record(t.Context(), order).Payment.ID, To: payment.Authorized, Actor: "a", Approver: "b", Evidence: "the provider's console",
			})
			return err
		}
		must(t)(nil, decision("H"))
		if p := w.record(t.Context(), "H").Payment; p.State != payment.Authorized || p.Authorized != 100 || p.Captured != 0 {
			t.Errorf("%s, authorized %d, captured %d", p.State, p.Authorized, p.Captured)
		}
		if err := decision("P"); fault.CodeOf(err) != "amounts_do_not_fit" {
			t.Errorf("a payment that takes the money at once became a hold: %v", err)
		}
		w.till.answers = approved
		must(t)(w.Payments().Capture(t.Context(), w.followUp("H", 100, "h-capture")))
		if p := w.record(t.Context(), "H").Payment; p.State != payment.Succeeded || p.Captured != 100 {
			t.Errorf("%s, captured %d", p.State, p.Captured)
		}
	})
}

// Two people decide that the money is only held. The hold ends by itself one day, as every other does, and with it the payment.
func TestAHoldThatPeopleDecidedOnLapses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.till.answers = w.till.bank.do
		c := w.order("H")
		c.Request = mustJSON(t, map[string]any{"order": "H", "amount": 100, "req": "h-req", "hold": true})
		must(t)(w.Payments().Pay(t.Context(), c))
		w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer { return outbound.Answer{} }
		found := outbound.Findings{Failed: true}
		w.till.finds = func(outbound.Question) outbound.Findings { return found }
		must(t)(w.Payments().Void(t.Context(), w.followUp("H", 0, "h-void")))
		w.resolves(9*24*time.Hour, time.Minute)
		must(t)(w.Recovery().Review(t.Context(), inbound.ReviewPayment{
			Payment: w.record(t.Context(), "H").Payment.ID, To: payment.Authorized, Actor: "a", Approver: "b", Evidence: "the provider's console",
		}))
		found = outbound.Findings{Finding: payment.FindingEnded, Complete: true}
		w.resolves(48*time.Hour, time.Minute)
		if r := w.record(t.Context(), "H"); r.Payment.State != payment.Expired {
			t.Errorf("%s", r.Payment.State)
		}
	})
}
