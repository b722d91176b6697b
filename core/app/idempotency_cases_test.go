package app_test

import (
	"fmt"
	"slices"
	"strings"
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

// idempotencyCases are the cases of a repeated request, by the number that the specification gives them. K1 is the header
// Idempotency-Key, K2 the request's own id, K3 the order number. Each runs in a provider's columns and in neutral terms,
// unless it stands only for one; the bank's book is the referee. What HTTP alone decides (19, 23, 24, 26 and the routes of
// 6) is tested over HTTP by the end-to-end tests.
var idempotencyCases = []struct {
	number, situation, expectation string
	// only is "native" or "neutral" where the case cannot arise on the other routes.
	only string
	run  func(desk)
}{
	{number: "01", situation: "new keys", expectation: "executes", run: caseNew},
	{number: "02", situation: "same K1 and meaning, finished", expectation: "the stored bytes, nothing done", run: caseFinished},
	{number: "02 found", situation: "same K1 and meaning, settled by a search, and refunded since", expectation: "the bytes of the first answer", run: caseFound},
	{number: "03", situation: "same K1 and meaning, running", expectation: "four join, the fifth hears request_in_progress", run: caseRunning},
	{number: "03 wait=0", situation: "same K1 and meaning, running, and the client does not wait", expectation: "pending at once", run: caseNoWait},
	{number: "04", situation: "same K1 and meaning, unknown", expectation: "pending; one search in two seconds at most", run: caseUnknown},
	{number: "05", situation: "same K1, other meaning", expectation: "mismatch by names, never values", run: caseOtherMeaning},
	{number: "06", situation: "same K1, another operation", expectation: "independent", run: caseOtherOperation},
	{number: "06 routes", situation: "same K1, native and neutral", expectation: "independent keys; the order number still guards", run: caseOtherRoutes},
	{number: "07", situation: "same K1, another company", expectation: "independent", run: caseOtherCompany},
	{number: "08", situation: "same K1, test and live", expectation: "independent", run: caseOtherEnvironment},
	{number: "09", situation: "no or another K1, same K2", expectation: "as 2 and 4", only: "native", run: caseRequestID},
	{number: "10", situation: "same K2, other meaning", expectation: "mismatch", only: "native", run: caseRequestIDOtherMeaning},
	{number: "11", situation: "K1 known, another K2", expectation: "mismatch", only: "native", run: caseKnownKeyOtherID},
	{number: "12", situation: "K1 of one payment, K2 of another", expectation: "conflicting_keys", only: "native", run: caseConflictingKeys},
	{number: "13", situation: "new keys, K3 paid", expectation: "order_already_paid with the payment", run: caseOrderPaid},
	{number: "14", situation: "new keys, K3 unknown", expectation: "order_in_progress with the payment and a time", run: caseOrderOpen},
	{number: "14b", situation: "new keys, K3 reversing", expectation: "order_reversing with the payment and a time", run: caseOrderReversing},
	{number: "15", situation: "new keys, K3 declined or reversed", expectation: "a new attempt with its own order id", run: caseOrderEnded},
	{number: "16", situation: "refused before the intent", expectation: "nothing stored, the keys stay free", run: caseInvalid},
	{number: "17", situation: "declined, or proven not charged", expectation: "replayed, no second try", run: caseDeclined},
	{number: "18", situation: "never sent", expectation: "not replayed: the same keys run again as a new operation", run: caseNotSent},
	{number: "19", situation: "a bug before the intent", expectation: "nothing stored, the keys stay free", run: caseBugBefore},
	{number: "20", situation: "a bug after the intent", expectation: "the state is the truth; the resolver finishes", run: caseBugAfter},
	{number: "21", situation: "the first client hung up", expectation: "the work goes on; the retry hears its answer", run: caseHungUp},
	{number: "22", situation: "K1 forgotten, K2 or K3 known", expectation: "decided by those", run: caseForgotten},
	{number: "25", situation: "a hundred equal requests over three processes", expectation: "one executes, the others join or hear 409", run: caseHundred},
	{number: "26", situation: "a refund without any key", expectation: "idempotency_key_required", run: caseRefundWithoutKey},
	{number: "26 again", situation: "a refund with a key, again", expectation: "the stored bytes, given back once", run: caseRefundAgain},
	{number: "27", situation: "another API version renders", expectation: "stored bytes as they were", run: caseOtherVersion},
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	for _, c := range idempotencyCases {
		for _, routes := range []string{"native", "neutral"} {
			if c.only != "" && c.only != routes {
				continue
			}
			t.Run(strings.Join([]string{c.number, c.situation, c.expectation, routes}, ": "), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.till.answers = w.till.bank.do
					c.run(desk{world: w, t: t, neutral: routes == "neutral"})
				})
			})
		}
	}
}

