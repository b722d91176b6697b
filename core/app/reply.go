package app

import (
	"context"
	"strings"
	"time"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/native"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// Labels of who made an answer.
const (
	fromPlatform = "OMNI"
	labelMember  = "message_from"
	retryAfter   = 3 * time.Second
)

// final is the reply that is stored with the result and replayed byte for byte; nil while nothing is final.
func final(p payment.Payment, answer outbound.Answer, d draft) []byte {
	switch p.State {
	case payment.Succeeded, payment.Authorized, payment.RequiresAction:
		return native.Append(answer.Native)
	case payment.Failed:
		if p.Failure != payment.Declined {
			return nil
		}
		return native.Append(answer.Native, native.Member{Name: labelMember, Value: d.described.MessageFrom})
	case payment.Sending, payment.Capturing, payment.Voiding, payment.Refunding, payment.Unknown, payment.Reversing,
		payment.Reversed, payment.Voided, payment.Refunded, payment.PartiallyRefunded, payment.Expired,
		payment.Mismatch, payment.Review:
		return nil
	}
	return nil
}

// reply answers for a result that was just committed.
func (a *App) reply(r payment.Record, answer outbound.Answer, body []byte, d draft) (inbound.Reply, error) {
	if body != nil {
		return inbound.Reply{Payment: r.Payment.ID, State: r.Payment.State, Body: body}, nil
	}
	if r.Payment.State == payment.Failed {
		return inbound.Reply{}, notSent(r.Payment, answer)
	}
	return pending(r.Payment, answer, d), nil
}

// notSent is the error for an operation that certainly moved nothing.
func notSent(p payment.Payment, answer outbound.Answer) error {
	f := &fault.Error{
		Kind: fault.Unavailable, Code: "provider_unavailable", Payment: string(p.ID), RetryAfter: retryAfter,
		Message: "the provider could not be reached and nothing was sent; send the same request again later",
	}
	switch answer.Reason {
	case "invalid":
		f.Kind, f.Code, f.RetryAfter = fault.Invalid, "refused_by_provider_rules", 0
		f.Message = "the request breaks a rule of the provider and was not sent: " + answer.Detail
	case "unsupported":
		f.Kind, f.Code, f.RetryAfter = fault.Unsupported, "unsupported", 0
		f.Message = "the provider does not do this and nothing was sent: " + answer.Detail
	}
	return f
}

// pending is the answer while nobody knows. It is never read as paid or as not paid.
func pending(p payment.Payment, answer outbound.Answer, d draft) inbound.Reply {
	r := inbound.Reply{
		Class: inbound.ReplyPending, Payment: p.ID, State: p.State, MessageFrom: fromPlatform, RetryAfter: retryAfter,
	}
	if answer.Known == payment.KnownNothing && len(answer.Native) > 0 {
		// Only members that claim nothing: a client that reads nothing but the code must not hear "paid".
		r.Body, r.MessageFrom = answer.Native, d.described.MessageFrom
	}
	return r
}

// fromRow answers for a payment as it stands in the ledger.
func (a *App) fromRow(ctx context.Context, r payment.Record, d draft) (inbound.Reply, error) {
	stored, err := a.Ledger.Load(ctx, r.Payment.Company, r.Payment.ID)
	if err != nil {
		// It was sent: whatever keeps us from reading, the outcome is open for the client.
		return pending(r.Payment, outbound.Answer{}, d), nil //nolint:nilerr // see above
	}
	return a.standing(ctx, stored, d)
}

// standing is the answer that a payment gives now to the request that started it.
func (a *App) standing(ctx context.Context, r payment.Record, d draft) (inbound.Reply, error) {
	p := r.Payment
	if len(r.Operation.SealedReply) > 0 {
		body, err := a.Secrets.Open(ctx, storedReply(p, r.Operation.ID), r.Operation.SealedReply)
		if err != nil {
			return inbound.Reply{}, err
		}
		return inbound.Reply{Payment: p.ID, State: p.State, Body: body, Replayed: true}, nil
	}
	switch p.State {
	case payment.Sending, payment.Unknown, payment.Mismatch, payment.Review, payment.Capturing, payment.Voiding,
		payment.Refunding, payment.RequiresAction, payment.Authorized, payment.Succeeded, payment.Refunded,
		payment.PartiallyRefunded:
		return pending(p, outbound.Answer{}, d), nil
	case payment.Reversing, payment.Reversed, payment.Voided, payment.Expired:
		body := native.Append(d.promises.Bodies[catalogue.Reversing],
			native.Member{Name: "status", Value: string(p.State)},
			native.Member{Name: "payment_id", Value: string(p.ID)},
			native.Member{Name: labelMember, Value: fromPlatform})
		return inbound.Reply{Payment: p.ID, State: p.State, Body: body}, nil
	case payment.Failed:
		return inbound.Reply{}, &fault.Error{
			Kind: fault.Conflict, Code: "not_charged", Payment: string(p.ID),
			Message: "this payment was not charged; start a new one with a new request id",
		}
	}
	return pending(p, outbound.Answer{}, d), nil
}

// eventName is the journal's and the webhooks' word for a state that was reached.
func eventName(s payment.State) string { return "payment." + strings.ToLower(string(s)) }
