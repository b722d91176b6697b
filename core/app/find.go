package app

import (
	"context"
	"errors"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// found is the payment that a follow-up is about, the held release that serves it, and the request, read.
func (a payments) found(
	ctx context.Context, c inbound.Native, k catalogue.Kind,
) (payment.Record, outbound.Session, draft, error) {
	if c.Neutral != nil {
		return a.byID(ctx, c, k)
	}
	session, err := a.hold(ctx, outbound.Route{Type: c.Type, Store: storeOf(c), Existing: true})
	if err != nil {
		return payment.Record{}, nil, draft{}, err
	}
	r, d, err := a.byColumns(ctx, session, c, k)
	if err != nil {
		session.Close()
		return payment.Record{}, nil, draft{}, err
	}
	if other, moved := a.chosen(ctx, session, r.Payment); moved {
		session = other
		if r, d, err = a.byColumns(ctx, session, c, k); err != nil {
			session.Close()
			return payment.Record{}, nil, draft{}, err
		}
	}
	return r, session, d, nil
}

// byColumns finds the payment by the order number or transaction of a native request.
func (a payments) byColumns(
	ctx context.Context, session outbound.Session, c inbound.Native, k catalogue.Kind,
) (payment.Record, draft, error) {
	form, err := session.Form(k, c.Request)
	if err != nil {
		return payment.Record{}, draft{}, err
	}
	t := session.Type()
	promises, _ := t.Find(k)
	set, err := a.credentials(ctx, c, t, form)
	if err != nil {
		return payment.Record{}, draft{}, err
	}
	key := outbound.Key{
		Company: c.Principal.Company, Environment: c.Environment, Provider: t.Provider, Account: set.account,
		OrderNumber: form.OrderNumber,
	}
	if form.OrderNumber == "" {
		key.Transaction = form.TransactionID
	}
	r, err := a.Ledger.Find(ctx, key)
	if err != nil {
		return payment.Record{}, draft{}, err
	}
	p := r.Payment
	if form.TransactionID != "" && p.ProviderTransaction != "" && form.TransactionID != p.ProviderTransaction {
		return payment.Record{}, draft{}, fault.New(fault.Conflict, "transaction_differs",
			"the order number and the transaction id belong to two different payments")
	}
	if p.Type != t.Name {
		return payment.Record{}, draft{}, &fault.Error{
			Kind: fault.Conflict, Code: "type_differs", Payment: string(p.ID),
			Message: "this payment was made with another payment type; name that type",
		}
	}
	if !form.Amount.IsZero() && form.Amount.Currency != p.Amount.Currency {
		return payment.Record{}, draft{}, &fault.Error{
			Kind: fault.Invalid, Code: "currency_differs", Payment: string(p.ID),
			Message: "the amount is in another currency than the payment; name the payment's currency",
		}
	}
	if form.Credential == nil && p.CredentialRef != "" {
		// What the payment was made with, rotated since or not, rather than what is set for new ones.
		if own, err := a.setOf(ctx, r); err == nil {
			set = own
		}
	}
	set.store, set.wire = p.Store, p.Wire
	return r, draft{command: c, form: form, set: set, described: t, promises: promises, mandate: p.Mandate}, nil
}

// byID finds the payment that a neutral request names.
func (a payments) byID(
	ctx context.Context, c inbound.Native, k catalogue.Kind,
) (payment.Record, outbound.Session, draft, error) {
	fail := func(err error) (payment.Record, outbound.Session, draft, error) {
		return payment.Record{}, nil, draft{}, err
	}
	r, err := a.Ledger.Load(ctx, c.Principal.Company, c.Neutral.Payment)
	if err != nil {
		return fail(err)
	}
	p := r.Payment
	if !c.Principal.In(p.Environment) {
		return fail(fault.New(fault.NotFound, "payment_not_found", "There is no such payment."))
	}
	c.Type, c.Environment = p.Type, p.Environment
	session, err := a.hold(ctx, outbound.Route{Type: p.Type, Payment: p.ID, Store: p.Store, Existing: true})
	if err != nil {
		return fail(err)
	}
	d, err := a.neutral(ctx, session, r, c, k)
	if err != nil {
		session.Close()
		return fail(err)
	}
	return r, session, d, nil
}

// neutral reads a neutral follow-up through the columns of its operation, with the payment's own ids in them.
func (a payments) neutral(
	ctx context.Context, session outbound.Session, r payment.Record, c inbound.Native, k catalogue.Kind,
) (draft, error) {
	p, kind := r.Payment, payment.Kind(k)
	if kind == payment.KindVoid && !c.Neutral.Values.Amount.IsZero() {
		return draft{}, fault.New(fault.Invalid, "unsupported_value", "a void is always of the whole amount; refund a part of it")
	}
	asked := c.Neutral.Values.Amount
	if !asked.IsZero() && asked.Currency != p.Amount.Currency {
		return draft{}, fault.New(fault.Invalid, "currency_differs", "the currency is another one than the payment's")
	}
	n := *c.Neutral
	n.Values.OrderNumber, n.Values.Transaction = r.Operation.OrderID, p.ProviderTransaction
	if kind != payment.KindVoid {
		n.Values.Amount = wantedAmount(p, kind, asked)
		if n.Values.Amount.Units < 1 {
			n.Values.Amount.Units = 1 // nothing is left; the state machine says so in better words
		}
	}
	c.Neutral = &n
	form, err := a.form(session, k, c)
	if err != nil {
		return draft{}, err
	}
	set, err := a.setOf(ctx, r)
	if err != nil {
		return draft{}, err
	}
	promises, _ := session.Type().Find(k)
	// "All that is left" is another amount after a refund: a repeated request means what it said.
	form.Meaning = append([]byte("asked "+asked.String()+"\x00"), n.Values.Columns...)
	return draft{command: c, form: form, set: set, described: session.Type(), promises: promises, mandate: p.Mandate}, nil
}

// typeOf is how the release that serves a payment describes its type; the installed description where none runs.
func (a *App) typeOf(p payment.Payment) catalogue.Type {
	t, _ := a.described(p.Type)
	return t
}

func asFault(err error) (*fault.Error, bool) { return errors.AsType[*fault.Error](err) }

// policyOf is what a company wants done with unknown outcomes.
func (a *App) policyOf(p payment.Payment, attended bool) company.OnUnknown {
	c, _ := a.index.Load().Company(p.Company)
	switch {
	case c.OnUnknown != company.OnUnknownDefault:
		return c.OnUnknown
	case attended:
		return company.Reverse
	default:
		return company.Hold
	}
}
