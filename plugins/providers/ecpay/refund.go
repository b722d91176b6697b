package ecpay

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/payrack/payrack/plugins/sdk/notation"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

type refundBody struct {
	MerchantID       string `json:"MerchantID"`
	MerchantTradeNo  string `json:"MerchantTradeNo"`
	MerchantRefundNo string `json:"MerchantRefundNo"`
	RefundAmount     int64  `json:"RefundAmount"`
	RefundReason     string `json:"RefundReason,omitempty"`
	NotifyURL        string `json:"NotifyURL,omitempty"`
}

// Refund gives money back, the whole of a payment or a part.
func (p *Provider) Refund(ctx context.Context, r provider.RefundRequest) provider.Answer {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.settings.Timeouts.Pay))
	defer cancel()
	m, err := merchantOf(r.Call)
	if err != nil {
		return provider.NothingSent(provider.ReasonAuth, err).Answer()
	}
	body, err := newRefund(m, r)
	if err != nil {
		return provider.NothingSent(provider.ReasonInvalid, err).Answer()
	}
	a, failure := p.exchange(ctx, r.Call, m, pathRefund, body)
	if failure != nil {
		return failure.Answer()
	}
	if p.settings.Wire.Codes[a.code].Class == classNotFound {
		// Of a payment that ECPay does not know nothing is given back.
		return provider.Declined(provider.Result{Code: a.code, DeclineCode: "payment_not_found"}, a.native())
	}
	if a.code != codeSuccess {
		return p.settle(a)
	}
	order := a.order()
	given, err := dollars(order.RefundAmount)
	switch {
	case err != nil:
		return provider.BadAnswer(err).Answer()
	case a.MerchantRefundNo != "" && a.MerchantRefundNo != body.MerchantRefundNo:
		return provider.BadAnswer(errors.New("the answer is about another refund")).Answer()
	}
	return provider.Approved(provider.Result{
		Code: a.code, Refunded: given,
		Reference: provider.Reference{OrderID: orderOf(r.Reference.OrderID, order.MerchantTradeNo), TransactionID: cmp.Or(string(a.RefundNo), body.MerchantRefundNo)},
	}, a.native())
}

func newRefund(m merchant, r provider.RefundRequest) (refundBody, error) {
	b := refundBody{
		MerchantID: m.MerchantID, MerchantTradeNo: tradeNo(r.Reference.OrderID), RefundAmount: r.Amount.Units,
		MerchantRefundNo: notation.Reference(r.Reference.ClientReference, numberLength),
	}
	var c struct {
		RefundReason string `json:"RefundReason"`
		NotifyURL    string `json:"NotifyURL"`
	}
	switch err := r.Call.Columns.Decode(&c); {
	case err != nil:
		return b, errors.New("the columns of the request cannot be read")
	case r.Amount.Currency != currency || r.Amount.Exponent != 0 || r.Amount.Units < 1:
		return b, errors.New("the column RefundAmount must be a whole number of TWD")
	case r.Reference.OrderID == "" || r.Reference.ClientReference == "":
		return b, errors.New("the column MerchantTradeNo is needed")
	}
	b.RefundReason, b.NotifyURL = c.RefundReason, c.NotifyURL
	return b, nil
}
