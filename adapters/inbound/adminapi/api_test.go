package adminapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/inbound/adminapi"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/directory"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/inbound"
)

var moment = time.Date(2026, 11, 22, 10, 0, 0, 0, time.FixedZone("UTC+8", 8*3600))

// tokens knows the token of an operator and that of a till.
type tokens struct{ inbound.Access }

func (tokens) Authenticate(_ context.Context, token string) (access.Principal, error) {
	switch token {
	case "operator":
		return access.Principal{Client: "ops", Company: "acme", Scopes: []access.Scope{access.Admin}}, nil
	case "second":
		return access.Principal{Client: "ops-2", Company: "acme", Scopes: []access.Scope{access.Admin}}, nil
	case "away":
		return access.Principal{}, fault.New(fault.Unavailable, "store_unavailable", "The store is away.")
	case "till":
		return access.Principal{Client: "till", Company: "acme", Scopes: []access.Scope{access.Pay, access.Search, access.Refund}}, nil
	}
	return access.Principal{}, fault.New(fault.Unauthenticated, "invalid_token", "no")
}

// book is a directory in memory.
type book struct {
	mu    sync.Mutex
	s     directory.Snapshot
	last  inbound.PutCredential
	fails error
}

func (b *book) AddCompany(_ context.Context, c inbound.AddCompany) (company.Company, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range b.s.Companies {
		if one.ID == c.ID {
			return company.Company{}, fault.New(fault.Conflict, "company_exists", "There is a company with this id.")
		}
	}
	made := company.Company{ID: c.ID, Name: c.Name, CreatedAt: moment}
	b.s.Companies = append(b.s.Companies, made)
	b.s.Generation++
	return made, nil
}

func (b *book) SaveCompany(_ context.Context, c inbound.SaveCompany) (company.Company, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.s.Companies {
		one := &b.s.Companies[i]
		if one.ID != c.ID {
			continue
		}
		if c.Name != nil {
			one.Name = *c.Name
		}
		if c.Suspended != nil {
			one.Suspended = *c.Suspended
		}
		if c.OnUnknown != nil {
			one.OnUnknown = *c.OnUnknown
		}
		b.s.Generation++
		return *one, nil
	}
	return company.Company{}, fault.New(fault.NotFound, "company_not_found", "there is no such company; add it first")
}

func (b *book) AddStore(_ context.Context, c inbound.AddStore) (company.Store, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	made := company.Store{Company: c.Company, ID: c.ID, Name: c.Name, CreatedAt: moment}
	b.s.Stores = append(b.s.Stores, made)
	b.s.Generation++
	return made, nil
}

func (b *book) PutCredential(_ context.Context, c inbound.PutCredential) (credential.Credential, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails != nil {
		return credential.Credential{}, b.fails
	}
	b.last = c
	made := credential.Credential{
		ID: "cred-1", Company: c.Company, Store: c.Store, Type: c.Type, Provider: "demo", Environment: c.Environment,
		Account: "account-1", Wire: "v9", Revision: 1, CreatedAt: moment, UpdatedAt: moment, Sealed: []byte("sealed-canary"),
	}
	b.s.Credentials = append(b.s.Credentials, made)
	b.s.Generation++
	return made, nil
}

func (b *book) AddClient(_ context.Context, c inbound.AddClient) (access.Client, string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	made := access.Client{
		ID: "client-1", Company: c.Company, Name: c.Name, SecretHash: "hash-canary", Scopes: c.Scopes,
		Environments: c.Environments, CreatedAt: moment,
	}
	b.s.Clients = append(b.s.Clients, made)
	b.s.Generation++
	return made, "the-secret", nil
}

func (b *book) SaveCredential(_ context.Context, c inbound.SaveCredential) (credential.Credential, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.s.Credentials {
		one := &b.s.Credentials[i]
		if one.ID != c.ID {
			continue
		}
		if c.Disabled != nil {
			one.Disabled = *c.Disabled
		}
		b.s.Generation++
		return *one, nil
	}
	return credential.Credential{}, fault.New(fault.NotFound, "credential_not_found", "there is no such credential set")
}

