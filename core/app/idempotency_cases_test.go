package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
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
func (d desk) refused(code string) func(inbound.Reply, error) *fault.Error {
	return func(r inbound.Reply, err error) *fault.Error {
		d.t.Helper()
		if fault.CodeOf(err) != code {
			d.t.Errorf("%+v %s, %v; want %s", r, r.Body, err, code)
		}
		f, ok := errors.AsType[*fault.Error](err)
		if !ok {
			return &fault.Error{}
		}
		return f
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
	if second.Payment == declined.Payment || second.Record.Payment.Attempt != 2 || second.Record.Operation.OrderID != "A-2" {
		d.t.Errorf("%+v", second.Record)
	}
	// Both keep their own answers.
	d.replays(declined, requestA)
	d.replays(second, ask{order: "A", amount: 100, key: "key-2", req: "req-2"})
	if d.till.bank.net("A") != 0 || d.till.bank.net("A-2") != 100 {
		d.t.Errorf("%d and %d", d.till.bank.net("A"), d.till.bank.net("A-2"))
	}
	d.counts(2, 2, 2)
}

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

// resolved lets the recovery work until every window is over.
func (d desk) resolved() {
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		must(d.t)(d.Recovery().ResolveDue(d.t.Context()))
	}
	synctest.Wait()
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
