package icashpay

import (
	"context"
	"errors"
	"time"

	"github.com/payrack/payrack/plugins/sdk/notation"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

type searchBody struct {
	PlatformID      string `json:"PlatformID"`
	MerchantID      string `json:"MerchantID"`
	MerchantTradeNo string `json:"MerchantTradeNo"`
}

// query asks for the record of a payment or of a refund by the number that the merchant gave it.
func (p *Provider) query(ctx context.Context, call provider.Call, m merchant, number string) (answer, *provider.Failure) {
	return p.exchange(ctx, call, m, p.settings.Wire.Paths.Search, searchBody{m.PlatformID, m.MerchantID, number})
}

// Search answers a client with icash Pay's record of an order, and the platform with what became of a payment.
func (p *Provider) Search(ctx context.Context, r provider.SearchRequest) provider.SearchAnswer {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.settings.Timeouts.Search))
	defer cancel()
	failed := func(f *provider.Failure) provider.SearchAnswer { return provider.SearchAnswer{Failure: f} }
	m, err := merchantOf(r.Call)
	if err != nil {
		return failed(provider.NothingSent(provider.ReasonAuth, err))
	}
	var named ids
	if err := r.Call.Columns.Decode(&named); err != nil || r.Reference.OrderID == "" {
		return failed(provider.NothingSent(provider.ReasonInvalid, errors.New("MerchantTradeNo is missing: icash Pay finds a payment by it only")))
	}
	if _, err := m.with(named); err != nil {
		return failed(provider.NothingSent(provider.ReasonInvalid, err))
	}
	a, failure := p.query(ctx, r.Call, m, r.Reference.OrderID)
	if failure != nil {
		return failed(failure)
	}
	native := a.native()
	switch {
	case p.settings.Wire.Codes[a.code].Class == classNotFound:
		return provider.SearchAnswer{Findings: &provider.Findings{Finding: provider.FindingNotFound, Complete: true}, Native: native}
	case a.code != codeSuccess:
		f := &provider.Failure{Effect: provider.EffectPossible, Reason: provider.ReasonUnavailable, Code: a.code, Detail: "icash Pay refused the search"}
		return provider.SearchAnswer{Failure: f, Native: native}
	case a.MerchantTradeNo != "" && a.MerchantTradeNo != r.Reference.OrderID:
		return failed(provider.BadAnswer(errors.New("the answer is about another order")))
	}
	f, err := p.findings(a)
	if err != nil {
		return failed(provider.BadAnswer(err))
	}
	if r.Purpose == provider.PurposeResolve {
		native = provider.Native{}
		if r.About == provider.KindPay && f.Finding == provider.FindingFound {
			native = a.asPayment()
		}
		if r.About == provider.KindRefund && f.Finding == provider.FindingFound && f.Refunded == nil && p.settings.Wire.TradeStatus[string(a.TradeStatus)] != statusPaid {
			f = p.refundFindings(ctx, r, m, f)
		}
	}
	return provider.SearchAnswer{Findings: &f, Native: native}
}

// findings says what a record means. The amounts are reported as they are; the platform compares them.
func (p *Provider) findings(a answer) (provider.Findings, error) {
	taken, err := dollars(a.TotalAmount)
	if err != nil {
		return provider.Findings{}, err
	}
	given, err := dollars(a.RefundTotalAmount)
	if err != nil {
		return provider.Findings{}, err
	}
	const refund = "1"
	f := provider.Findings{
		Finding:   provider.FindingInProgress,
		Reference: provider.Reference{OrderID: a.MerchantTradeNo, TransactionID: string(a.TransactionID)},
	}
	if a.TradeType == refund {
		return f, nil // the number is a refund's: nothing is concluded about a payment
	}
	switch p.settings.Wire.TradeStatus[string(a.TradeStatus)] {
	case statusPaid, statusPartlyRefunded:
		f.Finding, f.Complete, f.Captured, f.Refunded = provider.FindingFound, true, taken, given
	case statusRefunded:
		f.Finding, f.Complete, f.Captured, f.Refunded = provider.FindingFound, true, taken, taken
	case statusCancelled, statusFailed:
		f.Finding, f.Complete = provider.FindingEnded, true
	}
	return f, nil
}

// refundFindings looks for one refund under its own number where the payment's record says that a part was given
// back and not how much. What is not found there is left open.
func (p *Provider) refundFindings(ctx context.Context, r provider.SearchRequest, m merchant, f provider.Findings) provider.Findings {
	f.Finding, f.Complete = provider.FindingInProgress, false
	if r.AboutReference == "" {
		return f
	}
	number := notation.Reference(r.AboutReference, numberLength)
	a, failure := p.query(ctx, r.Call, m, number)
	if failure != nil || a.code != codeSuccess || (a.MerchantTradeNo != "" && a.MerchantTradeNo != number) {
		return f
	}
	given, err := dollars(a.RefundTotalAmount)
	if err != nil || given == nil {
		return f
	}
	f.Movements = []provider.Movement{{
		Kind: provider.KindRefund, ID: string(a.TransactionID), ClientReference: r.AboutReference, Amount: *given, At: a.at(),
	}}
	return f
}

// asPayment is a record in the shape of the answer to the payment that it is about.
func (a answer) asPayment() provider.Native {
	a.inside = a.inside.Without(
		"TradeStatus", "TradeType", "AllocateStatus", "VToken", "OMerchantTradeNo",
		"RefundTotalAmount", "RefundICPAmount", "RefundBonusAmt", "OTotalAmount", "OICPAmount", "OBonusAmt",
	)
	return a.native()
}