func (b *book) SaveClient(_ context.Context, c inbound.SaveClient) (access.Client, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.s.Clients {
		one := &b.s.Clients[i]
		if one.ID != c.ID {
			continue
		}
		if c.Name != nil {
			one.Name = *c.Name
		}
		if c.Disabled != nil {
			one.Disabled = *c.Disabled
		}
		b.s.Generation++
		return *one, nil
	}
	return access.Client{}, fault.New(fault.NotFound, "client_not_found", "there is no such client")
}

func (b *book) Snapshot(context.Context) (directory.Snapshot, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.s, nil
}

func (b *book) Reload(context.Context) error { return nil }

type plane struct {
	handler http.Handler
	book    *book
	rack    *rack
	ledger  *ledger
	hooks   *hooks
	auditor *auditor
	// uploads is the folder of uploads while they are received.
	uploads string
	log     *lockedBuffer
}

func newPlane(t *testing.T, change func(*adminapi.Options)) *plane {
	t.Helper()
	p := &plane{
		book: &book{}, rack: &rack{}, ledger: newLedger(), log: &lockedBuffer{}, hooks: &hooks{}, auditor: &auditor{}, uploads: t.TempDir(),
	}
	o := adminapi.Options{
		Webhooks: p.hooks, Deliveries: deliveriesOf{p.hooks}, Audit: p.auditor, UploadDir: p.uploads,
		Access: tokens{}, Directory: p.book, Releases: p.rack, Channels: p.rack, Rehearsals: p.rack, Records: p.ledger, Recovery: p.ledger, Log: slog.New(slog.NewJSONHandler(p.log, nil)), Pprof: true,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("up 1\n")) }),
	}
	if change != nil {
		change(&o)
	}
	h, err := adminapi.New(o)
	if err != nil {
		t.Fatal(err)
	}
	p.handler = h
	return p
}

