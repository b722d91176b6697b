package app_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/mandate"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// Every case in this file was a bug once.

// A request was never sent, another one of the same order was, and failed. The first cannot run again: its order id is
// used up. It must hear so, and not be tried for ever.
func TestARetryWhoseOrderIDIsUsedUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer {
			return outbound.Answer{Known: payment.KnownNotSent, Reason: "unavailable"}
		}
		_, _ = w.Payments().Pay(t.Context(), w.order("A"))
		w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer {
			return outbound.Answer{Known: payment.KnownDeclined, Native: []byte(`{"code":"51"}`)}
		}
		other := w.order("A")
		other.Request = mustJSON(t, map[string]any{"order": "A", "amount": 100, "req": "other"})
		must(t)(w.Payments().Pay(t.Context(), other))
		commits := 0
		w.ledger.fail = func(outbound.Change) error {
			if commits++; commits > 20 {
				panic("it tries for ever")
			}
			return nil
		}
		if _, err := w.Payments().Pay(t.Context(), w.order("A")); fault.CodeOf(err) != "not_charged" {
			t.Errorf("%v", err)
		}
		if n := w.till.transmissions("A"); n != 2 {
			t.Errorf("%d transmissions", n)
		}
	})
}

// A client may name an order as another one's second attempt is named at the provider. The two must not be one order there:
// a search of one would find the charge of the other, and give it back.
func TestAnOrderIDIsOnePayments(t *testing.T) {
	t.Parallel()
	declined := func(context.Context, outbound.Instruction) outbound.Answer {
		return outbound.Answer{Known: payment.KnownDeclined, Native: []byte(`{"code":"51"}`)}
	}
	const copied = "" // the order id that the last payment had at the provider
	for name, orders := range map[string][]string{
		"the number first":  {"A", "A-2", "A"},
		"the attempt first": {"A", "A", "A-2"},
		"the id is copied":  {"A", "A", copied},
		"a copy is copied":  {"A", "A", copied, copied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			seen, last := map[string]string{}, ""
			for n, number := range orders {
				if number == copied {
					number = last
				}
				w.till.answers = w.till.bank.do
				if n == 0 {
					w.till.answers = declined
				}
				c := w.order(number)
				c.Request = mustJSON(t, map[string]any{"order": number, "amount": 100, "req": name + strings.Repeat("x", n)})
				reply, err := w.Payments().Pay(t.Context(), c)
				if err != nil || n > 0 && reply.State != payment.Succeeded {
					t.Fatalf("%s: %+v, %v", number, reply, err)
				}
				id := reply.Record.Operation.OrderID
				if before, taken := seen[id]; taken {
					t.Errorf("%s and %s are both %s at the provider", before, number, id)
				}
				seen[id], last = number, id
			}
		})
	}
}

func (w *world) neutral(number string, units int64) inbound.Native {
	c := w.order(number)
	c.Request, c.IdempotencyKey = nil, "key"
	c.Neutral = &inbound.Neutral{Values: catalogue.Values{OrderNumber: number, Amount: money.Amount{Units: units, Currency: money.TWD}}}
	c.Render = func(r inbound.Rendering) []byte { return []byte(`{"state":"` + string(r.Record.Payment.State) + `"}`) }
	return c
}

// While the provider is down, a key still means the request that used it first.
func TestAKeyMeansItsRequestWhileTheProviderIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t)(w.Payments().Pay(t.Context(), w.neutral("K1", 100)))
	w.till.down.Store(true)
	if reply, err := w.Payments().Pay(t.Context(), w.neutral("K1", 100)); err != nil || reply.State != payment.Succeeded {
		t.Errorf("the same request: %+v, %v", reply, err)
	}
	for name, c := range map[string]inbound.Native{"order": w.neutral("K2", 100), "amount": w.neutral("K1", 200)} {
		if reply, err := w.Payments().Pay(t.Context(), c); fault.CodeOf(err) != "idempotency_mismatch" {
			t.Errorf("another %s: %s, %v", name, reply.Body, err)
		}
	}
}

