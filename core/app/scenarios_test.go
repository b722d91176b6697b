package app_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/inbound/inboundtest"
	"github.com/payrack/payrack/ports/outbound"
)

func TestScenarios(t *testing.T) {
	t.Parallel()
	inboundtest.Payments(t, func(t *testing.T) inboundtest.Subject {
		t.Helper()
		w := newWorld(t)
		var mu sync.Mutex
		outcomes, charges := map[string]inboundtest.Outcome{}, map[string]int{}
		w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
			mu.Lock()
			defer mu.Unlock()
			switch outcomes[i.Operation.RequestID] {
			case inboundtest.Declines:
				return outbound.Answer{Known: payment.KnownDeclined, Native: []byte(`{"code":"51"}`)}
			case inboundtest.LosesIt:
				return outbound.Answer{}
			case inboundtest.TakesSilently:
				charges[i.Payment.OrderNumber]++
				return outbound.Answer{}
			case inboundtest.Approves:
			}
			charges[i.Payment.OrderNumber]++
			return approved(ctx, i)
		}
		w.till.finds = func(q outbound.Question) outbound.Findings {
			if q.Resolve { // these scenarios end before anything is resolved
				return outbound.Findings{Failed: true, Reason: "timeout"}
			}
			return outbound.Findings{Finding: payment.FindingFound, Native: []byte(`{"code":"0000"}`)}
		}
		var requests atomic.Int64
		return inboundtest.Subject{
			Payments: w.Payments(),
			Pay: func(_ *testing.T, order string, o inboundtest.Outcome) inbound.Native {
				id := "request-" + strconv.FormatInt(requests.Add(1), 10)
				mu.Lock()
				outcomes[id] = o
				mu.Unlock()
				c := w.order(order)
				c.Request = []byte(`{"order":` + strconv.Quote(order) + `,"amount":100,"req":"` + id + `"}`)
				c.IdempotencyKey = "key-" + id
				return c
			},
			Search: func(_ *testing.T, order string) inbound.Native { return w.order(order) },
			Charges: func(_ *testing.T, order string) int {
				mu.Lock()
				defer mu.Unlock()
				return charges[order]
			},
			State: func(t *testing.T, id payment.ID) payment.State {
				t.Helper()
				r, err := w.ledger.Load(t.Context(), company.ID("co"), id)
				if err != nil {
					t.Fatal(err)
				}
				return r.Payment.State
			},
		}
	})
}
