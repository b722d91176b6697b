package app_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// resolving is a world whose recovery runs each second, as the program drives it, in the virtual time of a bubble.
func resolving(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.till.answers = w.till.bank.do
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_, _ = w.Recovery().FenceDead(ctx)
			_, _ = w.Recovery().ResolveDue(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return w
}

func (w *world) policy(p company.OnUnknown) {
	w.t.Helper()
	must(w.t)(w.Directory().SaveCompany(w.t.Context(), inbound.SaveCompany{ID: "co", OnUnknown: &p}))
}

func TestASilentChargeIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := resolving(t)
		w.till.answers = w.till.bank.silently
		reply, err := w.Payments().Pay(t.Context(), w.order("A"))
		if err != nil || reply.Class != inbound.ReplyPending {
			t.Fatalf("%+v, %v", reply, err)
		}
		time.Sleep(5 * time.Second)
		if r := w.record(t.Context(), "A"); r.Payment.State != payment.Succeeded || w.till.transmissions("A") != 1 {
			t.Fatalf("%s after %d transmissions", r.Payment.State, w.till.transmissions("A"))
		}
		again, err := w.Payments().Pay(t.Context(), w.order("A"))
		if err != nil || !strings.Contains(string(again.Body), "0000") || again.Class != inbound.ReplyFinal {
			t.Errorf("the retry heard %+v %s, %v", again, again.Body, err)
		}
	})
}

// "Not found" is no truth while the charge may still land; told too early, the payer hears "not charged" and is charged.
func TestNotFoundIsFinalOnlyAfterTheWindow(t *testing.T) {
	t.Parallel()
	for name, lands := range map[string]time.Duration{"never": 0, "late": 11 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := resolving(t)
				w.policy(company.Hold)
				w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
					if lands > 0 {
						time.AfterFunc(lands, func() { w.till.bank.do(context.WithoutCancel(ctx), i) })
					}
					return outbound.Answer{Native: []byte(`{"code":"9999"}`)}
				}
				must(t)(w.Payments().Pay(t.Context(), w.order("B")))
				time.Sleep(10 * time.Second)
				if got := w.record(t.Context(), "B").Payment.State; got != payment.Unknown {
					t.Fatalf("after ten seconds: %s", got)
				}
				pending, err := w.Payments().Pay(t.Context(), w.order("B"))
				if err != nil || pending.Class != inbound.ReplyPending || string(pending.Body) != `{"code":"9999"}` {
					t.Fatalf("%+v %s, %v", pending, pending.Body, err)
				}
				time.Sleep(5 * time.Minute)
				reply, err := w.Payments().Pay(t.Context(), w.order("B"))
				r := w.record(t.Context(), "B")
				if lands > 0 {
					if r.Payment.State != payment.Succeeded || w.till.bank.net("B") != 100 {
						t.Errorf("%s, %d taken", r.Payment.State, w.till.bank.net("B"))
					}
					return
				}
				// The gateway's own words, with its label, once it is proven that nothing was charged.
				if r.Payment.State != payment.Failed || r.Payment.Failure != payment.NotCharged || err != nil ||
					string(reply.Body) != `{"code":"9999","message_from":"TILL"}` {
					t.Errorf("%s %s, %s, %v", r.Payment.State, r.Payment.Failure, reply.Body, err)
				}
				if r.Operation.Absences != 3 {
					t.Errorf("final after %d absences", r.Operation.Absences)
				}
			})
		})
	}
}

func TestAtATillUnknownIsReversed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := resolving(t)
		// It lands, and the provider shows it only after two minutes.
		visible := time.Now().Add(2 * time.Minute)
		w.till.finds = func(q outbound.Question) outbound.Findings {
			if time.Now().Before(visible) {
				return outbound.Findings{Failed: true, Reason: "timeout"}
			}
			return w.till.bank.find(q)
		}
		w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
			if i.Kind == payment.KindPay {
				return w.till.bank.silently(ctx, i)
			}
			return w.till.bank.do(ctx, i)
		}
		must(t)(w.Payments().Pay(t.Context(), w.order("C")))
		time.Sleep(100 * time.Second)
		reply, err := w.Payments().Pay(t.Context(), w.order("C"))
		if err != nil || !strings.Contains(string(reply.Body), `"code":"REV"`) || reply.State != payment.Reversing {
			t.Fatalf("%+v %s, %v", reply, reply.Body, err)
		}
		time.Sleep(10 * time.Minute)
		if r := w.record(t.Context(), "C"); r.Payment.State != payment.Reversed || w.till.bank.net("C") != 0 {
			t.Errorf("%s, %d kept", r.Payment.State, w.till.bank.net("C"))
		}
	})
}

