package ecpay

import (
	"context"
	"errors"
	"time"

	"github.com/payrack/payrack/plugins/sdk/notation"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

type searchBody struct {
	MerchantID      string `json:"MerchantID"`
	MerchantTradeNo string `json:"MerchantTradeNo"`
}

// Search answers a client with ECPay's record of an order, and the platform with what became of a payment.
func (p *Provider) Search(ctx context.Context, r provider.SearchRequest) provider.SearchAnswer {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.settings.Timeouts.Search))
	defer cancel()
	failed := func(f *provider.Failure) provider.SearchAnswer { return provider.SearchAnswer{Failure: f} }
	m, err := merchantOf(r.Call)
	if err != nil {
		return failed(provider.NothingSent(provider.ReasonAuth, err))
	}
	if r.Reference.OrderID == "" {
		return failed(provider.NothingSent(provider.ReasonInvalid, errors.New("the column MerchantTradeNo is needed: ECPay finds a payment by it only")))
	}
	a, failure := p.exchange(ctx, r.Call, m, pathSearch, searchBody{m.MerchantID, tradeNo(r.Reference.OrderID)})
	if failure != nil {
		return failed(failure)
	}
	order := a.order()
	switch {
	case p.settings.Wire.Codes[a.code].Class == classNotFound:
		return provider.SearchAnswer{Findings: &provider.Findings{Finding: provider.FindingNotFound, Complete: true}, Native: a.native()}
	case a.code != codeSuccess:
		f := &provider.Failure{Effect: provider.EffectPossible, Reason: provider.ReasonUnavailable, Code: a.code, Detail: "ECPay refused the search"}
		return provider.SearchAnswer{Failure: f, Native: a.native()}
	case order.MerchantTradeNo != "" && order.MerchantTradeNo != tradeNo(r.Reference.OrderID):
		return failed(provider.BadAnswer(errors.New("the answer is about another order")))
	}
	f, err := p.findings(order)
	if err != nil {
		return failed(provider.BadAnswer(err))
	}
	f.Reference.OrderID = orderOf(r.Reference.OrderID, f.Reference.OrderID)
	native := a.native()
	if r.Purpose == provider.PurposeResolve {
		native = provider.Native{}
		if r.About == provider.KindPay && f.Finding == provider.FindingFound {
			native = a.asPayment()
		}
		if r.About == provider.KindRefund && f.Finding == provider.FindingFound && f.Refunded == nil {
			// The record does not speak of refunds, or there is none: nothing is concluded about one.
			f.Finding, f.Complete = provider.FindingInProgress, false
		}
	}
	return provider.SearchAnswer{Findings: &f, Native: native}
}

// findings says what a record means. The amounts are reported as they are; the platform compares them.
func (p *Provider) findings(o orderInfo) (provider.Findings, error) {
	taken, err := dollars(o.TradeAmt)
	if err != nil {
		return provider.Findings{}, err
	}
	given, err := dollars(o.RefundAmount)
	if err != nil {
		return provider.Findings{}, err
	}
	f := provider.Findings{
		Finding:   provider.FindingInProgress,
		Reference: provider.Reference{OrderID: o.MerchantTradeNo, TransactionID: string(o.TradeNo)},
	}
	switch p.settings.Wire.TradeStatus[string(o.TradeStatus)] {
	case statusPaid:
		f.Finding, f.Complete, f.Captured, f.Refunded = provider.FindingFound, true, taken, given
	case statusFailed:
		f.Finding, f.Complete = provider.FindingEnded, true
	case statusUnpaid:
		created, final := at(o.TradeDate), time.Duration(p.settings.Wire.UnpaidFinalAfter)
		if final > 0 && !created.IsZero() && p.now().Sub(created) >= final {
			f.Finding, f.Complete = provider.FindingEnded, true
		}
	}
	return f, nil
}

// asPayment is a record in the shape of the answer to the payment that it is about.
func (a answer) asPayment() provider.Native {
	body := a.body.Without("RefundAmount")
	if order, err := notation.ReadObject(a.body.Get("OrderInfo")); err == nil {
		body = body.With("OrderInfo", order.Without("RefundAmount").Bytes())
	}
	return provider.Native{Body: body.Bytes()}
}
