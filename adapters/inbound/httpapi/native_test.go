package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/adapters/inbound/httpapi"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/ports/inbound"
)

const (
	pay    = "/v1/payment/integrate/pay"
	search = "/v1/payment/integrate/search"
	alias  = "/v1/payment/demo/offline/pay"
)

// TestNativeReachesTheCore shows what the core gets of a request.
func TestNativeReachesTheCore(t *testing.T) {
	t.Parallel()
	zero, empty, own := "0", "", "S-001.a_b"
	native := `{"orderId":"1", "transactionId":2019049910005496810,"amount":1.50,"t":" 2023-10-11 01:44:54"}`
	tests := []struct {
		name, method, target, body string
		kind                       string
		want                       inbound.Native
	}{
		{
			"pay, raw tokens kept", "POST", pay, ` {"request": ` + native + ` ,"type":"DEMO_PAY"}`, "pay",
			inbound.Native{Type: "DEMO_PAY", Request: []byte(native), Environment: company.Test},
		},
		{
			"store_id as text zero", "POST", pay, `{"type":"DEMO_PAY","request":{},"store_id":"0","is_test":false}`, "pay",
			inbound.Native{Type: "DEMO_PAY", Request: []byte(`{}`), Environment: company.Live, Store: &zero},
		},
		{
			"empty store_id", "POST", pay, `{"type":"DEMO_PAY","request":{},"store_id":"","is_test":true}`, "pay",
			inbound.Native{Type: "DEMO_PAY", Request: []byte(`{}`), Environment: company.Test, Store: &empty},
		},
		{
			"store_id null is absent", "POST", pay, `{"type":"DEMO_PAY","request":{},"store_id":null}`, "pay",
			inbound.Native{Type: "DEMO_PAY", Request: []byte(`{}`), Environment: company.Test},
		},
		{
			"names by escapes", "POST", pay, `{"typ\u0065":"DEMO\u005fPAY","request":{}}`, "pay",
			inbound.Native{Type: "DEMO_PAY", Request: []byte(`{}`), Environment: company.Test},
		},
		{
			"an unknown type is the core's matter", "POST", pay, `{"type":"<b>","request":{}}`, "pay",
			inbound.Native{Type: "<b>", Request: []byte(`{}`), Environment: company.Test},
		},
		{
			"a provider's own route is live without is_test", "POST", alias, `{"request":{"a":1},"store_id":"0"}`, "pay",
			inbound.Native{Type: "DEMO_PAY", Request: []byte(`{"a":1}`), Environment: company.Live, Store: &zero},
		},
		{
			"a provider's own route with is_test", "POST", alias, `{"request":{},"is_test":true}`, "pay",
			inbound.Native{Type: "DEMO_PAY", Request: []byte(`{}`), Environment: company.Test},
		},
		{
			"a provider's own search", "POST", "/v1/payment/demo/offline/search", `{"request":{}}`, "search",
			inbound.Native{Type: "DEMO_PAY", Request: []byte(`{}`), Environment: company.Live},
		},
		{
			"a provider's own search by GET", "GET", `/v1/payment/demo/offline/search?request={}&type=ignored`, "", "search",
			inbound.Native{Type: "DEMO_PAY", Request: []byte(`{}`), Environment: company.Live},
		},
		{
			"GET with raw braces", "GET", search + `?type=DEMO_PAY&request={"orderId":"20140101123456789"}&store_id=0&is_test=FALSE`, "", "search",
			inbound.Native{Type: "DEMO_PAY", Request: []byte(`{"orderId":"20140101123456789"}`), Environment: company.Live, Store: &zero},
		},
		{
			"GET escaped, with junk beside", "GET", search + `?utm=x&_=1&_=2&type=DEMO_PAY&is_test=tRuE&store_id=S-001.a_b&request=` + url.QueryEscape(native), "", "search",
			inbound.Native{Type: "DEMO_PAY", Request: []byte(native), Environment: company.Test, Store: &own},
		},
		{
			"GET without is_test", "GET", search + `?type=DEMO_PAY&request={}`, "", "search",
			inbound.Native{Type: "DEMO_PAY", Request: []byte(`{}`), Environment: company.Test},
		},
		{
			"QUERY", "QUERY", search, `{"type":"DEMO_PAY","request":{"a":1},"is_test":false}`, "search",
			inbound.Native{Type: "DEMO_PAY", Request: []byte(`{"a":1}`), Environment: company.Live},
		},
		{
			"POST search", "POST", search, `{"type":"DEMO_PAY","request":{"a":1},"is_test":false}`, "search",
			inbound.Native{Type: "DEMO_PAY", Request: []byte(`{"a":1}`), Environment: company.Live},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t, nil)
			// The server reads raw braces and quotes; the test helper's parser does not, so the query is set by hand.
			path, query, _ := strings.Cut(tt.target, "?")
			r := p.request(t, tt.method, path, tt.body)
			r.URL.RawQuery = query
			r.RequestURI = tt.target
			if w := p.do(r); w.Code != http.StatusOK || w.Body.String() != `{"ok":1}` {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			calls := p.payments.asked()
			if len(calls) != 1 || calls[0].Kind != tt.kind {
				t.Fatalf("calls: %+v", calls)
			}
			got := calls[0].Native
			if got.Principal.Company != "acme" || got.TraceID != "4bf92f3577b34da6a3ce929d0e0e4736" {
				t.Errorf("got %+v", got)
			}
			got.Principal, got.TraceID = tt.want.Principal, ""
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDefaultEnvironmentIsLive(t *testing.T) {
	t.Parallel()
	p := newPlane(t, func(o *httpapi.Options) { o.DefaultEnvironment = "" })
	p.do(p.request(t, "POST", pay, `{"type":"DEMO_PAY","request":{}}`))
	if calls := p.payments.asked(); len(calls) != 1 || calls[0].Native.Environment != company.Live {
		t.Errorf("calls: %+v", calls)
	}
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 255)
	for header, want := range map[string]string{
		"abc":                     "abc",
		`"abc"`:                   "abc",
		`"a\"b\\c"`:               `a"b\c`,
		long:                      long,
		`"` + long + `"`:          long,
		"8e03978e-40d5-43e8-bc93": "8e03978e-40d5-43e8-bc93",
		"!~":                      "!~",
	} {
		p := newPlane(t, nil)
		r := p.request(t, "POST", pay, `{"type":"DEMO_PAY","request":{}}`)
		r.Header.Set("Idempotency-Key", header)
		p.do(r)
		if calls := p.payments.asked(); len(calls) != 1 || calls[0].Native.IdempotencyKey != want {
			t.Errorf("%s: calls %+v", header, calls)
		}
	}
}

func TestIdempotencyKeyOnSearchIsIgnored(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	r := p.request(t, "POST", search, `{"type":"DEMO_PAY","request":{}}`)
	r.Header["Idempotency-Key"] = []string{"a", "b"}
	if w := p.do(r); w.Code != http.StatusOK {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestWrongKeyComesAfterWrongColumns(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	r := p.request(t, "POST", pay, `{"type":"DEMO_PAY"}`)
	r.Header.Set("Idempotency-Key", "a b")
	if w := p.do(r); !strings.Contains(w.Body.String(), `"code":"missing_field"`) {
		t.Errorf("got %s", w.Body)
	}
}

func TestAllWrongColumnsAreNamed(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	w := p.do(p.request(t, "POST", pay, `{"x":1,"is_test":"no","store_id":5,"request":[]}`))
	want := []string{
		`"errors":[{"pointer":"/type","code":"missing_field","detail":"type 不可為空"},{"pointer":"/request","code":"invalid_type",`,
		`{"pointer":"/store_id","code":"invalid_type",`, `{"pointer":"/is_test","code":"invalid_type",`,
		`{"pointer":"","code":"unknown_member",`, `"message":"type 不可為空","message_from":"OMNI"`,
	}
	rest := w.Body.String()
	for _, part := range want {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Fatalf("%s is not (behind the parts before) in %s", part, w.Body)
		}
		rest = after
	}
}

func TestSecretsInQuery(t *testing.T) {
	t.Parallel()
	secret := url.QueryEscape(`{"account_key":"canary-key","amount":1}`)
	aliased := url.QueryEscape(`{"accountid":"canary-id"}`)
	plain := url.QueryEscape(`{"amount":1,"order_number":"1"}`)
	tests := []struct {
		name       string
		mode       httpapi.QuerySecrets
		method     string
		typ        string
		request    string
		status     int
		deprecated bool
	}{
		{"warn", httpapi.WarnQuerySecrets, "GET", "DEMO_PAY", secret, 200, true},
		{"warn is the default", "", "GET", "DEMO_PAY", secret, 200, true},
		{"another spelling", "", "GET", "DEMO_PAY", aliased, 200, true},
		{"no secret", "", "GET", "DEMO_PAY", plain, 200, false},
		{"allow", httpapi.AllowQuerySecrets, "GET", "DEMO_PAY", secret, 200, false},
		{"refuse", httpapi.RefuseQuerySecrets, "GET", "DEMO_PAY", secret, 400, false},
		{"refuse without a secret", httpapi.RefuseQuerySecrets, "GET", "DEMO_PAY", plain, 200, false},
		{"a type that nobody knows has no columns", httpapi.RefuseQuerySecrets, "GET", "OTHER", secret, 200, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t, func(o *httpapi.Options) { o.QuerySecrets = tt.mode })
			for range 2 { // the second time from what is remembered
				w := p.do(p.request(t, tt.method, search+"?type="+tt.typ+"&request="+tt.request, ""))
				if w.Code != tt.status {
					t.Fatalf("got %d %s", w.Code, w.Body)
				}
				h := w.Header()
				if got := h.Get("Deprecation") == "@1796083200" && h.Get("Link") == `</docs>; rel="deprecation"; type="text/html"`; got != tt.deprecated {
					t.Errorf("headers: %v", h)
				}
				if tt.status == 400 && !strings.Contains(w.Body.String(), `"code":"secret_in_url"`) {
					t.Errorf("got %s", w.Body)
				}
			}
			log := p.log.String()
			if marked := strings.Contains(log, `"query_secrets":true`); marked != (tt.deprecated || tt.status == 400) {
				t.Errorf("log: %s", log)
			}
			if strings.Contains(log, "canary") {
				t.Errorf("the log has the secret: %s", log)
			}
		})
	}
}

func TestSecretsInBodyAreFine(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"POST", "QUERY"} {
		p := newPlane(t, func(o *httpapi.Options) { o.QuerySecrets = httpapi.RefuseQuerySecrets })
		w := p.do(p.request(t, method, search, `{"type":"DEMO_PAY","request":{"account_key":"k"}}`))
		if w.Code != http.StatusOK || w.Header().Get("Deprecation") != "" {
			t.Errorf("%s: got %d %v", method, w.Code, w.Header())
		}
	}
}