// A charge that comes late is given back against every promise of the provider. Its record may name no amount, as one of a
// merchant who accepts discounts, and it may hold the money instead of taking it. It is a charge all the same.
func TestALateChargeAfterNotChargedIsGivenBack(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]struct{ hold, nameless bool }{
		"taken":                    {},
		"taken, without an amount": {nameless: true},
		"held, without an amount":  {hold: true, nameless: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := resolving(t)
				w.policy(company.Hold)
				var sent outbound.Instruction
				w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
					if i.Kind == payment.KindPay {
						sent = i
						return outbound.Answer{}
					}
					return w.till.bank.do(ctx, i)
				}
				w.till.finds = func(q outbound.Question) outbound.Findings {
					f := w.till.bank.find(q)
					if late.nameless && q.About == payment.KindPay {
						f.Evidence.Authorized, f.Evidence.Captured = money.Amount{}, money.Amount{}
					}
					return f
				}
				c := w.order("D")
				c.Request = mustJSON(t, map[string]any{"order": "D", "amount": 100, "req": "d-req", "hold": late.hold})
				must(t)(w.Payments().Pay(t.Context(), c))
				time.Sleep(5 * time.Minute)
				if r := w.record(t.Context(), "D"); r.Payment.Failure != payment.NotCharged {
					t.Fatalf("%s", r.Payment.State)
				}
				w.till.bank.do(t.Context(), sent)
				time.Sleep(3 * time.Hour)
				if r := w.record(t.Context(), "D"); r.Payment.State != payment.Reversed || w.till.bank.net("D") != 0 {
					t.Errorf("%s, %d kept", r.Payment.State, w.till.bank.net("D"))
				}
			})
		})
	}
}

// A new attempt of an order that was told "not charged" has another order id at the provider: its search must not find the
// earlier attempt.
func TestAnAttemptHasItsOwnOrderID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := resolving(t)
		w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer {
			return outbound.Answer{Known: payment.KnownDeclined, Native: []byte(`{"code":"51"}`)}
		}
		must(t)(w.Payments().Pay(t.Context(), w.order("E")))
		w.till.answers = w.till.bank.do
		second := w.order("E")
		second.Request = []byte(`{"order":"E","amount":100,"req":"second"}`)
		must(t)(w.Payments().Pay(t.Context(), second))
		r := w.record(t.Context(), "E")
		id := r.Operation.OrderID
		if r.Payment.Attempt != 2 || !regexp.MustCompile(`^E-2-[0-9a-f]{6}$`).MatchString(id) || w.till.bank.net(id) != 100 {
			t.Errorf("attempt %d as %s", r.Payment.Attempt, id)
		}
	})
}

func (w *world) followUp(order string, amount int64, req string) inbound.Native {
	c := w.order(order)
	c.Request = mustJSON(w.t, map[string]any{"order": order, "amount": amount, "req": req})
	return c
}

func TestRefundsNeverExceedWhatWasTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := resolving(t)
		must(t)(w.Payments().Pay(t.Context(), w.order("R")))
		first, err := w.Payments().Refund(t.Context(), w.followUp("R", 30, "r1"))
		if err != nil || first.State != payment.PartiallyRefunded {
			t.Fatalf("%+v, %v", first, err)
		}
		replay, err := w.Payments().Refund(t.Context(), w.followUp("R", 30, "r1"))
		if err != nil || string(replay.Body) != string(first.Body) || !replay.Replayed {
			t.Errorf("the same refund again: %+v, %v", replay, err)
		}
		if _, err := w.Payments().Refund(t.Context(), w.followUp("R", 31, "r1")); fault.CodeOf(err) != "idempotency_mismatch" {
			t.Errorf("another amount under the same id: %v", err)
		}
		if _, err := w.Payments().Refund(t.Context(), w.followUp("R", 71, "r2")); fault.CodeOf(err) != "amount_exceeds_remaining" {
			t.Errorf("more than is left: %v", err)
		}
		if _, err := w.Payments().Refund(t.Context(), w.followUp("R", 0, "")); fault.CodeOf(err) != "idempotency_key_required" {
			t.Errorf("without any key: %v", err)
		}
		rest, err := w.Payments().Refund(t.Context(), w.followUp("R", 0, "r3"))
		if err != nil || rest.State != payment.Refunded || w.till.bank.net("R") != 0 {
			t.Errorf("the rest: %+v, %v", rest, err)
		}
		// An older refund still answers as it did, although the payment has moved on.
		replay, err = w.Payments().Refund(t.Context(), w.followUp("R", 30, "r1"))
		if err != nil || string(replay.Body) != string(first.Body) {
			t.Errorf("%s, %v", replay.Body, err)
		}
		paid, err := w.Payments().Pay(t.Context(), w.order("R"))
		if err != nil || !strings.Contains(string(paid.Body), `"kind":"pay"`) {
			t.Errorf("the payment's own retry: %s, %v", paid.Body, err)
		}
	})
}

func TestARefundInDoubtIsFoundOrNot(t *testing.T) {
	t.Parallel()
	for name, lands := range map[string]bool{"landed": true, "lost": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := resolving(t)
				must(t)(w.Payments().Pay(t.Context(), w.order("S")))
				w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
					if lands {
						return w.till.bank.silently(ctx, i)
					}
					return outbound.Answer{}
				}
				reply, err := w.Payments().Refund(t.Context(), w.followUp("S", 40, "s1"))
				if err != nil || reply.Class != inbound.ReplyPending || reply.State != payment.Refunding {
					t.Fatalf("%+v, %v", reply, err)
				}
				if _, err := w.Payments().Refund(t.Context(), w.followUp("S", 10, "s2")); fault.CodeOf(err) != "operation_open" {
					t.Errorf("a second refund while one is open: %v", err)
				}
				time.Sleep(5 * time.Minute)
				r := w.record(t.Context(), "S")
				want, net := payment.PartiallyRefunded, int64(60)
				if !lands {
					want, net = payment.Succeeded, 100
				}
				if r.Payment.State != want || w.till.bank.net("S") != net || r.Payment.RefundReserved != 0 {
					t.Errorf("%s, %d left, %d reserved", r.Payment.State, w.till.bank.net("S"), r.Payment.RefundReserved)
				}
				if n := w.till.transmissions("S"); n != 2 {
					t.Errorf("%d transmissions", n)
				}
			})
		})
	}
}

func TestHoldCaptureVoid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := resolving(t)
		for _, order := range []string{"H1", "H2"} {
			c := w.order(order)
			c.Request = mustJSON(t, map[string]any{"order": order, "amount": 100, "req": order, "hold": true})
			if reply, err := w.Payments().Pay(t.Context(), c); err != nil || reply.State != payment.Authorized {
				t.Fatalf("%+v, %v", reply, err)
			}
		}
		if reply, err := w.Payments().Capture(t.Context(), w.followUp("H1", 60, "")); err != nil || reply.State != payment.Succeeded || reply.Record.Payment.Captured != 60 {
			t.Errorf("partial capture: %+v, %v", reply, err)
		}
		if _, err := w.Payments().Capture(t.Context(), w.followUp("H1", 10, "")); fault.CodeOf(err) != "not_allowed_in_state" {
			t.Errorf("a second capture: %v", err)
		}
		if reply, err := w.Payments().Void(t.Context(), w.followUp("H2", 0, "v")); err != nil || reply.State != payment.Voided {
			t.Errorf("void: %+v, %v", reply, err)
		}
		if _, err := w.Payments().Void(t.Context(), w.followUp("nowhere", 0, "v2")); fault.KindOf(err) != fault.NotFound {
			t.Errorf("an order that never was: %v", err)
		}
	})
}