// A is the request that most cases repeat.
var requestA = ask{order: "A", amount: 100, key: "key-A", req: "req-a"}

func caseNew(d desk) {
	first := d.paid(requestA)
	if len(first.Body) == 0 || first.Payment == "" {
		d.t.Errorf("%+v", first)
	}
	d.counts(1, 1, 1)
}

func caseFinished(d desk) {
	first := d.paid(requestA)
	for range 3 {
		d.replays(first, requestA)
	}
	// Its own later life changes nothing about what was answered.
	_, err := d.refund(first.Payment, ask{order: "A", amount: 30, key: "key-R", req: "req-r"})
	must(d.t)(nil, err)
	d.replays(first, requestA)
	d.counts(1, 2, 2)
}

func caseFound(d desk) {
	d.policy(company.Hold)
	show := d.silent()
	d.pending(d.pay(requestA))
	show()
	d.resolved()
	first, err := d.pay(requestA)
	if err != nil || first.Class != inbound.ReplyFinal || first.State != payment.Succeeded {
		d.t.Fatalf("%+v, %v", first, err)
	}
	// A refund whose answer is lost, too, and one that is answered.
	back := ask{order: "A", amount: 30, key: "key-R", req: "req-r"}
	d.pending(d.refund(first.Payment, back))
	d.resolved()
	given, err := d.refund(first.Payment, back)
	if err != nil || given.Class != inbound.ReplyFinal {
		d.t.Fatalf("%+v, %v", given, err)
	}
	d.till.answers = d.till.bank.do
	must(d.t)(d.refund(first.Payment, ask{order: "A", amount: 20, key: "key-S", req: "req-s"}))
	d.replays(first, requestA)
	again, err := d.refund(first.Payment, back)
	if err != nil || string(again.Body) != string(given.Body) {
		d.t.Errorf("%s, %v; the first was %s", again.Body, err, given.Body)
	}
	if d.till.bank.net("A") != 50 {
		d.t.Errorf("%d left", d.till.bank.net("A"))
	}
	d.counts(1, 3, 3)
}

func caseRunning(d desk) {
	entered, release := d.held()
	replies := make(chan inbound.Reply, 5)
	var wait sync.WaitGroup
	join := func() {
		wait.Go(func() {
			reply, err := d.pay(requestA)
			if err != nil || reply.Class != inbound.ReplyFinal {
				d.t.Errorf("%+v, %v", reply, err)
			}
			replies <- reply
		})
	}
	join()
	<-entered
	for range 4 {
		join()
	}
	synctest.Wait()
	f := d.refused("request_in_progress")(d.pay(requestA))
	if f.Kind != fault.Conflict || f.RetryAfter == 0 || f.Payment == "" {
		d.t.Errorf("%+v", f)
	}
	release()
	wait.Wait()
	close(replies)
	var first inbound.Reply
	for r := range replies {
		if first.Payment == "" {
			first = r
		}
		if r.Payment != first.Payment || string(r.Body) != string(first.Body) {
			d.t.Errorf("%s and %s", r.Body, first.Body)
		}
	}
	d.counts(1, 1, 1)
}

func caseNoWait(d desk) {
	entered, release := d.held()
	done := make(chan inbound.Reply)
	go func() {
		reply, _ := d.pay(requestA)
		done <- reply
	}()
	<-entered
	c := d.command(requestA)
	c.Wait = new(time.Duration(0))
	began := time.Now()
	d.pending(d.Payments().Pay(d.t.Context(), c))
	if took := time.Since(began); took != 0 {
		d.t.Errorf("it waited for %s", took)
	}
	release()
	d.replays(<-done, requestA)
	d.counts(1, 1, 1)
}

