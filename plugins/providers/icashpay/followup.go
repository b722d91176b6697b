package icashpay

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/payrack/payrack/plugins/sdk/notation"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// numberLength is the length of the numbers that payrack gives to refunds.
const numberLength = 20

// refundBody is the clear text of a refund.
type refundBody struct {
	PlatformID        string `json:"PlatformID"`
	MerchantID        string `json:"MerchantID"`
	OMerchantTradeNo  string `json:"OMerchantTradeNo"`
	TransactionID     string `json:"TransactionID"`
	StoreID           string `json:"StoreID"`
	StoreName         string `json:"StoreName"`
	MerchantTradeNo   string `json:"MerchantTradeNo"`
	RefundTotalAmount string `json:"RefundTotalAmount"`
	RefundItemAmt     string `json:"RefundItemAmt"`
	RefundUtilityAmt  string `json:"RefundUtilityAmt"`
	RefundCommAmt     string `json:"RefundCommAmt"`
	MerchantTradeDate string `json:"MerchantTradeDate"`
}

// voidBody is the clear text of a void.
type voidBody struct {
	PlatformID        string `json:"PlatformID"`
	MerchantID        string `json:"MerchantID"`
	TransactionID     string `json:"TransactionID"` // empty where the answer to the payment was lost
	StoreID           string `json:"StoreID"`
	StoreName         string `json:"StoreName"`
	MerchantTradeNo   string `json:"MerchantTradeNo"`
	MerchantTradeDate string `json:"MerchantTradeDate"`
}

// Refund gives money back, the whole of a payment or a part.
func (p *Provider) Refund(ctx context.Context, r provider.RefundRequest) provider.Answer {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.settings.Timeouts.Pay))
	defer cancel()
	m, err := merchantOf(r.Call)
	if err != nil {
		return provider.NothingSent(provider.ReasonAuth, err).Answer()
	}
	body, err := p.refundBody(m, r)
	if err != nil {
		return provider.NothingSent(provider.ReasonInvalid, err).Answer()
	}
	if body.TransactionID == "" {
		// The answer to the payment was lost; its record has the id. The refund itself was not sent yet.
		paid, failure := p.query(ctx, r.Call, m, r.Reference.OrderID)
		if failure != nil || paid.code != codeSuccess || paid.TransactionID == "" {
			return provider.NothingSent(provider.ReasonUnavailable, errors.New("a refund needs the payment's TransactionID, and a search did not bring it")).Answer()
		}
		body.TransactionID = string(paid.TransactionID)
	}
	a, failure := p.exchange(ctx, r.Call, m, p.settings.Wire.Paths.Refund, body)
	switch {
	case failure != nil:
		return failure.Answer()
	case a.code != codeSuccess:
		return p.settleFollowUp(a)
	case a.MerchantTradeNo != "" && a.MerchantTradeNo != body.MerchantTradeNo:
		return provider.BadAnswer(errors.New("the answer is about another refund")).Answer()
	}
	given, err := dollars(a.RefundTotalAmount)
	if err != nil {
		return provider.BadAnswer(err).Answer()
	}
	id := string(a.TransactionID)
	if id == "" || id == body.TransactionID {
		id = body.MerchantTradeNo
	}
	return provider.Approved(provider.Result{
		Code: a.code, Refunded: given, ProviderTime: a.at(),
		Reference: provider.Reference{OrderID: a.OMerchantTradeNo, TransactionID: id},
	}, a.native())
}

func (p *Provider) refundBody(m merchant, r provider.RefundRequest) (refundBody, error) {
	var c struct {
		ids

		RefundItemAmt    *int64 `json:"RefundItemAmt"`
		RefundUtilityAmt int64  `json:"RefundUtilityAmt"`
		RefundCommAmt    int64  `json:"RefundCommAmt"`
	}
	if err := r.Call.Columns.Decode(&c); err != nil {
		return refundBody{}, errors.New("the columns of the request cannot be read")
	}
	shop, err := m.with(c.ids)
	if err != nil {
		return refundBody{}, err
	}
	item := r.Amount.Units - c.RefundUtilityAmt - c.RefundCommAmt
	switch {
	case r.Amount.Currency != currency || r.Amount.Units < 1:
		return refundBody{}, errors.New("RefundTotalAmount must be a whole number of TWD")
	case c.RefundItemAmt != nil && *c.RefundItemAmt != item, item < 0:
		return refundBody{}, errors.New("RefundTotalAmount must be the sum of RefundItemAmt, RefundUtilityAmt and RefundCommAmt")
	case r.Reference.OrderID == "" || r.Reference.ClientReference == "":
		return refundBody{}, errors.New("OMerchantTradeNo is missing")
	}
	b := refundBody{
		PlatformID: shop.PlatformID, MerchantID: shop.MerchantID, StoreID: shop.StoreID, StoreName: shop.StoreName,
		OMerchantTradeNo: r.Reference.OrderID, TransactionID: r.Reference.TransactionID,
		MerchantTradeNo: notation.Reference(r.Reference.ClientReference, numberLength), MerchantTradeDate: p.date(),
	}
	for _, amount := range []struct {
		to    *string
		units int64
	}{{&b.RefundTotalAmount, r.Amount.Units}, {&b.RefundItemAmt, item}, {&b.RefundUtilityAmt, c.RefundUtilityAmt}, {&b.RefundCommAmt, c.RefundCommAmt}} {
		if *amount.to, err = cents(amount.units); err != nil {
			return refundBody{}, err
		}
	}
	return b, nil
}

// Void cancels a payment by its order number, taken or under way (取消交易, 沖正).
func (p *Provider) Void(ctx context.Context, r provider.VoidRequest) provider.Answer {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.settings.Timeouts.Pay))
	defer cancel()
	m, err := merchantOf(r.Call)
	if err != nil {
		return provider.NothingSent(provider.ReasonAuth, err).Answer()
	}
	var c struct {
		ids

		MerchantTradeDate string `json:"MerchantTradeDate"`
	}
	if err := r.Call.Columns.Decode(&c); err != nil || r.Reference.OrderID == "" {
		return provider.NothingSent(provider.ReasonInvalid, errors.New("MerchantTradeNo is missing, or the columns cannot be read")).Answer()
	}
	shop, err := m.with(c.ids)
	if err != nil {
		return provider.NothingSent(provider.ReasonInvalid, err).Answer()
	}
	a, failure := p.exchange(ctx, r.Call, m, p.settings.Wire.Paths.Void, voidBody{
		PlatformID: shop.PlatformID, MerchantID: shop.MerchantID, StoreID: shop.StoreID, StoreName: shop.StoreName,
		TransactionID: r.Reference.TransactionID, MerchantTradeNo: r.Reference.OrderID, MerchantTradeDate: cmp.Or(c.MerchantTradeDate, p.date()),
	})
	switch {
	case failure != nil:
		return failure.Answer()
	case a.code != codeSuccess:
		return p.settleFollowUp(a)
	}
	return provider.Approved(provider.Result{
		Code: a.code, ProviderTime: a.at(), Reference: provider.Reference{OrderID: a.MerchantTradeNo, TransactionID: string(a.TransactionID)},
	}, a.native())
}

// settleFollowUp sorts the answer to a refund or a void that is no success. Of a payment that the gateway does not
// know nothing is given back.
func (p *Provider) settleFollowUp(a answer) provider.Answer {
	if p.settings.Wire.Codes[a.code].Class == classNotFound {
		return provider.Declined(provider.Result{Code: a.code, DeclineCode: "payment_not_found"}, a.native())
	}
	return p.settle(a)
}
