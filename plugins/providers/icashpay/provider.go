// Package icashpay speaks to the offline API of icash Pay (愛金卡): the till scans the code that the payer shows.
//
// It serves the payment type I_CASH_QRCODE_PAY. Requests are enciphered and signed, answers too; an answer whose
// signature does not fit says nothing. The client sees the gateway's members with its amounts in whole dollars,
// which the gateway writes as hundredths. What was assumed about the gateway stands in wire.go and nowhere else.
package icashpay

import (
	"context"
	_ "embed" // the schemas
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// TypeQRCode is the payment type of the offline API.
const TypeQRCode = "I_CASH_QRCODE_PAY"

// icash Pay publishes no times. These are those of the other wallets: a bank may have to be asked.
const (
	payMax     = 35 * time.Second
	searchMax  = 25 * time.Second
	searchLag  = 60 * time.Second
	landingMax = 300 * time.Second
)

var (
	//go:embed schema/credential.json
	credentialSchema []byte
	//go:embed schema/settings.json
	settingsSchema []byte
	//go:embed schema/pay.json
	payColumns []byte
	//go:embed schema/pay_answer.json
	payAnswer []byte
	//go:embed schema/search.json
	searchColumns []byte
	//go:embed schema/search_answer.json
	searchAnswer []byte
	//go:embed schema/refund.json
	refundColumns []byte
	//go:embed schema/refund_answer.json
	refundAnswer []byte
	//go:embed schema/void.json
	voidColumns []byte
	//go:embed schema/void_answer.json
	voidAnswer []byte
)

// Provider is the icash Pay provider. It keeps no state between calls.
type Provider struct {
	settings Settings
	now      func() time.Time
	http     *provider.Client
}

// Open makes a provider from its settings; the zero Settings are the defaults.
func Open(_ context.Context, s Settings, host provider.Host) (provider.Provider, error) {
	if problems := s.Problems(); len(problems) > 0 {
		return nil, errors.New(strings.Join(problems, "; "))
	}
	p := &Provider{settings: s.withDefaults(), now: host.Now}
	if p.now == nil {
		p.now = time.Now
	}
	if host.HTTP != nil {
		p.http = host.HTTP.With(provider.ClientOptions{Timeout: payMax})
	}
	return p, nil
}

// Close gives back the connections of these settings.
func (p *Provider) Close() error {
	if p.http != nil {
		p.http.CloseIdle()
	}
	return nil
}

// Describe says what the provider is.
func (*Provider) Describe() provider.Description {
	return provider.Description{
		MessageFrom: "ICASH_PAY",
		Settings:    settingsSchema,
		Types: []provider.Type{{
			Name:       TypeQRCode,
			Credential: credentialSchema,
			Currencies: []provider.Currency{{Code: currency, Exponent: 0}},
			Operations: []provider.Operation{
				{
					Kind: provider.KindPay, Columns: payColumns, Answer: payAnswer,
					MovesMoney: true, OrderIDUnique: true, FoundByOrderID: true,
					SearchLagMax: searchLag, LandingMax: landingMax, MaxDuration: payMax,
					Bodies: map[provider.Situation]json.RawMessage{
						provider.SituationDuplicateOrder: []byte(`{"RtnCode":-409,"RtnMsg":"訂單編號重複"}`),
						provider.SituationInProgress:     []byte(`{"RtnCode":-102,"RtnMsg":"付款處理中，結果未定"}`),
						provider.SituationReversing:      []byte(`{"RtnCode":-101,"RtnMsg":"付款已取消，款項退還中"}`),
					},
				},
				{
					Kind: provider.KindSearch, Columns: searchColumns, Answer: searchAnswer,
					FoundByOrderID: true, SearchLagMax: searchLag, MaxDuration: searchMax,
				},
				{
					Kind: provider.KindRefund, Columns: refundColumns, Answer: refundAnswer,
					MovesMoney: true, FoundByOrderID: true, CarriesReference: true,
					SearchLagMax: searchLag, LandingMax: landingMax, MaxDuration: payMax,
				},
				{
					Kind: provider.KindVoid, Columns: voidColumns, Answer: voidAnswer,
					MovesMoney: true, FoundByOrderID: true,
					SearchLagMax: searchLag, LandingMax: landingMax, MaxDuration: payMax,
				},
			},
		}},
	}
}
