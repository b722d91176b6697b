package app_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// rewritten are rows that somebody changed in the database, past the platform.
type rewritten struct {
	outbound.Holdings
	change func(*outbound.Holding)
}

func (r rewritten) Page(ctx context.Context, after payment.ID, limit int) ([]outbound.Holding, error) {
	all, err := r.Holdings.Page(ctx, after, limit)
	for i := range all {
		if all[i].Payment.OrderNumber == "B" {
			r.change(&all[i])
		}
	}
	return all, err
}

func TestTheAuditNamesTheColumnThatWasChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, order := range []string{"A", "B", "C"} {
		must(t)(w.Payments().Pay(t.Context(), w.order(order)))
		must(t)(w.Payments().Refund(t.Context(), w.followUp(order, 40, "refund-"+order)))
	}
	if got := w.record(t.Context(), "B").Payment; got.State != payment.PartiallyRefunded || got.Refunded != 40 {
		t.Fatalf("%+v", got)
	}
	for column, change := range map[string]func(*outbound.Holding){
		"":                                      func(*outbound.Holding) {},
		"payment state":                         func(h *outbound.Holding) { h.Payment.State = payment.Refunded },
		"payment amount":                        func(h *outbound.Holding) { h.Payment.Amount.Units++ },
		"payment currency":                      func(h *outbound.Holding) { h.Payment.Amount.Currency = "THB" },
		"payment captured":                      func(h *outbound.Holding) { h.Payment.Captured++ },
		"payment refunded":                      func(h *outbound.Holding) { h.Payment.Refunded = 0 },
		"payment refund_reserved":               func(h *outbound.Holding) { h.Payment.RefundReserved = 1 },
		"payment provider_transaction":          func(h *outbound.Holding) { h.Payment.ProviderTransaction = "" },
		"payment order_number":                  func(h *outbound.Holding) { h.Payment.OrderNumber = "X" },
		"payment company_id":                    func(h *outbound.Holding) { h.Payment.Company = "other" },
		"payment account":                       func(h *outbound.Holding) { h.Payment.Account = "other" },
		"operation id-OLD state":                func(h *outbound.Holding) { h.Operations[0].State = payment.OperationFailed },
		"operation id-OLD amount":               func(h *outbound.Holding) { h.Operations[0].Amount.Units++ },
		"operation id-OLD order_id":             func(h *outbound.Holding) { h.Operations[0].OrderID = "X" },
		"operation id-NEW kind":                 func(h *outbound.Holding) { h.Operations[1].Kind = payment.KindVoid },
		"operation id-NEW failure":              func(h *outbound.Holding) { h.Operations[1].Failure = payment.Declined },
		"operation id-NEW is gone":              func(h *outbound.Holding) { h.Operations = h.Operations[:1] },
		"operation id-EXTRA is there":           func(h *outbound.Holding) { h.Operations = append(h.Operations, extra(h.Operations[1])) },
		"operation id-NEW reversal and attempt": func(h *outbound.Holding) { h.Operations[1].Reversal = true },
	} {
		a, err := app.NewAudit(app.AuditOptions{
			Journal: w.Journal, SealKey: &sealKey{}, Ledger: w.ledger, Holdings: rewritten{w.store.Holdings(), change},
			Releases: w.Options.Releases, Clock: w.clock,
		})
		if err != nil {
			t.Fatal(err)
		}
		report, err := a.Verify(t.Context(), inbound.VerifyAudit{})
		if err != nil {
			t.Fatal(err)
		}
		if column == "" {
			if len(report.Findings) != 0 {
				t.Errorf("nothing was changed, and %+v was found", report.Findings)
			}
			continue
		}
		page, err := w.store.Holdings().Page(t.Context(), "", 10)
		if err != nil {
			t.Fatal(err)
		}
		b := page[slices.IndexFunc(page, func(h outbound.Holding) bool { return h.Payment.OrderNumber == "B" })]
		want := strings.NewReplacer("id-OLD", string(b.Operations[0].ID), "id-NEW", string(b.Operations[1].ID)).Replace(column)
		if len(report.Findings) != 1 || report.Findings[0].Code != "payment_differs" ||
			report.Findings[0].Stream != b.Payment.Stream() || !strings.Contains(report.Findings[0].What, want) {
			t.Errorf("%s was changed, and found is %+v", want, report.Findings)
		}
	}
}

func extra(o payment.Operation) payment.Operation {
	o.ID = "id-EXTRA"
	return o
}
