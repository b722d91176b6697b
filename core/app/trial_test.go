package app_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// duo is the till in two releases, served as the replica's runtime is told.
type duo struct {
	*till

	bench *bench

	mu sync.Mutex
	// answers and finds of a version; without one it is the bank's.
	answers map[string]func(context.Context, outbound.Instruction) outbound.Answer
	finds   map[string]func(outbound.Question) outbound.Findings
	// served are the versions that met a payment, asked when a version was asked by hand.
	served map[payment.ID]map[string]bool
	asked  []time.Time
}

func (d *duo) Open(_ context.Context, r outbound.Route) (outbound.Session, error) {
	d.bench.mu.Lock()
	defer d.bench.mu.Unlock()
	v := r.Version
	if v == "" {
		v = d.bench.routed.Pick(string(r.Payment), string(r.Store))
	}
	if !d.bench.ready[v] {
		return nil, fault.New(fault.Unavailable, "provider_unavailable", v+" is not ready")
	}
	return duoSession{tillSession{d.till}, d, v, r.Version != ""}, nil
}

type duoSession struct {
	tillSession

	d       *duo
	version string
	byHand  bool
}

func (s duoSession) Type() catalogue.Type {
	t := described()
	t.Version = s.version
	return t
}

func (s duoSession) Send(ctx context.Context, i outbound.Instruction) outbound.Answer {
	s.met(i.Payment.ID)
	s.d.mu.Lock()
	answer := s.d.answers[s.version]
	s.d.mu.Unlock()
	if answer == nil {
		answer = s.d.bank.do
	}
	return answer(ctx, i)
}

func (s duoSession) met(id payment.ID) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if s.d.served[id] == nil {
		s.d.served[id] = map[string]bool{}
	}
	s.d.served[id][s.version] = true
}

func (s duoSession) Ask(_ context.Context, q outbound.Question) outbound.Findings {
	s.d.mu.Lock()
	find := s.d.finds[s.version]
	if s.byHand {
		s.d.asked = append(s.d.asked, time.Now())
	} else if q.OrderID != "" {
		s.d.served[payment.ID(q.OrderID)] = map[string]bool{s.version: true}
	}
	s.d.mu.Unlock()
	if find == nil {
		find = s.d.bank.find
	}
	return find(q)
}

// trialYard is a lone replica with 1.0.0 stable and 1.1.0 on trial: as a canary with a weight, or baking without one.
func trialYard(t *testing.T, weight int, change ...func(*app.Options)) (*yard, *replica, *duo) {
	t.Helper()
	y := newYard(t)
	d := &duo{
		till: y.till, answers: map[string]func(context.Context, outbound.Instruction) outbound.Answer{},
		finds: map[string]func(outbound.Question) outbound.Findings{}, served: map[payment.ID]map[string]bool{},
	}
	r := y.join("r1", func(o *app.Options) {
		if b, ok := o.Runtime.(*bench); ok {
			d.bench, o.Providers = b, d
		}
		for _, c := range change {
			c(o)
		}
	})
	y.run(r)
	y.install(r, "1.0.0", "1.1.0")
	y.activate(r, "1.0.0")
	if weight == 0 {
		y.activate(r, "1.1.0")
		return y, r, d
	}
	if _, err := r.Channels().Canary(t.Context(), inbound.CanaryPlugin{Name: "till", Version: "1.1.0", Weight: weight}); err != nil {
		t.Fatal(err)
	}
	return y, r, d
}

// rolledBack waits for the end of a trial and returns its evidence.
func (y *yard) rolledBack(r *replica) string {
	y.t.Helper()
	y.until("it is rolled back", func() bool { return y.channel().Phase == release.RolledBack && r.serves() == "1.0.0" })
	return y.last("rolled_back")
}

func declined(context.Context, outbound.Instruction) outbound.Answer {
	return outbound.Answer{Known: payment.KnownDeclined, Native: []byte(`{"code":"51"}`), Evidence: payment.Evidence{Code: "51"}}
}