func caseUnknown(d desk) {
	show := d.silent()
	first := d.pending(d.pay(requestA))
	before := d.till.asked.Load()
	for range 5 {
		again := d.pending(d.pay(requestA))
		if again.Payment != first.Payment || again.State != payment.Unknown {
			d.t.Errorf("%+v", again)
		}
		synctest.Wait()
	}
	if n := d.till.asked.Load() - before; n != 1 {
		d.t.Errorf("five retries at once asked the provider %d times", n)
	}
	show()
	time.Sleep(outbound.PullPause)
	d.pending(d.pay(requestA))
	synctest.Wait()
	// The current state, not the first bytes.
	again, err := d.pay(requestA)
	if err != nil || again.Class != inbound.ReplyFinal || again.State != payment.Succeeded || again.Payment != first.Payment {
		d.t.Errorf("%+v, %v", again, err)
	}
	d.replays(again, requestA)
	d.counts(1, 1, 1)
}

func caseOtherMeaning(d desk) {
	first := d.paid(requestA)
	for name, other := range map[string]ask{
		"amount":       {order: "A", amount: 987654, key: "key-A", req: "req-a"},
		"order_number": {order: "SECRET", amount: 100, key: "key-A", req: "req-a"},
	} {
		f := d.refused("idempotency_mismatch")(d.pay(other))
		if f.Kind != fault.Mismatch || !slices.ContainsFunc(f.Fields, func(x fault.Field) bool { return x.Pointer == "/"+name }) || len(f.Fields) != 1 {
			d.t.Errorf("%s: %+v", name, f)
		}
		if said := fmt.Sprintf("%+v %v", f, f.Fields); strings.Contains(said, "987654") || strings.Contains(said, "SECRET") {
			d.t.Errorf("it repeats a value: %s", said)
		}
	}
	d.replays(first, requestA)
	d.counts(1, 1, 1)
}

func caseOtherOperation(d desk) {
	first := d.paid(requestA)
	back, err := d.refund(first.Payment, ask{order: "A", amount: 40, key: "key-A", req: "req-a"})
	if err != nil || back.Replayed || back.State != payment.PartiallyRefunded {
		d.t.Errorf("%+v, %v", back, err)
	}
	d.replays(first, requestA)
	d.counts(1, 2, 2)
}

func caseOtherRoutes(d desk) {
	d.paid(requestA)
	other := d
	other.neutral = !d.neutral
	other.refused("order_already_paid")(other.pay(requestA))
	other.paid(ask{order: "B", amount: 100, key: "key-A", req: "req-a"})
	d.counts(2, 2, 2)
}

func caseOtherCompany(d desk) {
	d.paid(requestA)
	ctx := d.t.Context()
	must(d.t)(d.Directory().AddCompany(ctx, inbound.AddCompany{ID: "co2", Name: "Other"}))
	must(d.t)(d.Directory().AddStore(ctx, inbound.AddStore{Company: "co2", ID: "s1", Name: "Store"}))
	must(d.t)(d.Directory().PutCredential(ctx, inbound.PutCredential{
		Company: "co2", Store: "s1", Type: "TILL_PAY", Environment: "test", Set: []byte(`{"account":"other-account"}`),
	}))
	c := d.command(ask{order: "B", amount: 7, key: "key-A", req: "req-a"})
	c.Principal.Company = "co2"
	reply, err := d.Payments().Pay(ctx, c)
	if err != nil || reply.Replayed || reply.State != payment.Succeeded {
		d.t.Errorf("%+v, %v", reply, err)
	}
	d.counts(2, 2, 2)
}

func caseOtherEnvironment(d desk) {
	d.paid(requestA)
	c := d.command(ask{order: "B", amount: 7, key: "key-A", req: "req-a"})
	c.Environment, c.Principal.Environments = company.Live, []company.Environment{company.Test, company.Live}
	reply, err := d.Payments().Pay(d.t.Context(), c)
	if err != nil || reply.Replayed || reply.State != payment.Succeeded {
		d.t.Errorf("%+v, %v", reply, err)
	}
	d.counts(2, 2, 2)
}

func caseRequestID(d desk) {
	first := d.paid(requestA)
	for _, key := range []string{"", "another"} {
		d.replays(first, ask{order: "A", amount: 100, key: key, req: "req-a"})
	}
	show := d.silent()
	defer show()
	u := d.pending(d.pay(ask{order: "U", amount: 100, key: "key-U", req: "req-u"}))
	if again := d.pending(d.pay(ask{order: "U", amount: 100, req: "req-u"})); again.Payment != u.Payment {
		d.t.Errorf("%+v", again)
	}
	d.counts(2, 2, 2)
}

