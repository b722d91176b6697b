package provider_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

func ExampleJSONGateway() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Println(r.Method, r.URL, r.Header.Get("X-Shop"), string(body))
		_, _ = io.WriteString(w, `{"code":"0000"}`)
	}))
	defer server.Close()
	gateway := provider.JSONGateway{
		Endpoints: provider.Endpoints{Test: server.URL},
		HTTP:      provider.NewClient(provider.ClientOptions{}),
		Sign: func(call provider.Call, _ provider.Unsigned) (http.Header, error) {
			return http.Header{"X-Shop": {call.Account}}, nil
		},
	}
	var answer struct {
		Code string `json:"code"`
	}
	call := provider.Call{Environment: provider.EnvironmentTest, Account: "1000000001"}
	_, failure := gateway.Ask(context.Background(), call, provider.JSONRequest{
		Method: http.MethodPost, Path: "/v1/payments", Answer: &answer,
		Message: map[string]any{"amount": provider.Number(provider.Money{Units: 999, Currency: "USD", Exponent: 2}.Decimal())},
	})
	fmt.Println(answer.Code, failure == nil)
	// Output:
	// POST /v1/payments 1000000001 {"amount":9.99}
	// 0000 true
}

func TestJSONGatewaySignsWhatItSends(t *testing.T) {
	t.Parallel()
	var heard string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard = r.Method + " " + r.URL.EscapedPath() + " " + r.URL.RawQuery + " " + string(body)
		_, _ = io.WriteString(w, ` {"a":1}`)
	}))
	t.Cleanup(server.Close)
	var signed provider.Unsigned
	gateway := provider.JSONGateway{
		Endpoints: provider.Endpoints{Test: server.URL + "/api/"}, HTTP: provider.NewClient(provider.ClientOptions{}),
		Sign: func(_ provider.Call, u provider.Unsigned) (http.Header, error) {
			signed = u
			return nil, nil //nolint:nilnil // no header is needed
		},
	}
	var answer struct{}
	native, failure := gateway.Ask(t.Context(), provider.Call{Environment: provider.EnvironmentTest}, provider.JSONRequest{
		Method: http.MethodPost, Path: "/orders/" + url.PathEscape("A 1/甲"), Template: "/orders/{order}",
		Query: url.Values{"q": {"a b&c"}}, Message: map[string]string{"name": "拿鐵 <大> & 蛋糕"}, Answer: &answer,
	})
	if failure != nil {
		t.Fatal(failure)
	}
	if want := "POST /api" + signed.Path + " " + signed.Query + " " + string(signed.Body); heard != want {
		t.Errorf("signed %s\nheard  %s", want, heard)
	}
	if string(signed.Body) != `{"name":"拿鐵 <大> & 蛋糕"}` || string(native.Body) != `{"a":1}` {
		t.Errorf("got %s, %s", signed.Body, native.Body)
	}
}

func TestJSONGatewayFailures(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/declined" {
			w.WriteHeader(http.StatusPaymentRequired)
		}
		if r.URL.Path == "/missing" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, `{"code":"NO"}`)
	}))
	t.Cleanup(server.Close)
	gateway := provider.JSONGateway{
		Endpoints: provider.Endpoints{Test: server.URL}, HTTP: provider.NewClient(provider.ClientOptions{}),
		Statuses: []int{http.StatusPaymentRequired},
	}
	unsigned := gateway
	unsigned.Sign = func(provider.Call, provider.Unsigned) (http.Header, error) { return nil, errors.New("no key") }
	test := provider.Call{Environment: provider.EnvironmentTest}
	for name, c := range map[string]struct {
		gateway *provider.JSONGateway
		call    provider.Call
		path    string
		message any
		effect  provider.Effect
		reason  provider.Reason
		detail  string
	}{
		"a documented status": {gateway: &gateway, call: test, path: "/declined"},
		"another status":      {gateway: &gateway, call: test, path: "/missing", reason: provider.ReasonBadAnswer, detail: "404"},
		"no endpoint":         {gateway: &gateway, call: provider.Call{Environment: provider.EnvironmentLive}, effect: provider.EffectNone, reason: provider.ReasonInvalid, detail: "endpoints.live"},
		"no signature":        {gateway: &unsigned, call: test, effect: provider.EffectNone, reason: provider.ReasonAuth, detail: "no key"},
		"no JSON":             {gateway: &gateway, call: test, message: func() {}, effect: provider.EffectNone, reason: provider.ReasonInternal},
		"too late":            {gateway: &gateway, call: provider.Call{Environment: provider.EnvironmentTest, NotAfter: time.Now().Add(-1)}, effect: provider.EffectNone, reason: provider.ReasonTimeout},
	} {
		var answer struct {
			Code string `json:"code"`
		}
		_, failure := c.gateway.Ask(t.Context(), c.call, provider.JSONRequest{Method: http.MethodPost, Path: c.path, Message: c.message, Answer: &answer})
		if c.reason == "" {
			if failure != nil || answer.Code != "NO" {
				t.Errorf("%s: %+v, %+v", name, answer, failure)
			}
			continue
		}
		if failure == nil || failure.Effect != c.effect || failure.Reason != c.reason || !strings.Contains(failure.Detail, c.detail) {
			t.Errorf("%s: %+v", name, failure)
		}
	}
}

func TestGatewaySettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		settings provider.GatewaySettings
		problems int
	}{
		{provider.GatewaySettings{}, 0},
		{provider.GatewaySettings{Endpoints: provider.Endpoints{Live: "https://api.example.com", Test: "http://127.0.0.1:1"}}, 0},
		{provider.GatewaySettings{Endpoints: provider.Endpoints{Live: "http://api.example.com", Test: "x"}}, 2},
		{provider.GatewaySettings{Endpoints: provider.Endpoints{Live: "http://api.example.com"}, AllowHTTP: true}, 0},
	} {
		if got := c.settings.Problems(); len(got) != c.problems {
			t.Errorf("%+v: %v", c.settings, got)
		}
	}
}
