package ipass

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// followUp is an operation on a payment that exists. The iv of its HTTP request is always new: a client's own
// serves the client's payment, and a follow-up may carry the same credential set.
type followUp struct {
	call provider.Call
	ref  provider.Reference
	path string
	// members of the clear text after req_id.
	members []member
	// accept compares a success with what was asked.
	accept func(a answer, result *provider.Result) error
}

func (p *Provider) followUp(ctx context.Context, c credential, f followUp) provider.Answer {
	q := question{call: f.call, reqID: requestID(f.call, f.ref.ClientReference), order: f.ref.OrderID}
	clear, err := whole(append([]member{p.quoted("req_id", q.reqID)}, f.members...))
	if err != nil {
		return provider.NothingSent(provider.ReasonInvalid, err).Answer()
	}
	a, refused, failure := p.exchange(ctx, f.call, c, freshIV(), f.path, clear)
	if failure != nil {
		return failure.Answer()
	}
	return p.judge(ctx, q, a, refused, func(result *provider.Result) error {
		if a.TransactionID != "" && f.ref.TransactionID != "" && string(a.TransactionID) != f.ref.TransactionID {
			return errors.New("the answer is about another transaction")
		}
		return f.accept(a, result)
	})
}

// Void undoes a payment by its order number, whatever became of it: held, taken, or never heard of.
func (p *Provider) Void(ctx context.Context, r provider.VoidRequest) provider.Answer {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.timeouts.FollowUp))
	defer cancel()
	c, err := credentialOf(r.Call)
	if err != nil {
		return provider.NothingSent(provider.ReasonAuth, err).Answer()
	}
	if r.Reference.OrderID == "" {
		return provider.NothingSent(provider.ReasonInvalid, errors.New("order_number is missing: iPASS voids by it only")).Answer()
	}
	return p.followUp(ctx, c, followUp{
		call: r.Call, ref: r.Reference, path: p.wire.Paths.Void,
		members: []member{p.quoted("order_number", r.Reference.OrderID)},
		accept:  func(answer, *provider.Result) error { return nil },
	})
}

// Refund gives a captured amount back, all of it or a part. The amount is always sent, so that a request that
// arrives twice never gives back more than was meant.
func (p *Provider) Refund(ctx context.Context, r provider.RefundRequest) provider.Answer {
	if r.Bare && len(r.RefundIDsSeen) == 0 {
		return p.printedSlip(ctx, r)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.timeouts.FollowUp))
	defer cancel()
	c, err := credentialOf(r.Call)
	if err != nil {
		return provider.NothingSent(provider.ReasonAuth, err).Answer()
	}
	return p.byTransaction(ctx, c, r.Call, r.Reference, r.Amount, p.wire.Paths.Refund,
		func(a answer, result *provider.Result) error {
			var err error
			result.Reference.TransactionID = string(a.CancelTransactionID)
			result.Refunded, err = a.namesAmount(r.Amount)
			if err == nil && a.CancelTransactionID == "" {
				err = errors.New("success without the id of the refund")
			}
			return err
		})
}

// printedSlip is a refund that names nothing but an order. See VoidSlip.
func (p *Provider) printedSlip(ctx context.Context, r provider.RefundRequest) provider.Answer {
	if p.slip != VoidSlip {
		return provider.NothingSent(provider.ReasonInvalid, errors.New("transaction_id 不可為空")).Answer()
	}
	return p.Void(ctx, provider.VoidRequest{Call: r.Call, Reference: r.Reference})
}

// Capture takes the whole of an amount that is held.
func (p *Provider) Capture(ctx context.Context, r provider.CaptureRequest) provider.Answer {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.timeouts.FollowUp))
	defer cancel()
	c, err := credentialOf(r.Call)
	switch {
	case err != nil:
		return provider.NothingSent(provider.ReasonAuth, err).Answer()
	case !c.SeparateCapture:
		return atOnceOnly().Answer()
	}
	return p.byTransaction(ctx, c, r.Call, r.Reference, r.Amount, p.wire.Paths.Capture,
		func(a answer, result *provider.Result) error {
			var err error
			result.Reference.TransactionID = string(a.TransactionID)
			result.ProviderTime = instant(a.TransactionDateTime)
			result.Captured, err = a.namesAmount(r.Amount)
			return err
		})
}

// atOnceOnly refuses what needs a credential set with separate_capture.
func atOnceOnly() *provider.Failure {
	f := provider.NothingSent(provider.ReasonUnsupported, errors.New("capture false is not supported: iPASS takes payments of this merchant at once"))
	f.Code = "capture_false_unsupported"
	return f
}

// byTransaction is a follow-up that iPASS knows by its own transaction id only. After an unknown outcome
// nobody may have that id yet; then it is searched for first.
func (p *Provider) byTransaction(
	ctx context.Context, c credential, call provider.Call, ref provider.Reference, amount provider.Money, path string,
	accept func(answer, *provider.Result) error,
) provider.Answer {
	switch {
	case amount.Currency != currency || amount.Exponent != 0 || amount.Units < 1:
		return provider.NothingSent(provider.ReasonInvalid, errors.New("amount must be a whole number of TWD")).Answer()
	case ref.TransactionID == "" && ref.OrderID == "":
		return provider.NothingSent(provider.ReasonInvalid, errors.New("transaction_id is missing")).Answer()
	case ref.TransactionID == "":
		id, failure := p.transactionOf(ctx, call, c, ref.OrderID)
		if failure != nil {
			return failure.Answer()
		}
		ref.TransactionID = id
	}
	return p.followUp(ctx, c, followUp{
		call: call, ref: ref, path: path, accept: accept,
		members: []member{
			p.quoted("transaction_id", ref.TransactionID),
			p.plain("amount", strconv.FormatInt(amount.Units, 10)),
		},
	})
}

// transactionOf finds the transaction id of an order. A search moves no money: whatever goes wrong with it,
// nothing of the operation was sent.
func (p *Provider) transactionOf(ctx context.Context, call provider.Call, c credential, order string) (string, *provider.Failure) {
	r, failure := p.look(ctx, question{call: call, reqID: newRequestID(), order: order}, c, freshIV())
	switch {
	case failure != nil:
		failure.Effect = provider.EffectNone
		return "", failure
	case r.state != recordFound || r.transaction() == "":
		return "", provider.NothingSent(provider.ReasonUnavailable, errors.New("iPASS shows no transaction id for this order, which the operation needs"))
	}
	return string(r.transaction()), nil
}