// flapping is a provider that is down for one look.
type flapping struct {
	*till

	looks int
}

func (f *flapping) Open(ctx context.Context, r outbound.Route) (outbound.Session, error) {
	if f.looks++; f.looks == 2 {
		return nil, fault.New(fault.Unavailable, "provider_unavailable", "the provider is down")
	}
	return f.till.Open(ctx, r)
}

// A request that could not be read because its provider was down is never sent, although the provider is back.
func TestAnUnreadRequestIsNotSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Options.Providers = &flapping{till: w.till}
	w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer {
		return outbound.Answer{Known: payment.KnownNotSent, Reason: "unavailable"}
	}
	_, _ = w.Payments().Pay(t.Context(), w.neutral("U", 100))
	w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
		if len(i.Credential) == 0 {
			t.Error("sent without a credential")
		}
		return approved(ctx, i)
	}
	if _, err := w.Payments().Pay(t.Context(), w.neutral("U", 100)); fault.CodeOf(err) != "provider_unavailable" {
		t.Errorf("%v", err)
	}
	if reply, err := w.Payments().Pay(t.Context(), w.neutral("U", 100)); err != nil || reply.State != payment.Succeeded {
		t.Errorf("%+v, %v", reply, err)
	}
}

// A client that never waits hears the outcome when there is one.
func TestWhoDoesNotWaitHearsWhatIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		must(t)(w.Payments().Pay(t.Context(), w.order("W")))
		for range 20 {
			c := w.order("W")
			c.Wait = new(time.Duration(0))
			reply, err := w.Payments().Pay(t.Context(), c)
			if err != nil || reply.Class != inbound.ReplyFinal || reply.State != payment.Succeeded {
				t.Fatalf("%+v, %v", reply, err)
			}
		}
	})
}

// A bug below must not end the process of every company because one client did not want to wait.
func TestAPanicWhileNobodyWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Options.Providers = panicking{w.till}
	c := w.order("P")
	c.Wait = new(time.Second)
	if _, err := w.Payments().Pay(t.Context(), c); fault.KindOf(err) != fault.Internal {
		t.Errorf("%v", err)
	}
}

type panicking struct{ outbound.Providers }

func (panicking) Open(context.Context, outbound.Route) (outbound.Session, error) {
	panic("a bug below")
}

// All that is left of a refunded payment is nothing: that is the client's mistake, not ours.
func TestARefundOfNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.till.answers = w.till.bank.do
	must(t)(w.Payments().Pay(t.Context(), w.order("Z")))
	must(t)(w.Payments().Refund(t.Context(), w.followUp("Z", 0, "z1")))
	if _, err := w.Payments().Refund(t.Context(), w.followUp("Z", 0, "z2")); fault.CodeOf(err) != "not_allowed_in_state" {
		t.Errorf("%v", err)
	}
}

// redirecting is the till as a wallet: the payer is asked, a confirm takes the money.
type redirecting struct{ *till }

type redirect struct{ outbound.Session }

func wallet() catalogue.Type {
	t := described()
	t.Operations[0].MovesMoney, t.Operations[0].Attended = false, false
	confirm := t.Operations[1]
	confirm.Kind = catalogue.Confirm
	t.Operations = append(t.Operations, confirm)
	return t
}

func (redirect) Type() catalogue.Type         { return wallet() }
func (p redirecting) Types() []catalogue.Type { return []catalogue.Type{wallet()} }
func (p redirecting) Open(ctx context.Context, r outbound.Route) (outbound.Session, error) {
	s, err := p.till.Open(ctx, r)
	return redirect{s}, err
}

