package linepay

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// followColumns are the columns of a follow-up beside those that travel in typed fields.
type followColumns struct {
	Device               string         `json:"merchant_device_profile_id"`
	PromotionRestriction jsontext.Value `json:"promotionRestriction"`
}

// paths are where one follow-up goes: in stores by order number, online by transaction id.
type paths struct{ store, online string }

// amountBody is the body of a confirm and of a capture.
type amountBody struct {
	Amount               jsontext.Value `json:"amount"`
	Currency             string         `json:"currency"`
	PromotionRestriction jsontext.Value `json:"promotionRestriction,omitempty"`
}

func newAmountBody(m provider.Money) amountBody {
	return amountBody{Amount: jsontext.Value(decimal(m)), Currency: m.Currency}
}

// Confirm takes, or holds, the money of an online payment that the payer approved.
func (p *Provider) Confirm(ctx context.Context, r provider.ConfirmRequest) provider.Answer {
	ctx, cancel := within(ctx, p.timeouts.Confirm)
	defer cancel()
	e, failure := p.follow(ctx, r.Call, r.Reference, paths{online: "/payments/%/confirm"}, func(followColumns) ([]byte, error) {
		if err := chargeable(r.Amount); err != nil {
			return nil, err
		}
		return marshal(newAmountBody(r.Amount))
	})
	if failure != nil {
		return failure.Answer()
	}
	return p.confirmOutcome(r, e)
}

func (p *Provider) confirmOutcome(r provider.ConfirmRequest, e envelope) provider.Answer {
	return outcome(provider.KindConfirm, e, func(result provider.Result) provider.Answer {
		answer, info := charged(e, r.Amount.Currency, lapses, result)
		done := answer.Result()
		if done == nil {
			return answer
		}
		if done.Reference.TransactionID != r.Reference.TransactionID {
			return provider.BadAnswer(errOtherPayment).Answer()
		}
		if !info.RegKey.Empty() {
			done.Mandate = p.approval(r.Call, info.RegKey, label(info.PayInfo))
			// Whoever reads the regKey in the body can charge with it.
			native := e.body()
			native.Sensitive = true
			return answer.WithNative(native)
		}
		return answer
	})
}

// Capture takes what was held, or a part of it; LINE Pay releases the rest.
func (p *Provider) Capture(ctx context.Context, r provider.CaptureRequest) provider.Answer {
	limit := p.timeouts.Capture
	if r.Call.PaymentType == TypeQRCode {
		limit = min(limit, provider.Duration(followMax))
	}
	ctx, cancel := within(ctx, limit)
	defer cancel()
	where := paths{"/payments/orders/%/capture", "/payments/authorizations/%/capture"}
	e, failure := p.follow(ctx, r.Call, r.Reference, where, func(c followColumns) ([]byte, error) {
		if err := chargeable(r.Amount); err != nil {
			return nil, err
		}
		body := newAmountBody(r.Amount)
		body.PromotionRestriction = c.PromotionRestriction
		return marshal(body)
	})
	if failure != nil {
		return failure.Answer()
	}
	return captureOutcome(r, e)
}

func captureOutcome(r provider.CaptureRequest, e envelope) provider.Answer {
	return outcome(provider.KindCapture, e, func(result provider.Result) provider.Answer {
		answer, _ := charged(e, r.Amount.Currency, func(paidInfo) bool { return false }, result)
		return answer
	})
}

// Void releases what was held.
func (p *Provider) Void(ctx context.Context, r provider.VoidRequest) provider.Answer {
	ctx, cancel := within(ctx, p.timeouts.Void)
	defer cancel()
	where := paths{"/payments/orders/%/void", "/payments/authorizations/%/void"}
	e, failure := p.follow(ctx, r.Call, r.Reference, where, func(followColumns) ([]byte, error) { return nil, nil })
	if failure != nil {
		return failure.Answer()
	}
	return voidOutcome(e)
}

func voidOutcome(e envelope) provider.Answer {
	return outcome(provider.KindVoid, e, func(result provider.Result) provider.Answer {
		return provider.Approved(result, e.body())
	})
}

