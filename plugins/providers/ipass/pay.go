package ipass

import (
	"context"
	"errors"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Pay charges the code that the payer shows, or holds the amount where the credential set allows it.
func (p *Provider) Pay(ctx context.Context, r provider.PayRequest) provider.Answer {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.timeouts.Pay))
	defer cancel()
	c, err := credentialOf(r.Call)
	if err != nil {
		return provider.NothingSent(provider.ReasonAuth, err).Answer()
	}
	if !r.Capture && !c.SeparateCapture {
		return atOnceOnly().Answer()
	}
	iv, err := c.clientIV()
	if err != nil {
		return provider.NothingSent(provider.ReasonInvalid, err).Answer()
	}
	q := question{call: r.Call, reqID: requestID(r.Call, r.Reference.ClientReference), order: r.Reference.OrderID}
	clear, discountable, err := p.clearPay(r, q.reqID)
	if err != nil {
		return provider.NothingSent(provider.ReasonInvalid, err).Answer()
	}
	a, refused, failure := p.exchange(ctx, r.Call, c, iv, p.wire.Paths.Pay, clear)
	if failure != nil {
		return failure.Answer()
	}
	return p.judge(ctx, q, a, refused, func(result *provider.Result) error {
		return a.accepts(r, c.atMost(discountable), result)
	})
}

// accepts compares a success with the payment that was asked for.
func (a answer) accepts(r provider.PayRequest, atMost bool, result *provider.Result) error {
	amount, err := a.Amount.units()
	switch {
	case err != nil:
		return err
	case a.TransactionID == "":
		return errors.New("success without a transaction id")
	case amount != nil && amount.Units < r.Amount.Units && atMost && r.Capture:
		// Discounted, which this request allows: it settles the amount that was asked for, and the body says
		// what the payer paid. A held amount has no discount: it is captured as it was asked for.
		amount = nil
	case amount != nil && amount.Units != r.Amount.Units:
		return errors.New("success with another amount than the one asked for")
	}
	result.Reference.TransactionID = string(a.TransactionID)
	result.ProviderTime = instant(a.TransactionDateTime)
	if r.Capture {
		result.Captured = amount
	} else {
		result.Authorized = amount
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