func TestCancelIsKept(t *testing.T) {
	t.Parallel()
	for name, lands := range map[string]bool{"landed": true, "lost": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := resolving(t)
				w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
					switch {
					case i.Kind != payment.KindPay:
						return w.till.bank.do(ctx, i)
					case lands:
						return w.till.bank.silently(ctx, i)
					}
					return outbound.Answer{}
				}
				must(t)(w.Payments().Pay(t.Context(), w.order("X")))
				reply, err := w.Payments().Cancel(t.Context(), w.followUp("X", 0, "x1"))
				if err != nil || reply.State != payment.Reversing || reply.Class != inbound.ReplyFinal {
					t.Fatalf("%+v, %v", reply, err)
				}
				time.Sleep(10 * time.Minute)
				r := w.record(t.Context(), "X")
				if w.till.bank.net("X") != 0 || r.Payment.State.Promise() != payment.NotPaid || r.Payment.State == payment.Reversing {
					t.Errorf("%s, %d kept", r.Payment.State, w.till.bank.net("X"))
				}
				if again, err := w.Payments().Cancel(t.Context(), w.followUp("X", 0, "x1")); err != nil || again.State != r.Payment.State {
					t.Errorf("%+v, %v", again, err)
				}
			})
		})
	}
}

// The owner's answer comes after the company cancelled: it is not told "paid", and the charge is given back.
func TestCancelWhileTheCallRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := resolving(t)
		entered, release := make(chan struct{}), make(chan struct{})
		w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
			if i.Kind == payment.KindPay {
				close(entered)
				<-release
			}
			return w.till.bank.do(ctx, i)
		}
		told := make(chan inbound.Reply)
		go func() {
			reply, err := w.Payments().Pay(t.Context(), w.order("Y"))
			if err != nil {
				t.Error(err)
			}
			told <- reply
		}()
		<-entered
		must(t)(w.Payments().Cancel(t.Context(), w.followUp("Y", 0, "y1")))
		close(release)
		if reply := <-told; reply.State == payment.Succeeded || !strings.Contains(string(reply.Body), "REV") {
			t.Errorf("%+v %s", reply, reply.Body)
		}
		time.Sleep(10 * time.Minute)
		if r := w.record(t.Context(), "Y"); r.Payment.State != payment.Reversed || w.till.bank.net("Y") != 0 {
			t.Errorf("%s, %d kept", r.Payment.State, w.till.bank.net("Y"))
		}
	})
}

// Another amount than asked is not the company's wish: it is given back, whatever was answered.
func TestAnotherAmountIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := resolving(t)
		w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
			if i.Kind == payment.KindPay {
				i.Operation.Amount.Units = 101
			}
			return w.till.bank.do(ctx, i)
		}
		reply, err := w.Payments().Pay(t.Context(), w.order("M"))
		if err != nil || reply.Class != inbound.ReplyPending {
			t.Errorf("%+v, %v", reply, err)
		}
		time.Sleep(5 * time.Minute)
		if r := w.record(t.Context(), "M"); r.Payment.State != payment.Reversed || w.till.bank.net("M") != 0 {
			t.Errorf("%s, %d kept", r.Payment.State, w.till.bank.net("M"))
		}
	})
}

// Whoever asks about a payment in doubt pulls its next check forward, however far away that is.
func TestAReadPullsTheNextCheckForward(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t) // nothing drives the recovery here
		w.till.answers = w.till.bank.silently
		reply, err := w.Payments().Pay(t.Context(), w.order("P"))
		if err != nil {
			t.Fatal(err)
		}
		must(t)(w.Records().Get(t.Context(), w.who, reply.Payment))
		synctest.Wait()
		if r := w.record(t.Context(), "P"); r.Payment.State != payment.Succeeded {
			t.Errorf("%s", r.Payment.State)
		}
	})
}

func TestAClientThatDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := resolving(t)
		w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
			time.Sleep(3 * time.Second)
			return w.till.bank.do(ctx, i)
		}
		c := w.order("W")
		c.Wait = new(time.Second)
		began := time.Now()
		reply, err := w.Payments().Pay(t.Context(), c)
		if err != nil || reply.Class != inbound.ReplyPending || reply.Payment == "" || time.Since(began) != time.Second {
			t.Errorf("%+v, %v after %s", reply, err, time.Since(began))
		}
		time.Sleep(5 * time.Second)
		if r := w.record(t.Context(), "W"); r.Payment.State != payment.Succeeded {
			t.Errorf("%s", r.Payment.State)
		}
	})
}
