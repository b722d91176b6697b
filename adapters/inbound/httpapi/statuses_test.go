package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/payrack/payrack/adapters/inbound/httpapi"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/mandate"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
)

// theDocument is the document of the planes of these tests.
var theDocument = sync.OnceValues(func() (*openapi3.T, error) {
	catalogue := newFakeCatalogue()
	h, err := httpapi.New(httpapi.Options{
		Payments: &fakePayments{}, Records: &fakeRecords{}, Mandates: &fakeMandates{}, Notices: &fakeNotices{},
		Access: newFakeAccess(), Catalogue: catalogue, Log: discard(),
	})
	if err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	return openapi3.NewLoader().LoadFromData(w.Body.Bytes())
})

// statusesOf are the statuses that the document names for a route, beside "default". ok is false for no such route.
func statusesOf(doc *openapi3.T, method, path string) (statuses []string, ok bool) {
	item := doc.Paths.Value(path)
	if item == nil {
		return nil, false
	}
	if method == "QUERY" {
		var operation struct {
			Responses map[string]any `json:"responses"`
		}
		text, err := json.Marshal(item.Extensions["x-payrack-query"])
		if err != nil || json.Unmarshal(text, &operation) != nil || operation.Responses == nil {
			return nil, false
		}
		for status := range operation.Responses {
			statuses = append(statuses, status)
		}
		return statuses, true
	}
	operation := item.GetOperation(method)
	if operation == nil {
		return nil, false
	}
	for status := range operation.Responses.Map() {
		if status != "default" {
			statuses = append(statuses, status)
		}
	}
	return statuses, true
}

// unnamed are the headers for clients that an answer has and the document does not name.
func unnamed(doc *openapi3.T, method, path string, sent *sentStatus) []string {
	item := doc.Paths.Value(path)
	if item == nil || item.Operations()[method] == nil {
		return nil
	}
	response := item.Operations()[method].Responses.Value(strconv.Itoa(sent.code))
	if response == nil {
		return nil
	}
	var names []string
	for _, name := range []string{
		"Payrack-Payment-Id", httpapi.NextCursorHeader, "Idempotent-Replayed", "Preference-Applied", "Location", "Retry-After",
		"WWW-Authenticate", "Deprecation", "Link",
	} {
		if _, ok := response.Value.Headers[name]; !ok && sent.Header().Get(name) != "" {
			names = append(names, name)
		}
	}
	return names
}

// documented watches a plane: no test may see a status, or a header for clients, that the document does not name.
func documented(t *testing.T) func(http.Handler) http.Handler {
	t.Helper()
	doc, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent := &sentStatus{ResponseWriter: w, code: http.StatusOK}
			next.ServeHTTP(sent, r)
			method, path, _ := strings.Cut(r.Pattern, " ")
			statuses, ok := statusesOf(doc, method, strings.ReplaceAll(path, ":id", "{id}"))
			if ok && !slices.Contains(statuses, strconv.Itoa(sent.code)) {
				t.Errorf("%s answered %d, which the document does not name", r.Pattern, sent.code)
			}
			for _, name := range unnamed(doc, method, strings.ReplaceAll(path, ":id", "{id}"), sent) {
				t.Errorf("%s answered %d with the header %s, which the document does not name", r.Pattern, sent.code, name)
			}
		})
	}
}

type sentStatus struct {
	http.ResponseWriter
	code int
}

func (w *sentStatus) WriteHeader(code int) {
	w.code = code
	w.ResponseWriter.WriteHeader(code)
}

func (w *sentStatus) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// TestEveryDocumentedStatus makes each route answer with each status that the document names for it, and reads the body
// with the document's own schema.
func TestEveryDocumentedStatus(t *testing.T) {
	t.Parallel()
	doc, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			statuses, _ := statusesOf(doc, method, path)
			for _, status := range statuses {
				t.Run(method+" "+strings.ReplaceAll(path, "/", "|")+" "+status, func(t *testing.T) {
					t.Parallel()
					want, err := strconv.Atoi(status)
					if err != nil {
						t.Fatal(err)
					}
					w := provoke(t, method, path, want, operation)
					if w.Code != want {
						t.Fatalf("got %d %s", w.Code, w.Body)
					}
					described(t, operation.Responses.Value(status).Value, w)
				})
			}
		}
	}
}

