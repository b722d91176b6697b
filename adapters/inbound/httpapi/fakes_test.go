package httpapi_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/inbound/httpapi"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/inbound"
)

// fakeAccess issues tokens for the clients it knows and knows its tokens again.
type fakeAccess struct {
	mu      sync.Mutex
	clients map[string]access.Client
	secrets map[string]string
	tokens  map[string]access.Principal
	fails   error // of Keys
}

func newFakeAccess() *fakeAccess {
	a := &fakeAccess{
		clients: make(map[string]access.Client), secrets: make(map[string]string), tokens: make(map[string]access.Principal),
	}
	both := []company.Environment{company.Live, company.Test}
	a.add(access.Client{ID: "till", Company: "acme", Scopes: []access.Scope{access.Pay, access.Search, access.Refund}, Environments: both}, "till-secret+1")
	a.add(access.Client{ID: "reader", Company: "acme", Scopes: []access.Scope{access.Search}, Environments: both}, "reader-secret")
	a.add(access.Client{ID: "root", Company: "acme", Scopes: []access.Scope{access.Admin}, Environments: both}, "root-secret")
	a.add(access.Client{ID: "other", Company: "rival", Scopes: []access.Scope{access.Pay, access.Search, access.Refund}, Environments: both}, "other-secret")
	a.add(access.Client{ID: "sleeper", Company: "suspended", Scopes: []access.Scope{access.Pay}}, "sleeper-secret")
	return a
}

func (a *fakeAccess) add(c access.Client, secret string) {
	a.clients[c.ID], a.secrets[c.ID] = c, secret
}

func (a *fakeAccess) Token(_ context.Context, r inbound.TokenRequest) (inbound.Token, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.clients[r.ClientID]
	switch {
	case r.ClientID == "broken":
		return inbound.Token{}, fmt.Errorf("disk full at /var/lib/%s", "canary-disk")
	case r.ClientID == "busy":
		f := fault.New(fault.Unavailable, "busy", "Too many sign-ins at once.")
		f.RetryAfter = 3 * time.Second
		return inbound.Token{}, f
	case !ok || a.secrets[r.ClientID] != r.ClientSecret:
		return inbound.Token{}, fault.New(fault.Unauthenticated, "invalid_client", "no such client or secret: "+r.ClientID)
	case c.Company == "suspended":
		return inbound.Token{}, fault.New(fault.Forbidden, "company_suspended", "The company is suspended.")
	}
	scopes, ok := c.Narrow(r.Scope)
	if !ok {
		return inbound.Token{}, fault.New(fault.Invalid, "invalid_scope", "The client lacks a scope that it asked for.")
	}
	token := rand.Text()
	a.tokens[token] = access.Principal{Client: c.ID, Company: c.Company, Scopes: scopes, Environments: c.Environments}
	return inbound.Token{AccessToken: token, ExpiresIn: time.Hour, Scopes: scopes}, nil
}

func (a *fakeAccess) Authenticate(_ context.Context, token string) (access.Principal, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p, ok := a.tokens[token]; ok {
		return p, nil
	}
	if token == "suspended-token" {
		return access.Principal{}, fault.New(fault.Forbidden, "company_suspended", "The company is suspended.")
	}
	return access.Principal{}, fault.New(fault.Unauthenticated, "invalid_token", "The token is not valid.")
}

func (a *fakeAccess) Keys(context.Context) ([]byte, error) { return []byte(`{"keys":[]}`), a.fails }

// token signs a client in.
func (a *fakeAccess) token(t *testing.T, client string) string {
	t.Helper()
	got, err := a.Token(t.Context(), inbound.TokenRequest{ClientID: client, ClientSecret: a.secrets[client]})
	if err != nil {
		t.Fatal(err)
	}
	return got.AccessToken
}

// fakePayments answers by a script and keeps what it was asked. Without a script it answers native requests with one
// body, and neutral ones from its bank.
type fakePayments struct {
	mu    sync.Mutex
	calls []call
	bank  *bank
	reply func(kind string, n inbound.Native) (inbound.Reply, error)
}

type call struct {
	Kind   string
	Native inbound.Native
}

func (f *fakePayments) ask(kind string, n inbound.Native) (inbound.Reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call{kind, n})
	switch {
	case f.reply != nil:
		return f.reply(kind, n)
	case n.Neutral != nil:
		return f.bank.do(kind, n)
	}
	return inbound.Reply{Body: []byte(`{"ok":1}`)}, nil
}

func (f *fakePayments) Pay(_ context.Context, n inbound.Native) (inbound.Reply, error) {
	return f.ask("pay", n)
}

func (f *fakePayments) Confirm(_ context.Context, n inbound.Native) (inbound.Reply, error) {
	return f.ask("confirm", n)
}

func (f *fakePayments) Capture(_ context.Context, n inbound.Native) (inbound.Reply, error) {
	return f.ask("capture", n)
}

func (f *fakePayments) Void(_ context.Context, n inbound.Native) (inbound.Reply, error) {
	return f.ask("void", n)
}

