package app_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// bank is the provider's own book: what it took, held and gave back by order. It is the referee of these tests.
type bank struct {
	mu    sync.Mutex
	book  map[string]*account
	moves int
}

type account struct {
	held, taken, back int64
	ended             bool
	refunds           []string
}

// do performs an instruction as the provider would, and answers with what it did.
func (b *bank) do(_ context.Context, i outbound.Instruction) outbound.Answer {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.book == nil {
		b.book = map[string]*account{}
	}
	b.moves++
	order, amount := i.Operation.OrderID, i.Operation.Amount
	a := b.book[order]
	refuse := outbound.Answer{Known: payment.KnownDeclined, Native: []byte(`{"code":"51"}`), Evidence: payment.Evidence{Code: "51"}}
	answer := outbound.Answer{
		Known: payment.KnownApproved, Native: fmt.Appendf(nil, `{"code":"0000","kind":%q,"amount":%d}`, i.Kind, amount.Units),
		Evidence: payment.Evidence{OrderID: order, Code: "0000"},
	}
	ev := &answer.Evidence
	switch i.Kind {
	case payment.KindPay, payment.KindConfirm:
		if a != nil {
			return outbound.Answer{Evidence: payment.Evidence{Code: "DUP"}}
		}
		a = &account{held: amount.Units}
		if i.Payment.Capture {
			a.taken = amount.Units
			ev.Captured = amount
		} else {
			ev.Authorized = amount
		}
		b.book[order] = a
		ev.ProviderTransaction = "tx-" + order
	case payment.KindCapture:
		if a == nil || a.ended || a.taken > 0 || amount.Units > a.held {
			return refuse
		}
		a.taken = amount.Units
		ev.Captured = amount
	case payment.KindVoid:
		if a == nil || a.ended || a.taken > 0 {
			return refuse
		}
		a.ended = true
	case payment.KindRefund:
		if a == nil || a.ended || amount.Units > a.taken-a.back {
			return refuse
		}
		a.back += amount.Units
		ev.ProviderTransaction = fmt.Sprintf("rf-%s-%d", order, b.moves)
		a.refunds = append(a.refunds, ev.ProviderTransaction)
		ev.Refunded = amount
	}
	return answer
}

// silently does it, and the answer is lost.
func (b *bank) silently(ctx context.Context, i outbound.Instruction) outbound.Answer {
	b.do(ctx, i)
	return outbound.Answer{Reason: "timeout"}
}

func (b *bank) find(q outbound.Question) outbound.Findings {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.book[q.OrderID]
	if a == nil {
		return outbound.Findings{Finding: payment.FindingNotFound, Complete: true}
	}
	f := outbound.Findings{
		Finding: payment.FindingFound, Complete: true, Native: []byte(`{"code":"0000","found":true}`),
		Evidence: payment.Evidence{
			OrderID: q.OrderID, ProviderTransaction: "tx-" + q.OrderID, RefundIDs: a.refunds,
			Authorized: money.Amount{Units: a.held, Currency: money.TWD}, Captured: money.Amount{Units: a.taken, Currency: money.TWD},
			Refunded: money.Amount{Units: a.back, Currency: money.TWD},
		},
	}
	if a.ended {
		f.Finding = payment.FindingEnded
	}
	return f
}

// net is what the payer has paid for an order at the end.
func (b *bank) net(order string) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.book[order]
	if a == nil || a.ended {
		return 0
	}
	return a.taken - a.back
}
