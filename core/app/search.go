package app

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/native"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// Search asks the provider what it knows and passes its record through.
func (a payments) Search(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	session, err := a.hold(ctx, outbound.Route{Type: c.Type, Store: storeOf(c), Existing: true})
	if err != nil {
		return inbound.Reply{}, err
	}
	defer func() { session.Close() }()

	form, err := session.Form(catalogue.Search, c.Request)
	if err != nil {
		return inbound.Reply{}, err
	}
	described := session.Type()
	set, err := a.credentials(ctx, c, described, form)
	if err != nil {
		return inbound.Reply{}, err
	}
	promises, _ := described.Find(catalogue.Search)
	ours := a.known(ctx, c, described, set, form)
	if ours.Payment.ID != "" {
		if other, moved := a.chosen(ctx, session, ours.Payment); moved {
			session, described = other, other.Type()
			promises, _ = described.Find(catalogue.Search)
		}
	}
	known, orderID := ours.Payment, form.OrderNumber
	if ours.Operation.OrderID != "" {
		orderID = ours.Operation.OrderID // a later attempt has another order id at the provider
	}

	key := a.Secrets.Fingerprint([]byte(strings.Join([]string{
		"search", string(c.Principal.Company), string(c.Environment), described.Name, described.Version, set.account,
		set.wire, set.ref, string(set.plain), string(form.Meaning),
		// What we have learnt since makes an older record stale.
		string(known.ID), strconv.FormatInt(known.Version, 10),
	}, "\x00")))
	found, err := a.flights.do(ctx, key, a.Clock, func() outbound.Findings {
		// Others may wait for this search: it does not end with the client that began it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), promises.MaxDuration+answerMargin)
		defer cancel()
		return session.Ask(ctx, outbound.Question{
			Environment: c.Environment, Account: set.account, Wire: set.wire,
			Credential: set.plain, CredentialRef: set.ref,
			OrderID: orderID, TransactionID: form.TransactionID, RequestID: form.RequestID, Form: form,
		})
	})
	if err != nil {
		return inbound.Reply{}, fault.Wrap(fault.Unavailable, "client_gone", "the client left before the search ended", err)
	}
	reply := inbound.Reply{Payment: known.ID, State: known.State, Record: ours}
	switch {
	case otherOrder(found, orderID):
		a.breach(described.Provider, described.Version, fmt.Sprintf("a search for order %q was answered for order %q", orderID, found.Evidence.OrderID))
		return inbound.Reply{}, searchFailed(outbound.Findings{Failed: true, Reason: "bad_answer"})
	case len(found.Native) > 0 && (found.Failed || found.Finding == payment.FindingNotFound):
		reply.Body = native.Append(found.Native, native.Member{Name: labelMember, Value: described.MessageFrom})
	case len(found.Native) > 0:
		reply.Body = native.Append(found.Native)
	default:
		return inbound.Reply{}, searchFailed(found)
	}
	return reply, nil
}

// otherOrder reports whether the provider answered about another order than it was asked for.
func otherOrder(found outbound.Findings, asked string) bool {
	named := found.Evidence.OrderID
	return named != "" && asked != "" && named != asked
}

// known is our own payment that the search is about, if there is one; a search works without.
func (a payments) known(
	ctx context.Context, c inbound.Native, t catalogue.Type, set credentialSet, f outbound.Form,
) payment.Record {
	if f.OrderNumber == "" {
		return payment.Record{}
	}
	r, err := a.Ledger.Find(ctx, outbound.Key{
		Company: c.Principal.Company, Environment: c.Environment, Provider: t.Provider,
		Account: set.account, OrderNumber: f.OrderNumber,
	})
	if err != nil {
		return payment.Record{}
	}
	return r
}

// searchFailed says why a search brought nothing.
func searchFailed(f outbound.Findings) error {
	switch {
	case f.NotSent && f.Reason == "invalid":
		return fault.New(fault.Invalid, "refused_by_provider_rules", "the request breaks a rule of the provider: "+f.Detail)
	case f.NotSent || f.Reason == "unavailable" || f.Reason == "rate_limited":
		return &fault.Error{
			Kind: fault.Unavailable, Code: "provider_unavailable", RetryAfter: retryAfter,
			Message: "the provider could not be reached; search again later",
		}
	case f.Reason == "timeout":
		return &fault.Error{
			Kind: fault.Unknown, Code: "provider_timeout", RetryAfter: retryAfter,
			Message: "the provider did not answer in time; search again",
		}
	default:
		return fault.New(fault.BadAnswer, "provider_invalid_response",
			"the provider's answer could not be read and is not passed on; search again later")
	}
}