// What a release on trial may do wrong with one payment, and what the event says of it.
func TestABreachEndsATrial(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers func(d *duo) func(context.Context, outbound.Instruction) outbound.Answer
		says    string
		state   payment.State
		at      time.Duration
	}{
		"another amount": {
			answers: func(d *duo) func(context.Context, outbound.Instruction) outbound.Answer {
				return func(ctx context.Context, i outbound.Instruction) outbound.Answer {
					a := d.bank.do(ctx, i)
					a.Evidence.Captured.Units--
					return a
				}
			},
			says: "pay of 100 TWD was answered with captured 99 TWD",
		},
		"another currency": {
			answers: func(d *duo) func(context.Context, outbound.Instruction) outbound.Answer {
				return func(ctx context.Context, i outbound.Instruction) outbound.Answer {
					a := d.bank.do(ctx, i)
					a.Evidence.Captured = money.Amount{Units: 100, Currency: money.JPY}
					return a
				}
			},
			says: "captured 100 JPY",
		},
		"another order": {
			answers: func(d *duo) func(context.Context, outbound.Instruction) outbound.Answer {
				return func(ctx context.Context, i outbound.Instruction) outbound.Answer {
					a := d.bank.do(ctx, i)
					a.Evidence.OrderID = "else"
					return a
				}
			},
			says: `was answered for order \"else\"`,
		},
		"a charge behind a decline": {
			answers: func(d *duo) func(context.Context, outbound.Instruction) outbound.Answer {
				return func(ctx context.Context, i outbound.Instruction) outbound.Answer {
					d.bank.do(ctx, i)
					return declined(ctx, i)
				}
			},
			says: "1.1.0 says that the pay of 100 TWD failed (declined); 1.0.0 finds it with authorized 100 TWD, captured 100 TWD", at: time.Second,
		},
		"a charge that was not sent": {
			answers: func(d *duo) func(context.Context, outbound.Instruction) outbound.Answer {
				return func(ctx context.Context, i outbound.Instruction) outbound.Answer {
					d.bank.do(ctx, i)
					return outbound.Answer{Known: payment.KnownNotSent, Reason: "invalid"}
				}
			},
			says: "failed (not_sent); 1.0.0 finds it", at: time.Second,
		},
		"paid, and nothing is charged": {
			answers: func(*duo) func(context.Context, outbound.Instruction) outbound.Answer { return approved },
			says:    "1.1.0 says that the pay of 100 TWD succeeded; 1.0.0 does not find it", at: 10 * time.Second,
		},
		"paid, and half is charged": {
			answers: func(d *duo) func(context.Context, outbound.Instruction) outbound.Answer {
				return func(ctx context.Context, i outbound.Instruction) outbound.Answer {
					i.Operation.Amount.Units /= 2
					d.bank.do(ctx, i)
					i.Operation.Amount.Units *= 2
					return approved(ctx, i)
				}
			},
			says: "succeeded; 1.0.0 finds it with authorized 50 TWD, captured 50 TWD", at: 10 * time.Second,
		},
	} {
		for trial, weight := range map[string]int{"canary": 100, "baking": 0} {
			t.Run(name+", "+trial, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					y, r, d := trialYard(t, weight)
					d.answers["1.1.0"] = c.answers(d)
					began := time.Now()
					reply, payErr := r.Payments().Pay(t.Context(), y.order("A1"))
					body := y.rolledBack(r)
					if took := time.Since(began); took > c.at+time.Second {
						t.Errorf("it took %v", took)
					}
					if !strings.Contains(body, c.says) || !strings.Contains(body, `"automatic":true`) {
						t.Errorf("%s\nwant %s", body, c.says)
					}
					p := y.record(t.Context(), "A1").Payment
					if (payErr == nil && reply.Payment != p.ID) || !strings.Contains(body, string(p.ID)) {
						t.Errorf("the payment %s is not named: %v", p.ID, payErr)
					}
				})
			})
		}
	}
}

// The client heard "declined", and the money was taken: it is given back without anybody asking.
func TestAnOrphanOfATrialIsGivenBack(t *testing.T) {
	t.Parallel()
	for name, pay := range map[string]func(*yard) inbound.Native{
		"the store's credentials":   func(y *yard) inbound.Native { return y.order("A1") },
		"the request's credentials": func(y *yard) inbound.Native { return y.own("A1") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			orphaned(t, pay)
		})
	}
}

