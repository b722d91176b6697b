package app_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// Every case in this file was a bug once.

var errDoubt = fault.New(fault.Unavailable, "commit_in_doubt", "the connection broke in COMMIT")

// An intent and its settlement as "not sent" were both in doubt and both happened. The settlement that is tried again
// must not hit the next operation of the payment, which is at the gateway by then.
func TestADoubtIsSettledForItsOwnOperationOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var mu sync.Mutex
		intents, settled := 0, make(chan struct{})
		w.ledger.fail = func(c outbound.Change) error {
			mu.Lock()
			defer mu.Unlock()
			p := c.Record.Payment
			switch {
			case p.State == payment.Sending && intents == 0:
				intents++
				_, _ = w.ledger.Ledger.Commit(t.Context(), c)
				return errDoubt
			case p.Failure == payment.NotSent && intents == 1:
				intents++
				_, _ = w.ledger.Ledger.Commit(t.Context(), c)
				close(settled)
				return errDoubt
			}
			return nil
		}
		if _, err := w.Payments().Pay(t.Context(), w.order("D")); fault.KindOf(err) != fault.Unavailable {
			t.Fatal(err)
		}
		<-settled
		release := make(chan struct{})
		w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
			<-release
			return approved(ctx, i)
		}
		done := make(chan inbound.Reply)
		go func() {
			reply, _ := w.Payments().Pay(t.Context(), w.order("D"))
			done <- reply
		}()
		time.Sleep(time.Second) // the settlement is tried again meanwhile
		if got := w.record(t.Context(), "D").Payment; got.State != payment.Sending {
			t.Errorf("while it is at the gateway the payment is %s %s", got.State, got.Failure)
		}
		close(release)
		if reply := <-done; reply.State != payment.Succeeded {
			t.Errorf("%+v", reply)
		}
	})
}

// The intent of a retry is in doubt and appears late. It must not stay SENDING.
func TestALateIntentOfARetryIsSettled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer {
			return outbound.Answer{Known: payment.KnownNotSent, Reason: "unavailable"}
		}
		_, _ = w.Payments().Pay(t.Context(), w.order("L"))
		var once sync.Once
		w.ledger.fail = func(c outbound.Change) (err error) {
			if c.Record.Payment.State == payment.Sending && c.Version > 0 {
				once.Do(func() {
					err = errDoubt
					time.AfterFunc(250*time.Millisecond, func() { _, _ = w.ledger.Ledger.Commit(context.WithoutCancel(t.Context()), c) })
				})
			}
			return err
		}
		if _, err := w.Payments().Pay(t.Context(), w.order("L")); fault.KindOf(err) != fault.Unavailable {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if got := w.record(t.Context(), "L").Payment; got.State != payment.Failed || got.Version != 4 {
			t.Errorf("the late intent is %s, version %d", got.State, got.Version)
		}
	})
}

// The gateway answers with the transaction id of another payment: the result can never be stored.
func TestATransactionOfAnotherPaymentSettlesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		must(t)(w.Payments().Pay(t.Context(), w.order("T1")))
		w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
			answer := approved(ctx, i)
			answer.Evidence.ProviderTransaction = "tx-T1"
			return answer
		}
		reply, err := w.Payments().Pay(t.Context(), w.order("T2"))
		if err != nil || reply.Class != inbound.ReplyPending || len(reply.Body) != 0 {
			t.Errorf("%+v %s, %v", reply, reply.Body, err)
		}
		time.Sleep(time.Minute)
		if got := w.record(t.Context(), "T2").Payment; got.State != payment.Unknown {
			t.Errorf("state %s", got.State)
		}
	})
}

// A pending reply must not carry the members of a success.
func TestPendingClaimsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ledger.fail = func(c outbound.Change) error {
		if c.Record.Payment.State == payment.Succeeded {
			return errors.New("disk full")
		}
		return nil
	}
	if reply, err := w.Payments().Pay(t.Context(), w.order("E")); err != nil || reply.Class != inbound.ReplyPending || len(reply.Body) != 0 {
		t.Errorf("%+v %s, %v", reply, reply.Body, err)
	}
}

