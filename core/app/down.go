package app

import (
	"context"
	"strings"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// whileDown answers a payment request while its provider cannot be called. A new one is refused with nothing sent. One
// that repeats an earlier request must not hear that: the earlier one may have been sent, and has its own outcome.
func (a payments) whileDown(ctx context.Context, c inbound.Native, down error) (inbound.Reply, error) {
	t, ok := a.described(c.Type)
	if !ok {
		return inbound.Reply{}, down
	}
	form, err := a.Providers.Read(c.Type, catalogue.Pay, c.Request)
	if err != nil {
		return inbound.Reply{}, err
	}
	set, err := a.credentials(ctx, c, t, form)
	if err != nil {
		return inbound.Reply{}, err
	}
	r, err := a.Ledger.ByOrder(ctx, outbound.OrderKey{
		Company: c.Principal.Company, Environment: c.Environment, Provider: t.Provider, Account: set.account,
		OrderNumber: form.OrderNumber,
	})
	if fault.KindOf(err) == fault.NotFound || (err == nil && !r.Payment.State.Live()) {
		return inbound.Reply{}, down
	}
	if err != nil {
		return inbound.Reply{}, err
	}
	promises, _ := t.Find(catalogue.Pay)
	d := draft{command: c, form: form, set: set, described: t, promises: promises}
	if form.RequestID != "" && strings.EqualFold(form.RequestID, r.Operation.RequestID) && form.Amount == r.Payment.Amount {
		return a.standing(ctx, r, d)
	}
	switch r.Payment.State {
	case payment.Sending, payment.Unknown, payment.Mismatch, payment.Review:
		return pending(r.Payment, outbound.Answer{}, d), nil
	case payment.RequiresAction, payment.Authorized, payment.Capturing, payment.Voiding, payment.Refunding,
		payment.Succeeded, payment.Failed, payment.Reversing, payment.Reversed, payment.Voided, payment.Refunded,
		payment.PartiallyRefunded, payment.Expired:
	}
	return a.taken(ctx, r.Payment.ID, d)
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
