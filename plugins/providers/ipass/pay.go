package ipass

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Pay charges the code that the payer shows.
func (p *Provider) Pay(ctx context.Context, r provider.PayRequest) provider.Answer {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.timeouts.Pay))
	defer cancel()
	c, err := credentialOf(r.Call)
	if err != nil {
		return provider.NothingSent(provider.ReasonAuth, err).Answer()
	}
	if !r.Capture {
		return provider.NothingSent(provider.ReasonUnsupported, errors.New("capture false is not supported: iPASS payments are captured at once")).Answer()
	}
	iv, err := c.clientIV()
	if err != nil {
		return provider.NothingSent(provider.ReasonInvalid, err).Answer()
	}
	reqID := requestID(r.Call)
	clear, discountable, err := p.clearPay(r, reqID)
	if err != nil {
		return provider.NothingSent(provider.ReasonInvalid, err).Answer()
	}
	a, refused, failure := p.exchange(ctx, r.Call, c, iv, p.wire.Paths.Pay, clear)
	if failure != nil {
		return failure.Answer()
	}
	if err := a.isAbout(reqID, r.Reference.OrderID); err != nil {
		return p.distrust(ctx, r.Call, a, err)
	}
	code := p.wire.class(a.ReturnCode)
	result := provider.Result{Code: a.ReturnCode, DeclineCode: code.DeclineCode}
	switch {
	case code.Class == classSuccess && !refused:
		return p.paid(ctx, r, a, result, reqID, c.atMost(discountable))
	case code.Class == classDeclined, refused && code.Class == classVerify:
		return provider.Declined(result, a.body())
	default:
		return provider.Undecided(result, a.body())
	}
}

// paid accepts a success. The encryption has no integrity check, so that every member that can be compared
// with the request has to agree.
func (p *Provider) paid(ctx context.Context, r provider.PayRequest, a answer, result provider.Result, reqID string, atMost bool) provider.Answer {
	amount, err := a.Amount.units()
	switch {
	case err != nil:
		return p.distrust(ctx, r.Call, a, err)
	case !strings.EqualFold(string(a.ReqID), reqID):
		return p.distrust(ctx, r.Call, a, errors.New("success without our req_id"))
	case a.TransactionID == "":
		return p.distrust(ctx, r.Call, a, errors.New("success without a transaction id"))
	case amount != nil && amount.Units > r.Amount.Units, amount != nil && amount.Units < r.Amount.Units && !atMost:
		return p.distrust(ctx, r.Call, a, errors.New("success with another amount than the one asked for"))
	case amount != nil && amount.Units < r.Amount.Units:
		// Discounted, which this request allows: it settles the amount that was asked for.
		amount = nil
	}
	result.Reference = provider.Reference{OrderID: string(a.OrderNumber), TransactionID: string(a.TransactionID)}
	result.Captured = amount
	result.ProviderTime = instant(a.TransactionDateTime)
	return provider.Approved(result, a.body())
}

// distrust keeps an answer that contradicts the request from everybody: it may be about another payment.
func (p *Provider) distrust(ctx context.Context, call provider.Call, a answer, err error) provider.Answer {
	p.host.Log.WarnContext(ctx, "the answer does not fit the request; the outcome is unknown",
		slog.String("operation_id", call.OperationID), slog.String("return_code", a.ReturnCode), slog.String("problem", err.Error()))
	return provider.BadAnswer(err).Answer()
}

// isAbout checks what may be absent and must not differ.
func (a answer) isAbout(reqID, order string) error {
	switch {
	case a.ReqID != "" && !strings.EqualFold(string(a.ReqID), reqID):
		return errors.New("the answer is for another request")
	case a.OrderNumber != "" && string(a.OrderNumber) != order:
		return errors.New("the answer is about another order")
	}
	return nil
}

// atMost says whether an amount below the one asked for is a success.
func (c credential) atMost(discountable bool) bool {
	switch c.AmountCheck {
	case checkExact:
		return false
	case checkAtMost:
		return true
	default:
		return discountable
	}
}

// instant reads the gateway's time; one that cannot be read is no time, because nothing depends on it.
func instant(t text) time.Time {
	at, err := time.ParseInLocation(timeLayout, string(t), taipei)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}