func (p *plane) ask(method, target, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w
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

func routes() [][2]string {
	return [][2]string{
		{"GET", "/admin/v1/plugins"},
		{"POST", "/admin/v1/plugins/releases"},
		{"DELETE", "/admin/v1/plugins/demo/releases/1.2.3"},
		{"POST", "/admin/v1/plugins/demo/releases/1.2.3/revoke"},
		{"POST", "/admin/v1/plugins/demo/activate"},
		{"POST", "/admin/v1/plugins/demo/canary"},
		{"POST", "/admin/v1/plugins/demo/promote"},
		{"POST", "/admin/v1/plugins/demo/rollback"},
		{"POST", "/admin/v1/plugins/demo/disable"},
		{"POST", "/admin/v1/plugins/demo/enable"},
		{"GET", "/admin/v1/plugins/demo/events"},
		{"POST", "/admin/v1/plugins/demo/diff"},
		{"GET", "/admin/v1/webhooks"},
		{"POST", "/admin/v1/webhooks"},
		{"PATCH", "/admin/v1/webhooks/hook-1"},
		{"DELETE", "/admin/v1/webhooks/hook-1"},
		{"POST", "/admin/v1/webhooks/hook-1/rotate"},
		{"POST", "/admin/v1/webhooks/hook-1/test"},
		{"POST", "/admin/v1/webhooks/hook-1/replay"},
		{"GET", "/admin/v1/webhooks/deliveries"},
		{"GET", "/admin/v1/audit"},
		{"POST", "/admin/v1/audit/verify"},
		{"GET", "/admin/v1/payments/" + paymentID + "/explain"},
		{"GET", "/admin/v1/companies"},
		{"POST", "/admin/v1/companies"},
		{"GET", "/admin/v1/stores"},
		{"POST", "/admin/v1/stores"},
		{"GET", "/admin/v1/credentials"},
		{"POST", "/admin/v1/credentials"},
		{"GET", "/admin/v1/clients"},
		{"POST", "/admin/v1/clients"},
		{"PATCH", "/admin/v1/clients/client-1"},
		{"PATCH", "/admin/v1/credentials/cred-1"},
		{"PATCH", "/admin/v1/companies/acme"},
		{"GET", "/admin/v1/payments"},
		{"GET", "/admin/v1/payments/" + paymentID},
		{"POST", "/admin/v1/payments/" + paymentID + "/review"},
		{"GET", "/metrics"},
		{"GET", "/debug/pprof"},
		{"GET", "/debug/pprof/heap"},
		{"GET", "/debug/pprof/cmdline"},
	}
}

// TestEveryRouteNeedsAdmin walks every route without a token, with a till's and with an operator's.
func TestEveryRouteNeedsAdmin(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	for _, route := range routes() {
		for token, want := range map[string]int{"": 401, "forged": 401, "till": 403} {
			if w := p.ask(route[0], route[1], token, ""); w.Code != want {
				t.Errorf("%v with %q: got %d, want %d", route, token, w.Code, want)
			}
		}
		if w := p.ask(route[0], route[1], "operator", ""); w.Code == 401 || w.Code == 403 || w.Code == 404 || w.Code == 405 || w.Code >= 500 {
			t.Errorf("%v with an operator's token: got %d %s", route, w.Code, w.Body)
		}
		if w := p.ask("PUT", route[1], "operator", ""); w.Code != 405 || !strings.Contains(w.Header().Get("Allow"), route[0]) {
			t.Errorf("PUT %s: got %d, Allow %q", route[1], w.Code, w.Header().Get("Allow"))
		}
	}
	if len(p.rack.installed)+len(p.rack.activated)+len(p.rack.canaries)+len(p.rack.rehearsed)+len(p.book.s.Companies)+len(p.book.s.Clients) != 0 {
		t.Error("an empty request changed something")
	}
	if len(p.ledger.reviews) != 0 {
		t.Error("an empty request reviewed a payment")
	}
	if w := p.ask("GET", "/healthz", "", ""); w.Code != 200 {
		t.Errorf("health: %d", w.Code)
	}
	for _, path := range []string{"/", "/admin", "/admin/v1", "/admin/v1//plugins", "/admin/v1/plugins/", "/v1/payment/integrate/pay"} {
		if w := p.ask("GET", path, "operator", ""); w.Code != 404 {
			t.Errorf("%s: got %d", path, w.Code)
		}
	}
}

func TestSwitches(t *testing.T) {
	t.Parallel()
	p := newPlane(t, func(o *adminapi.Options) { o.Pprof, o.Metrics = false, nil })
	for _, path := range []string{"/debug/pprof", "/debug/pprof/heap", "/metrics"} {
		if w := p.ask("GET", path, "operator", ""); w.Code != 404 {
			t.Errorf("%s: got %d", path, w.Code)
		}
	}
	p = newPlane(t, func(o *adminapi.Options) { o.MetricsOpen = true })
	if w := p.ask("GET", "/metrics", "", ""); w.Code != 200 || w.Body.String() != "up 1\n" {
		t.Errorf("open metrics: %d %s", w.Code, w.Body)
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	steps := []struct {
		method, target, body string
		status               int
		want                 string
	}{
		{"GET", "/admin/v1/companies", "", 200, `{"companies":[],"generation":0}`},
		{"POST", "/admin/v1/companies", `{"id":"acme","name":"一二三"}`, 201, `{"id":"acme","name":"一二三","suspended":false,"created_at":"2026-11-22T02:00:00Z"}`},
		{"POST", "/admin/v1/companies", `{"id":"rival","name":"R"}`, 201, ""},
		{"POST", "/admin/v1/companies", `{"id":"acme","name":"again"}`, 409, ""},
		{"GET", "/admin/v1/companies?company_id=rival", "", 200, `{"companies":[{"id":"rival","name":"R","suspended":false,"created_at":"2026-11-22T02:00:00Z"}],"generation":2}`},
		{"POST", "/admin/v1/stores", `{"company_id":"acme","id":"S1","name":"一店"}`, 201, `{"company_id":"acme","id":"S1","name":"一店","created_at":"2026-11-22T02:00:00Z"}`},
		{"GET", "/admin/v1/stores?company_id=rival", "", 200, `{"generation":3,"stores":[]}`},
		{
			"POST", "/admin/v1/credentials", `{"company_id":"acme","store_id":"0","type":"DEMO_PAY","environment":"test","set":{"key":"canary","id":2019049910005496810}}`, 201,
			`{"id":"cred-1","company_id":"acme","store_id":"0","type":"DEMO_PAY","provider":"demo","environment":"test","account":"account-1","wire":"v9","revision":1,"disabled":false,"created_at":"2026-11-22T02:00:00Z","updated_at":"2026-11-22T02:00:00Z"}`,
		},
		{
			"POST", "/admin/v1/clients", `{"company_id":"acme","name":"till","scopes":["pay","search"],"environments":["test","live"]}`, 201,
			`{"client_id":"client-1","company_id":"acme","name":"till","scopes":["pay","search"],"environments":["test","live"],"disabled":false,"created_at":"2026-11-22T02:00:00Z","client_secret":"the-secret"}`,
		},
		{
			"GET", "/admin/v1/clients", "", 200,
			`{"clients":[{"client_id":"client-1","company_id":"acme","name":"till","scopes":["pay","search"],"environments":["test","live"],"disabled":false,"created_at":"2026-11-22T02:00:00Z"}],"generation":5}`,
		},
		{
			"GET", "/admin/v1/credentials", "", 200,
			`{"credentials":[{"id":"cred-1","company_id":"acme","store_id":"0","type":"DEMO_PAY","provider":"demo","environment":"test","account":"account-1","wire":"v9","revision":1,"disabled":false,"created_at":"2026-11-22T02:00:00Z","updated_at":"2026-11-22T02:00:00Z"}],"generation":5}`,
		},
	}
	for _, s := range steps {
		w := p.ask(s.method, s.target, "operator", s.body)
		if got := strings.TrimSpace(w.Body.String()); w.Code != s.status || s.want != "" && got != s.want {
			t.Errorf("%s %s: got %d %s, want %d %s", s.method, s.target, w.Code, got, s.status, s.want)
		}
		if strings.Contains(w.Body.String(), "canary") {
			t.Errorf("%s: a secret came back: %s", s.target, w.Body)
		}
	}
	if p.book.last.Store != company.OwnStore || string(p.book.last.Set) != `{"key":"canary","id":2019049910005496810}` {
		t.Errorf("the core got %+v %s", p.book.last, p.book.last.Set)
	}
	if log := p.log.String(); strings.Contains(log, "canary") || strings.Contains(log, "the-secret") {
		t.Errorf("log: %s", log)
	}
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	tests := []struct{ target, body, code, pointer string }{
		{"/admin/v1/companies", `{`, "malformed_json", ""},
		{"/admin/v1/companies", `[]`, "invalid_type", ""},
		{"/admin/v1/companies", `{"name":"a","name":"b"}`, "duplicate_member", ""},
		{"/admin/v1/companies", `{"Name":"a"}`, "unknown_member", ""},
		{"/admin/v1/companies", `{"name":1}`, "invalid_type", ""},
		{"/admin/v1/companies", `{}`, "missing_field", "/name"},
		{"/admin/v1/companies", `{"name":"a","suspended":true}`, "unknown_member", ""},
		{"/admin/v1/stores", `{"company_id":"acme"}`, "missing_field", "/id"},
		{"/admin/v1/credentials", `{"company_id":"a","type":"T","environment":"test"}`, "missing_field", "/set"},
		{"/admin/v1/credentials", `{"company_id":"a","type":"T","environment":"test","set":null}`, "invalid_type", "/set"},
		{"/admin/v1/credentials", `{"company_id":"a","type":"T","environment":"test","set":"canary"}`, "invalid_type", "/set"},
		{"/admin/v1/credentials", `{"company_id":"a","type":"T","environment":"prod","set":{"k":"canary"}}`, "invalid_format", "/environment"},
		{"/admin/v1/credentials", `{"company_id":"a","type":"T","environment":"test","set":{"k":"canary","k":"canary"}}`, "duplicate_member", ""},
		{"/admin/v1/clients", `{"company_id":"a","name":"n","environments":["test"]}`, "missing_field", "/scopes"},
		{"/admin/v1/clients", `{"company_id":"a","name":"n","scopes":["root"],"environments":["test"]}`, "invalid_format", "/scopes"},
		{"/admin/v1/clients", `{"company_id":"a","name":"n","scopes":["pay"]}`, "missing_field", "/environments"},
		{"/admin/v1/clients", `{"company_id":"a","name":"n","scopes":["pay"],"environments":["prod"]}`, "invalid_format", "/environments"},
	}
	p := newPlane(t, nil)
	for _, tt := range tests {
		w := p.ask("POST", tt.target, "operator", tt.body)
		var got struct {
			Code   string `json:"code"`
			Errors []struct {
				Pointer string `json:"pointer"`
			} `json:"errors"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Code != tt.code || w.Code >= 500 || w.Code < 400 || strings.Contains(w.Body.String(), "canary") {
			t.Errorf("%s %s: got %d %s", tt.target, tt.body, w.Code, w.Body)
		}
		if len(got.Errors) > 0 && got.Errors[0].Pointer != tt.pointer {
			t.Errorf("%s %s: got pointer %q", tt.target, tt.body, got.Errors[0].Pointer)
		}
	}
	if p.book.s.Generation != 0 || len(p.rack.installed)+len(p.rack.activated) != 0 {
		t.Error("a bad body changed something")
	}
	w := p.ask("POST", "/admin/v1/companies", "operator", `{"name":"`+strings.Repeat("x", 65<<10)+`"}`)
	if w.Code != 413 {
		t.Errorf("large body: %d", w.Code)
	}
	r := httptest.NewRequest(http.MethodPost, "/admin/v1/companies", strings.NewReader(`{"name":"a"}`))
	r.Header.Set("Authorization", "Bearer operator")
	rec := httptest.NewRecorder()
	p.handler.ServeHTTP(rec, r)
	if rec.Code != 415 {
		t.Errorf("without a media type: %d", rec.Code)
	}
}

func TestColumnsOfTheCoreAreNamed(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	f := fault.New(fault.Invalid, "missing_field", "account_id 不可為空")
	f.Fields = []fault.Field{{Pointer: "/set/account_id", Code: "missing_field", Detail: "account_id 不可為空"}}
	p.book.fails = f
	w := p.ask("POST", "/admin/v1/credentials", "operator", `{"company_id":"a","type":"T","environment":"test","set":{}}`)
	if w.Code != 400 || !strings.Contains(w.Body.String(), `"pointer":"/set/account_id"`) || !strings.Contains(w.Body.String(), `"message":"account_id 不可為空"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	if _, err := adminapi.New(adminapi.Options{}); err == nil {
		t.Error("accepted without ports")
	}
	s := adminapi.NewServer(http.NotFoundHandler(), adminapi.ServerOptions{WriteTimeout: time.Minute, Log: slog.New(slog.DiscardHandler)})
	if s.ReadHeaderTimeout == 0 || s.WriteTimeout != time.Minute {
		t.Errorf("timeouts: %v %v", s.ReadHeaderTimeout, s.WriteTimeout)
	}
}
