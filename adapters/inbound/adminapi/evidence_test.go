package adminapi_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/webhook"
	"github.com/payrack/payrack/ports/inbound"
)

// hooks is one endpoint in memory.
type hooks struct {
	mu    sync.Mutex
	calls []any
	fails error
}

func (h *hooks) note(call any) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fails != nil {
		return h.fails
	}
	h.calls = append(h.calls, call)
	return nil
}

func endpoint() webhook.Endpoint {
	return webhook.Endpoint{
		ID: "hook-1", Company: "acme", URL: "https://shop.example/hook", Types: []string{"payment.succeeded"}, Enabled: true,
		CreatedAt: moment, UpdatedAt: moment,
	}
}

func (h *hooks) Add(_ context.Context, c inbound.AddWebhook) (webhook.Endpoint, string, error) {
	return endpoint(), "whsec_once", h.note(c)
}

func (h *hooks) List(_ context.Context, co company.ID) ([]webhook.Endpoint, error) {
	return []webhook.Endpoint{endpoint()}, h.note(co)
}

func (h *hooks) Save(_ context.Context, c inbound.SaveWebhook) (webhook.Endpoint, error) {
	return endpoint(), h.note(c)
}

func (h *hooks) Rotate(_ context.Context, id webhook.EndpointID) (webhook.Endpoint, string, error) {
	e := endpoint()
	e.PreviousUntil = moment
	return e, "whsec_again", h.note(id)
}

func (h *hooks) Remove(_ context.Context, id webhook.EndpointID) error { return h.note(id) }

func (h *hooks) Test(_ context.Context, id webhook.EndpointID) (webhook.Outcome, error) {
	return webhook.Outcome{Status: 500, Trouble: "status 500", Took: 7 * time.Millisecond}, h.note(id)
}

// deliveriesOf is what was sent to the endpoint.
type deliveriesOf struct{ h *hooks }

func (d deliveriesOf) List(_ context.Context, q inbound.DeliveriesQuery) (inbound.DeliveriesPage, error) {
	return inbound.DeliveriesPage{
		Deliveries: []webhook.Delivery{{
			ID: "d-1", Endpoint: "hook-1", Company: "acme", Payment: paymentID, Type: "payment.succeeded", At: moment, State: webhook.Pending,
			Attempts: 2, Status: 503, Trouble: "status 503", NextAt: moment,
		}}, Next: "more",
	}, d.h.note(q)
}

func (d deliveriesOf) Replay(_ context.Context, c inbound.ReplayWebhook) (int, error) {
	return 3, d.h.note(c)
}

func (deliveriesOf) Feed(context.Context) (int, error) { return 0, nil }

func (deliveriesOf) DeliverDue(context.Context) (int, error) { return 0, nil }

func (deliveriesOf) Backlog(context.Context) (inbound.Backlog, error) { return inbound.Backlog{}, nil }

func (h *hooks) sole(t *testing.T, want any) {
	t.Helper()
	if diff := cmp.Diff([]any{want}, h.calls); diff != "" {
		t.Error(diff)
	}
}

const hookBody = `{"id":"hook-1","company_id":"acme","url":"https://shop.example/hook","events":["payment.succeeded"],"enabled":true,`

