package app

import (
	"context"
	"regexp"
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

// stableWord is what a code for clients looks like; a gateway's number is none.
var stableWord = regexp.MustCompile(`^[a-z][a-z0-9_]{2,63}$`)

// final is the reply that is stored with the result and replayed byte for byte; nil while nothing is final.
func final(r payment.Record, answer outbound.Answer, d draft) []byte {
	switch r.Operation.State {
	case payment.OperationSucceeded:
		if r.Payment.State == payment.Reversing {
			return nil // the promise is "not paid", whatever the provider answered
		}
	case payment.OperationFailed:
		if r.Operation.Failure != payment.Declined {
			return nil
		}
	case payment.OperationSending, payment.OperationUnknown:
		return nil
	}
	if d.command.Render != nil {
		return d.command.Render(inbound.Rendering{
			Record: r, WebURL: answer.WebURL, AppURL: answer.AppURL, ActionExpires: answer.ActionExpires,
		})
	}
	if r.Operation.State == payment.OperationFailed {
		return native.Append(answer.Native, native.Member{Name: labelMember, Value: d.described.MessageFrom})
	}
	return native.Append(answer.Native)
}

// reply answers for a result that was just committed.
func (a *App) reply(r payment.Record, answer outbound.Answer, body []byte, d draft) (inbound.Reply, error) {
	if body != nil {
		return inbound.Reply{Payment: r.Payment.ID, State: r.Payment.State, Record: r, Body: body}, nil
	}
	if r.Operation.State == payment.OperationFailed && r.Operation.Failure == payment.NotSent {
		return inbound.Reply{}, notSent(r.Payment, answer)
	}
	return pending(r, answer, d), nil
}

// noPage is the reason of a redirect that gave no address: whatever was sent, nobody can pay.
const noPage = "no_page"

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
	case noPage:
		f.Message = "the provider gave no payment page and nothing was charged; send the same request again later, " +
			"or use a new order number if this goes on"
	case "unsupported":
		f.Kind, f.Code, f.RetryAfter = fault.Unsupported, "unsupported", 0
		if stableWord.MatchString(answer.Evidence.Code) {
			f.Code = answer.Evidence.Code // the plugin's own word for what it does not do
		}
		f.Message = "the provider does not do this and nothing was sent: " + answer.Detail
	}
	return f
}

// pending is the answer while nobody knows. It is never read as paid or as not paid.
func pending(r payment.Record, answer outbound.Answer, d draft) inbound.Reply {
	reply := inbound.Reply{
		Class: inbound.ReplyPending, Payment: r.Payment.ID, State: r.Payment.State, Record: r, MessageFrom: fromPlatform,
		RetryAfter: retryAfter,
	}
	if answer.Known == payment.KnownNothing && len(answer.Native) > 0 {
		// Only members that claim nothing: a client that reads nothing but the code must not hear "paid".
		reply.Body, reply.MessageFrom = answer.Native, d.described.MessageFrom
	}
	return reply
}

// fromRow answers for an operation as it stands in the ledger.
func (a *App) fromRow(ctx context.Context, r payment.Record, d draft) (inbound.Reply, error) {
	stored, err := a.Ledger.Load(ctx, r.Payment.Company, r.Payment.ID)
	if err != nil {
		// It was sent: whatever keeps us from reading, the outcome is open for the client.
		return pending(r, outbound.Answer{}, d), nil //nolint:nilerr // see above
	}
	if stored.Operation.ID != r.Operation.ID {
		// Another operation follows this one already. What it left is read by the request's own keys.
		if keys := a.claimKeys(r.Payment, r.Operation.Kind, d); len(keys) > 0 {
			held, err := a.Ledger.Claimed(ctx, keys)
			// That may be a later try of this very request.
			if err == nil && len(held) > 0 && (held[0].Record.Operation.ID == r.Operation.ID || held[0].Claim.Operation == firstTry(r.Operation)) {
				return a.standing(ctx, held[0].Record, d)
			}
		}
		if stored.Payment.State.Promise() != payment.NotPaid || stored.Payment.Failure == payment.NotSent {
			return pending(stored, outbound.Answer{}, d), nil
		}
		return a.reversing(stored, d), nil
	}
	return a.standing(ctx, stored, d)
}

// firstTry is the operation that a request began first: the one that holds its keys.
func firstTry(o payment.Operation) payment.OperationID {
	if o.RetryOf != "" {
		return o.RetryOf
	}
	return o.ID
}

