// Command toypay is a provider of a gateway that does not exist: JSON, a key in a header and a signature.
// The kit's own tests prove it.
package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

func main() { provider.Serve("toypay", open) }

type settings struct {
	Endpoints provider.Endpoints `json:"endpoints"`
}

// Problems says what is wrong with the settings.
func (s settings) Problems() []string { return s.Endpoints.Problems(provider.EndpointRules{}) }

type toy struct {
	settings settings
	http     *provider.Client
}

func open(_ context.Context, s settings, h provider.Host) (provider.Provider, error) {
	return &toy{settings: s, http: h.HTTP.With(provider.ClientOptions{})}, nil
}

func (t *toy) Close() error {
	t.http.CloseIdle()
	return nil
}

func (*toy) Describe() provider.Description {
	const members = `"order":{"type":"string","x-payrack-role":"order"}`
	columns := func(more, required string) []byte {
		return []byte(`{"type":"object","additionalProperties":false,"required":[` + required + `],"properties":{` + members + more + `}}`)
	}
	const money = `,"amount":{"type":"number","x-payrack-role":"amount"},"currency":{"type":"string","x-payrack-role":"currency"}`
	body := []byte(`{"code":"P001"}`)
	return provider.Description{
		MessageFrom: "TOYPAY",
		Settings:    []byte(`{"type":"object","additionalProperties":false,"properties":{"endpoints":{"type":"object"}}}`),
		Types: []provider.Type{{
			Name: "TOY_PAY",
			Credential: []byte(`{"type":"object","additionalProperties":false,"required":["shop","key"],"properties":{` +
				`"shop":{"type":"string","x-payrack-role":"account"},"key":{"type":"string","x-payrack-secret":true}}}`),
			Currencies: []provider.Currency{{Code: "TWD"}, {Code: "USD", Exponent: 2}},
			Operations: []provider.Operation{
				{
					Kind: provider.KindPay, MovesMoney: true, OrderIDUnique: true, FoundByOrderID: true,
					Columns:      columns(money+`,"code":{"type":"string","x-payrack-role":"code","x-payrack-secret":true}`, `"order","amount","currency","code"`),
					SearchLagMax: time.Second, LandingMax: time.Minute, MaxDuration: 30 * time.Second,
					Bodies: map[provider.Situation]json.RawMessage{
						provider.SituationDuplicateOrder: body, provider.SituationInProgress: body, provider.SituationReversing: body,
					},
				},
				{Kind: provider.KindSearch, Columns: columns("", `"order"`), MaxDuration: 10 * time.Second},
				{Kind: provider.KindRefund, Columns: columns(money, `"order","amount"`), MovesMoney: true, MaxDuration: 30 * time.Second},
			},
		}},
	}
}

type credential struct {
	Shop string          `json:"shop"`
	Key  provider.Secret `json:"key"`
}

type answer struct {
	Code     string `json:"code"`
	ID       string `json:"id"`
	Order    string `json:"order"`
	State    string `json:"state"`
	Amount   *int64 `json:"amount"`
	Refunded *int64 `json:"refunded"`

	native provider.Native
}

func (t *toy) send(ctx context.Context, call provider.Call, method, path string, body any) (answer, *provider.Failure) {
	var c credential
	switch err := call.Credential.Decode(&c); {
	case err != nil || c.Shop == "" || c.Key.Empty():
		return answer{}, provider.NothingSent(provider.ReasonAuth, errors.New("the credential set has no shop or no key"))
	case call.Account != "" && call.Account != c.Shop:
		return answer{}, provider.NothingSent(provider.ReasonAuth, errors.New("the credential set belongs to another shop"))
	}
	base, err := t.settings.Endpoints.Of(call.Environment)
	if err != nil {
		return answer{}, provider.NothingSent(provider.ReasonUnavailable, err)
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return answer{}, provider.NothingSent(provider.ReasonInternal, errors.New("the request cannot be written"))
	}
	req, err := http.NewRequestWithContext(ctx, method, base.String()+path, bytes.NewReader(raw))
	if err != nil {
		return answer{}, provider.NothingSent(provider.ReasonInternal, errors.New("the request cannot be formed"))
	}
	mac := hmac.New(sha256.New, []byte(c.Key.Reveal()))
	mac.Write(raw)
	req.Header.Set("X-Shop", c.Shop)
	req.Header.Set("X-Signature", hex.EncodeToString(mac.Sum(nil)))
	res, err := t.http.Do(ctx, call, req)
	if err != nil {
		return answer{}, provider.FailureOf(err)
	}
	if status := res.StatusError(); status != nil {
		return answer{}, status.Failure()
	}
	a := answer{native: provider.Native{Body: res.Body}}
	if json.Unmarshal(res.Body, &a) != nil || a.Code == "" {
		return answer{}, provider.BadAnswer(errors.New("the answer cannot be read"))
	}
	return a, nil
}

