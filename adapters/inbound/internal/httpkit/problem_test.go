package httpkit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/fault"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// serve answers one request through a shell.
func serve(t *testing.T, s httpkit.Shell, r *http.Request, h http.HandlerFunc) *httptest.ResponseRecorder {
	t.Helper()
	if s.Log == nil {
		s.Log = quiet()
	}
	w := httptest.NewRecorder()
	s.Handler(h).ServeHTTP(w, r)
	return w
}

func get(target string) *http.Request { return httptest.NewRequest(http.MethodGet, target, nil) }

func TestProblemPerKind(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause-text")
	tests := []struct {
		kind   fault.Kind
		status int
		retry  string
	}{
		{fault.Internal, 500, ""},
		{fault.Invalid, 400, ""},
		{fault.NotFound, 404, ""},
		{fault.Conflict, 409, ""},
		{fault.Mismatch, 422, ""},
		{fault.Unsupported, 400, ""},
		{fault.Unavailable, 503, "2"},
		{fault.Unknown, 504, "2"},
		{fault.Unauthenticated, 401, ""},
		{fault.Forbidden, 403, ""},
		{fault.BadAnswer, 502, ""},
		{fault.Limited, 429, "1"},
		{fault.Kind(200), 500, ""},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.kind), func(t *testing.T) {
			t.Parallel()
			f := fault.Wrap(tt.kind, "some_code", "Some message.", cause)
			err := fmt.Errorf("outer-text: %w", fmt.Errorf("inner-text: %w", f))
			res := serve(t, httpkit.Shell{}, get("/x"), func(w http.ResponseWriter, r *http.Request) {
				httpkit.WriteError(w, r, err)
			})
			var p map[string]any
			text := res.Body.String()
			if e := json.Unmarshal([]byte(text), &p); e != nil {
				t.Fatal(e)
			}
			code, message := "some_code", "Some message."
			if tt.status == 500 {
				code, message = "internal", "Something broke on our side. Quote the request id when you report it."
			}
			want := map[string]any{
				"type": "urn:payrack:problem:" + code, "title": http.StatusText(tt.status), "status": float64(tt.status),
				"detail": message, "code": code, "request_id": res.Header().Get("X-Request-Id"), "message": message, "message_from": "OMNI",
			}
			if diff := cmp.Diff(want, p); diff != "" {
				t.Error(diff)
			}
			if res.Code != tt.status || res.Header().Get("Retry-After") != tt.retry {
				t.Errorf("got %d and Retry-After %q, want %d and %q", res.Code, res.Header().Get("Retry-After"), tt.status, tt.retry)
			}
			for _, hidden := range []string{"cause-text", "outer-text", "inner-text"} {
				if strings.Contains(text, hidden) {
					t.Errorf("the reply has %s: %s", hidden, text)
				}
			}
			if challenged := res.Header().Get("WWW-Authenticate") != ""; challenged != (tt.status == 401) {
				t.Errorf("WWW-Authenticate: %v", challenged)
			}
		})
	}
}

func TestPlainErrorStaysInside(t *testing.T) {
	t.Parallel()
	for _, err := range []error{errors.New("canary-4711"), fmt.Errorf("a: %w", context.DeadlineExceeded), &json.SyntaxError{}} {
		res := serve(t, httpkit.Shell{}, get("/x"), func(w http.ResponseWriter, r *http.Request) { httpkit.WriteError(w, r, err) })
		text := res.Body.String()
		if res.Code != http.StatusInternalServerError || strings.Contains(text, "canary-4711") || strings.Contains(text, "deadline") ||
			!strings.Contains(text, `"code":"internal"`) {
			t.Errorf("%v: %d %s", err, res.Code, text)
		}
	}
}

func TestProblemDetails(t *testing.T) {
	t.Parallel()
	f := fault.New(fault.Conflict, "order_in_progress", "另一筆 <處理中>")
	f.Payment, f.RetryAfter = "0190a1b2-0000-7000-8000-000000000001", 1500*time.Millisecond
	for i := range 25 {
		f.Fields = append(f.Fields, fault.Field{Pointer: fmt.Sprintf("/request/%d", i), Code: "invalid_type", Detail: "d"})
	}
	r := get("/x")
	r.Header.Add("Accept", "text/html, application/problem+json;q=0.9")
	res := serve(t, httpkit.Shell{TraceID: func(context.Context) string { return "trace-1" }}, r, func(w http.ResponseWriter, r *http.Request) {
		httpkit.WriteError(w, r, f)
	})
	var p httpkit.Problem
	text := res.Body.String()
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Errors) != 20 || p.Errors[0] != (httpkit.Field{Pointer: "/request/0", Code: "invalid_type", Detail: "d"}) {
		t.Errorf("errors: %d %+v", len(p.Errors), p.Errors[:1])
	}
	if p.PaymentID != f.Payment || res.Header().Get("Payrack-Payment-Id") != f.Payment || p.TraceID != "trace-1" {
		t.Errorf("got %+v", p)
	}
	if got := res.Header().Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After %q, want 2: a client that asks too early is worse than one that waits", got)
	}
	if got := res.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	if !strings.Contains(text, "另一筆 <處理中>") {
		t.Errorf("the message is escaped: %s", text)
	}
}

func TestProblemMediaType(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]string{
		"":                                   "application/json",
		"*/*":                                "application/json",
		"application/json":                   "application/json",
		"application/problem+json":           "application/problem+json",
		"Application/Problem+JSON; q=0.5":    "application/problem+json",
		"application/problem+json; q=0":      "application/json",
		"application/problem+jsonx":          "application/json",
		"text/html,application/problem+json": "application/problem+json",
	} {
		r := get("/x")
		r.Header.Set("Accept", accept)
		res := serve(t, httpkit.Shell{}, r, func(w http.ResponseWriter, r *http.Request) {
			httpkit.WriteError(w, r, httpkit.NotFound())
		})
		if got := res.Header().Get("Content-Type"); got != want {
			t.Errorf("Accept %q: got %q, want %q", accept, got, want)
		}
	}
}