func TestWebhooks(t *testing.T) {
	t.Parallel()
	const times = `"created_at":"2026-11-22T02:00:00Z","updated_at":"2026-11-22T02:00:00Z"`
	for _, tt := range []struct {
		method, target, body string
		status               int
		reply                string
		want                 any
	}{
		{"GET", "?company_id=acme", "", 200, `{"webhooks":[` + hookBody + times + `}]}`, company.ID("acme")},
		{
			"POST", "", `{"company_id":"acme","url":"https://shop.example/hook","events":["payment.succeeded"]}`, 201,
			hookBody + times + `,"secret":"whsec_once"}`,
			inbound.AddWebhook{Company: "acme", URL: "https://shop.example/hook", Types: []string{"payment.succeeded"}},
		},
		{"PATCH", "/hook-1", `{"enabled":false}`, 200, hookBody + times + `}`, inbound.SaveWebhook{ID: "hook-1", Enabled: new(bool)}},
		{
			"PATCH", "/hook-1", `{"url":"https://b.example","events":[]}`, 200, "",
			inbound.SaveWebhook{ID: "hook-1", URL: new("https://b.example"), Types: &[]string{}},
		},
		{"DELETE", "/hook-1", "", 204, "", webhook.EndpointID("hook-1")},
		{
			"POST", "/hook-1/rotate", "", 200, hookBody + `"previous_secret_until":"2026-11-22T02:00:00Z",` + times + `,"secret":"whsec_again"}`,
			webhook.EndpointID("hook-1"),
		},
		{"POST", "/hook-1/test", "", 200, `{"delivered":false,"status":500,"took_ms":7,"trouble":"status 500"}`, webhook.EndpointID("hook-1")},
		{
			"POST", "/hook-1/replay", `{"delivery_id":"d-1","payment_id":"p","since":"2026-11-22T02:00:00Z"}`, 202, `{"queued":3}`,
			inbound.ReplayWebhook{Endpoint: "hook-1", Delivery: "d-1", Payment: "p", Since: moment.UTC()},
		},
		{
			"GET", "/deliveries?webhook_id=hook-1&payment_id=p&state=PENDING&cursor=c&limit=7", "", 200,
			`{"deliveries":[{"id":"d-1","webhook_id":"hook-1","company_id":"acme","payment_id":"` + paymentID + `","event":"payment.succeeded",` +
				`"at":"2026-11-22T02:00:00Z","state":"PENDING","attempts":2,"last_status":503,"last_trouble":"status 503","next_at":"2026-11-22T02:00:00Z"}],"next_cursor":"more"}`,
			inbound.DeliveriesQuery{Endpoint: "hook-1", Payment: "p", State: webhook.Pending, Cursor: "c", Limit: 7},
		},
	} {
		p := newPlane(t, nil)
		w := p.ask(tt.method, "/admin/v1/webhooks"+tt.target, "operator", tt.body)
		if got := strings.TrimSpace(w.Body.String()); w.Code != tt.status || tt.reply != "" && got != tt.reply {
			t.Errorf("%s %s: got %d %s\nwant %s", tt.method, tt.target, w.Code, got, tt.reply)
		}
		p.hooks.sole(t, tt.want)
		if log := p.log.String(); strings.Contains(log, "whsec") {
			t.Errorf("a secret is in the log: %s", log)
		}
	}
}

func TestBadWebhooks(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	for _, tt := range []struct{ method, target, body, code string }{
		{"POST", "", `{"url":"https://a.example"}`, "missing_field"},
		{"POST", "", `{"company_id":"acme"}`, "missing_field"},
		{"POST", "", `{"company_id":"acme","url":"https://a.example","secret":"mine"}`, "unknown_member"},
		{"PATCH", "/hook-1", `{"enabled":"no"}`, "invalid_type"},
		{"POST", "/hook-1/replay", `{"since":"yesterday"}`, "invalid_type"},
		{"GET", "/deliveries?state=LOST", "", "invalid_format"},
		{"GET", "/deliveries?limit=0", "", "out_of_range"},
		{"GET", "?company_id=a&company_id=b", "", "duplicate_parameter"},
	} {
		if w := p.ask(tt.method, "/admin/v1/webhooks"+tt.target, "operator", tt.body); w.Code != 400 || !strings.Contains(w.Body.String(), `"code":"`+tt.code+`"`) {
			t.Errorf("%s %s: %d %s", tt.method, tt.target, w.Code, w.Body)
		}
	}
	if len(p.hooks.calls) > 0 {
		t.Errorf("a bad request got through: %v", p.hooks.calls)
	}
	p.hooks.fails = fault.New(fault.NotFound, "webhook_not_found", "There is no such webhook.")
	for _, route := range [][2]string{
		{"PATCH", "/none"}, {"DELETE", "/none"}, {"POST", "/none/rotate"}, {"POST", "/none/test"}, {"POST", "/none/replay"},
	} {
		body := ""
		if route[0] == "PATCH" || strings.HasSuffix(route[1], "replay") {
			body = `{}`
		}
		if w := p.ask(route[0], "/admin/v1/webhooks"+route[1], "operator", body); w.Code != 404 || !strings.Contains(w.Body.String(), "webhook_not_found") {
			t.Errorf("%v: %d %s", route, w.Code, w.Body)
		}
	}
}

// auditor is a journal of three entries.
type auditor struct {
	mu       sync.Mutex
	verified []inbound.VerifyAudit
	findings []inbound.AuditFinding
	language string
}

func (a *auditor) Verify(_ context.Context, c inbound.VerifyAudit) (inbound.AuditReport, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.verified = append(a.verified, c)
	return inbound.AuditReport{Entries: 3, Streams: 2, Seals: 1, Unsealed: 1, LastSeal: moment, Findings: a.findings}, nil
}

func (a *auditor) Entries(_ context.Context, after journal.Place, limit int) ([]journal.Placed, error) {
	var all []journal.Placed
	for n := range int64(3) {
		place := journal.Place{Transaction: 7, Row: n + 1}
		if place.After(after) && len(all) < limit {
			e := journal.Link(journal.Hash{}, "plugin/demo", n+1, moment, "plugin.activated", []byte(`{"a":1}`))
			all = append(all, journal.Placed{Place: place, Entry: e})
		}
	}
	return all, nil
}

