// Package ipass speaks to the offline API of iPASS MONEY (一卡通): the till scans the code that the payer
// shows.
//
// It serves the payment type IPASS_OFFLINE_PAY. Requests and answers are encrypted; the answers reach the
// client in the platform's own member names, with every value as the gateway wrote it. iPASS publishes no
// specification of its gateway: all that was assumed about it stands in wire.go and nowhere else.
package ipass

import (
	"context"
	_ "embed" // the schemas
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// TypeOfflinePay is the payment type of the offline API.
const TypeOfflinePay = "IPASS_OFFLINE_PAY"

const (
	connectMax = 3 * time.Second
	payMax     = connectMax + 30*time.Second // the wallet may have to ask the payer's bank
	searchMax  = connectMax + 20*time.Second
	// A follow-up may have to find the transaction id first; both requests share this time.
	followUpMax = connectMax + 20*time.Second
	searchLag   = 60 * time.Second
	landingMax  = 300 * time.Second
)

//go:embed schema/credential.json
var credentialSchema []byte

//go:embed schema/settings.json
var settingsSchema []byte

//go:embed schema/pay.json
var payColumns []byte

//go:embed schema/pay_answer.json
var payAnswer []byte

//go:embed schema/capture.json
var captureColumns []byte

//go:embed schema/capture_answer.json
var captureAnswer []byte

//go:embed schema/refund.json
var refundColumns []byte

//go:embed schema/refund_answer.json
var refundAnswer []byte

//go:embed schema/void.json
var voidColumns []byte

//go:embed schema/void_answer.json
var voidAnswer []byte

//go:embed schema/search.json
var searchColumns []byte

//go:embed schema/search_answer.json
var searchAnswer []byte

// Provider is the iPASS provider. It keeps no state between calls.
type Provider struct {
	endpoints provider.Endpoints
	timeouts  Timeouts
	wire      Wire
	slip      string
	host      provider.Host
	http      *provider.Client
}

// Open makes a provider from its settings; the zero Settings are the defaults, without a gateway.
func Open(_ context.Context, s Settings, host provider.Host) (provider.Provider, error) {
	if problems := s.Problems(); len(problems) > 0 {
		return nil, errors.New(strings.Join(problems, "; "))
	}
	s = s.withDefaults()
	if host.Log == nil {
		host.Log = slog.New(slog.DiscardHandler)
	}
	if host.Now == nil {
		host.Now = time.Now
	}
	p := &Provider{endpoints: s.Endpoints, timeouts: s.Timeouts, wire: s.Wire.withDefaults(), slip: s.RefundWithoutAmount, host: host}
	if host.HTTP != nil {
		p.http = host.HTTP.With(provider.ClientOptions{ConnectTimeout: connectMax, Timeout: payMax})
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
		MessageFrom: "IPASS",
		Settings:    settingsSchema,
		Types: []provider.Type{{
			Name:       TypeOfflinePay,
			Credential: credentialSchema,
			Currencies: []provider.Currency{{Code: currency, Exponent: 0}},
			Operations: []provider.Operation{
				{
					Kind:           provider.KindPay,
					Columns:        payColumns,
					Answer:         payAnswer,
					Aliases:        []provider.Route{{Method: http.MethodPost, Path: "/v1/payment/ipass/offline/pay"}},
					MovesMoney:     true,
					OrderIDUnique:  true,
					FoundByOrderID: true,
					SearchLagMax:   searchLag,
					LandingMax:     landingMax,
					MaxDuration:    payMax,
					Bodies: map[provider.Situation]json.RawMessage{
						provider.SituationDuplicateOrder: []byte(`{"return_code":"0006","return_msg":"該OrderNumber重複"}`),
						provider.SituationInProgress:     []byte(`{"return_code":"PRK2","return_msg":"該OrderNumber付款處理中，結果未定"}`),
						provider.SituationReversing:      []byte(`{"return_code":"PRK1","return_msg":"該OrderNumber付款已取消，款項退還中"}`),
					},
				},
				{
					Kind:           provider.KindCapture,
					Columns:        captureColumns,
					Answer:         captureAnswer,
					MovesMoney:     true,
					FoundByOrderID: true,
					SearchLagMax:   searchLag,
					LandingMax:     landingMax,
					MaxDuration:    followUpMax,
				},
				{
					Kind:       provider.KindVoid,
					Columns:    voidColumns,
					Answer:     voidAnswer,
					Aliases:    []provider.Route{{Method: http.MethodPost, Path: "/v1/payment/ipass/offline/void"}},
					MovesMoney: true,
					// Not CancelsUnlanded: whether a void blocks a payment that arrives later is not known.
					FoundByOrderID: true,
					SearchLagMax:   searchLag,
					LandingMax:     landingMax,
					MaxDuration:    followUpMax,
				},
				{
					Kind:       provider.KindRefund,
					Columns:    refundColumns,
					Answer:     refundAnswer,
					Aliases:    []provider.Route{{Method: http.MethodPost, Path: "/v1/payment/ipass/offline/refund"}},
					MovesMoney: true,
					// Not IdempotentReplay: whether a refund with a known reqId is replayed is not known.
					FoundByOrderID:   true,
					CarriesReference: true,
					SearchLagMax:     searchLag,
					LandingMax:       landingMax,
					MaxDuration:      followUpMax,
				},
				{
					Kind:           provider.KindSearch,
					Columns:        searchColumns,
					Answer:         searchAnswer,
					Aliases:        []provider.Route{{Method: http.MethodPost, Path: "/v1/payment/ipass/offline/search"}},
					FoundByOrderID: true,
					SearchLagMax:   searchLag,
					MaxDuration:    searchMax,
				},
			},
		}},
	}
}
