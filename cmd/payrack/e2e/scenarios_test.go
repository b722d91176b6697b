package e2e_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/inbound/inboundtest"
)

// overHTTP is inbound.Payments as a client of the public API sees it.
type overHTTP struct{ *platform }

func (p overHTTP) Pay(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return p.call(ctx, "pay", c)
}

func (p overHTTP) Confirm(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return p.call(ctx, "confirm", c)
}

func (p overHTTP) Capture(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return p.call(ctx, "capture", c)
}

// Void is a cancellation to a client: the public API has no void of its own in a provider's columns.
func (p overHTTP) Void(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return p.call(ctx, "cancel", c)
}

func (p overHTTP) Refund(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return p.call(ctx, "refund", c)
}

func (p overHTTP) Cancel(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return p.call(ctx, "cancel", c)
}

func (p overHTTP) Search(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return p.call(ctx, "search", c)
}

func (p overHTTP) call(ctx context.Context, operation string, c inbound.Native) (inbound.Reply, error) {
	body := map[string]any{"type": c.Type, "request": json.RawMessage(c.Request), "is_test": c.Environment == company.Test}
	if c.Store != nil {
		body["store_id"] = *c.Store
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return inbound.Reply{}, err
	}
	var headers []string
	if c.IdempotencyKey != "" {
		headers = []string{"Idempotency-Key", c.IdempotencyKey}
	}
	a, err := p.sendWith(ctx, http.MethodPost, p.HTTPURL+integrate+operation, raw, headers...)
	if err != nil {
		return inbound.Reply{}, err
	}
	reply := inbound.Reply{
		Payment: payment.ID(a.header.Get("Payrack-Payment-Id")), Body: a.body,
		Replayed: a.header.Get("Idempotent-Replayed") == "true",
	}
	switch {
	case a.status == http.StatusOK && a.member("message_from") == "OMNI":
		return inbound.Reply{}, fault.New(fault.Conflict, "order_already_paid", string(a.body))
	case a.status == http.StatusOK:
		return reply, nil
	case a.status == http.StatusGatewayTimeout && a.member("status") == "PENDING":
		reply.Class = inbound.ReplyPending
		return reply, nil
	default:
		return inbound.Reply{}, fault.New(fault.Internal, a.member("code"), string(a.body))
	}
}

// TestScenarios runs the scenarios of the core over the running program, with the sandbox as the provider.
func TestScenarios(t *testing.T) {
	t.Parallel()
	inboundtest.Payments(t, func(t *testing.T) inboundtest.Subject {
		t.Helper()
		p := start(t, t.TempDir(), nil)
		native := func(order string, columns map[string]any) inbound.Native {
			columns["orderId"] = order
			return inbound.Native{
				Type: "LINE_QRCODE_PAY", Request: encode(t, columns), Store: &p.StoreID, Environment: company.Test,
			}
		}
		return inboundtest.Subject{
			Payments: overHTTP{p},
			Pay: func(t *testing.T, order string, o inboundtest.Outcome) inbound.Native {
				t.Helper()
				// What was taken silently stays unseen for a while: the platform searches at once, and would know.
				for _, name := range map[inboundtest.Outcome][]string{
					inboundtest.TakesSilently: {"drop_after_commit", "search_lag"}, inboundtest.LosesIt: {"drop_before_commit"},
				}[o] {
					p.control(http.MethodPost, "faults", map[string]any{
						"provider": "linepay", "operation": "pay", "order_id": order, "fault": name, "times": 1, "delay_ms": 25_000,
					})
				}
				code := "380000000000000000"
				if o != inboundtest.Declines {
					code = p.code("linepay")
				}
				c := native(order, map[string]any{"productName": "拿鐵", "amount": 229, "currency": "TWD", "oneTimeKey": code})
				c.IdempotencyKey = rand.Text()
				return c
			},
			Search: func(_ *testing.T, order string) inbound.Native { return native(order, map[string]any{}) },
			Charges: func(t *testing.T, order string) int {
				t.Helper()
				return len(p.ledger(order))
			},
			State: func(t *testing.T, id payment.ID) payment.State {
				t.Helper()
				return payment.State(p.state(string(id)))
			},
		}
	})
}