func (a *auditor) Explain(_ context.Context, id payment.ID, language string) (inbound.Story, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.language = language
	if id != paymentID {
		return inbound.Story{}, fault.New(fault.NotFound, "payment_not_found", "There is no such payment.")
	}
	return inbound.Story{
		Payment: id, Company: "acme", State: payment.Succeeded, Summary: []string{"paid"}, Promise: "It is paid.", Next: "Nothing.",
		Steps: []inbound.StoryStep{{N: 1, At: moment, Event: "payment.sending", State: payment.Sending, Text: "sent"}},
	}, nil
}

func TestAuditEntriesArePaged(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	target, pages := "/admin/v1/audit?limit=2", 0
	var seen []string
	for {
		w := p.ask("GET", target, "operator", "")
		var page struct {
			Data []struct {
				Position string          `json:"position"`
				Stream   string          `json:"stream"`
				Event    string          `json:"event"`
				Hash     string          `json:"hash"`
				Prev     string          `json:"prev"`
				Body     json.RawMessage `json:"body"`
			} `json:"data"`
			Next *string `json:"next_cursor"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, e := range page.Data {
			seen = append(seen, e.Position)
			if e.Stream != "plugin/demo" || e.Event != "plugin.activated" || string(e.Body) != `{"a":1}` || len(e.Hash) != 64 || len(e.Prev) != 64 {
				t.Errorf("%+v", e)
			}
		}
		if pages++; page.Next == nil || pages > 3 {
			break
		}
		target = "/admin/v1/audit?limit=2&cursor=" + *page.Next
	}
	if diff := cmp.Diff([]string{"7.1", "7.2", "7.3"}, seen); diff != "" {
		t.Error(diff)
	}
	for _, query := range []string{"cursor=x", "cursor=7", "cursor=7.1.2", "cursor=07.1", "limit=0", "limit=many"} {
		if w := p.ask("GET", "/admin/v1/audit?"+query, "operator", ""); w.Code != 400 {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}

func TestVerifyAudit(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	root := strings.Repeat("ab", 32)
	w := p.ask("POST", "/admin/v1/audit/verify", "operator", `{"seals":[{"number":1,"root":"`+root+`","signature":"cd"}]}`)
	if want := `{"ok":true,"entries":3,"streams":2,"seals":1,"unsealed":1,"last_seal_at":"2026-11-22T02:00:00Z","findings":[]}`; w.Code != 200 ||
		strings.TrimSpace(w.Body.String()) != want {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if len(p.auditor.verified) != 1 || len(p.auditor.verified[0].Seals) != 1 || p.auditor.verified[0].Seals[0].Number != 1 {
		t.Errorf("the core got %+v", p.auditor.verified)
	}
	p.auditor.findings = []inbound.AuditFinding{{
		Code: "entry_changed", What: "It was changed.", Stream: "plugin/demo", N: 2, Place: journal.Place{Transaction: 7, Row: 2},
	}}
	w = p.ask("POST", "/admin/v1/audit/verify", "operator", `{}`)
	if want := `"ok":false`; w.Code != 200 || !strings.Contains(w.Body.String(), want) ||
		!strings.Contains(w.Body.String(), `{"code":"entry_changed","what":"It was changed.","stream":"plugin/demo","n":2,"position":"7.2"}`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, body := range []string{
		`{"seals":[{"number":0,"root":"` + root + `","signature":"cd"}]}`, `{"seals":[{"number":1,"root":"ab","signature":"cd"}]}`,
		`{"seals":[{"number":1,"root":"` + root + `","signature":""}]}`, `{"seals":{}}`, `{"all":true}`,
	} {
		if w := p.ask("POST", "/admin/v1/audit/verify", "operator", body); w.Code != 400 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

func TestExplainPayment(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	w := p.ask("GET", "/admin/v1/payments/"+strings.ToUpper(paymentID)+"/explain?lang=zh-TW", "operator", "")
	want := `{"payment_id":"` + paymentID + `","company_id":"acme","state":"SUCCEEDED","summary":["paid"],"steps":[{"n":1,"at":"2026-11-22T02:00:00Z",` +
		`"event":"payment.sending","state":"SENDING","text":"sent","details":[]}],"promise":"It is paid.","next":"Nothing."}`
	if got := strings.TrimSpace(w.Body.String()); w.Code != 200 || got != want || p.auditor.language != "zh-TW" {
		t.Errorf("%d %s", w.Code, got)
	}
	if w := p.ask("GET", "/admin/v1/payments/"+otherID+"/explain", "operator", ""); w.Code != 404 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