// TestScopes walks every route with every scope.
func TestScopes(t *testing.T) {
	t.Parallel()
	id := "0190a1b2-0000-7000-8000-000000000001"
	routes := []struct{ method, target, scope string }{
		{"POST", pay, "pay"},
		{"POST", alias, "pay"},
		{"GET", search, "search"},
		{"POST", search, "search"},
		{"QUERY", search, "search"},
		{"GET", "/v1/payment/demo/offline/search", "search"},
		{"POST", "/v1/payment/demo/offline/search", "search"},
		{"POST", "/v1/payment/demo/offline/confirm", "pay"},
		{"POST", "/v1/payment/demo/offline/capture", "pay"},
		{"POST", "/v1/payment/demo/offline/void", "refund"},
		{"POST", "/v1/payment/integrate/confirm", "pay"},
		{"POST", "/v1/payment/integrate/capture", "pay"},
		{"POST", "/v1/payment/integrate/cancel", "refund"},
		{"POST", "/v1/payment/integrate/refund", "refund"},
		{"POST", "/v2/payments", "pay"},
		{"POST", "/v2/payments/" + id + "/confirm", "pay"},
		{"POST", "/v2/payments/" + id + "/capture", "pay"},
		{"POST", "/v2/payments/" + id + "/void", "refund"},
		{"POST", "/v2/payments/" + id + "/cancel", "refund"},
		{"POST", "/v2/payments/" + id + "/refunds", "refund"},
		{"GET", "/v2/payments/" + id + "/events", "search"},
		{"GET", "/v2/mandates/" + id, "search"},
		{"DELETE", "/v2/mandates/" + id, "refund"},
		{"POST", "/v2/mandates/" + id + "/payments", "pay"},
		{"POST", "/v1/payment/demo/offline/refund", "refund"},
		{"GET", "/v2/payments", "search"},
		{"GET", "/v2/payments/" + id, "search"},
	}
	open := []struct{ method, target string }{
		{"GET", "/healthz"}, {"GET", "/readyz"}, {"GET", "/openapi.json"}, {"GET", "/docs"}, {"GET", "/.well-known/jwks.json"},
	}
	p := newPlane(t, nil)
	for _, client := range []struct {
		id     string
		scopes []string
	}{
		{"till", []string{"pay", "search", "refund"}},
		{"reader", []string{"search"}},
		{"root", []string{"admin"}},
		{"", nil},
	} {
		token := ""
		if client.id != "" {
			token = p.access.token(t, client.id)
		}
		ask := func(method, target string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(method, target, strings.NewReader(`{}`))
			r.Header.Set("Content-Type", "application/json")
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			return p.do(r)
		}
		for _, route := range routes {
			may := false
			for _, s := range client.scopes {
				may = may || s == route.scope
			}
			w := ask(route.method, route.target)
			switch {
			case client.id == "" && w.Code != 401,
				client.id != "" && !may && (w.Code != 403 || !strings.Contains(w.Body.String(), `"code":"insufficient_scope"`)),
				may && (w.Code == 401 || w.Code == 403 || w.Code >= 500):
				t.Errorf("%s on %s %s: got %d %s", client.id, route.method, route.target, w.Code, w.Body)
			}
		}
		for _, route := range open {
			if w := ask(route.method, route.target); w.Code != 200 {
				t.Errorf("%s on %s %s: got %d", client.id, route.method, route.target, w.Code)
			}
		}
	}
}

func TestClientRate(t *testing.T) {
	t.Parallel()
	p := newPlane(t, func(o *httpapi.Options) { o.ClientRate = httpapi.Rate{PerSecond: 0.1, Burst: 2} })
	body := `{"type":"DEMO_PAY","request":{}}`
	for range 2 {
		if w := p.do(p.request(t, "POST", pay, body)); w.Code != 200 {
			t.Fatalf("got %d", w.Code)
		}
	}
	w := p.do(p.request(t, "POST", pay, "{"))
	if w.Code != 429 || !strings.Contains(w.Body.String(), `"code":"rate_limited"`) || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
	if n := len(p.payments.asked()); n != 2 {
		t.Errorf("the core was asked %d times", n)
	}
	r := httptest.NewRequest(http.MethodGet, search+"?type=DEMO_PAY&request=%7B%7D", nil)
	r.Header.Set("Authorization", "Bearer "+p.access.token(t, "reader"))
	if w := p.do(r); w.Code != 200 {
		t.Errorf("another client is limited too: %d", w.Code)
	}
}
