package httpkit

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Shell is the first handler of a plane. Before anything else can see a request it takes the query out of
// it: a query can hold a provider's secret, and logs, traces, redirects and panics print URLs.
type Shell struct {
	// Plane names the listener in the log.
	Plane string
	Log   *slog.Logger
	// TraceID reads the trace of a request from its context; may be nil.
	TraceID func(context.Context) string
	// ClientIP says where a request came from; nil means the address of the connection.
	ClientIP func(*http.Request) string
	// Middleware wraps the routes inside the scrubbed part; may be nil. Request.Pattern holds the method and
	// the template of the route when the inner handler has returned.
	Middleware func(http.Handler) http.Handler
}

var plainID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

// Handler wraps the routes of the plane.
func (s Shell) Handler(routes http.Handler) http.Handler {
	inner := traced(routes)
	if s.Middleware != nil {
		inner = s.Middleware(inner)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := takeOut(r)
		x.traceID, x.clientIP = s.TraceID, s.ClientIP
		if own := r.Header.Values("X-Request-Id"); len(own) == 1 && plainID.MatchString(own[0]) {
			x.ClientRequestID = own[0]
		}
		// The copy shares the scrubbed URL. Nothing below copies the request again, so that Pattern gets out.
		r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
		out := &response{ResponseWriter: w}
		defer s.finish(out, r, x)

		h := out.Header()
		h.Set("X-Request-Id", x.RequestID)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if slices.Contains(r.TransferEncoding, "chunked") {
			// A request with Content-Length and chunked looks chunked here. Closing keeps bytes that a proxy
			// counted otherwise from becoming a second request.
			h.Set("Connection", "close")
		}
		if !Canonical(r.URL) {
			WriteError(out, r, NotFound())
			return
		}
		inner.ServeHTTP(out, r)
	})
}

// traced notes the trace that the middleware has put the request into. The line of the log is written
// outside of it.
func traced(routes http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x := Of(r.Context()); x.traceID != nil {
			x.trace = x.traceID(r.Context())
		}
		routes.ServeHTTP(w, r)
	})
}

// takeOut moves the query out of the request, in place: the server and every wrapper hold the same request.
func takeOut(r *http.Request) *Exchange {
	query := r.URL.RawQuery
	x := &Exchange{
		RequestID: newID(),
		begun:     time.Now(),
		query:     func() string { return query },
		urlLength: len(r.RequestURI),
	}
	if x.urlLength == 0 {
		x.urlLength = len(r.URL.RequestURI())
	}
	r.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath}
	r.RequestURI = r.URL.EscapedPath()
	r.Header.Del("Referer")
	return x
}

func newID() string {
	id, err := uuid.NewV7()
	if err != nil {
		// Only without any source of randomness; a request must not fail for its label.
		return uuid.Nil.String()
	}
	return id.String()
}

// Canonical reports whether a path is in the one spelling that routes have: no escapes, no empty, "." or ".."
// segments, no trailing slash. Anything else is refused before a mux could answer it with a redirect, which
// would repeat the URL.
func Canonical(u *url.URL) bool {
	path := u.EscapedPath()
	if path == "/" {
		return true
	}
	if !strings.HasPrefix(path, "/") {
		return false
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
		for _, c := range []byte(segment) {
			if !pathByte(c) {
				return false
			}
		}
	}
	return true
}

func pathByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '_' || c == '.' || c == '~'
}

// finish recovers, and writes the one line of the log.
func (s Shell) finish(out *response, r *http.Request, x *Exchange) {
	abort := false
	if p := recover(); p != nil {
		abort = s.recovered(out, r, x, p)
	}
	s.record(out, r, x)
	if abort {
		// The reply was begun and cannot be taken back: the connection is cut, so that nobody reads it as whole.
		panic(http.ErrAbortHandler)
	}
}

// recovered answers a panic. Its text can hold parts of the request, so only its type is logged, and the
// text of errors of the Go runtime.
func (s Shell) recovered(out *response, r *http.Request, x *Exchange, p any) (abort bool) {
	if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares the value in the same way
		return true
	}
	attrs := []slog.Attr{
		slog.String("plane", s.Plane), slog.String("request_id", x.RequestID), slog.String("route", x.Route),
		slog.String("panic_type", typeName(p)), slog.String("stack", string(debug.Stack())),
	}
	if x.trace != "" {
		attrs = append(attrs, slog.String("trace_id", x.trace))
	}
	if e, ok := p.(runtime.Error); ok {
		attrs = append(attrs, slog.String("panic", e.Error()))
	}
	s.Log.LogAttrs(r.Context(), slog.LevelError, "request handler panicked", attrs...)
	if out.status != 0 {
		return true
	}
	x.Code = "internal"
	WriteError(out, r, errPanicked)
	return false
}

func (s Shell) record(out *response, r *http.Request, x *Exchange) {
	status := out.status
	if status == 0 {
		status = http.StatusOK
	}
	route := x.Route
	if route == "" {
		route = "unmatched"
	}
	attrs := append(make([]slog.Attr, 0, 16),
		slog.String("plane", s.Plane), slog.String("method", KnownMethod(r.Method)), slog.String("route", route),
		slog.Int("status", status), slog.Int64("bytes", out.bytes),
		slog.Int64("duration_us", time.Since(x.begun).Microseconds()), slog.String("request_id", x.RequestID),
	)
	for _, a := range []struct{ key, value string }{
		{"code", x.Code},
		{"client_request_id", x.ClientRequestID},
		{"trace_id", x.trace},
		{"company_id", string(x.Principal.Company)},
		{"client_id", x.Principal.Client},
		{"type", x.Type},
		{"payment_id", x.Payment},
		{"subject", x.Subject},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.key, a.value))
		}
	}
	if x.QuerySecrets {
		attrs = append(attrs, slog.Bool("query_secrets", true))
	}
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
		if x.Err != nil {
			attrs = append(attrs, slog.String("error", x.Err.Error()))
		}
	}
	s.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// KnownMethod is the method, or OTHER for a word that the client made up.
func KnownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace, MethodQuery:
		return m
	}
	return "OTHER"
}

// MethodQuery is the safe method with a body (RFC 10008).
const MethodQuery = "QUERY"

// response remembers what was answered.
type response struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err //nolint:wrapcheck // io.Writer hands the error of the connection on as it is
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
