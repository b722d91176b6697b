package payment_test

import (
	"flag"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func twd(units int64) money.Amount { return money.Amount{Units: units, Currency: money.TWD} }

// fresh is a payment of 100 whose intent is about to be committed.
func fresh(t interface{ Fatal(...any) }, capture bool) payment.Record {
	r, err := payment.Begin(
		payment.Payment{ID: "p", Amount: twd(100), Capture: capture, OrderNumber: "o"},
		payment.Operation{ID: "op", Payment: "p", Kind: payment.KindPay, Amount: twd(100), OrderID: "o", SendDeadline: start.Add(time.Minute)},
		start)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("rapid.checks").Value.String() == "100" {
		_ = flag.Set("rapid.checks", "20000") // a second of work; a hundred walks do not reach every transition
	}
	os.Exit(m.Run())
}

// TestWalk sends random events to random payments and looks for a broken promise, amount or version, and
// for a change that the table does not have. It also counts: a transition of the table that is never
// reached would be a line nobody tests.
func TestWalk(t *testing.T) {
	t.Parallel()
	reached := map[[2]payment.State]int{}
	rapid.Check(t, func(t *rapid.T) {
		r := fresh(t, rapid.Bool().Draw(t, "capture"))
		promised := r.Payment.State.Promise()
		steps := rapid.IntRange(5, 60).Draw(t, "steps")
		for range steps {
			next, err := payment.Apply(r, draw(t, r))
			if err != nil {
				if fault.KindOf(err) == fault.Internal {
					t.Fatalf("in %s: %v", r.Payment.State, err)
				}
				continue
			}
			from, to := r.Payment.State, next.Payment.State
			reached[[2]payment.State{from, to}]++
			if !payment.Allowed(from, to) {
				t.Fatalf("%s became %s, which the table does not have", from, to)
			}
			if next.Payment.Version != r.Payment.Version+1 {
				t.Fatalf("version went from %d to %d", r.Payment.Version, next.Payment.Version)
			}
			now := to.Promise()
			// A company's own void after "paid" gives the money back on its request; that is no lie.
			byReview := from == payment.Review
			if promised != payment.NothingPromised && now != payment.NothingPromised && now != promised &&
				!byReview && from != payment.Voiding {
				// FAILED(not_sent) promised nothing to anybody but "nothing was sent".
				if r.Payment.State != payment.Sending && r.Payment.Failure != payment.NotSent {
					t.Fatalf("promised %d, now %d, by %s to %s", promised, now, from, to)
				}
			}
			if now != payment.NothingPromised {
				promised = now
			}
			if to == payment.Sending || byReview {
				promised = payment.NothingPromised
			}
			r = next
		}
	})
	for _, tr := range payment.Transitions() {
		if reached[[2]payment.State{tr.From, tr.To}] == 0 {
			t.Errorf("%s to %s was never reached: %s", tr.From, tr.To, tr.Why)
		}
	}
}

func draw(t *rapid.T, r payment.Record) payment.Event {
	at := r.Payment.UpdatedAt.Add(time.Second)
	epoch := r.Operation.Epoch
	if rapid.IntRange(0, 19).Draw(t, "late") == 0 {
		epoch--
	}
	amount := twd(rapid.SampledFrom([]int64{0, 40, 60, 100, 100, 100, 101}).Draw(t, "amount"))
	ev := payment.Evidence{}
	if rapid.Bool().Draw(t, "says") {
		ev.Captured = amount
		if !r.Payment.Capture && r.Operation.Kind == payment.KindPay {
			ev.Captured, ev.Authorized = money.Amount{}, amount
		}
		if r.Operation.Kind == payment.KindRefund {
			ev.Captured, ev.Refunded = money.Amount{}, r.Operation.Amount
		}
		if r.Operation.Kind == payment.KindCapture {
			ev.Captured = rapid.SampledFrom([]money.Amount{r.Operation.Amount, twd(7)}).Draw(t, "captures")
		}
	}
	verdicts := []payment.Verdict{
		payment.VerdictOpen, payment.VerdictDone, payment.VerdictNotDone, payment.VerdictGone, payment.VerdictLapsed,
	}
	switch rapid.IntRange(0, 13).Draw(t, "event") {
	case 0, 1, 2:
		return payment.Answered{At: at, Operation: r.Operation.ID, Epoch: epoch, Evidence: ev, Known: rapid.SampledFrom([]payment.Known{
			payment.KnownNothing, payment.KnownApproved, payment.KnownDeclined, payment.KnownAction, payment.KnownNotSent,
		}).Draw(t, "known")}
	case 3, 4:
		return payment.Searched{At: at, Operation: r.Operation.ID, Epoch: epoch, Evidence: ev, Verdict: rapid.SampledFrom(verdicts).Draw(t, "verdict")}
	case 5:
		return payment.Observed{At: at, Verdict: rapid.SampledFrom(verdicts).Draw(t, "verdict"), NextAt: at.Add(time.Minute)}
	case 6:
		return payment.Fenced{At: at, Boot: "other", Epoch: epoch + 1}
	case 7:
		return payment.ReverseWanted{At: at, By: "policy"}
	case 8, 9, 10:
		kind := rapid.SampledFrom([]payment.Kind{
			payment.KindPay, payment.KindConfirm, payment.KindCapture, payment.KindVoid, payment.KindRefund,
		}).Draw(t, "kind")
		units := rapid.SampledFrom([]int64{30, 100, 100}).Draw(t, "units")
		return payment.Begun{At: at, Operation: payment.Operation{
			ID: "next", Payment: "p", Kind: kind, Amount: twd(units), OrderID: "o",
			Reversal: r.Payment.State == payment.Reversing, SendDeadline: at.Add(time.Minute),
		}}
	case 11:
		return payment.GaveUp{At: at, Operation: r.Operation.ID, Epoch: epoch, Reason: "seven days"}
	case 12:
		return payment.OrphanFound{At: at, Evidence: payment.Evidence{Captured: twd(100)}}
	default:
		return payment.Reviewed{
			At: at, To: rapid.SampledFrom(payment.States()).Draw(t, "to"), Actor: "a", Approver: "b",
			Captured: twd(rapid.SampledFrom([]int64{0, 100}).Draw(t, "captured")), Refunded: twd(rapid.SampledFrom([]int64{0, 40, 100}).Draw(t, "refunded")),
		}
	}
}