func orphaned(t *testing.T, pay func(*yard) inbound.Native) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		y, r, d := trialYard(t, 100)
		d.answers["1.1.0"] = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
			d.bank.do(ctx, i)
			return declined(ctx, i)
		}
		must(t)(r.Payments().Pay(t.Context(), pay(y)))
		y.rolledBack(r)
		y.until("it is given back", func() bool {
			must(t)(r.Recovery().ResolveDue(t.Context()))
			return y.record(t.Context(), "A1").Payment.State == payment.Reversed
		})
		if net := d.bank.net("A1"); net != 0 {
			t.Errorf("the payer has paid %d", net)
		}
		if body := y.last("contradicted"); !strings.Contains(body, string(y.record(t.Context(), "A1").Payment.ID)) {
			t.Error(body)
		}
	})
}

// What was never sent leaves its order id to the next payment of the order. The charge that the other release then finds is that
// payment's: neither is the release on trial wrong, nor is anything given back.
func TestTheChargeOfTheNextPaymentOfAnOrderIsNoOrphan(t *testing.T) {
	t.Parallel()
	for name, names := range map[string]bool{"found with its transaction": true, "found without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			orderUsedAgain(t, names)
		})
	}
}

func orderUsedAgain(t *testing.T, names bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		y, r, d := trialYard(t, 100)
		paid := make(chan struct{})
		d.finds["1.0.0"] = func(q outbound.Question) outbound.Findings {
			<-paid
			f := d.bank.find(q)
			if !names {
				f.Evidence.ProviderTransaction = ""
			}
			return f
		}
		var sent atomic.Int32
		d.answers["1.1.0"] = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
			if sent.Add(1) == 1 {
				return outbound.Answer{Known: payment.KnownNotSent, Reason: "unavailable"}
			}
			return d.bank.do(ctx, i)
		}
		_, _ = r.Payments().Pay(t.Context(), y.order("A1"))
		first := y.record(t.Context(), "A1").Payment
		again := y.order("A1")
		again.Request = []byte(`{"order":"A1","amount":100,"req":"another"}`)
		must(t)(r.Payments().Pay(t.Context(), again))
		if second := y.record(t.Context(), "A1").Payment; first.Failure != payment.NotSent || second.ID == first.ID || second.State != payment.Succeeded {
			t.Fatalf("first %s %s, second %s", first.State, first.Failure, second.State)
		}
		close(paid)
		for range 60 {
			must(t)(r.Recovery().ResolveDue(t.Context()))
			time.Sleep(time.Second)
		}
		if net := d.bank.net("A1"); net != 100 {
			t.Errorf("of the second payment %d is left", net)
		}
		if c := y.channel(); c.Phase != release.InCanary {
			t.Errorf("the release was judged by it: %s", c.Phase)
		}
	})
}

func TestAgreementIsNoBreach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y, r, d := trialYard(t, 50)
		began := time.Now()
		// The stable release's searches are late, as the provider may be.
		d.finds["1.0.0"] = func(q outbound.Question) outbound.Findings {
			if time.Since(began) < 2*time.Second {
				return outbound.Findings{Finding: payment.FindingNotFound, Complete: true}
			}
			return d.bank.find(q)
		}
		no := func(ctx context.Context, i outbound.Instruction) outbound.Answer {
			if strings.HasSuffix(i.Operation.OrderID, "7") {
				return declined(ctx, i)
			}
			return d.bank.do(ctx, i)
		}
		d.answers["1.0.0"], d.answers["1.1.0"] = no, no
		for i := range 120 {
			must(t)(r.Payments().Pay(t.Context(), y.order(fmt.Sprintf("A%d", i))))
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(2 * time.Minute)
		if c := y.channel(); c.Phase != release.InCanary {
			t.Errorf("%+v %v", c, y.story())
		}
		now, checked := tallyOf(t, y, "1.1.0")
		if now.Calls < 30 || checked == 0 || now.Checked+now.Unchecked != now.Calls || now.Breaches > 0 {
			t.Errorf("%+v", now)
		}
	})
}

