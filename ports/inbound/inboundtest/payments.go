// Package inboundtest holds scenarios of the inbound ports. They run over the core in memory, in milliseconds, and
// over the public HTTP API of the running program: what a use case promises must survive the way out.
package inboundtest

import (
	"bytes"
	"slices"
	"testing"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
)

// Outcome is what the provider shall do with a payment.
type Outcome string

// The outcomes.
const (
	// Approves: the provider takes the money and says so.
	Approves Outcome = "approves"
	// Declines: the provider says no.
	Declines Outcome = "declines"
	// TakesSilently: the provider takes the money and its answer is lost.
	TakesSilently Outcome = "takes silently"
	// LosesIt: the provider never sees it as a charge, and no answer comes.
	LosesIt Outcome = "loses it"
)

// Subject is what the scenarios run over. Each call of Pay gives a new request; equal requests are made by sending one
// twice.
type Subject struct {
	Payments inbound.Payments
	// Pay is a request for an order that the provider will answer as asked, with keys of its own.
	Pay func(t *testing.T, order string, o Outcome) inbound.Native
	// Search is a request for the provider's record of an order.
	Search func(t *testing.T, order string) inbound.Native
	// Charges counts what the provider's own ledger has for an order.
	Charges func(t *testing.T, order string) int
	// State reads the payment.
	State func(t *testing.T, id payment.ID) payment.State
}

// Payments runs the scenarios. open is called once.
func Payments(t *testing.T, open func(t *testing.T) Subject) {
	t.Helper()
	s := open(t)
	for name, scenario := range map[string]func(*testing.T, Subject, string){
		"paid once, replayed for ever":           paid,
		"declined, and replayed as declined":     declined,
		"taken silently is neither nor":          takenSilently,
		"lost on the way is neither nor":         lostOnTheWay,
		"an order is charged once":               orderOnce,
		"a key stands for one request":           keyOnce,
		"nothing is done for a broken request":   broken,
		"the provider's record passes through":   found,
		"an order that failed may be tried anew": again,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, s, "SCENARIO-"+orderOf(name))
		})
	}
}

// orderOf makes an order number of a scenario's name.
func orderOf(name string) string {
	out := []byte(name)
	for i, c := range out {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			out[i] = '-'
		}
	}
	return string(out)
}

func pay(t *testing.T, s Subject, c inbound.Native) inbound.Reply {
	t.Helper()
	reply, err := s.Payments.Pay(t.Context(), c)
	if err != nil {
		t.Fatalf("pay: %v", err)
	}
	return reply
}

func expect(t *testing.T, s Subject, r inbound.Reply, class inbound.ReplyClass, states ...payment.State) {
	t.Helper()
	if r.Class != class || r.Payment == "" {
		t.Errorf("the reply is of class %d for payment %q, want class %d", r.Class, r.Payment, class)
	}
	if got := s.State(t, r.Payment); !slices.Contains(states, got) {
		t.Errorf("the payment is %s, want %v", got, states)
	}
}

func paid(t *testing.T, s Subject, order string) {
	t.Helper()
	c := s.Pay(t, order, Approves)
	first := pay(t, s, c)
	expect(t, s, first, inbound.ReplyFinal, payment.Succeeded)
	second := pay(t, s, c)
	if !bytes.Equal(first.Body, second.Body) || !second.Replayed || second.Payment != first.Payment {
		t.Errorf("replayed as %s (%v)", second.Body, second.Replayed)
	}
	if n := s.Charges(t, order); n != 1 {
		t.Errorf("%d charges", n)
	}
}

func declined(t *testing.T, s Subject, order string) {
	t.Helper()
	c := s.Pay(t, order, Declines)
	first := pay(t, s, c)
	expect(t, s, first, inbound.ReplyFinal, payment.Failed)
	if second := pay(t, s, c); !bytes.Equal(first.Body, second.Body) || !second.Replayed {
		t.Errorf("replayed as %s (%v)", second.Body, second.Replayed)
	}
	if n := s.Charges(t, order); n != 0 {
		t.Errorf("%d charges", n)
	}
}

