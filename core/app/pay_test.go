package app_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

func TestTheIntentIsDurableBeforeTheProviderIsCalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
		r := w.record(ctx, "A1")
		if r.Payment.State != payment.Sending || r.Operation.State != payment.OperationSending {
			t.Errorf("at the call the payment is %q", r.Payment.State)
		}
		if !i.NotAfter.After(w.clock.Now()) || !i.NotAfter.Before(r.Operation.SendDeadline) {
			t.Errorf("no byte may leave after %v; the send deadline is %v", i.NotAfter, r.Operation.SendDeadline)
		}
		return approved(ctx, i)
	}
	reply, err := w.Payments().Pay(t.Context(), w.order("A1"))
	if err != nil || reply.Class != inbound.ReplyFinal || string(reply.Body) != `{"code":"0000"}` || reply.State != payment.Succeeded {
		t.Fatalf("%+v, %v", reply, err)
	}
	r := w.record(t.Context(), "A1")
	if r.Payment.State != payment.Succeeded || r.Payment.Captured != 100 || r.Payment.ProviderTransaction != "tx-A1" || r.Payment.Version != 2 {
		t.Errorf("%+v", r.Payment)
	}
	entries, err := w.Journal.Entries(t.Context(), r.Payment.Stream(), 0, 10)
	if err != nil || len(entries) != 2 || entries[1].Prev != entries[0].Hash || entries[1].Hash != r.Payment.Chain || !entries[0].Verify() || !entries[1].Verify() {
		t.Errorf("journal: %+v, %v", entries, err)
	}
}

func TestAnAnswerIsOnlyWhatItProves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer outbound.Answer
		class  inbound.ReplyClass
		state  payment.State
		body   string
		code   string
	}{
		"declined": {
			answer: outbound.Answer{Known: payment.KnownDeclined, Native: []byte(`{"code":"51"}`)},
			state:  payment.Failed, body: `{"code":"51","message_from":"TILL"}`,
		},
		"nothing known, nothing said": {
			answer: outbound.Answer{}, class: inbound.ReplyPending, state: payment.Unknown,
		},
		"nothing known, members kept": {
			answer: outbound.Answer{Native: []byte(`{"code":"9999"}`)}, class: inbound.ReplyPending, state: payment.Unknown, body: `{"code":"9999"}`,
		},
		"another amount was taken": {
			answer: outbound.Answer{Known: payment.KnownApproved, Native: []byte(`{"code":"0000"}`), Evidence: payment.Evidence{Captured: money.Amount{Units: 99, Currency: money.TWD}}},
			class:  inbound.ReplyPending, state: payment.Mismatch,
		},
		"another order was paid": {
			answer: outbound.Answer{Known: payment.KnownApproved, Evidence: payment.Evidence{OrderID: "other"}},
			class:  inbound.ReplyPending, state: payment.Mismatch,
		},
		"not sent": {
			answer: outbound.Answer{Known: payment.KnownNotSent, Reason: "unavailable"}, state: payment.Failed, code: "provider_unavailable",
		},
		"refused by a rule of the provider": {
			answer: outbound.Answer{Known: payment.KnownNotSent, Reason: "invalid", Detail: "too much"}, state: payment.Failed, code: "refused_by_provider_rules",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer { return c.answer }
			reply, err := w.Payments().Pay(t.Context(), w.order("B1"))
			if c.code != "" {
				if fault.CodeOf(err) != c.code {
					t.Errorf("error %v, want %s", err, c.code)
				}
			} else if err != nil || reply.Class != c.class || string(reply.Body) != c.body {
				t.Errorf("%+v %s, %v", reply, reply.Body, err)
			}
			if got := w.record(t.Context(), "B1").Payment.State; got != c.state {
				t.Errorf("state %s, want %s", got, c.state)
			}
			again, err := w.Payments().Pay(t.Context(), w.order("B1"))
			sent := w.till.transmissions("B1")
			if c.code == "" && sent != 1 {
				t.Errorf("%d transmissions after a retry, want 1", sent)
			}
			if c.code != "" && sent != 2 {
				t.Errorf("%d transmissions after a retry of what was never sent, want 2 (%v)", sent, err)
			}
			if c.code == "" && c.class == inbound.ReplyFinal && (string(again.Body) != string(reply.Body) || !again.Replayed) {
				t.Errorf("replay %+v, %v", again, err)
			}
			if c.class == inbound.ReplyPending && (err != nil || again.Class != inbound.ReplyPending) {
				t.Errorf("a retry of an unknown outcome: %+v, %v", again, err)
			}
		})
	}
}

func TestAClientThatHangsUpChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, hangUp := context.WithCancel(t.Context())
	w.till.answers = func(callCtx context.Context, i outbound.Instruction) outbound.Answer {
		hangUp()
		if callCtx.Err() != nil {
			return outbound.Answer{}
		}
		return approved(callCtx, i)
	}
	if _, err := w.Payments().Pay(ctx, w.order("C1")); err != nil {
		t.Fatal(err)
	}
	if got := w.record(t.Context(), "C1").Payment.State; got != payment.Succeeded {
		t.Errorf("state %s", got)
	}
}

func TestNothingIsSentWithoutADurableIntent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ledger.fail = func(outbound.Change) error { return errors.New("disk full") }
	_, err := w.Payments().Pay(t.Context(), w.order("D1"))
	if fault.KindOf(err) != fault.Unavailable || w.till.transmissions("D1") != 0 {
		t.Errorf("%v, %d transmissions", err, w.till.transmissions("D1"))
	}
}

// The commit of the intent reported an error and had happened all the same: nothing was sent, and the row must not
// stay open for ever.
func TestAnIntentInDoubtIsSettledAsNotSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var once sync.Once
	w.ledger.fail = func(c outbound.Change) (err error) {
		once.Do(func() {
			_, _ = w.ledger.Ledger.Commit(t.Context(), c)
			err = fault.New(fault.Unavailable, "commit_in_doubt", "the connection broke in COMMIT")
		})
		return err
	}
	if _, err := w.Payments().Pay(t.Context(), w.order("D2")); fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("%v", err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		p := w.record(t.Context(), "D2").Payment
		if p.State == payment.Failed && p.Failure == payment.NotSent {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("still %s %s", p.State, p.Failure)
		}
	}
	if w.till.transmissions("D2") != 0 {
		t.Error("it was sent")
	}
	if reply, err := w.Payments().Pay(t.Context(), w.order("D2")); err != nil || reply.State != payment.Succeeded {
		t.Errorf("the same request again: %+v, %v", reply, err)
	}
}

// The provider took the money and our commit failed: the client must never hear "paid" without one.
func TestPaidIsNeverToldWithoutACommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mu sync.Mutex
	broken := true
	w.ledger.fail = func(c outbound.Change) error {
		mu.Lock()
		defer mu.Unlock()
		if broken && c.Record.Payment.State == payment.Succeeded {
			return errors.New("disk full")
		}
		return nil
	}
	reply, err := w.Payments().Pay(t.Context(), w.order("E1"))
	if err != nil || reply.Class != inbound.ReplyPending {
		t.Errorf("%+v, %v", reply, err)
	}
	mu.Lock()
	broken = false
	mu.Unlock()
	for end := time.Now().Add(30 * time.Second); w.record(t.Context(), "E1").Payment.State != payment.Succeeded; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what the provider said was never committed")
		}
	}
	if again, err := w.Payments().Pay(t.Context(), w.order("E1")); err != nil || again.Class != inbound.ReplyFinal || w.till.transmissions("E1") != 1 {
		t.Errorf("%+v, %v, %d transmissions", again, err, w.till.transmissions("E1"))
	}
}

// While the call runs, another process takes the operation over. The late owner answers from the row.
func TestAFencedOwnerAnswersFromTheRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
		if _, err := w.ledger.Fence(ctx, "boot-2", 10); err != nil {
			t.Error(err)
		}
		return approved(ctx, i)
	}
	reply, err := w.Payments().Pay(t.Context(), w.order("F1"))
	if err != nil || reply.Class != inbound.ReplyPending {
		t.Errorf("the fenced owner told %+v, %v", reply, err)
	}
	if got := w.record(t.Context(), "F1").Payment.State; got == payment.Succeeded {
		t.Error("the fenced owner's answer was written")
	}
}

