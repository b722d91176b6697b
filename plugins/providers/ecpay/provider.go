// Package ecpay speaks to the POS API of ECPay (綠界): the till scans the TWQR code that the payer shows in the app of
// a bank or a wallet.
//
// It serves the payment type ECPAY_TWQR_POS: pay, search and refund; ECPay documents no void. Requests and answers are
// enciphered and not signed, so that what is read is compared with what was asked for. The client sees the answer in
// the clear, byte for byte. What was assumed about the API stands in wire.go and nowhere else.
package ecpay

import (
	"context"
	_ "embed" // the schemas
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// TypeTWQR is the payment type of the POS API.
const TypeTWQR = "ECPAY_TWQR_POS"

const (
	payMax    = 40 * time.Second // ECPay asks for 30 s at least, because a bank is asked
	searchMax = 25 * time.Second
	// A payment may be without its bank's answer for ten minutes, and for ten more.
	searchLag  = 10 * time.Minute
	landingMax = 10 * time.Minute
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
)

// Provider is the ECPay provider. It keeps no state between calls.
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
		MessageFrom: "ECPAY",
		Settings:    settingsSchema,
		Types: []provider.Type{{
			Name:       TypeTWQR,
			Credential: credentialSchema,
			Currencies: []provider.Currency{{Code: currency, Exponent: 0}},
			Operations: []provider.Operation{
				{
					Kind: provider.KindPay, Columns: payColumns, Answer: payAnswer,
					MovesMoney: true, OrderIDUnique: true, FoundByOrderID: true,
					SearchLagMax: searchLag, LandingMax: landingMax, MaxDuration: payMax,
					Bodies: map[provider.Situation]json.RawMessage{
						provider.SituationDuplicateOrder: []byte(`{"RtnCode":10200047,"RtnMsg":"MerchantTradeNo 重複"}`),
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
			},
		}},
	}
}
