// Package linepay speaks to the Offline API of LINE Pay: the till scans the code that the payer shows.
//
// It serves the payment type LINE_QRCODE_PAY in the API versions v2 and v2.4, which send the channel
// secret in a header, and v4, which signs. LINE Pay's answers reach the client byte for byte as they came;
// what the platform decides on is read from them beside that.
package linepay

import (
	"context"
	_ "embed" // the schemas
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// TypeQRCode is the payment type of the Offline API.
const TypeQRCode = "LINE_QRCODE_PAY"

const (
	payMax     = 45 * time.Second // 5 s to connect and the 40 s that LINE Pay asks for
	searchMax  = 25 * time.Second // 5 s to connect and 20 s
	searchLag  = 30 * time.Second
	landingMax = 300 * time.Second
)

//go:embed schema/credential.json
var credentialSchema []byte

//go:embed schema/settings.json
var settingsSchema []byte

//go:embed schema/pay.json
var payColumns []byte

//go:embed schema/pay_answer.json
var payAnswer []byte

//go:embed schema/search.json
var searchColumns []byte

//go:embed schema/search_answer.json
var searchAnswer []byte

// Provider is the LINE Pay provider. It keeps no state between calls.
type Provider struct {
	gateways map[string]*url.URL // by environment
	timeouts provider.Timeouts
	http     *provider.Client
}

// Open makes a provider from its settings; the zero Settings are the defaults.
func Open(_ context.Context, s Settings, host provider.Host) (provider.Provider, error) {
	if problems := s.Problems(); len(problems) > 0 {
		return nil, errors.New(strings.Join(problems, "; "))
	}
	s = s.withDefaults()
	p := &Provider{gateways: map[string]*url.URL{}, timeouts: s.Timeouts}
	for _, environment := range []string{provider.EnvironmentLive, provider.EnvironmentTest} {
		gateway, err := s.Endpoints.Of(environment)
		if err != nil {
			return nil, err
		}
		p.gateways[environment] = gateway
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
	currencies := make([]provider.Currency, 0, len(exponents))
	for _, code := range []string{"TWD", "THB", "USD", "JPY"} {
		currencies = append(currencies, provider.Currency{Code: code, Exponent: exponents[code]})
	}
	return provider.Description{
		MessageFrom: "LINE_PAY",
		Settings:    settingsSchema,
		Types: []provider.Type{{
			Name:       TypeQRCode,
			Credential: credentialSchema,
			Currencies: currencies,
			Operations: []provider.Operation{
				{
					Kind:           provider.KindPay,
					Columns:        payColumns,
					Answer:         payAnswer,
					MovesMoney:     true,
					OrderIDUnique:  true,
					FoundByOrderID: true,
					SearchLagMax:   searchLag,
					LandingMax:     landingMax,
					MaxDuration:    payMax,
					Bodies: map[provider.Situation]json.RawMessage{
						provider.SituationDuplicateOrder: []byte(`{"returnCode":"1172","returnMessage":"Existing same orderId."}`),
						provider.SituationInProgress:     []byte(`{"returnCode":"1145","returnMessage":"Payment in progress."}`),
						provider.SituationReversing:      []byte(`{"returnCode":"PRK1","returnMessage":"The payment is being given back."}`),
					},
				},
				{
					Kind:           provider.KindSearch,
					Columns:        searchColumns,
					Answer:         searchAnswer,
					FoundByOrderID: true,
					SearchLagMax:   searchLag,
					MaxDuration:    searchMax,
				},
			},
		}},
	}
}