// described reads a body with the schema of its response.
func described(t *testing.T, response *openapi3.Response, w *httptest.ResponseRecorder) {
	t.Helper()
	if len(response.Content) == 0 || !strings.Contains(w.Header().Get("Content-Type"), "json") || w.Body.Len() == 0 {
		return
	}
	content := response.Content.Get(w.Header().Get("Content-Type"))
	if content == nil {
		t.Fatalf("%s is not described", w.Header().Get("Content-Type"))
	}
	var body any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	if err := content.Schema.Value.VisitJSON(body, openapi3.MultiErrors()); err != nil {
		t.Errorf("%v: %s", err, w.Body)
	}
}

const mandateID = "0190a1b2-0000-7000-8000-00000000000e"

// bodies are good requests by route.
func goodBody(method, path string) string {
	switch {
	case method != http.MethodPost:
		return ""
	case path == "/oauth/v1/token":
		return "grant_type=client_credentials&client_id=till&client_secret=till-secret%2B1"
	case path == "/v2/payments":
		return `{"type":"DEMO_PAY","order_number":"A-1","amount":{"amount":229,"currency":"TWD"},"source":{"code":"1234"},"is_test":true}`
	case strings.HasPrefix(path, "/v2/mandates/"):
		return `{"type":"DEMO_PAY","order_number":"A-1","amount":{"amount":229,"currency":"TWD"}}`
	case strings.HasPrefix(path, "/v2/"):
		return `{}`
	case strings.Contains(path, "/integrate/"):
		return `{"type":"DEMO_PAY","request":{}}`
	}
	return `{"request":{}}`
}

// provoke makes a route answer with a status.
func provoke(t *testing.T, method, path string, status int, operation *openapi3.Operation) *httptest.ResponseRecorder {
	t.Helper()
	limited := status == http.StatusTooManyRequests
	p := newPlane(t, func(o *httpapi.Options) {
		if limited {
			one := httpapi.Rate{PerSecond: 0.001, Burst: 1}
			o.ClientRate, o.ReturnRate, o.FailureRate = one, one, one
		}
		if path == "/readyz" && status == http.StatusServiceUnavailable {
			o.Ready = func(context.Context) error { return errDatabase }
		}
	})
	p.records.records = []payment.Record{record(paymentID, "acme", payment.Succeeded)}
	p.records.records[0].Payment.Version = 3
	p.mandates.all = []mandate.Mandate{{ID: mandateID, Company: "acme", State: mandate.Active, Type: "DEMO_PAY", Provider: "demo", CreatedAt: dawn, UpdatedAt: dawn}}
	p.notices.to = map[payment.ID]string{paymentID: "https://shop.example/back?cart=1&orderId=A-1"}

	body, media := goodBody(method, path), "application/json"
	id := paymentID
	if strings.HasPrefix(path, "/v2/mandates/") {
		id = mandateID
	}
	target := strings.ReplaceAll(path, "{id}", id)
	if method == http.MethodGet && strings.HasSuffix(path, "/search") {
		target += "?request=%7B%7D&type=DEMO_PAY"
	}
	if path == "/oauth/v1/token" {
		media = "application/x-www-form-urlencoded"
	}
	make := func() *http.Request {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		if body != "" {
			r.Header.Set("Content-Type", media)
		}
		if operation.Security == nil || len(*operation.Security) > 0 && path != "/oauth/v1/token" {
			r.Header.Set("Authorization", "Bearer "+p.access.token(t, "till"))
		}
		r.Header.Set("Idempotency-Key", "k-1")
		return r
	}
	if path == "/oauth/v1/token" {
		return provokeToken(t, p, status, make, &body)
	}
	r := make()
	switch status {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusPaymentRequired:
		p.answerWith(path, status)
		if path == "/v1/payment/callback/{id}" {
			p.notices.to[paymentID] = ""
		}
	case http.StatusSeeOther, http.StatusServiceUnavailable:
		if path != "/readyz" && status != http.StatusSeeOther {
			p.failWith(fault.New(fault.Unavailable, "store_unavailable", "The store is away."))
		}
	case http.StatusBadRequest:
		query := "access_token=x"
		r.URL.RawQuery, r.RequestURI = query, r.URL.Path+"?"+query
	case http.StatusUnauthorized:
		r.Header.Del("Authorization")
	case http.StatusForbidden:
		r.Header.Set("Authorization", "Bearer "+p.access.token(t, "root"))
	case http.StatusNotFound:
		p.failWith(fault.New(fault.NotFound, "payment_not_found", "There is none."))
	case http.StatusRequestTimeout:
		r.Body, r.ContentLength = io.NopCloser(slowBody{}), 10
	case http.StatusConflict:
		p.failWith(&fault.Error{Kind: fault.Conflict, Code: "operation_open", Message: "open", Payment: paymentID, RetryAfter: 3 * time.Second})
	case http.StatusRequestEntityTooLarge:
		r.ContentLength = 1 << 20
	case http.StatusRequestURITooLong:
		r.RequestURI = path + "?" + strings.Repeat("x", 9000)
	case http.StatusUnsupportedMediaType:
		r.Header.Set("Content-Type", "text/plain")
	case http.StatusUnprocessableEntity:
		p.failWith(&fault.Error{
			Kind: fault.Mismatch, Code: "idempotency_mismatch", Message: "another request", Payment: paymentID,
			Fields: []fault.Field{{Pointer: "/amount", Code: "differs", Detail: "amount differs"}},
		})
	case http.StatusTooManyRequests:
		p.do(make())
	case http.StatusInternalServerError:
		p.failWith(errors.New("canary"))
	case http.StatusBadGateway:
		p.failWith(fault.New(fault.BadAnswer, "provider_invalid_response", "unreadable"))
	case http.StatusGatewayTimeout:
		f := fault.New(fault.Unknown, "provider_timeout", "no answer")
		if !strings.HasSuffix(path, "/search") {
			f.Payment = paymentID
		}
		p.failWith(f)
	default:
		t.Fatalf("nobody knows how to make %s %s answer %d", method, path, status)
	}
	return p.do(r)
}