// A confirm that was never sent may be sent again with its own key, and a confirm that nobody ever sent keeps nobody from
// cancelling.
func TestAConfirmThatWasNeverSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t) // nothing drives the recovery here
		w.Options.Providers = redirecting{w.till}
		unavailable := func(context.Context, outbound.Instruction) outbound.Answer {
			return outbound.Answer{Known: payment.KnownNotSent, Reason: "unavailable"}
		}
		asked := func(context.Context, outbound.Instruction) outbound.Answer {
			return outbound.Answer{Known: payment.KnownAction, Native: []byte(`{"code":"WAIT"}`), WebURL: "https://wallet.example/"}
		}
		w.till.finds = func(outbound.Question) outbound.Findings {
			return outbound.Findings{Finding: payment.FindingNotFound, Complete: true}
		}
		for _, order := range []string{"C", "D"} {
			w.till.answers = asked
			must(t)(w.Payments().Pay(t.Context(), w.order(order)))
			confirm := w.followUp(order, 100, order+"-confirm")
			w.till.answers = unavailable
			if _, err := w.Payments().Confirm(t.Context(), confirm); fault.CodeOf(err) != "provider_unavailable" {
				t.Fatalf("%v", err)
			}
			if order == "D" {
				must(t)(w.Payments().Cancel(t.Context(), w.followUp(order, 0, "d-cancel")))
				time.Sleep(time.Minute)
				if got := w.record(t.Context(), order).Payment.State; got != payment.Reversed {
					t.Errorf("cancelled after a confirm that was never sent: %s", got)
				}
				continue
			}
			w.till.answers = approved
			reply, err := w.Payments().Confirm(t.Context(), confirm)
			if err != nil || reply.State != payment.Succeeded {
				t.Errorf("the same confirm again: %+v, %v", reply, err)
			}
			replay, err := w.Payments().Confirm(t.Context(), confirm)
			if err != nil || string(replay.Body) != string(reply.Body) {
				t.Errorf("and again: %+v, %v", replay, err)
			}
		}
	})
}

// An approval is charged with the account that it was given to, also where a request names it by our id.
func TestAnApprovalOfAnotherAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
		answer := approved(ctx, i)
		answer.Approval = &outbound.Approval{Token: "token"}
		return answer
	}
	reply, err := w.Payments().Pay(t.Context(), w.own("M1"))
	must(t)(reply, err)
	c := w.neutral("M2", 100)
	c.Neutral.Mandate = mandate.ID(reply.Record.Payment.Mandate)
	if _, err := w.Payments().Pay(t.Context(), c); fault.CodeOf(err) != "mandate_of_other_account" || w.till.transmissions("M2") != 0 {
		t.Errorf("%q: %v after %d transmissions", c.Neutral.Mandate, err, w.till.transmissions("M2"))
	}
}

// An approval that has ended is not charged again. What it paid before stays paid: a client that lost the answer and repeats
// its request must not hear that it needs a new approval, because it would charge the payer a second time with that.
func TestARepeatedChargeOfAnApprovalThatEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		answer := func(known payment.Known, dead bool) {
			w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
				a := outbound.Answer{Known: known, Native: []byte(`{"code":"1193"}`), MandateDead: dead}
				if known == payment.KnownApproved {
					a = approved(ctx, i)
					a.Approval = &outbound.Approval{Token: "token", Expires: w.clock.Now().Add(time.Hour), Dead: dead}
				}
				return a
			}
		}
		answer(payment.KnownApproved, false)
		first, err := w.Payments().Pay(t.Context(), w.order("M1"))
		must(t)(first, err)
		charge := func(order, key string) (inbound.Reply, error) {
			c := w.neutral(order, 100)
			c.Neutral.Mandate, c.IdempotencyKey = mandate.ID(first.Record.Payment.Mandate), key
			return w.Payments().Pay(t.Context(), c)
		}
		paid, err := charge("M2", "key-2")
		must(t)(paid, err)
		answer(payment.KnownNotSent, false)
		if _, err := charge("M3", "key-3"); fault.CodeOf(err) != "provider_unavailable" {
			t.Errorf("never sent: %v", err)
		}
		answer(payment.KnownDeclined, true)
		declined, err := charge("M4", "key-4") // this one ends it
		must(t)(declined, err)
		time.Sleep(time.Minute)
		answer(payment.KnownApproved, false)
		for key, was := range map[string]inbound.Reply{"key-2": paid, "key-4": declined} {
			order := "M" + key[len(key)-1:]
			again, err := charge(order, key)
			if err != nil || !again.Replayed || again.State != was.State || string(again.Body) != string(was.Body) {
				t.Errorf("%s again: %+v %s, %v, and it was %s", order, again, again.Body, err, was.Body)
			}
		}
		if _, err := charge("M2", "another"); fault.CodeOf(err) != "order_already_paid" {
			t.Errorf("the order that was paid, with another key: %v", err)
		}
		for order, key := range map[string]string{"M3": "key-3", "M4": "another", "M5": "key-5"} {
			if _, err := charge(order, key); fault.CodeOf(err) != "mandate_dead" {
				t.Errorf("%s: %v", order, err)
			}
		}
		if n := w.till.transmissions("M2") + w.till.transmissions("M3") + w.till.transmissions("M4"); n != 3 {
			t.Errorf("%d transmissions", n)
		}
	})
}