func takenSilently(t *testing.T, s Subject, order string) {
	t.Helper()
	inDoubt(t, s, order, TakesSilently, 1)
}

func lostOnTheWay(t *testing.T, s Subject, order string) {
	t.Helper()
	inDoubt(t, s, order, LosesIt, 0)
}

// inDoubt is an outcome that nobody knows: it is told as neither, and no retry charges again.
func inDoubt(t *testing.T, s Subject, order string, o Outcome, charges int) {
	t.Helper()
	c := s.Pay(t, order, o)
	expect(t, s, pay(t, s, c), inbound.ReplyPending, payment.Unknown)
	expect(t, s, pay(t, s, c), inbound.ReplyPending, payment.Unknown)
	if _, err := s.Payments.Pay(t.Context(), s.Pay(t, order, Approves)); fault.CodeOf(err) != "order_in_progress" {
		t.Errorf("another request for an order in doubt: %v", err)
	}
	if n := s.Charges(t, order); n != charges {
		t.Errorf("%d charges, want %d", n, charges)
	}
}

func orderOnce(t *testing.T, s Subject, order string) {
	t.Helper()
	first := pay(t, s, s.Pay(t, order, Approves))
	expect(t, s, first, inbound.ReplyFinal, payment.Succeeded)
	if _, err := s.Payments.Pay(t.Context(), s.Pay(t, order, Approves)); fault.CodeOf(err) != "order_already_paid" {
		t.Errorf("a second request for a paid order: %v", err)
	}
	if n := s.Charges(t, order); n != 1 {
		t.Errorf("%d charges", n)
	}
}

func keyOnce(t *testing.T, s Subject, order string) {
	t.Helper()
	c := s.Pay(t, order, Approves)
	pay(t, s, c)
	other := s.Pay(t, order+"-2", Approves)
	other.IdempotencyKey = c.IdempotencyKey
	if _, err := s.Payments.Pay(t.Context(), other); fault.CodeOf(err) != "idempotency_mismatch" {
		t.Errorf("the key with another request: %v", err)
	}
	if n := s.Charges(t, order+"-2"); n != 0 {
		t.Errorf("%d charges of the other request", n)
	}
}

func broken(t *testing.T, s Subject, order string) {
	t.Helper()
	for name, c := range map[string]struct {
		change func(*inbound.Native)
		code   string
	}{
		"no columns":       {func(c *inbound.Native) { c.Request = []byte(`{}`) }, "missing_field"},
		"an unknown type":  {func(c *inbound.Native) { c.Type = "NO_SUCH_PAY" }, "unknown_type"},
		"no store":         {func(c *inbound.Native) { c.Store = nil }, "missing_field"},
		"an unknown store": {func(c *inbound.Native) { nowhere := "nowhere"; c.Store = &nowhere }, "config_missing"},
	} {
		command := s.Pay(t, order, Approves)
		c.change(&command)
		if _, err := s.Payments.Pay(t.Context(), command); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	if n := s.Charges(t, order); n != 0 {
		t.Errorf("%d charges", n)
	}
}

func found(t *testing.T, s Subject, order string) {
	t.Helper()
	first := pay(t, s, s.Pay(t, order, Approves))
	reply, err := s.Payments.Search(t.Context(), s.Search(t, order))
	if err != nil || reply.Class != inbound.ReplyFinal || len(reply.Body) == 0 {
		t.Fatalf("search: %+v, %v", reply, err)
	}
	if reply.Payment != first.Payment {
		t.Errorf("the search names payment %q, want %q", reply.Payment, first.Payment)
	}
}

func again(t *testing.T, s Subject, order string) {
	t.Helper()
	expect(t, s, pay(t, s, s.Pay(t, order, Declines)), inbound.ReplyFinal, payment.Failed)
	expect(t, s, pay(t, s, s.Pay(t, order, Approves)), inbound.ReplyFinal, payment.Succeeded)
	if n := s.Charges(t, order); n != 1 {
		t.Errorf("%d charges", n)
	}
}
