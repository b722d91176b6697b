package icashpay

import (
	"context"
	"errors"
	"time"

	"github.com/payrack/payrack/plugins/sdk/notation"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// payColumnsOf are the columns of a payment beside those that travel in typed fields, in whole dollars.
type payColumnsOf struct {
	ids

	MerchantTradeDate   string `json:"MerchantTradeDate"`
	ItemAmt             *int64 `json:"ItemAmt"`
	UtilityAmt          int64  `json:"UtilityAmt"`
	CommAmt             int64  `json:"CommAmt"`
	ItemNonRedeemAmt    int64  `json:"ItemNonRedeemAmt"`
	UtilityNonRedeemAmt int64  `json:"UtilityNonRedeemAmt"`
	CommNonRedeemAmt    int64  `json:"CommNonRedeemAmt"`
	NonPointAmt         int64  `json:"NonPointAmt"`
}

// payBody is the clear text of a payment. Amounts are hundredths in text.
type payBody struct {
	PlatformID          string    `json:"PlatformID"`
	MerchantID          string    `json:"MerchantID"`
	MerchantTradeNo     string    `json:"MerchantTradeNo"`
	StoreID             string    `json:"StoreID"`
	StoreName           string    `json:"StoreName"`
	MerchantTradeDate   string    `json:"MerchantTradeDate"`
	TotalAmount         string    `json:"TotalAmount"`
	ItemAmt             string    `json:"ItemAmt"`
	UtilityAmt          string    `json:"UtilityAmt"`
	CommAmt             string    `json:"CommAmt"`
	ItemNonRedeemAmt    string    `json:"ItemNonRedeemAmt"`
	UtilityNonRedeemAmt string    `json:"UtilityNonRedeemAmt"`
	CommNonRedeemAmt    string    `json:"CommNonRedeemAmt"`
	NonPointAmt         string    `json:"NonPointAmt"`
	Item                *struct{} `json:"Item"`
	Barcode             string    `json:"Barcode"`
}

// Pay charges the code that the payer shows.
func (p *Provider) Pay(ctx context.Context, r provider.PayRequest) provider.Answer {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.settings.Timeouts.Pay))
	defer cancel()
	m, err := merchantOf(r.Call)
	if err != nil {
		return provider.NothingSent(provider.ReasonAuth, err).Answer()
	}
	body, err := p.payBody(m, r)
	if err != nil {
		return provider.NothingSent(provider.ReasonInvalid, err).Answer()
	}
	a, failure := p.exchange(ctx, r.Call, m, p.settings.Wire.Paths.Pay, body)
	switch {
	case failure != nil:
		return failure.Answer()
	case a.code != codeSuccess:
		return p.settle(a)
	case a.TransactionID == "":
		return provider.BadAnswer(errors.New("success without a transaction id")).Answer()
	}
	taken, err := dollars(a.TotalAmount)
	if err != nil {
		return provider.BadAnswer(err).Answer()
	}
	// Order and amount as the gateway answered them: the platform compares.
	return provider.Approved(provider.Result{
		Code: a.code, Captured: taken, ProviderTime: a.at(),
		Reference: provider.Reference{OrderID: a.MerchantTradeNo, TransactionID: string(a.TransactionID)},
	}, a.native())
}

func (p *Provider) payBody(m merchant, r provider.PayRequest) (payBody, error) {
	var c payColumnsOf
	if err := r.Call.Columns.Decode(&c); err != nil {
		return payBody{}, errors.New("the columns of the request cannot be read")
	}
	shop, err := m.with(c.ids)
	if err != nil {
		return payBody{}, err
	}
	item := r.Amount.Units - c.UtilityAmt - c.CommAmt
	switch {
	case r.Amount.Currency != currency || r.Amount.Units < 1:
		return payBody{}, errors.New("TotalAmount must be a whole number of TWD")
	case !r.Capture:
		return payBody{}, errors.New("a payment that is only authorized is not supported: icash Pay takes the money at once")
	case r.Code.Empty() || r.Reference.OrderID == "":
		return payBody{}, errors.New("Barcode and MerchantTradeNo are needed") //nolint:staticcheck // the names of columns
	case c.ItemAmt != nil && *c.ItemAmt != item, item < 0:
		return payBody{}, errors.New("TotalAmount must be the sum of ItemAmt, UtilityAmt and CommAmt")
	}
	b := payBody{
		PlatformID: shop.PlatformID, MerchantID: shop.MerchantID, StoreID: shop.StoreID, StoreName: shop.StoreName,
		MerchantTradeNo: r.Reference.OrderID, MerchantTradeDate: c.MerchantTradeDate, Barcode: r.Code.Reveal(),
	}
	if b.MerchantTradeDate == "" {
		b.MerchantTradeDate = p.date()
	}
	for _, amount := range []struct {
		to    *string
		units int64
	}{
		{&b.TotalAmount, r.Amount.Units},
		{&b.ItemAmt, item},
		{&b.UtilityAmt, c.UtilityAmt},
		{&b.CommAmt, c.CommAmt},
		{&b.ItemNonRedeemAmt, c.ItemNonRedeemAmt},
		{&b.UtilityNonRedeemAmt, c.UtilityNonRedeemAmt},
		{&b.CommNonRedeemAmt, c.CommNonRedeemAmt},
		{&b.NonPointAmt, c.NonPointAmt},
	} {
		if *amount.to, err = cents(amount.units); err != nil {
			return payBody{}, err
		}
	}
	return b, nil
}

// cents writes whole dollars as the gateway has them.
func cents(units int64) (string, error) {
	return notation.Scaled(provider.Money{Units: units, Currency: currency}, hundredths)
}

// date is now, as the gateway writes it.
func (p *Provider) date() string { return notation.LocalTime(p.now(), notation.SlashDateTime) }

// at is the gateway's time; one that cannot be read is no time, because nothing depends on it.
func (r record) at() time.Time {
	at, err := notation.ParseLocalTime(r.PaymentDate, notation.SlashDateTime)
	if err != nil {
		return time.Time{}
	}
	return at
}
