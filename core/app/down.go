package app

import (
	"context"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// noSession stands where no release could be held.
type noSession struct{ outbound.Session }

func (noSession) Close() {}

// whileDown answers a payment request while its provider cannot be called. A new one is refused with nothing sent. One
// that repeats an earlier request must not hear that: the earlier one may have been sent, and has its own outcome.
func (a payments) whileDown(ctx context.Context, c inbound.Native, down error) (inbound.Reply, error) {
	t, ok := a.described(c.Type)
	if !ok {
		return inbound.Reply{}, down
	}
	promises, _ := t.Find(catalogue.Pay)
	d := draft{command: c, described: t, promises: promises, unread: true}
	wanted := payment.Record{
		Payment: payment.Payment{
			Company: c.Principal.Company, Environment: c.Environment, Store: storeOf(c), Type: t.Name, Provider: t.Provider,
		},
		Operation: payment.Operation{Kind: payment.KindPay},
	}
	var mine []outbound.Claim
	if c.Neutral == nil {
		var err error
		if d.form, err = a.Providers.Read(c.Type, catalogue.Pay, c.Request); err != nil {
			return inbound.Reply{}, err
		}
		if d.set, err = a.credentials(ctx, c, t, d.form); err != nil {
			return inbound.Reply{}, err
		}
		p := &wanted.Payment
		p.Account, p.OrderNumber, p.Amount = d.set.account, d.form.OrderNumber, d.form.Amount
		wanted.Operation.Amount = d.form.Amount
		mine = a.claims(wanted, d)
	}
	if keys := a.claimKeys(wanted.Payment, payment.KindPay, d); len(keys) > 0 {
		held, err := a.Ledger.Claimed(ctx, keys)
		if err != nil {
			return inbound.Reply{}, err
		}
		if c.Neutral != nil && len(held) > 0 && otherTerms(held[0].Record, c) {
			v, p := c.Neutral.Values, &wanted.Payment
			p.Account, p.OrderNumber, p.Amount, p.Capture = held[0].Record.Payment.Account, v.OrderNumber, v.Amount, v.Capture == nil || *v.Capture
			wanted.Operation.Amount = v.Amount
			return inbound.Reply{}, mismatched(held[0].Record, wanted)
		}
		if len(held) > 0 {
			return a.repeated(ctx, noSession{}, held, wanted, mine, d)
		}
	}
	if c.Neutral != nil {
		return inbound.Reply{}, down
	}
	refusal := d.refusal()
	if refusal == nil {
		refusal = down
	}
	return a.unlessTaken(ctx, wanted.Payment, d, refusal)
}

// unlessTaken refuses a payment that cannot be sent now, or answers for the live one that holds its order number.
func (a payments) unlessTaken(ctx context.Context, p payment.Payment, d draft, refusal error) (inbound.Reply, error) {
	r, err := a.Ledger.Find(ctx, outbound.Key{
		Company: p.Company, Environment: p.Environment, Provider: p.Provider, Account: p.Account, OrderNumber: p.OrderNumber,
	})
	if fault.KindOf(err) == fault.NotFound || (err == nil && !r.Payment.State.Live()) {
		return inbound.Reply{}, refusal
	}
	if err != nil {
		return inbound.Reply{}, err
	}
	return a.taken(ctx, r.Payment.ID, d)
}

// otherTerms reports whether a neutral request that cannot be written into columns now means another payment than the one
// that its key started.
func otherTerms(held payment.Record, c inbound.Native) bool {
	p, v := held.Payment, c.Neutral.Values
	return p.Type != c.Type || p.OrderNumber != v.OrderNumber || p.Amount != v.Amount || p.Store != storeOf(c) ||
		p.Capture != (v.Capture == nil || *v.Capture)
}

// described is a payment type as the installed providers describe it.
func (a *App) described(name string) (catalogue.Type, bool) {
	for _, t := range a.Providers.Types() {
		if t.Name == name {
			return t, true
		}
	}
	return catalogue.Type{}, false
}