func caseRequestIDOtherMeaning(d desk) {
	d.paid(requestA)
	d.refused("idempotency_mismatch")(d.pay(ask{order: "A", amount: 101, req: "req-a"}))
	d.refused("idempotency_mismatch")(d.pay(ask{order: "B", amount: 100, key: "new", req: "req-a"}))
	d.paid(ask{order: "B", amount: 100, key: "new", req: "req-b"}) // the refused one took no key
	d.counts(2, 2, 2)
}

func caseKnownKeyOtherID(d desk) {
	d.paid(requestA)
	d.refused("idempotency_mismatch")(d.pay(ask{order: "A", amount: 100, key: "key-A", req: "req-b"}))
	d.counts(1, 1, 1)
}

func caseConflictingKeys(d desk) {
	d.paid(requestA)
	d.paid(ask{order: "B", amount: 100, key: "key-B", req: "req-b"})
	f := d.refused("conflicting_keys")(d.pay(ask{order: "A", amount: 100, key: "key-A", req: "req-b"}))
	if f.Kind != fault.Mismatch {
		d.t.Errorf("%+v", f)
	}
	d.counts(2, 2, 2)
}

func caseOrderPaid(d desk) {
	first := d.paid(requestA)
	other := ask{order: "A", amount: 100, key: "key-2", req: "req-2"}
	f := d.refused("order_already_paid")(d.pay(other))
	if f.Kind != fault.Conflict || f.Payment != string(first.Payment) || f.NativeOK == d.neutral {
		d.t.Errorf("%+v", f)
	}
	if !d.neutral && string(f.Native) != `{"code":"DUP","message_from":"OMNI"}` {
		d.t.Errorf("%s", f.Native)
	}
	d.counts(1, 1, 1)
	d.paid(ask{order: "B", amount: 100, key: "key-2", req: "req-2"}) // the refused one took no key
	d.counts(2, 2, 2)
}

func caseOrderOpen(d desk) {
	show := d.silent()
	defer show()
	first := d.pending(d.pay(requestA))
	f := d.refused("order_in_progress")(d.pay(ask{order: "A", amount: 100, key: "key-2", req: "req-2"}))
	if f.Kind != fault.Conflict || f.Payment != string(first.Payment) || f.RetryAfter == 0 || f.NativeOK {
		d.t.Errorf("%+v", f)
	}
	d.counts(1, 1, 1)
}

func caseOrderReversing(d desk) {
	show := d.silent()
	defer show()
	first := d.pending(d.pay(requestA))
	c := d.command(ask{order: "A", key: "cancel", req: "cancel"})
	if d.neutral {
		c.Type, c.Store, c.Neutral = "", nil, &inbound.Neutral{Payment: first.Payment}
	}
	if reply, err := d.Payments().Cancel(d.t.Context(), c); err != nil || reply.State != payment.Reversing {
		d.t.Fatalf("%+v, %v", reply, err)
	}
	f := d.refused("order_reversing")(d.pay(ask{order: "A", amount: 100, key: "key-2", req: "req-2"}))
	if f.Kind != fault.Conflict || f.Payment != string(first.Payment) || f.RetryAfter == 0 {
		d.t.Errorf("%+v", f)
	}
	d.counts(1, 1, 1)
}

func caseOrderEnded(d desk) {
	d.answering(outbound.Answer{Known: payment.KnownDeclined, Native: []byte(`{"code":"51"}`)})
	declined, err := d.pay(requestA)
	if err != nil || declined.State != payment.Failed {
		d.t.Fatalf("%+v, %v", declined, err)
	}
	d.till.answers = d.till.bank.do
	second := d.paid(ask{order: "A", amount: 100, key: "key-2", req: "req-2"})
	id := second.Record.Operation.OrderID
	if second.Payment == declined.Payment || second.Record.Payment.Attempt != 2 || !strings.HasPrefix(id, "A-2-") {
		d.t.Errorf("%+v", second.Record)
	}
	// Both keep their own answers.
	d.replays(declined, requestA)
	d.replays(second, ask{order: "A", amount: 100, key: "key-2", req: "req-2"})
	if d.till.bank.net("A") != 0 || d.till.bank.net(id) != 100 {
		d.t.Errorf("%d and %d", d.till.bank.net("A"), d.till.bank.net(id))
	}
	d.counts(2, 2, 2)
}