func (t *toy) Pay(ctx context.Context, r provider.PayRequest) provider.Answer {
	if !r.Capture {
		return provider.NotSent(provider.ReasonUnsupported, "", "money is taken at once")
	}
	a, failure := t.send(ctx, r.Call, http.MethodPost, "/charges", map[string]any{
		"order": r.Reference.OrderID, "amount": r.Amount.Units, "currency": r.Amount.Currency, "code": r.Code.Reveal(),
	})
	return settle(a, failure, func(result *provider.Result) bool {
		result.Captured = money(a.Amount, r.Amount)
		return a.ID != "" && a.Amount != nil
	})
}

func (t *toy) Refund(ctx context.Context, r provider.RefundRequest) provider.Answer {
	if r.Reference.OrderID == "" {
		return provider.NotSent(provider.ReasonInvalid, "", "the order is missing")
	}
	a, failure := t.send(ctx, r.Call, http.MethodPost, "/charges/"+url.PathEscape(r.Reference.OrderID)+"/refunds", map[string]any{"amount": r.Amount.Units})
	return settle(a, failure, func(result *provider.Result) bool {
		result.Reference.TransactionID = ""
		return a.ID != ""
	})
}

// settle says what a code means.
func settle(a answer, failure *provider.Failure, done func(*provider.Result) bool) provider.Answer {
	if failure != nil {
		return failure.Answer()
	}
	result := provider.Result{Code: a.Code, Reference: provider.Reference{OrderID: a.Order, TransactionID: a.ID}}
	switch a.Code {
	case "OK":
		if !done(&result) {
			return provider.Undecided(result, a.native)
		}
		return provider.Approved(result, a.native)
	case "NO":
		return provider.Declined(result, a.native)
	default:
		return provider.Undecided(result, a.native)
	}
}

func money(units *int64, like provider.Money) *provider.Money {
	if units == nil {
		return nil
	}
	return &provider.Money{Units: *units, Currency: like.Currency, Exponent: like.Exponent}
}

func (t *toy) Search(ctx context.Context, r provider.SearchRequest) provider.SearchAnswer {
	if r.Reference.OrderID == "" {
		return provider.SearchAnswer{Failure: provider.NothingSent(provider.ReasonInvalid, errors.New("the order is missing"))}
	}
	a, failure := t.send(ctx, r.Call, http.MethodGet, "/charges/"+url.PathEscape(r.Reference.OrderID), nil)
	if failure != nil {
		return provider.SearchAnswer{Failure: failure}
	}
	f := provider.Findings{Complete: true, Reference: provider.Reference{OrderID: a.Order, TransactionID: a.ID}}
	switch {
	case a.Code == "MISSING":
		f.Finding = provider.FindingNotFound
	case a.Code == "OK" && a.State == "PAID" && a.Amount != nil && a.Refunded != nil:
		f.Finding = provider.FindingFound
		currency := currencyOf(a.native.Body)
		f.Captured, f.Refunded = money(a.Amount, currency), money(a.Refunded, currency)
	case a.Code == "OK":
		f.Finding, f.Complete = provider.FindingInProgress, false
	default:
		return provider.SearchAnswer{Failure: provider.BadAnswer(errors.New("the gateway refused the search")), Native: a.native}
	}
	return provider.SearchAnswer{Findings: &f, Native: a.native}
}

func currencyOf(raw []byte) provider.Money {
	var a struct {
		Currency string `json:"currency"`
	}
	if json.Unmarshal(raw, &a) != nil || a.Currency != "USD" {
		return provider.Money{Currency: "TWD"}
	}
	return provider.Money{Currency: "USD", Exponent: 2}
}