// approving is a provider whose approvals can be ended; while it ends one, something else happens.
type approving struct {
	*till

	meanwhile func()
}

type ending struct {
	outbound.Session

	p approving
}

func (p approving) Types() []catalogue.Type {
	t := described()
	t.EndsMandates = true
	return []catalogue.Type{t}
}

func (p approving) Open(ctx context.Context, r outbound.Route) (outbound.Session, error) {
	s, err := p.till.Open(ctx, r)
	return ending{s, p}, err
}

func (s ending) Mandate(context.Context, outbound.MandateQuestion) outbound.MandateAnswer {
	s.p.meanwhile()
	return outbound.MandateAnswer{Known: true, Dead: true}
}

// A charge of an approval ends while the provider ends the approval. It is ended: an approval that stayed active here would be
// charged again, and refused.
func TestAnApprovalIsEndedWhileItIsCharged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
		answer := approved(ctx, i)
		answer.Approval = &outbound.Approval{Token: "token", Label: "VISA"}
		return answer
	}
	first, err := w.Payments().Pay(t.Context(), w.order("M1"))
	must(t)(first, err)
	id := mandate.ID(first.Record.Payment.Mandate)
	w.Options.Providers = approving{w.till, func() {
		c := w.neutral("M2", 100)
		c.Neutral.Mandate = id
		must(t)(w.Payments().Pay(t.Context(), c))
	}}
	got, err := w.Mandates().Expire(t.Context(), w.who, id)
	if err != nil || got.State != mandate.Dead {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := w.Mandates().Get(t.Context(), w.who, id); err != nil || got.State != mandate.Dead {
		t.Errorf("afterwards %+v, %v", got, err)
	}
}

// The answer of a call comes so late that the same request was tried again since, and not sent. It may still be sent: that is
// no "not paid".
func TestALateAnswerAfterARetryPromisesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Options.Providers = redirecting{w.till}
		o := w.Options
		o.Boot = "boot-2"
		other, err := app.New(o)
		must(t)(nil, err)
		must(t)(nil, other.Directory().Reload(t.Context()))
		release := make(chan struct{})
		w.till.answers = func(_ context.Context, i outbound.Instruction) outbound.Answer {
			if i.Operation.OrderID == "L" {
				<-release
				return outbound.Answer{}
			}
			return outbound.Answer{Known: payment.KnownNotSent, Reason: "unavailable"}
		}
		type result struct {
			reply inbound.Reply
			err   error
		}
		told := make(chan result)
		go func() {
			reply, err := w.Payments().Pay(t.Context(), w.order("L"))
			told <- result{reply, err}
		}()
		time.Sleep(time.Minute) // past the deadline of the call
		must(t)(other.Recovery().ResolveDue(t.Context()))
		synctest.Wait()
		if _, err := other.Payments().Pay(t.Context(), w.order("L")); fault.CodeOf(err) != "provider_unavailable" {
			t.Fatalf("the retry: %v", err)
		}
		close(release)
		if got := <-told; got.err == nil && got.reply.Class == inbound.ReplyFinal {
			t.Errorf("told %s while it may still be sent", got.reply.Body)
		}
	})
}