// standing is the answer that an operation gives now to the request that started it.
func (a *App) standing(ctx context.Context, r payment.Record, d draft) (inbound.Reply, error) {
	p, o := r.Payment, r.Operation
	reply := inbound.Reply{Payment: p.ID, State: p.State, Record: r, Replayed: true}
	var body []byte
	if len(o.SealedReply) > 0 {
		stored, err := a.Secrets.Open(ctx, storedReply(p, o.ID), o.SealedReply)
		if err != nil {
			return inbound.Reply{}, err
		}
		body = inShape(stored, d)
	}
	switch {
	case p.State == payment.Reversing, p.State == payment.Reversed:
		// The promise is "not paid" from its commit on, whatever is still open.
		a.pull(ctx, r)
		return a.reversing(r, d), nil
	case o.Open():
		// The words of a provider that did not decide stay beside ours, and whoever asks pulls the next check forward.
		a.pull(ctx, r)
		return pending(r, outbound.Answer{Native: body}, d), nil
	case p.State == payment.Voided && o.Epoch > 1 && (o.Kind == payment.KindPay || o.Kind == payment.KindConfirm):
		// A search settled it after its own caller had left, and the company has given it back since: "paid" would be news, and
		// no truth any more.
		return a.reversing(r, d), nil
	case len(body) > 0:
		reply.Body = body
		return reply, nil
	case o.State == payment.OperationFailed && o.Failure == payment.NotSent:
		return inbound.Reply{}, notSent(p, outbound.Answer{})
	case o.State != payment.OperationFailed && p.State == payment.Review:
		return pending(r, outbound.Answer{}, d), nil
	}
	// A search settled it, and the provider's record does not give an answer in its own shape.
	then, err := a.asSettled(ctx, r)
	if err != nil {
		return pending(r, outbound.Answer{}, d), nil //nolint:nilerr // it was sent: what cannot be read is asked for again
	}
	if o.State == payment.OperationFailed {
		return a.notDone(then, d)
	}
	reply.Body = settledBody(then, d)
	return reply, nil
}

// neutralMark stands before a stored reply that was made by Render. A provider's own answer begins with a brace.
const neutralMark = 1

// shaped marks in which shape a reply is stored.
func shaped(body []byte, d draft) []byte {
	if d.command.Render == nil {
		return body
	}
	return append([]byte{neutralMark}, body...)
}

// inShape is a stored reply in the shape that a request wants, or nil: an operation that was begun in neutral terms may be
// asked about in a provider's own, and the other way round.
func inShape(stored []byte, d draft) []byte {
	neutral := len(stored) > 0 && stored[0] == neutralMark
	if neutral != (d.command.Render != nil) {
		return nil
	}
	if neutral {
		return stored[1:]
	}
	return stored
}

// notDone answers for an operation that had no effect, and of which the provider never said so itself.
func (a *App) notDone(r payment.Record, d draft) (inbound.Reply, error) {
	if d.command.Render != nil {
		return inbound.Reply{
			Payment: r.Payment.ID, State: r.Payment.State, Record: r, Replayed: true,
			Body: d.command.Render(inbound.Rendering{Record: r}),
		}, nil
	}
	code, message := "not_charged", "this payment was not charged; start a new one with a new request id"
	if r.Operation.Kind != payment.KindPay && r.Operation.Kind != payment.KindConfirm {
		code, message = "not_done", "this "+string(r.Operation.Kind)+" had no effect; send it again with a new request id"
	}
	return inbound.Reply{}, &fault.Error{Kind: fault.Conflict, Code: code, Payment: string(r.Payment.ID), Message: message}
}

// reversing tells "not paid" in the provider's shape: any late charge is given back.
func (a *App) reversing(r payment.Record, d draft) inbound.Reply {
	p := r.Payment
	reply := inbound.Reply{Payment: p.ID, State: p.State, Record: r}
	if d.command.Render != nil {
		reply.Body = d.command.Render(inbound.Rendering{Record: r})
		return reply
	}
	pay, _ := d.described.Find(catalogue.Pay)
	reply.Body = native.Append(pay.Bodies[catalogue.Reversing],
		native.Member{Name: "status", Value: string(p.State)},
		native.Member{Name: "payment_id", Value: string(p.ID)},
		native.Member{Name: labelMember, Value: fromPlatform})
	return reply
}

// settledBody is the answer for an operation that a search or two people settled.
func settledBody(r payment.Record, d draft) []byte {
	if d.command.Render != nil {
		return d.command.Render(inbound.Rendering{Record: r})
	}
	return native.Append(nil,
		native.Member{Name: "status", Value: string(r.Payment.State)},
		native.Member{Name: "payment_id", Value: string(r.Payment.ID)},
		native.Member{Name: labelMember, Value: fromPlatform})
}

// eventName is the journal's and the webhooks' word for a state that was reached.
func eventName(s payment.State) string { return "payment." + strings.ToLower(string(s)) }
