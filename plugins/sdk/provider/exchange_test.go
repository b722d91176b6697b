package provider_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

func ExampleClient_Exchange() {
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"code":"0000","transaction":2019049910005496810}`)
	}))
	defer gateway.Close()
	client := provider.NewClient(provider.ClientOptions{})
	res, failure := client.Exchange(context.Background(), provider.Call{}, provider.Request{
		Method: http.MethodPost, URL: gateway.URL + "/pay", Template: "/pay", Body: []byte(`{"amount":229}`),
	})
	if failure != nil {
		fmt.Println("not sent, or unknown:", failure.Detail)
		return
	}
	var answer struct {
		Code        string          `json:"code"`
		Transaction provider.Number `json:"transaction"`
	}
	if failure := res.Read(&answer); failure != nil {
		fmt.Println("unknown:", failure.Detail)
		return
	}
	fmt.Println(answer.Code, answer.Transaction)
	// Output: 0000 2019049910005496810
}

func TestExchange(t *testing.T) {
	t.Parallel()
	const canary = "canary-5f1c"
	heard := make(chan *http.Request, 1)
	bodies := make(chan string, 1)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard <- r
		bodies <- string(body)
		if status := r.URL.Query().Get("status"); status != "" {
			var code int
			_, _ = fmt.Sscan(status, &code)
			w.WriteHeader(code)
		}
		_, _ = io.WriteString(w, "  {\"secret\":\""+canary+"\"}\n")
	}))
	t.Cleanup(gateway.Close)
	client := provider.NewClient(provider.ClientOptions{})
	header := http.Header{"X-Shop": {"1"}}
	res, failure := client.Exchange(t.Context(), provider.Call{}, provider.Request{
		Method: http.MethodPost, URL: gateway.URL + "/pay?q=1", Header: header, Body: []byte(`{"a":1}`),
	})
	if failure != nil {
		t.Fatal(failure)
	}
	r := <-heard
	if body := <-bodies; body != `{"a":1}` || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Shop") != "1" || r.URL.RawQuery != "q=1" {
		t.Errorf("the gateway heard %q, %v, %s", body, r.Header, r.URL)
	}
	if len(header) != 1 {
		t.Errorf("the caller's header was changed: %v", header)
	}
	if got := string(res.Native().Body); got != `{"secret":"`+canary+`"}` {
		t.Errorf("native %q", got)
	}
	var wrong struct {
		Secret int `json:"secret"`
	}
	if failure := res.Read(&wrong); failure == nil || failure.Effect != provider.EffectPossible || failure.Reason != provider.ReasonBadAnswer || strings.Contains(failure.Detail, canary) {
		t.Errorf("an answer of another type: %+v", failure)
	}
	for status, reason := range map[string]provider.Reason{
		"500": provider.ReasonUnavailable, "401": provider.ReasonAuth, "404": provider.ReasonBadAnswer, "302": provider.ReasonBadAnswer,
	} {
		_, failure := client.Exchange(t.Context(), provider.Call{}, provider.Request{Method: http.MethodGet, URL: gateway.URL + "/?status=" + status})
		r := <-heard
		if body := <-bodies; body != "" || r.Header.Get("Content-Type") != "" {
			t.Errorf("a GET had a body %q or a type", body)
		}
		if failure == nil || failure.Effect != provider.EffectPossible || failure.Reason != reason || strings.Contains(failure.Detail, canary) {
			t.Errorf("status %s: %+v", status, failure)
		}
	}
}

func TestExchangeThatSendsNothing(t *testing.T) {
	t.Parallel()
	gateway := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") }))
	t.Cleanup(gateway.Close)
	client := provider.NewClient(provider.ClientOptions{})
	for name, c := range map[string]struct {
		call    provider.Call
		request provider.Request
	}{
		"no method":  {request: provider.Request{Method: "NO METHOD", URL: gateway.URL}},
		"no URL":     {request: provider.Request{Method: http.MethodPost, URL: "::"}},
		"too late":   {call: provider.Call{NotAfter: time.Now().Add(-time.Second)}, request: provider.Request{Method: http.MethodPost, URL: gateway.URL}},
		"idempotent": {request: provider.Request{Method: http.MethodPost, URL: gateway.URL, Header: http.Header{"Idempotency-Key": {"1"}}}},
	} {
		if _, failure := client.Exchange(t.Context(), c.call, c.request); failure == nil || failure.Effect != provider.EffectNone {
			t.Errorf("%s: %+v", name, failure)
		}
	}
}