func provokeToken(t *testing.T, p *plane, status int, make func() *http.Request, body *string) *httptest.ResponseRecorder {
	t.Helper()
	as := func(client string) { *body = "grant_type=client_credentials&client_secret=x&client_id=" + client }
	switch status {
	case http.StatusOK:
	case http.StatusBadRequest:
		*body = "grant_type=password"
	case http.StatusUnauthorized:
		as("nobody")
	case http.StatusRequestTimeout:
		r := make()
		r.Body, r.ContentLength = io.NopCloser(slowBody{}), 10
		return p.do(r)
	case http.StatusRequestEntityTooLarge:
		r := make()
		r.ContentLength = 1 << 20
		return p.do(r)
	case http.StatusRequestURITooLong:
		r := make()
		r.RequestURI = "/oauth/v1/token?" + strings.Repeat("x", 9000)
		return p.do(r)
	case http.StatusTooManyRequests:
		as("nobody")
		p.do(make())
	case http.StatusInternalServerError:
		as("broken")
	case http.StatusServiceUnavailable:
		as("busy")
	default:
		t.Fatalf("nobody knows how to make the token route answer %d", status)
	}
	return p.do(make())
}

// slowBody never arrives.
type slowBody struct{}

func (slowBody) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

// failWith makes every use case fail.
func (p *plane) failWith(err error) {
	p.payments.reply = func(string, inbound.Native) (inbound.Reply, error) { return inbound.Reply{}, err }
	p.records.fails, p.mandates.fails, p.notices.fails, p.access.fails = err, err, err, err
}

// answerWith makes the neutral use cases end as the status tells.
func (p *plane) answerWith(path string, status int) {
	if !strings.HasPrefix(path, "/v2/") {
		return
	}
	switch status {
	case http.StatusAccepted:
		p.payments.reply = func(string, inbound.Native) (inbound.Reply, error) {
			r := record(paymentID, "acme", payment.Unknown)
			r.Operation.State = payment.OperationUnknown
			return inbound.Reply{Class: inbound.ReplyPending, Payment: paymentID, Record: r}, nil
		}
	case http.StatusPaymentRequired:
		p.payments.reply = func(kind string, n inbound.Native) (inbound.Reply, error) {
			r := record(paymentID, "acme", payment.Succeeded)
			if kind == "cancel" {
				kind = "void"
			}
			r.Operation.Kind, r.Operation.State, r.Operation.Failure = payment.Kind(kind), payment.OperationFailed, payment.Declined
			return inbound.Reply{Payment: paymentID, Record: r, Body: n.Render(inbound.Rendering{Record: r})}, nil
		}
	}
}