func TestFenceDead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	entered, release := make(chan struct{}), make(chan struct{})
	w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
		close(entered)
		<-release
		return approved(ctx, i)
	}
	done := make(chan inbound.Reply, 1)
	go func() {
		reply, _ := w.Payments().Pay(t.Context(), w.order("F2"))
		done <- reply
	}()
	<-entered
	// Another life of the program starts on the same store.
	other := w.otherLife("boot-2")
	if n, err := other.Recovery().FenceDead(t.Context()); err != nil || n != 1 {
		t.Fatalf("fenced %d, %v", n, err)
	}
	if got := w.record(t.Context(), "F2"); got.Payment.State != payment.Unknown || got.Operation.Epoch != 2 || got.Operation.NextCheckAt.IsZero() {
		t.Errorf("%+v", got)
	}
	close(release)
	if reply := <-done; reply.Class != inbound.ReplyPending {
		t.Errorf("the dead owner told %+v", reply)
	}
	if n, err := other.Recovery().FenceDead(t.Context()); err != nil || n != 0 {
		t.Errorf("fenced again: %d, %v", n, err)
	}
}

func TestAHundredEqualRequestsAreOnePayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
		time.Sleep(20 * time.Millisecond) // hold the window open
		return approved(ctx, i)
	}
	var wait sync.WaitGroup
	replies := make([]inbound.Reply, 100)
	for i := range replies {
		wait.Go(func() {
			reply, err := w.Payments().Pay(t.Context(), w.order("G1"))
			if err != nil && fault.CodeOf(err) != "request_in_progress" {
				t.Error(err)
			}
			replies[i] = reply
		})
	}
	wait.Wait()
	if got := w.till.transmissions("G1"); got != 1 {
		t.Errorf("%d transmissions", got)
	}
	answered := slices.DeleteFunc(replies, func(r inbound.Reply) bool { return r.Payment == "" })
	if len(answered) < 2 {
		t.Errorf("%d were answered, nobody joined", len(answered))
	}
	for _, r := range answered {
		if r.Class != inbound.ReplyFinal || string(r.Body) != `{"code":"0000"}` || r.Payment != answered[0].Payment {
			t.Errorf("%+v %s", r, r.Body)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pay := func(c inbound.Native) (inbound.Reply, error) { return w.Payments().Pay(t.Context(), c) }
	with := func(c inbound.Native, key, request string) inbound.Native {
		c.IdempotencyKey = key
		if request != "" {
			c.Request = []byte(request)
		}
		return c
	}
	first, err := pay(with(w.order("H1"), "key-1", ""))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		command inbound.Native
		code    string
	}{
		"same key, other order":              {with(w.order("H2"), "key-1", ""), "idempotency_mismatch"},
		"same request id, other amount":      {with(w.order("H1"), "", `{"order":"H1","amount":101,"req":"H1-req"}`), "idempotency_mismatch"},
		"new request id, order already paid": {with(w.order("H1"), "key-2", `{"order":"H1","amount":100,"req":"H1-other"}`), "order_already_paid"},
	} {
		_, err := pay(c.command)
		if fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
		var f *fault.Error
		if errors.As(err, &f); c.code == "order_already_paid" && (!f.NativeOK || string(f.Native) != `{"code":"DUP","message_from":"OMNI"}`) {
			t.Errorf("%s: %s", name, f.Native)
		}
	}
	if again, err := pay(with(w.order("H1"), "", strings.Replace(string(w.order("H1").Request), "H1-req", "H1-REQ", 1))); err == nil && again.Payment != first.Payment {
		t.Errorf("the request id in other case: %+v, %v", again, err)
	}
	// A key of a change that lost must be free again.
	if _, err := pay(with(w.order("H3"), "key-2", "")); err != nil {
		t.Errorf("key-2 was claimed by a request that lost: %v", err)
	}
	// The test environment and the live one never share an order.
	if got := w.till.transmissions("H1"); got != 1 {
		t.Errorf("%d transmissions of H1", got)
	}
}

func TestAnOrderInDoubtTakesNoSecondCharge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer { return outbound.Answer{} }
	if _, err := w.Payments().Pay(t.Context(), w.order("I1")); err != nil {
		t.Fatal(err)
	}
	other := w.order("I1")
	other.Request = []byte(`{"order":"I1","amount":100,"req":"another"}`)
	if _, err := w.Payments().Pay(t.Context(), other); fault.CodeOf(err) != "order_in_progress" || w.till.transmissions("I1") != 1 {
		t.Errorf("%v, %d transmissions", err, w.till.transmissions("I1"))
	}
}
