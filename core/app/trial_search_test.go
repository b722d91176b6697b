package app_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// A release on trial whose searches are wrong settles nothing: what is in doubt is searched by the other one, and the two are
// compared. The first canary run lost charges and invented some in this way before any gate noticed.
func TestADoubtIsNotSettledByAReleaseOnTrial(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		charged bool
		finds   outbound.Findings
		state   payment.State
		says    string
	}{
		"it finds nothing": {
			charged: true, finds: outbound.Findings{Finding: payment.FindingNotFound, Complete: true},
			state: payment.Succeeded, says: "1.0.0 says that the pay of 100 TWD succeeded; 1.1.0 does not find it",
		},
		"it finds everything": {
			charged: false, finds: outbound.Findings{Finding: payment.FindingFound, Complete: true},
			state: payment.Failed, says: "1.0.0 says that the pay of 100 TWD failed (not_charged); 1.1.0 finds it",
		},
	} {
		for trial, weight := range map[string]int{"canary": 100, "baking": 0} {
			t.Run(name+", "+trial, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					y, r, d := trialYard(t, weight)
					d.finds["1.1.0"] = func(outbound.Question) outbound.Findings { return c.finds }
					d.answers["1.1.0"] = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
						if c.charged {
							d.bank.do(ctx, i)
						}
						return outbound.Answer{Known: payment.KnownNothing, Reason: "timeout"}
					}
					_, _ = r.Payments().Pay(t.Context(), y.order("A1"))
					for range 60 {
						must(t)(r.Recovery().ResolveDue(t.Context()))
						time.Sleep(2 * time.Second)
						if !y.record(t.Context(), "A1").Operation.Open() {
							break
						}
					}
					if p := y.record(t.Context(), "A1").Payment; p.State != c.state {
						t.Errorf("it is %s, want %s", p.State, c.state)
					}
					if body := y.rolledBack(r); !strings.Contains(body, c.says) {
						t.Errorf("%s\nwant %s", body, c.says)
					}
					if c.charged && d.bank.net("A1") != 100 {
						t.Errorf("the payer has paid %d", d.bank.net("A1"))
					}
				})
			})
		}
	}
}
