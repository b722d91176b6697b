package httpkit_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
)

const canary = "canary-9f86d081884c7d65"

// TestShellScrubs shows that nothing behind the first handler can see the query, whatever it prints.
func TestShellScrubs(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var seen string
	r := get("/v1/x?request=" + url.QueryEscape(`{"channel_secret":"`+canary+`"}`))
	r.Header.Set("Referer", "https://till.example/?s="+canary)
	outside := r
	s := httpkit.Shell{
		Plane: "public", Log: slog.New(slog.NewJSONHandler(&log, nil)),
		Middleware: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen = fmt.Sprintf("%v %+v %#v %s %s %v %+v", r.URL, r.URL, r.URL, r.RequestURI, r.URL.RawQuery, r.Context(), r.Header)
				next.ServeHTTP(w, r)
			})
		},
	}
	var query string
	res := serve(t, s, r, func(w http.ResponseWriter, r *http.Request) {
		x := httpkit.Of(r.Context())
		query = x.Query()
		x.Enter(r, "/v1/x")
		seen += fmt.Sprintf("%v %+v %#v", x, x, x)
		panic("a panic about " + r.URL.String() + " and " + canary)
	})
	text := res.Body.String()
	if !strings.Contains(query, canary) {
		t.Fatal("the handler did not get the query: the test proves nothing")
	}
	for what, where := range map[string]string{
		"middleware": seen, "log": log.String(), "reply": text + fmt.Sprint(res.Header()),
		"request of the server": fmt.Sprintf("%v %s", outside.URL, outside.RequestURI),
	} {
		if strings.Contains(where, canary) {
			t.Errorf("the %s shows the secret: %s", what, where)
		}
	}
	if res.Code != http.StatusInternalServerError || !strings.Contains(text, `"code":"internal"`) {
		t.Errorf("got %d %s", res.Code, text)
	}
	if !strings.Contains(log.String(), `"panic_type":"string"`) || !strings.Contains(log.String(), "shell_test.go") {
		t.Errorf("the log does not show where it panicked: %s", log.String())
	}
}

func TestShellHeaders(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := httpkit.Shell{Plane: "public", Log: slog.New(slog.NewJSONHandler(&log, nil))}
	ok := func(w http.ResponseWriter, r *http.Request) {
		httpkit.Of(r.Context()).Enter(r, "/v1/:x")
		httpkit.WriteJSON(w, http.StatusOK, 1)
	}
	r := get("/v1/x")
	r.Header.Set("X-Request-Id", "till-17")
	res := serve(t, s, r, ok)
	if got := res.Header().Get("X-Request-Id"); len(got) != 36 || got[14] != '7' {
		t.Errorf("X-Request-Id %q is not one of ours", got)
	}
	if res.Header().Get("Cache-Control") != "no-store" || res.Header().Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("headers: %v", res.Header())
	}
	if res.Header().Get("Connection") != "" {
		t.Errorf("Connection: %q", res.Header().Get("Connection"))
	}
	if !strings.Contains(log.String(), `"client_request_id":"till-17"`) || !strings.Contains(log.String(), `"route":"/v1/:x"`) {
		t.Errorf("log: %s", log.String())
	}

	log.Reset()
	r = get("/v1/x")
	r.Header.Set("X-Request-Id", "two words")
	r.Method = "WORD"
	r.TransferEncoding = []string{"chunked"}
	res = serve(t, s, r, ok)
	if res.Header().Get("Connection") != "close" {
		t.Error("a chunked request keeps the connection")
	}
	if strings.Contains(log.String(), "two words") || strings.Contains(log.String(), "WORD") {
		t.Errorf("log: %s", log.String())
	}
}

// TestShellLogNamesTheTrace: the trace is made by the middleware, inside of what the line is written about.
func TestShellLogNamesTheTrace(t *testing.T) {
	t.Parallel()
	type key struct{}
	var log bytes.Buffer
	s := httpkit.Shell{
		Plane: "public", Log: slog.New(slog.NewJSONHandler(&log, nil)),
		TraceID: func(ctx context.Context) string { id, _ := ctx.Value(key{}).(string); return id },
		Middleware: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, "trace-7")))
			})
		},
	}
	serve(t, s, get("/x"), func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	serve(t, s, get("/x"), func(http.ResponseWriter, *http.Request) { panic("x") })
	serve(t, s, get("/x/../y"), nil) // refused before any trace
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 4 {
		t.Fatalf("%d lines:\n%s", len(lines), log.String())
	}
	for i, want := range []int{1, 1, 1, 0} {
		if got := strings.Count(lines[i], `"trace_id":"trace-7"`); got != want {
			t.Errorf("line %d names the trace %d times, want %d: %s", i, got, want, lines[i])
		}
	}
}

func TestShellPattern(t *testing.T) {
	t.Parallel()
	var pattern string
	s := httpkit.Shell{Middleware: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r)
			pattern = r.Pattern
		})
	}}
	serve(t, s, get("/v1/x"), func(_ http.ResponseWriter, r *http.Request) { httpkit.Of(r.Context()).Enter(r, "/v1/:x") })
	if pattern != "GET /v1/:x" {
		t.Errorf("middleware sees the pattern %q", pattern)
	}
}

func TestShellCutsBrokenReplies(t *testing.T) {
	t.Parallel()
	s := httpkit.Shell{Log: quiet()}
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // net/http compares the value in the same way
			t.Errorf("got panic %v, want the connection to be cut", p)
		}
	}()
	s.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		panic("half way")
	})).ServeHTTP(httptest.NewRecorder(), get("/x"))
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/":                               true,
		"/v1/payment/integrate/search":    true,
		"/.well-known/jwks.json":          true,
		"/v2/payments/0190-a_b~c.d":       true,
		"":                                false,
		"*":                               false,
		"//v1/payment":                    false,
		"/v1//payment":                    false,
		"/v1/./payment":                   false,
		"/v1/../payment":                  false,
		"/v1/payment/":                    false,
		"/v1/payment/%2e%2e/x":            false,
		"/v1/payment%2Fx":                 false,
		"/v1/paym%65nt":                   false,
		"/v1/payment;x":                   false,
		"/v1/付款":                          false,
		"/v1/payment\\x":                  false,
		"/v1/payment/integrate/search%3F": false,
	} {
		u := &url.URL{}
		if parsed, err := url.ParseRequestURI(path); err == nil {
			u = parsed
		} else {
			u.Path = path
		}
		if got := httpkit.Canonical(u); got != want {
			t.Errorf("%q: got %v, want %v", path, got, want)
		}
	}
}
