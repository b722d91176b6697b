package telemetry_test

import (
	"context"
	"strings"
	"testing"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// deaf is a ledger that answers every call with the same fault, and every commit with a loss.
type deaf struct {
	outbound.Ledger

	err  error
	loss outbound.Loss
}

func (d deaf) Commit(context.Context, outbound.Change) (outbound.Committed, error) {
	return outbound.Committed{Loss: d.loss}, nil
}

func (d deaf) Load(context.Context, company.ID, payment.ID) (payment.Record, error) {
	return payment.Record{}, d.err
}

func (d deaf) Claimed(context.Context, []outbound.ClaimKey) ([]outbound.Held, error) {
	return nil, d.err
}

func (d deaf) Find(context.Context, outbound.Key) (payment.Record, error) {
	return payment.Record{}, d.err
}

func (d deaf) List(context.Context, outbound.Query) (outbound.Page, error) {
	return outbound.Page{}, d.err
}

func (d deaf) Fence(context.Context, string, int) ([]payment.Record, error) { return nil, d.err }

func (d deaf) Due(context.Context, outbound.DueQuery) ([]payment.Record, error) { return nil, d.err }

// TestEveryCallOfTheLedgerIsMeasured passes faults on as they are, and counts each call under its name.
func TestEveryCallOfTheLedgerIsMeasured(t *testing.T) {
	t.Parallel()
	c := &collector{}
	tel := start(t, c)
	want := fault.New(fault.Unavailable, "store_unavailable", "the database cannot be used now")
	l := tel.Ledger(deaf{err: want})
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"load":    func() error { _, err := l.Load(ctx, "c", "p"); return err },
		"claimed": func() error { _, err := l.Claimed(ctx, nil); return err },
		"find":    func() error { _, err := l.Find(ctx, outbound.Key{}); return err },
		"list":    func() error { _, err := l.List(ctx, outbound.Query{}); return err },
		"fence":   func() error { _, err := l.Fence(ctx, "boot", 1); return err },
		"due":     func() error { _, err := l.Due(ctx, outbound.DueQuery{}); return err },
	} {
		if err := call(); err != want { //nolint:errorlint // it is passed on as it came
			t.Errorf("%s: %v, want the ledger's own fault", name, err)
		}
		if text := metricsOf(t, tel); !strings.Contains(text, `call="`+name+`"`) {
			t.Errorf("%s is not counted:\n%s", name, text)
		}
	}
	stop(t, tel)
	spans := byName(t, c.all())
	for _, name := range []string{"load", "claimed", "find", "list", "fence", "due"} {
		if spans["payrack.ledger."+name] == nil {
			t.Errorf("%s has no span", name)
		}
	}
}

// TestLossesHaveNames counts how commits end.
func TestLossesHaveNames(t *testing.T) {
	t.Parallel()
	for loss, name := range map[outbound.Loss]string{
		outbound.NoLoss: "committed", outbound.LostClaim: "lost_claim", outbound.LostOrder: "lost_order",
		outbound.LostVersion: "lost_version", outbound.LostAttempt: "lost_attempt",
	} {
		tel := start(t, &collector{})
		if _, err := tel.Ledger(deaf{loss: loss}).Commit(t.Context(), outbound.Change{}); err != nil {
			t.Fatal(err)
		}
		if text := metricsOf(t, tel); !strings.Contains(text, `payrack_ledger_commits_total{result="`+name+`"} 1`) {
			t.Errorf("a commit that ended with %d is not counted as %s", loss, name)
		}
		stop(t, tel)
	}
}