func tallyOf(t *testing.T, y *yard, version string) (sum release.Tally, checked int64) {
	t.Helper()
	reports, err := y.Options.Replicas.Reports(t.Context(), "till")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range reports {
		for _, x := range r.Tallies {
			if x.Version == version {
				sum = sum.Plus(x)
			}
		}
	}
	return sum, sum.Checked
}

// The provider must not feel the checks.
func TestChecksAreFew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y, r, d := trialYard(t, 100)
		for i := range 200 {
			must(t)(r.Payments().Pay(t.Context(), y.order(fmt.Sprintf("A%d", i))))
		}
		time.Sleep(time.Minute)
		d.mu.Lock()
		defer d.mu.Unlock()
		for i := 1; i < len(d.asked); i++ {
			if gap := d.asked[i].Sub(d.asked[i-1]); gap < 190*time.Millisecond {
				t.Errorf("check %d began %v after the one before", i, gap)
			}
		}
		sum, checked := tallyOf(t, y, "1.1.0")
		if len(d.asked) < 60 || len(d.asked) > 70 || checked != int64(len(d.asked)) || sum.Unchecked != 200-checked {
			t.Errorf("%d asked, %+v", len(d.asked), sum)
		}
	})
}

// An operator whose provider cannot bear them switches them off. Nothing then counts as not checked.
func TestChecksCanBeOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y, r, d := trialYard(t, 100, func(o *app.Options) { o.Gates.Checks = -1 })
		for i := range 20 {
			must(t)(r.Payments().Pay(t.Context(), y.order(fmt.Sprintf("A%d", i))))
		}
		time.Sleep(time.Minute)
		d.mu.Lock()
		defer d.mu.Unlock()
		if sum, checked := tallyOf(t, y, "1.1.0"); len(d.asked) != 0 || checked != 0 || sum.Unchecked != 0 || sum.Calls != 20 {
			t.Errorf("%d asked, %+v", len(d.asked), sum)
		}
	})
}

func TestFailuresEndATrial(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer outbound.Answer
		says   string
	}{
		"unknown":      {outbound.Answer{Reason: "internal"}, "technical failures"},
		"unavailable":  {outbound.Answer{Known: payment.KnownNotSent, Reason: "unavailable"}, "technical failures"},
		"all declined": {declined(t.Context(), outbound.Instruction{}), "declines"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				y, r, d := trialYard(t, 30)
				d.answers["1.1.0"] = func(context.Context, outbound.Instruction) outbound.Answer { return c.answer }
				n := 0
				for ; y.channel().Phase == release.InCanary && n < 300; n++ {
					_, _ = r.Payments().Pay(t.Context(), y.order(fmt.Sprintf("A%d", n)))
					time.Sleep(100 * time.Millisecond)
				}
				if body := y.rolledBack(r); !strings.Contains(body, c.says) || n > 60 {
					t.Errorf("after %d payments: %s", n, body)
				}
			})
		})
	}
}

// The operations of a payment meet one release, whatever names the payment.
func TestAPaymentStaysWithItsRelease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y, r, d := trialYard(t, 50)
		versions := map[string]int{}
		for i := range 40 {
			order := fmt.Sprintf("A%d", i)
			must(t)(r.Payments().Pay(t.Context(), y.order(order)))
			search := y.order(order)
			must(t)(r.Payments().Search(t.Context(), search))
			refund := y.order(order)
			refund.IdempotencyKey = "refund-" + order
			must(t)(r.Payments().Refund(t.Context(), refund))
			p := y.record(t.Context(), order).Payment
			d.mu.Lock()
			all := d.served[p.ID]
			for v := range d.served[payment.ID(order)] {
				all[v] = true
			}
			if len(all) != 1 {
				t.Errorf("payment %s met %v", p.ID, all)
			}
			for v := range all {
				versions[v]++
			}
			d.mu.Unlock()
		}
		if versions["1.0.0"] < 5 || versions["1.1.0"] < 5 {
			t.Errorf("the releases served %v", versions)
		}
	})
}