func (f *fakePayments) Refund(_ context.Context, n inbound.Native) (inbound.Reply, error) {
	return f.ask("refund", n)
}

func (f *fakePayments) Cancel(_ context.Context, n inbound.Native) (inbound.Reply, error) {
	return f.ask("cancel", n)
}

func (f *fakePayments) Search(_ context.Context, n inbound.Native) (inbound.Reply, error) {
	return f.ask("search", n)
}

func (f *fakePayments) asked() []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]call(nil), f.calls...)
}

// fakeCatalogue has one payment type that declares routes of its own and one that does not.
type fakeCatalogue struct{ types []catalogue.Type }

func newFakeCatalogue() *fakeCatalogue {
	columns := []byte(`{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","additionalProperties":false,
		"required":["amount"],"$defs":{"text":{"type":"string","maxLength":100}},"properties":{
		"account_id":{"type":"string","x-payrack-role":"credential","x-payrack-alias":["accountid"]},
		"account_key":{"type":"string","x-payrack-role":"credential","x-payrack-secret":true},
		"amount":{"type":"integer","minimum":1,"x-payrack-role":"amount"},
		"order_number":{"$ref":"#/$defs/text"}}}`)
	answer := []byte(`{"type":"object","properties":{"code":{"type":"string"},"id":{"type":"integer","examples":[2019049910005496810]}}}`)
	return &fakeCatalogue{types: []catalogue.Type{
		{
			Name: "DEMO_PAY", Provider: "demo", Version: "1.0.0",
			Operations: []catalogue.Operation{
				{Kind: catalogue.Pay, Columns: columns, Answer: answer, Aliases: []catalogue.Route{{Method: "POST", Path: "/v1/payment/demo/offline/pay"}}},
				{Kind: catalogue.Search, Columns: columns, Answer: answer, Aliases: []catalogue.Route{
					{Method: "POST", Path: "/v1/payment/demo/offline/search"}, {Method: "GET", Path: "/v1/payment/demo/offline/search"},
				}},
				{Kind: catalogue.Confirm, Columns: columns, Answer: answer, Aliases: []catalogue.Route{{Method: "POST", Path: "/v1/payment/demo/offline/confirm"}}},
				{Kind: catalogue.Capture, Columns: columns, Aliases: []catalogue.Route{{Method: "POST", Path: "/v1/payment/demo/offline/capture"}}},
				{Kind: catalogue.Void, Columns: columns, Aliases: []catalogue.Route{{Method: "POST", Path: "/v1/payment/demo/offline/void"}}},
				{Kind: catalogue.Refund, Columns: columns, Aliases: []catalogue.Route{{Method: "POST", Path: "/v1/payment/demo/offline/refund"}}},
			},
		},
		{Name: "PLAIN_PAY", Provider: "plain", Version: "2.0.0", Operations: []catalogue.Operation{
			{Kind: catalogue.Pay, Columns: columns}, {Kind: catalogue.Search, Columns: columns},
		}},
	}}
}

func (c *fakeCatalogue) All() []catalogue.Type { return c.types }

func (c *fakeCatalogue) Route(method, path string) (catalogue.Alias, bool) {
	for _, t := range c.types {
		for _, o := range t.Operations {
			for _, r := range o.Aliases {
				if r.Method == method && r.Path == path {
					return catalogue.Alias{Type: t.Name, Kind: o.Kind}, true
				}
			}
		}
	}
	return catalogue.Alias{}, false
}

// plane is the public plane over fakes.
type plane struct {
	handler   http.Handler
	access    *fakeAccess
	payments  *fakePayments
	records   *fakeRecords
	mandates  *fakeMandates
	notices   *fakeNotices
	catalogue *fakeCatalogue
	log       *lockedBuffer
}

func newPlane(t *testing.T, change func(*httpapi.Options)) *plane {
	t.Helper()
	p := &plane{
		access: newFakeAccess(), records: &fakeRecords{}, mandates: &fakeMandates{}, notices: &fakeNotices{},
		catalogue: newFakeCatalogue(), log: &lockedBuffer{},
	}
	p.payments = &fakePayments{bank: &bank{records: p.records, mandates: p.mandates}}
	o := httpapi.Options{
		Payments: p.payments, Records: p.records, Mandates: p.mandates, Notices: p.notices, Access: p.access,
		Catalogue: p.catalogue, Middleware: documented(t),
		DefaultEnvironment: company.Test, Log: slog.New(slog.NewJSONHandler(p.log, nil)),
		TraceID: func(context.Context) string { return "4bf92f3577b34da6a3ce929d0e0e4736" },
	}
	if change != nil {
		change(&o)
	}
	h, err := httpapi.New(o)
	if err != nil {
		t.Fatal(err)
	}
	p.handler = h
	return p
}

// do sends a request without a network.
func (p *plane) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w
}

// request makes a request of the client till.
func (p *plane) request(t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+p.access.token(t, "till"))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
