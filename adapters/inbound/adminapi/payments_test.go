package adminapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/adapters/inbound/adminapi"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
)

const (
	paymentID = "0190a1b2-0000-7000-8000-000000000001"
	otherID   = "0190a1b2-0000-7000-8000-000000000002"
)

// ledger is two payments in memory, of two companies; the first is in review.
type ledger struct {
	inbound.Records
	inbound.Recovery
	mu      sync.Mutex
	all     []payment.Record
	queries []inbound.RecordsQuery
	reviews []inbound.ReviewPayment
}

func newLedger() *ledger {
	one := func(id payment.ID, co company.ID, s payment.State) payment.Record {
		return payment.Record{
			Payment: payment.Payment{
				ID: id, Company: co, Environment: company.Live, Type: "DEMO_PAY", Provider: "demo", Account: "account-1", OrderNumber: "A-1", Attempt: 1,
				Amount: money.Amount{Units: 229, Currency: "TWD"}, State: s, Version: 4, CreatedAt: moment, UpdatedAt: moment,
			},
			Operation: payment.Operation{
				ID: "op-1", Kind: payment.KindPay, State: payment.OperationUnknown, Amount: money.Amount{Units: 229, Currency: "TWD"}, OrderID: "A-1",
				Epoch: 2, Checks: 9, SealedCredential: []byte("canary-sealed"), SealedReply: []byte("canary-reply"),
			},
		}
	}
	return &ledger{all: []payment.Record{one(paymentID, "acme", payment.Review), one(otherID, "rival", payment.Succeeded)}}
}

func (l *ledger) Get(_ context.Context, p access.Principal, id payment.ID) (payment.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.all {
		if r.Payment.ID == id && (p.Company == "" || p.Company == r.Payment.Company) && p.In(r.Payment.Environment) {
			return r, nil
		}
	}
	return payment.Record{}, fault.New(fault.NotFound, "payment_not_found", "There is no such payment.")
}

func (l *ledger) List(_ context.Context, p access.Principal, q inbound.RecordsQuery) (inbound.RecordsPage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queries = append(l.queries, q)
	var page inbound.RecordsPage
	for _, r := range l.all {
		if p.Company == r.Payment.Company && (q.State == "" || q.State == r.Payment.State) {
			page.Payments = append(page.Payments, r.Payment)
		}
	}
	if q.Limit == 1 {
		page.Next = "next"
	}
	return page, nil
}

func (l *ledger) Recheck(_ context.Context, id payment.ID) (payment.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.all {
		if r := &l.all[i]; r.Payment.ID == id {
			r.Payment.State = payment.Reversing
			return *r, nil
		}
	}
	return payment.Record{}, fault.New(fault.NotFound, "payment_not_found", "There is no such payment.")
}

func (l *ledger) Review(_ context.Context, c inbound.ReviewPayment) (payment.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reviews = append(l.reviews, c)
	for i := range l.all {
		r := &l.all[i]
		if r.Payment.ID != c.Payment {
			continue
		}
		if r.Payment.State != payment.Review {
			return payment.Record{}, fault.New(fault.Conflict, "not_allowed_in_state", "a payment in state SUCCEEDED cannot be reviewed")
		}
		r.Payment.State = c.To
		if c.Captured != nil {
			r.Payment.Captured = *c.Captured
		}
		return *r, nil
	}
	return payment.Record{}, fault.New(fault.NotFound, "payment_not_found", "There is no such payment.")
}