func TestAPanicInTheCallLeavesTheOutcomeOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer { panic("a bug below") }
	reply, err := w.Payments().Pay(t.Context(), w.order("P"))
	if err != nil || reply.Class != inbound.ReplyPending || w.record(t.Context(), "P").Payment.State != payment.Unknown {
		t.Errorf("%+v, %v", reply, err)
	}
}

func TestAContradictionIsNoDecline(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]outbound.Answer{
		"declined about another order": {Known: payment.KnownDeclined, Evidence: payment.Evidence{OrderID: "other"}},
		"declined with money taken":    {Known: payment.KnownDeclined, Evidence: payment.Evidence{Captured: money.Amount{Units: 100, Currency: money.TWD}}},
		"action for another order":     {Known: payment.KnownAction, Evidence: payment.Evidence{OrderID: "other"}},
	} {
		w := newWorld(t)
		answer.Native = []byte(`{"code":"51"}`)
		w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer { return answer }
		reply, err := w.Payments().Pay(t.Context(), w.order("C"))
		if got := w.record(t.Context(), "C").Payment.State; err != nil || reply.Class != inbound.ReplyPending || got != payment.Unknown {
			t.Errorf("%s: %s, %+v, %v", name, got, reply, err)
		}
	}
}

// While the provider is down, a request that repeats an earlier one must not hear "nothing was sent".
func TestARetryWhileTheProviderIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer { return outbound.Answer{} }
	must(t)(w.Payments().Pay(t.Context(), w.order("U1")))
	w.till.answers = approved
	paid, err := w.Payments().Pay(t.Context(), w.order("U2"))
	must(t)(paid, err)
	w.till.down.Store(true)
	if reply, err := w.Payments().Pay(t.Context(), w.order("U1")); err != nil || reply.Class != inbound.ReplyPending || reply.Payment == "" {
		t.Errorf("in doubt: %+v, %v", reply, err)
	}
	if reply, err := w.Payments().Pay(t.Context(), w.order("U2")); err != nil || string(reply.Body) != string(paid.Body) || !reply.Replayed {
		t.Errorf("paid: %+v, %v", reply, err)
	}
	other := w.order("U2")
	other.Request = []byte(`{"order":"U2","amount":100,"req":"other"}`)
	if _, err := w.Payments().Pay(t.Context(), other); fault.CodeOf(err) != "order_already_paid" {
		t.Errorf("another request for a paid order: %v", err)
	}
	if _, err := w.Payments().Pay(t.Context(), w.order("U3")); fault.CodeOf(err) != "provider_unavailable" || w.till.transmissions("U3") != 0 {
		t.Errorf("a new order: %v", err)
	}
}

// Retries of what was never sent arrive together: one runs, and nobody is answered before it has ended.
func TestRetriesJoinTheOneThatRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer {
		return outbound.Answer{Known: payment.KnownNotSent, Reason: "unavailable"}
	}
	_, _ = w.Payments().Pay(t.Context(), w.order("J"))
	w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
		time.Sleep(50 * time.Millisecond)
		return approved(ctx, i)
	}
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			reply, err := w.Payments().Pay(t.Context(), w.order("J"))
			if err != nil && fault.CodeOf(err) != "request_in_progress" || err == nil && reply.Class != inbound.ReplyFinal {
				t.Errorf("%+v, %v", reply, err)
			}
		})
	}
	wait.Wait()
	if got := w.till.transmissions("J"); got != 2 {
		t.Errorf("%d transmissions, want the failed one and one more", got)
	}
}

// A retry brings the credential that a search will need.
func TestARetryPinsItsOwnCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t)(w.Directory().PutCredential(t.Context(), inbound.PutCredential{
		Company: "co", Store: "s1", Type: "TILL_PAY", Environment: "test", Set: []byte(`{"account":"own-account"}`),
	}))
	w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer {
		return outbound.Answer{Known: payment.KnownNotSent, Reason: "unavailable"}
	}
	own := w.order("K")
	own.Request = []byte(`{"order":"K","amount":100,"req":"K-req","secret":"{}"}`)
	_, _ = w.Payments().Pay(t.Context(), own)
	w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer { return outbound.Answer{} }
	must(t)(w.Payments().Pay(t.Context(), w.order("K")))
	if r := w.record(t.Context(), "K"); r.Payment.CredentialRef == "" && len(r.Operation.SealedCredential) == 0 {
		t.Error("in doubt, and no credential anywhere to ask with")
	}
}

