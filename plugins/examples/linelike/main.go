// Command payrack-provider-linelike is a provider for a gateway in the manner of LINE Pay: requests signed with
// HMAC-SHA256, an answer with a returnCode, ids of 19 digits. It charges and searches.
//
// It is an example of how little a provider needs. All of it is in this file; a test counts its lines.
package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
	"github.com/payrack/payrack/plugins/sdk/seal"
)

func main() { provider.Serve("linelike", Open) }

type credential struct {
	ChannelID     string          `json:"channel_id" payrack:"required,role=account" pattern:"^[0-9]{10}$"`
	ChannelSecret provider.Secret `json:"channel_secret" payrack:"required"`
}

type payColumns struct {
	ProductName string          `json:"productName" payrack:"required,role=description,text" max:"4000"`
	Amount      int64           `json:"amount" payrack:"required,role=amount" min:"1"`
	Currency    string          `json:"currency" payrack:"required,role=currency" enum:"TWD"`
	OrderID     string          `json:"orderId" payrack:"required,role=order" max:"100"`
	OneTimeKey  provider.Secret `json:"oneTimeKey" payrack:"required,role=code"`
}

type searchColumns struct {
	OrderID string `json:"orderId" payrack:"required,role=order" max:"100"`
}

type linelike struct{ gateway provider.JSONGateway }

// Open makes the provider.
func Open(_ context.Context, s provider.GatewaySettings, h provider.Host) (provider.Provider, error) {
	return &linelike{provider.JSONGateway{Endpoints: s.Endpoints, HTTP: h.HTTP, Sign: sign}}, nil
}

// Describe says what it is.
func (*linelike) Describe() provider.Description {
	return provider.Description{MessageFrom: "LINELIKE", Settings: provider.Schema[provider.GatewaySettings](), Types: []provider.Type{{
		Name: "LINELIKE_PAY", Credential: provider.Schema[credential](), Currencies: []provider.Currency{{Code: "TWD"}},
		Operations: []provider.Operation{
			{
				Kind: provider.KindPay, Columns: provider.Schema[payColumns](), MovesMoney: true, OrderIDUnique: true, FoundByOrderID: true,
				MaxDuration: 45 * time.Second, SearchLagMax: 30 * time.Second, LandingMax: 5 * time.Minute,
				Bodies: provider.NativeBodies(`{"returnCode":"1172"}`, `{"returnCode":"1145"}`, `{"returnCode":"PRK1"}`),
			},
			{Kind: provider.KindSearch, Columns: provider.Schema[searchColumns](), FoundByOrderID: true, MaxDuration: 25 * time.Second},
		},
	}}}
}

var codes = provider.Codes{
	"0000": provider.Paid(),
	"1133": provider.Refused("code_invalid"),
	"1142": provider.Refused("insufficient_funds"),
}

// charge is one payment in an answer.
type charge struct {
	OrderID       string          `json:"orderId"`
	TransactionID provider.Number `json:"transactionId"`
	PayInfo       []struct {
		Amount provider.Number `json:"amount"`
	} `json:"payInfo"`
}

// read returns the ids and the amount of a charge that was made.
func (c charge) read() (provider.Reference, *provider.Money, *provider.Failure) {
	id, err := c.TransactionID.ID()
	total := provider.Money{Currency: "TWD"}
	for _, p := range c.PayInfo {
		paid, wrong := p.Amount.Money("TWD", 0)
		if total.Units += paid.Units; wrong != nil {
			err = wrong
		}
	}
	if err != nil {
		return provider.Reference{}, nil, provider.BadAnswer(err)
	}
	return provider.Reference{OrderID: c.OrderID, TransactionID: id}, &total, nil
}

// Pay charges the code that the payer shows.
func (l *linelike) Pay(ctx context.Context, r provider.PayRequest) provider.Answer {
	var answer struct {
		Code string `json:"returnCode"`
		Info charge `json:"info"`
	}
	native, failure := l.gateway.Ask(ctx, r.Call, provider.JSONRequest{
		Method: http.MethodPost, Path: "/v4/payments/oneTimeKeys/pay", Answer: &answer, Message: map[string]any{
			"productName": r.Description, "amount": r.Amount.Units, "currency": r.Amount.Currency,
			"orderId": r.Reference.OrderID, "oneTimeKey": r.Code.Reveal(),
		},
	})
	result := provider.Result{Code: answer.Code}
	if failure == nil && answer.Code == "0000" {
		result.Reference, result.Captured, failure = answer.Info.read()
	}
	if failure != nil {
		return failure.Answer()
	}
	return codes.Answer(result, native)
}

// Search looks a payment up by its order number.
func (l *linelike) Search(ctx context.Context, r provider.SearchRequest) provider.SearchAnswer {
	var answer struct {
		Code string   `json:"returnCode"`
		Info []charge `json:"info"`
	}
	native, failure := l.gateway.Ask(ctx, r.Call, provider.JSONRequest{
		Method: http.MethodGet, Path: "/v4/payments", Query: url.Values{"orderId": {r.Reference.OrderID}}, Answer: &answer,
	})
	var found provider.Findings
	if answer.Code == "1150" {
		found = provider.Findings{Finding: provider.FindingNotFound, Complete: true}
	}
	if failure == nil && answer.Code == "0000" && len(answer.Info) == 1 {
		found = provider.Findings{Finding: provider.FindingFound, Complete: true}
		found.Reference, found.Captured, failure = answer.Info[0].read()
	}
	if failure != nil {
		return provider.SearchAnswer{Failure: failure}
	}
	return provider.SearchAnswer{Findings: &found, Native: native}
}

// sign proves who we are: HMAC-SHA256 over the secret, the path, the query or the body, and a nonce.
func sign(call provider.Call, u provider.Unsigned) (http.Header, error) {
	c, err := provider.CredentialOf[credential](call)
	key, nonce := c.ChannelSecret.Reveal(), rand.Text()
	mac := seal.MAC(key, key, u.Path, u.Query, string(u.Body), nonce)
	return http.Header{
		"X-LINE-ChannelId":           {c.ChannelID},
		"X-LINE-Authorization-Nonce": {nonce},
		"X-LINE-Authorization":       {base64.StdEncoding.EncodeToString(mac)},
	}, err
}
