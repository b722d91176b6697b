package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// acme is a provider in full: what it is, Pay and Search.
type acme struct {
	settings acmeSettings
	http     *provider.Client
}

type acmeSettings struct {
	Endpoint string `json:"endpoint"`
}

// Problems is asked at each Configure, and not for the description.
func (s acmeSettings) Problems() []string {
	if s.Endpoint == "" {
		return []string{"endpoint is missing"}
	}
	return nil
}

func openAcme(_ context.Context, s acmeSettings, h provider.Host) (provider.Provider, error) {
	if _, err := url.Parse(s.Endpoint); err != nil {
		return nil, errors.New("endpoint is no URL")
	}
	return &acme{settings: s, http: h.HTTP}, nil
}

const acmeColumns = `{"type":"object","required":["amount","orderId","code"],"additionalProperties":false,"properties":{
	"amount":{"type":"integer","minimum":1,"x-payrack-role":"amount"},
	"orderId":{"type":"string","x-payrack-role":"order"},
	"code":{"type":"string","x-payrack-role":"code","x-payrack-secret":true}}}`

func (*acme) Describe() provider.Description {
	return provider.Description{MessageFrom: "ACME", Types: []provider.Type{{
		Name:       "ACME_PAY",
		Credential: json.RawMessage(`{"type":"object","required":["shop","secret"],"properties":{"shop":{"type":"string","x-payrack-role":"account"},"secret":{"type":"string","x-payrack-secret":true}}}`),
		Currencies: []provider.Currency{{Code: "TWD"}},
		Operations: []provider.Operation{
			{Kind: provider.KindPay, Columns: json.RawMessage(acmeColumns), MovesMoney: true, FoundByOrderID: true, MaxDuration: 20 * time.Second, SearchLagMax: 10 * time.Second, LandingMax: time.Minute},
			{Kind: provider.KindSearch, Columns: json.RawMessage(`{"type":"object"}`), MaxDuration: 20 * time.Second},
		},
	}}}
}

func (a *acme) Pay(ctx context.Context, r provider.PayRequest) provider.Answer {
	body := fmt.Sprintf(`{"order":%q,"amount":%d,"code":%q}`, r.Reference.OrderID, r.Amount.Units, r.Code.Reveal())
	code, id, native, failed := a.exchange(ctx, r.Call, "/pay", body)
	result := provider.Result{Code: code, Reference: provider.Reference{TransactionID: id}, Captured: &r.Amount}
	switch {
	case failed != nil:
		return failed.Answer()
	case code == "OK":
		return provider.Approved(result, native)
	case code == "NO_FUNDS":
		return provider.Declined(provider.Result{Code: code, DeclineCode: "insufficient_funds"}, native)
	default:
		return provider.Undecided(provider.Result{Code: code}, native)
	}
}

func (a *acme) Search(ctx context.Context, r provider.SearchRequest) provider.SearchAnswer {
	code, id, native, failed := a.exchange(ctx, r.Call, "/find", fmt.Sprintf(`{"order":%q}`, r.Reference.OrderID))
	if failed != nil {
		return provider.SearchAnswer{Failure: failed.Failure()}
	}
	f := provider.Findings{Reference: provider.Reference{TransactionID: id}, Complete: true}
	switch code {
	case "OK":
		f.Finding = provider.FindingFound
	case "NONE":
		f.Finding = provider.FindingNotFound
	}
	return provider.SearchAnswer{Findings: &f, Native: native}
}

func (a *acme) exchange(ctx context.Context, call provider.Call, path, body string) (code, id string, n provider.Native, failed *provider.SendError) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.settings.Endpoint+path, strings.NewReader(body))
	if err != nil {
		return "", "", n, &provider.SendError{Reason: provider.ReasonInternal}
	}
	res, err := a.http.Do(provider.WithTemplate(ctx, path), call, req)
	if errors.As(err, &failed) {
		return "", "", n, failed
	}
	var answer struct {
		Code string `json:"code"`
		ID   string `json:"id"`
	}
	if failed := res.StatusError(); failed != nil {
		return "", "", n, failed
	}
	if json.Unmarshal(res.Body, &answer) != nil {
		return "", "", n, &provider.SendError{Sent: true, Reason: provider.ReasonBadAnswer}
	}
	return answer.Code, answer.ID, provider.Native{Body: res.Body}, nil
}

func Example() {
	// The whole main of the plugin: provider.Serve("acmepay", openAcme)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"code":"OK","id":"T-1"}`)
	}))
	defer gateway.Close()
	opened, err := openAcme(context.Background(), acmeSettings{Endpoint: gateway.URL}, provider.Host{
		HTTP: provider.NewClient(provider.ClientOptions{}), Now: time.Now,
	})
	payer, ok := opened.(provider.Payer)
	if err != nil || !ok {
		fmt.Println("not open", err)
		return
	}
	answer := payer.Pay(context.Background(), provider.PayRequest{
		Reference: provider.Reference{OrderID: "A-1"},
		Amount:    provider.Money{Units: 229, Currency: "TWD"},
		Code:      provider.NewSecret("1234"),
	})
	fmt.Println(answer.Outcome() == provider.OutcomeApproved, answer.Result().Reference.TransactionID, string(answer.Native().Body))
	// Output: true T-1 {"code":"OK","id":"T-1"}
}

func ExampleClient_Do() {
	client := provider.NewClient(provider.ClientOptions{ConnectTimeout: time.Second})
	call := provider.Call{NotAfter: time.Now().Add(-time.Second)} // it is too late to send
	gateway := httptest.NewServer(http.NotFoundHandler())
	defer gateway.Close()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, gateway.URL+"/pay", strings.NewReader("{}"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Do(context.Background(), call, req)
	if failed, ok := errors.AsType[*provider.SendError](err); ok {
		fmt.Println("sent:", failed.Sent, "effect none:", failed.Answer().Failure().Effect == provider.EffectNone)
	}
	// Output: sent: false effect none: true
}

func ExampleSecret() {
	s := provider.NewSecret("s3cret")
	fmt.Printf("%s %v %+v %q\n", s, s, struct{ Key provider.Secret }{s}, s)
	// Output: *** *** {Key:***} ***
}
