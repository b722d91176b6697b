package ecpay

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/payrack/payrack/plugins/sdk/notation"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

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
	a, failure := p.exchange(ctx, r.Call, m, pathPay, body)
	if failure != nil {
		return failure.Answer()
	}
	if a.code != codeSuccess {
		return p.settle(a)
	}
	order := a.order()
	taken, err := dollars(order.TradeAmt)
	switch {
	case err != nil:
		return provider.BadAnswer(err).Answer()
	case order.TradeNo == "":
		return provider.BadAnswer(errors.New("success without a TradeNo")).Answer()
	case order.TradeStatus != "" && p.settings.Wire.TradeStatus[string(order.TradeStatus)] != statusPaid:
		return provider.Undecided(provider.Result{Code: a.code}, a.native()) // taken to work on, and not paid yet
	}
	// Order and amount as ECPay answered them: the platform compares.
	return provider.Approved(provider.Result{
		Code: a.code, Captured: taken, ProviderTime: at(order.PaymentDate),
		Reference: provider.Reference{OrderID: orderOf(r.Reference.OrderID, order.MerchantTradeNo), TransactionID: string(order.TradeNo)},
	}, a.native())
}

// payBody is the clear text of a payment.
func (p *Provider) payBody(m merchant, r provider.PayRequest) (map[string]any, error) {
	var c struct {
		MerchantTradeDate string `json:"MerchantTradeDate"`
		TradeDesc         string `json:"TradeDesc"`
		ReturnURL         string `json:"ReturnURL"`
	}
	if err := r.Call.Columns.Decode(&c); err != nil {
		return nil, errors.New("the columns of the request cannot be read")
	}
	returnURL := cmp.Or(c.ReturnURL, p.settings.ReturnURL)
	switch {
	case r.Amount.Currency != currency || r.Amount.Exponent != 0 || r.Amount.Units < 1:
		return nil, errors.New("the column Amount must be a whole number of TWD")
	case !r.Capture:
		return nil, errors.New("a payment that is only authorized is not supported: ECPay takes the money at once")
	case r.Code.Empty() || r.Description == "":
		return nil, errors.New("the columns TWQRCode and ItemName are needed")
	case !number.MatchString(tradeNo(r.Reference.OrderID)):
		return nil, errors.New("the column MerchantTradeNo must be 1 to 20 letters and digits")
	case reserved(r.Reference.OrderID):
		return nil, errors.New("the column MerchantTradeNo has the form of a later attempt's number: take another one")
	case !webAddress(returnURL):
		return nil, errors.New("the column ReturnURL is needed: give it in the request, or set return_url in the plugin's settings")
	}
	body := map[string]any{
		"MerchantID": m.MerchantID,
		"OrderInfo": map[string]any{
			"MerchantTradeNo": tradeNo(r.Reference.OrderID), "MerchantTradeDate": cmp.Or(c.MerchantTradeDate, notation.LocalTime(p.now(), notation.SlashDateTime)),
			"Amount": r.Amount.Units, "ItemName": r.Description, "TradeDesc": cmp.Or(c.TradeDesc, r.Description), "ReturnURL": returnURL,
		},
		"ChoosePayment": p.settings.Wire.ChoosePayment,
	}
	if object, member, nested := strings.Cut(p.settings.Wire.CodeMember, "."); nested {
		inner, ok := body[object].(map[string]any)
		if !ok {
			inner = map[string]any{}
		}
		inner[member], body[object] = r.Code.Reveal(), inner
	} else {
		body[object] = r.Code.Reveal()
	}
	return body, nil
}

// at reads ECPay's time; one that cannot be read is no time, because nothing depends on it.
func at(text string) time.Time {
	t, err := notation.ParseLocalTime(text, notation.SlashDateTime)
	if err != nil {
		return time.Time{}
	}
	return t
}