// twoTypes is a provider per payment type.
type twoTypes struct{ *till }

type renamed struct {
	outbound.Session

	name string
}

func (s renamed) Type() catalogue.Type {
	t := described()
	t.Name, t.Provider = s.name, strings.ToLower(s.name)
	return t
}

func (p twoTypes) Open(_ context.Context, r outbound.Route) (outbound.Session, error) {
	return renamed{tillSession{p.till}, r.Type}, nil
}

func TestOneKeyForTwoProviders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Options.Providers = twoTypes{w.till}
	a := w.order("M")
	a.Request = []byte(`{"order":"M","amount":100,"req":"m","secret":"{}"}`)
	a.IdempotencyKey = "key"
	b := a
	b.Type = "OTHER_PAY"
	must(t)(w.Payments().Pay(t.Context(), a))
	if _, err := w.Payments().Pay(t.Context(), b); fault.CodeOf(err) != "idempotency_mismatch" {
		t.Errorf("the same key at another provider: %v", err)
	}
}

// counted counts the sessions that are held.
type counted struct {
	outbound.Providers

	held atomic.Int64
}

type heldSession struct {
	outbound.Session

	let func()
}

func (s heldSession) Close() { s.let(); s.Session.Close() }

func (c *counted) Open(ctx context.Context, r outbound.Route) (outbound.Session, error) {
	s, err := c.Providers.Open(ctx, r)
	if err != nil {
		return nil, err
	}
	c.held.Add(1)
	return heldSession{s, sync.OnceFunc(func() { c.held.Add(-1) })}, nil
}

// One payment that hangs, with all its retries, must hold one place at the provider.
func TestWhoWaitsHoldsNoPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := &counted{Providers: w.till}
		w.Options.Providers = c
		release := make(chan struct{})
		w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
			<-release
			return approved(ctx, i)
		}
		var wait sync.WaitGroup
		for range 100 {
			wait.Go(func() { _, _ = w.Payments().Pay(t.Context(), w.order("N")) })
		}
		synctest.Wait()
		if n := c.held.Load(); n != 1 {
			t.Errorf("%d places held", n)
		}
		close(release)
		wait.Wait()
	})
}

// The store of a request is the same one however the company itself is spelt.
func TestTheCompanysOwnStoreIsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t)(w.Directory().PutCredential(t.Context(), inbound.PutCredential{
		Company: "co", Type: "TILL_PAY", Environment: "test", Set: []byte(`{"account":"store-account"}`),
	}))
	zero, empty := "0", ""
	a, b := w.order("Q"), w.order("Q")
	a.Store, b.Store = &zero, &empty
	first, err := w.Payments().Pay(t.Context(), a)
	must(t)(first, err)
	if again, err := w.Payments().Pay(t.Context(), b); err != nil || again.Payment != first.Payment {
		t.Errorf("%+v, %v", again, err)
	}
}

// A search must not serve what it found before our own payment succeeded, nor what is about another order.
func TestASearchIsNeitherStaleNorOfAnotherOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.till.finds = func(outbound.Question) outbound.Findings {
		return outbound.Findings{Finding: payment.FindingNotFound, Native: []byte(`{"code":"1150"}`)}
	}
	must(t)(w.Payments().Search(t.Context(), w.order("S")))
	must(t)(w.Payments().Pay(t.Context(), w.order("S")))
	w.till.finds = func(q outbound.Question) outbound.Findings {
		return outbound.Findings{Finding: payment.FindingFound, Native: []byte(`{"code":"0000"}`), Evidence: payment.Evidence{OrderID: q.OrderID}}
	}
	if reply, err := w.Payments().Search(t.Context(), w.order("S")); err != nil || string(reply.Body) != `{"code":"0000"}` {
		t.Errorf("after the payment: %s, %v", reply.Body, err)
	}
	w.till.finds = func(outbound.Question) outbound.Findings {
		return outbound.Findings{Finding: payment.FindingFound, Native: []byte(`{"code":"0000"}`), Evidence: payment.Evidence{OrderID: "other"}}
	}
	if _, err := w.Payments().Search(t.Context(), w.order("S9")); fault.CodeOf(err) != "provider_invalid_response" {
		t.Errorf("a record of another order: %v", err)
	}
}