func TestPayments(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	one := `"id":"` + paymentID + `","company_id":"acme","state":"REVIEW","type":"DEMO_PAY","provider":"demo","account":"account-1",` +
		`"environment":"live","store_id":"0","order_number":"A-1","attempt":1,"currency":"TWD","amount":229,"capture":false,"authorized":0,"captured":0,"refunded":0,` +
		`"refund_reserved":0,"version":4,"created_at":"2026-11-22T02:00:00Z","updated_at":"2026-11-22T02:00:00Z"`
	for target, want := range map[string]string{
		"/admin/v1/payments?company_id=acme":                      `{"data":[{` + one + `}],"next_cursor":null}`,
		"/admin/v1/payments?company_id=acme&state=REVIEW&limit=1": `{"data":[{` + one + `}],"next_cursor":"next"}`,
		"/admin/v1/payments?company_id=acme&state=SUCCEEDED":      `{"data":[],"next_cursor":null}`,
		"/admin/v1/payments?company_id=nobody&order_number=A%2B1": `{"data":[],"next_cursor":null}`,
		"/admin/v1/payments/" + paymentID:                         `{` + one + `,"operation":{"id":"op-1","kind":"pay","state":"UNKNOWN","amount":229,"order_id":"A-1","reversal":false,"checks":9,"epoch":2}}`,
	} {
		w := p.ask("GET", target, "operator", "")
		if diff := cmp.Diff(want, strings.TrimSpace(w.Body.String())); w.Code != 200 || diff != "" {
			t.Errorf("%s: got %d %s", target, w.Code, diff)
		}
		if strings.Contains(w.Body.String(), "canary") {
			t.Errorf("%s: something sealed got out", target)
		}
	}
	if w := p.ask("GET", "/admin/v1/payments/"+otherID, "operator", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"company_id":"rival"`) {
		t.Errorf("another company's: got %d %s", w.Code, w.Body)
	}
	for target, want := range map[string]string{
		"/admin/v1/payments":                                       "missing_field",
		"/admin/v1/payments?company_id=acme&state=paid":            "invalid_format",
		"/admin/v1/payments?company_id=acme&limit=0":               "out_of_range",
		"/admin/v1/payments?company_id=acme&created_from=today":    "invalid_format",
		"/admin/v1/payments?company_id=acme&created_to=2026-11-22": "invalid_format",
		"/admin/v1/payments?company_id=acme&limit=201":             "out_of_range",
		"/admin/v1/payments?company_id=a&company_id=b":             "duplicate_parameter",
		"/admin/v1/payments/x":                                     "payment_not_found",
		"/admin/v1/payments/" + paymentID[:35] + "f":               "payment_not_found",
	} {
		if w := p.ask("GET", target, "operator", ""); problemCode(t, w) != want {
			t.Errorf("%s: got %d %s, want %s", target, w.Code, w.Body, want)
		}
	}
}

func problemCode(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var got struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	return got.Code
}

// review asks with the approval of a second token.
func (p *plane) review(id, approval, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/admin/v1/payments/"+id+"/review", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer operator")
	r.Header.Set("Content-Type", "application/json")
	if approval != "" {
		r.Header.Set(adminapi.ApprovalHeader, approval)
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w
}

const decision = `{"state":"SUCCEEDED","captured":229,"refunded":0,"evidence":"settlement file of 2026-11-22, line 7"}`

func TestReview(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	w := p.review(paymentID, "Bearer second", decision)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"state":"SUCCEEDED"`) || !strings.Contains(w.Body.String(), `"captured":229`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	want := []inbound.ReviewPayment{{
		Payment: paymentID, To: payment.Succeeded, Captured: new(int64(229)), Refunded: new(int64(0)), Actor: "ops", Approver: "ops-2",
		Evidence: "settlement file of 2026-11-22, line 7",
	}}
	if diff := cmp.Diff(want, p.ledger.reviews); diff != "" {
		t.Error(diff)
	}
	if log := p.log.String(); !strings.Contains(log, `"client_id":"ops"`) || !strings.Contains(log, `"payment_id":"`+paymentID+`"`) || strings.Contains(log, "second") {
		t.Errorf("log: %s", log)
	}
	if w := p.review(paymentID, "Bearer second", decision); w.Code != 409 || problemCode(t, w) != "not_allowed_in_state" {
		t.Errorf("again: got %d %s", w.Code, w.Body)
	}
}

func TestRecheck(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	w := p.ask("POST", "/admin/v1/payments/"+otherID+"/recheck", "operator", "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"state":"REVERSING"`) || strings.Contains(w.Body.String(), "canary") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	for _, id := range []string{"x", "0190a1b2-0000-7000-8000-0000000000ff"} {
		if w := p.ask("POST", "/admin/v1/payments/"+id+"/recheck", "operator", ""); w.Code != 404 || problemCode(t, w) != "payment_not_found" {
			t.Errorf("%s: got %d %s", id, w.Code, w.Body)
		}
	}
	if w := p.ask("POST", "/admin/v1/payments/"+otherID+"/recheck", "till", ""); w.Code != 403 {
		t.Errorf("a till: got %d %s", w.Code, w.Body)
	}
}

// A report of a provider covers some days; so does the list that it is compared with.
func TestPaymentsOfAPeriod(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	w := p.ask("GET", "/admin/v1/payments?company_id=acme&created_from=2026-11-22T00:00:00%2B08:00&created_to=2026-11-23T00:00:00Z", "operator", "")
	if w.Code != 200 || len(p.ledger.queries) != 1 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	q := p.ledger.queries[0]
	if !q.CreatedFrom.Equal(time.Date(2026, 11, 21, 16, 0, 0, 0, time.UTC)) || !q.CreatedTo.Equal(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("asked for %s to %s", q.CreatedFrom, q.CreatedTo)
	}
}

// TestReviewNeedsTwoPeople shows that a name is no approval.
func TestReviewNeedsTwoPeople(t *testing.T) {
	t.Parallel()
	for approval, want := range map[string]struct {
		status int
		code   string
	}{
		"":                {403, "two_people"},
		"Bearer operator": {403, "two_people"},
		"Bearer till":     {403, "approval_invalid"},
		"Bearer forged":   {403, "approval_invalid"},
		"ops-2":           {403, "approval_invalid"},
		"Bearer away":     {503, "store_unavailable"},
	} {
		p := newPlane(t, nil)
		if w := p.review(paymentID, approval, decision); w.Code != want.status || problemCode(t, w) != want.code {
			t.Errorf("%q: got %d %s", approval, w.Code, w.Body)
		}
		if len(p.ledger.reviews) != 0 {
			t.Errorf("%q: reviewed", approval)
		}
	}
}

func TestBadReviews(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	for body, want := range map[string]string{
		`{}`:                                    "missing_field",
		`{"state":"SUCCEEDED"}`:                 "missing_field",
		`{"state":"SUCCEEDED","evidence":"  "}`: "missing_field",
		`{"state":"paid","evidence":"canary"}`:  "invalid_format",
		`{"state":"FAILED","evidence":"canary","captured":-1}`:              "out_of_range",
		`{"state":"FAILED","evidence":"canary","refunded":-1}`:              "out_of_range",
		`{"state":"FAILED","evidence":"canary","captured":229.0}`:           "invalid_type",
		`{"state":"FAILED","evidence":"canary","captured":2.29e2}`:          "invalid_type",
		`{"state":"FAILED","evidence":"canary","captured":"229"}`:           "invalid_type",
		`{"state":"FAILED","evidence":"canary","approver":"ops-2"}`:         "unknown_member",
		`{"state":"FAILED","state":"SUCCEEDED","evidence":"canary"}`:        "duplicate_member",
		`{"state":"FAILED","evidence":"` + strings.Repeat("字", 2001) + `"}`: "too_long",
	} {
		w := p.review(paymentID, "Bearer second", body)
		if w.Code != 400 || problemCode(t, w) != want || strings.Contains(w.Body.String(), "canary") {
			t.Errorf("%.80s: got %d %s, want %s", body, w.Code, w.Body, want)
		}
	}
	if w := p.review("x", "Bearer second", decision); w.Code != 404 {
		t.Errorf("an id that is none: got %d", w.Code)
	}
	if len(p.ledger.reviews) != 0 {
		t.Error("a bad body reviewed something")
	}
}

func TestSaveClient(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	p.ask("POST", "/admin/v1/clients", "operator", `{"company_id":"acme","name":"till","scopes":["pay"],"environments":["test"]}`)
	const rest = `"scopes":["pay"],"environments":["test"],`
	steps := []struct{ body, want string }{
		{`{"disabled":true}`, `{"client_id":"client-1","company_id":"acme","name":"till",` + rest + `"disabled":true,"created_at":"2026-11-22T02:00:00Z"}`},
		{`{"name":"櫃台"}`, `{"client_id":"client-1","company_id":"acme","name":"櫃台",` + rest + `"disabled":true,"created_at":"2026-11-22T02:00:00Z"}`},
		{`{"name":"till","disabled":false}`, `{"client_id":"client-1","company_id":"acme","name":"till",` + rest + `"disabled":false,"created_at":"2026-11-22T02:00:00Z"}`},
	}
	for _, s := range steps {
		w := p.ask("PATCH", "/admin/v1/clients/client-1", "operator", s.body)
		if got := strings.TrimSpace(w.Body.String()); w.Code != 200 || got != s.want {
			t.Errorf("%s: got %d %s", s.body, w.Code, got)
		}
	}
	for body, want := range map[string]string{
		`{}`: "missing_field", `{"name":""}`: "missing_field", `{"disabled":"true"}`: "invalid_type", `{"disabled":null}`: "missing_field",
		`{"scopes":["refund"]}`: "unknown_member", `{"client_secret":"canary"}`: "unknown_member", `{`: "malformed_json",
	} {
		if w := p.ask("PATCH", "/admin/v1/clients/client-1", "operator", body); w.Code != 400 || problemCode(t, w) != want {
			t.Errorf("%s: got %d %s", body, w.Code, w.Body)
		}
	}
	if w := p.ask("PATCH", "/admin/v1/clients/cl_nobody", "operator", `{"disabled":true}`); w.Code != 404 || problemCode(t, w) != "client_not_found" {
		t.Errorf("nobody: got %d %s", w.Code, w.Body)
	}
	// The audit: who changed whom. What a request merely names is not repeated.
	log := p.log.String()
	if !strings.Contains(log, `"route":"/admin/v1/clients/:id","status":200`) || !strings.Contains(log, `"client_id":"ops","subject":"client-1"`) {
		t.Errorf("log: %s", log)
	}
	if strings.Contains(log, "cl_nobody") || strings.Contains(log, "canary") {
		t.Errorf("log: %s", log)
	}
}

func TestSaveCredential(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	p.ask("POST", "/admin/v1/credentials", "operator", `{"company_id":"acme","type":"DEMO_PAY","environment":"test","set":{"key":"canary"}}`)
	for _, disabled := range []string{"true", "false"} {
		w := p.ask("PATCH", "/admin/v1/credentials/cred-1", "operator", `{"disabled":`+disabled+`}`)
		want := `{"id":"cred-1","company_id":"acme","store_id":"0","type":"DEMO_PAY","provider":"demo","environment":"test","account":"account-1","wire":"v9","revision":1,"disabled":` +
			disabled + `,"created_at":"2026-11-22T02:00:00Z","updated_at":"2026-11-22T02:00:00Z"}`
		if got := strings.TrimSpace(w.Body.String()); w.Code != 200 || got != want {
			t.Errorf("%s: got %d %s", disabled, w.Code, got)
		}
	}
	for body, want := range map[string]string{
		`{}`: "missing_field", `{"disabled":"true"}`: "invalid_type", `{"disabled":null}`: "missing_field",
		`{"set":{"key":"canary"}}`: "unknown_member", `{`: "malformed_json",
	} {
		if w := p.ask("PATCH", "/admin/v1/credentials/cred-1", "operator", body); w.Code != 400 || problemCode(t, w) != want {
			t.Errorf("%s: got %d %s", body, w.Code, w.Body)
		}
	}
	if w := p.ask("PATCH", "/admin/v1/credentials/nobody", "operator", `{"disabled":true}`); w.Code != 404 || problemCode(t, w) != "credential_not_found" {
		t.Errorf("nobody: got %d %s", w.Code, w.Body)
	}
	if log := p.log.String(); !strings.Contains(log, `"client_id":"ops","subject":"cred-1"`) || strings.Contains(log, "canary") {
		t.Errorf("log: %s", log)
	}
}

func TestSaveCompany(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	p.ask("POST", "/admin/v1/companies", "operator", `{"id":"acme","name":"一二三"}`)
	steps := []struct{ body, want string }{
		{`{"on_unknown":"reverse"}`, `{"id":"acme","name":"一二三","suspended":false,"on_unknown":"reverse","created_at":"2026-11-22T02:00:00Z"}`},
		{`{"suspended":true}`, `{"id":"acme","name":"一二三","suspended":true,"on_unknown":"reverse","created_at":"2026-11-22T02:00:00Z"}`},
		{`{"name":"四","suspended":false,"on_unknown":""}`, `{"id":"acme","name":"四","suspended":false,"created_at":"2026-11-22T02:00:00Z"}`},
	}
	for _, s := range steps {
		w := p.ask("PATCH", "/admin/v1/companies/acme", "operator", s.body)
		if got := strings.TrimSpace(w.Body.String()); w.Code != 200 || got != s.want {
			t.Errorf("%s: got %d %s", s.body, w.Code, got)
		}
	}
	for body, want := range map[string]string{
		`{}`: "missing_field", `{"name":""}`: "missing_field", `{"on_unknown":"pay"}`: "invalid_format", `{"suspended":"true"}`: "invalid_type",
		`{"id":"x"}`: "unknown_member", `{`: "malformed_json", `{"name":null}`: "missing_field",
	} {
		if w := p.ask("PATCH", "/admin/v1/companies/acme", "operator", body); w.Code != 400 || problemCode(t, w) != want {
			t.Errorf("%s: got %d %s", body, w.Code, w.Body)
		}
	}
	if w := p.ask("PATCH", "/admin/v1/companies/nobody", "operator", `{"suspended":true}`); w.Code != 404 || problemCode(t, w) != "company_not_found" {
		t.Errorf("nobody: got %d %s", w.Code, w.Body)
	}
}