// Refund gives money back, in part or whole. LINE Pay keeps no reference of ours: a repetition refunds again.
func (p *Provider) Refund(ctx context.Context, r provider.RefundRequest) provider.Answer {
	ctx, cancel := within(ctx, p.timeouts.Refund)
	defer cancel()
	where := paths{"/payments/orders/%/refund", "/payments/%/refund"}
	e, failure := p.follow(ctx, r.Call, r.Reference, where, func(c followColumns) ([]byte, error) {
		if err := chargeable(r.Amount); err != nil {
			return nil, err
		}
		return marshal(struct {
			RefundAmount         jsontext.Value `json:"refundAmount"`
			PromotionRestriction jsontext.Value `json:"promotionRestriction,omitempty"`
		}{jsontext.Value(decimal(r.Amount)), c.PromotionRestriction})
	})
	if failure != nil {
		return failure.Answer()
	}
	return refundOutcome(r, e)
}

func refundOutcome(r provider.RefundRequest, e envelope) provider.Answer {
	return outcome(provider.KindRefund, e, func(result provider.Result) provider.Answer {
		var info refundedInfo
		if err := e.info(&info); err != nil {
			return provider.BadAnswer(err).Answer()
		}
		id, err := info.RefundTransactionID.id()
		if err != nil {
			return provider.BadAnswer(errors.New("success without the id of a refund")).Answer()
		}
		result.Reference.TransactionID = id
		result.ProviderTime = instant(info.RefundTransactionDate)
		if slices.Contains(r.RefundIDsSeen, id) {
			// The answer is about an earlier refund: whether there is a new one, the records tell.
			return provider.Undecided(result, e.body())
		}
		return provider.Approved(result, e.body())
	})
}

// follow sends a follow-up to where the payment is.
func (p *Provider) follow(
	ctx context.Context, call provider.Call, ref provider.Reference, where paths, body func(followColumns) ([]byte, error),
) (envelope, *provider.Failure) {
	online := call.PaymentType != TypeQRCode
	if online && ref.TransactionID == "" && where.store != "" {
		var failure *provider.Failure
		if ref.TransactionID, failure = p.locate(ctx, call, ref.OrderID); failure != nil {
			return envelope{}, failure
		}
	}
	return p.send(ctx, call, func(merchant) (request, error) {
		var c followColumns
		if err := call.Columns.Decode(&c); err != nil {
			return request{}, errColumns
		}
		if online && len(c.PromotionRestriction) > 0 {
			return request{}, errors.New("promotionRestriction exists for payments in stores only")
		}
		b, err := body(c)
		if err != nil {
			return request{}, err
		}
		path, name := where.store, ref.OrderID
		if online {
			path, name = where.online, ref.TransactionID
			if _, err := number(name).id(); err != nil {
				return request{}, errors.New("the transaction id of the payment is missing or no 64-bit integer")
			}
		} else if name == "" {
			return request{}, errNoOrder
		}
		out := post(path, name, b)
		out.device = c.Device
		return out, nil
	})
}

// locate asks for the transaction id of an online payment whose own answer got lost. Nothing of the follow-up was
// sent if it is not found.
func (p *Provider) locate(ctx context.Context, call provider.Call, orderID string) (string, *provider.Failure) {
	call.NotAfter = time.Time{} // that bounds what moves money
	m, err := merchantOf(call)
	if err != nil {
		return "", provider.NothingSent(provider.ReasonAuth, err)
	}
	if orderID == "" {
		return "", provider.NothingSent(provider.ReasonInvalid, errNoOrder)
	}
	s := inquiry{Provider: p, call: call, merchant: m, asked: provider.Reference{OrderID: orderID}}
	found := s.recorded(ctx, false).Findings
	if found == nil || found.Reference.TransactionID == "" {
		return "", provider.NothingSent(provider.ReasonUnavailable, errors.New("LINE Pay's records do not show the payment's transaction id"))
	}
	return found.Reference.TransactionID, nil
}
