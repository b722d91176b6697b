package linepay

import (
	"embed"
	"encoding/json"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// LINE Pay documents neither how late a landed call may be missing in its records nor how late an accepted one
// may still take money. A one-time code lives 300 s; the other figures are as careful.
const (
	searchLag  = 30 * time.Second
	landingMax = 300 * time.Second
)

//go:embed schema/*.json
var schemas embed.FS

// schema reads an embedded file; that each one is there, the tests of Describe see.
func schema(name string) json.RawMessage {
	raw, err := schemas.ReadFile("schema/" + name + ".json")
	if err != nil {
		return nil
	}
	return raw
}

// Describe says what the provider is.
func (*Provider) Describe() provider.Description {
	currencies := make([]provider.Currency, 0, len(exponents))
	for _, code := range []string{"TWD", "THB", "USD", "JPY"} {
		currencies = append(currencies, provider.Currency{Code: code, Exponent: exponents[code]})
	}
	return provider.Description{
		MessageFrom: "LINE_PAY",
		Settings:    schema("settings"),
		Types: []provider.Type{
			{
				Name: TypeQRCode, Credential: schema("credential"), Currencies: currencies,
				Operations: []provider.Operation{
					charge("pay", "pay_answer", payMax),
					followUp(provider.KindCapture, "capture", "capture_answer", followMax),
					followUp(provider.KindVoid, "void", "envelope", followMax),
					followUp(provider.KindRefund, "refund", "refund_answer", followMax),
					search(),
				},
			},
			{
				Name: TypeOnline, Credential: schema("credential_online"), Currencies: currencies,
				Operations: []provider.Operation{
					begin(),
					followUp(provider.KindConfirm, "confirm", "confirm_answer", confirmMax),
					followUp(provider.KindCapture, "capture", "capture_answer", captureMax),
					followUp(provider.KindVoid, "void", "envelope", followMax),
					followUp(provider.KindRefund, "refund", "refund_answer", followMax),
					search(),
				},
			},
			{
				Name: TypePreapproved, Credential: schema("credential_online"), Currencies: currencies,
				Operations: []provider.Operation{
					charge("preapproved", "preapproved_answer", payMax),
					followUp(provider.KindCapture, "capture", "capture_answer", captureMax),
					followUp(provider.KindVoid, "void", "envelope", followMax),
					followUp(provider.KindRefund, "refund", "refund_answer", followMax),
					search(),
					mandate(provider.KindCheckMandate, "mandate_check"),
					mandate(provider.KindExpireMandate, "mandate_expire"),
				},
			},
		},
	}
}

// bodies are the answers that the platform gives by itself, in LINE Pay's shape. PRK1 is the platform's own code.
func bodies() map[provider.Situation]json.RawMessage {
	return map[provider.Situation]json.RawMessage{
		provider.SituationDuplicateOrder: []byte(`{"returnCode":"1172","returnMessage":"Existing same orderId."}`),
		provider.SituationInProgress:     []byte(`{"returnCode":"1145","returnMessage":"Payment in progress."}`),
		provider.SituationReversing:      []byte(`{"returnCode":"PRK1","returnMessage":"The payment is being given back."}`),
	}
}

// charge is a payment that takes or holds money at once.
func charge(columns, answer string, longest time.Duration) provider.Operation {
	return provider.Operation{
		Kind: provider.KindPay, Columns: schema(columns), Answer: schema(answer), MovesMoney: true, OrderIDUnique: true,
		FoundByOrderID: true, SearchLagMax: searchLag, LandingMax: landingMax, MaxDuration: longest, Bodies: bodies(),
	}
}

// begin asks the payer to approve. It moves nothing, and the order number can be used again until it is paid.
func begin() provider.Operation {
	return provider.Operation{
		Kind: provider.KindPay, Columns: schema("request"), Answer: schema("request_answer"),
		SearchLagMax: searchLag, LandingMax: landingMax, MaxDuration: requestMax, Bodies: bodies(),
	}
}

func followUp(kind provider.Kind, columns, answer string, longest time.Duration) provider.Operation {
	return provider.Operation{
		Kind: kind, Columns: schema(columns), Answer: schema(answer), MovesMoney: true, FoundByOrderID: true,
		SearchLagMax: searchLag, LandingMax: landingMax, MaxDuration: longest, Bodies: bodies(),
	}
}

func search() provider.Operation {
	return provider.Operation{
		Kind: provider.KindSearch, Columns: schema("search"), Answer: schema("search_answer"), FoundByOrderID: true,
		SearchLagMax: searchLag, MaxDuration: searchMax,
	}
}

func mandate(kind provider.Kind, columns string) provider.Operation {
	return provider.Operation{Kind: kind, Columns: schema(columns), Answer: schema("envelope"), MaxDuration: mandateMax}
}
