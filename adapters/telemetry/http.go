package telemetry

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// unmatched stands for the route of a request that no route took.
const unmatched = "unmatched"

// Middleware measures the handler of a plane: one server span and one count for each request. Neither holds
// anything that the client chose: the handler tells the template of its route by Request.Pattern, and
// without one a request counts as unmatched. The query must have been taken out of the request before.
func (t *Telemetry) Middleware(plane string) func(http.Handler) http.Handler {
	traced := identified
	if t.Exports() {
		traced = t.recorded(plane)
	}
	return func(next http.Handler) http.Handler {
		inner := traced(t.count(plane, next))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// Free text of a client has no business at a provider's gateway; the trace itself goes on.
			r.Header.Del("Tracestate")
			r.Header.Del("Baggage")
			inner.ServeHTTP(w, r)
		})
	}
}

// recorded makes a server span for each request.
func (t *Telemetry) recorded(plane string) func(http.Handler) http.Handler {
	return otelhttp.NewMiddleware("payrack."+plane,
		otelhttp.WithTracerProvider(t.provider),
		otelhttp.WithMeterProvider(noop.NewMeterProvider()),
		otelhttp.WithPropagators(t.Propagator()),
		// The name of a server is what the client wrote into Host.
		otelhttp.WithServerName("payrack"),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return method(r) + " " + template(r) }),
		otelhttp.WithFilter(func(r *http.Request) bool { return !quiet(r.URL.Path) }),
	)
}

// identified gives each request the ids of a trace, the client's own if it sent one, and records nothing.
// The trace is marked as not sampled, so that nobody behind this process records it for nothing either.
func identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if quiet(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		ctx := r.Context()
		next.ServeHTTP(w, r.WithContext(trace.ContextWithSpanContext(ctx, ids(ctx, r.Header))))
	})
}

// ids names a trace and a place in it.
func ids(ctx context.Context, h http.Header) trace.SpanContext {
	var c trace.SpanContextConfig
	if len(h["Traceparent"]) == 1 {
		c.TraceID = trace.SpanContextFromContext(propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(h))).TraceID()
	}
	for !c.TraceID.IsValid() {
		binary.NativeEndian.PutUint64(c.TraceID[:8], label())
		binary.NativeEndian.PutUint64(c.TraceID[8:], label())
	}
	for !c.SpanID.IsValid() {
		binary.NativeEndian.PutUint64(c.SpanID[:], label())
	}
	return trace.NewSpanContext(c)
}

func label() uint64 { return rand.Uint64() } //nolint:gosec // a label, not a secret; the SDK of OpenTelemetry does the same

// quiet names routes that are polled and would bury everything else.
func quiet(path string) bool { return path == "/healthz" || path == "/readyz" || path == "/metrics" }

func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodPost, "QUERY", http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead,
		http.MethodOptions:
		return r.Method
	}
	return "OTHER"
}

// template is the route that took the request, without its method.
func template(r *http.Request) string {
	if _, path, ok := strings.Cut(r.Pattern, " "); ok {
		return path
	}
	if r.Pattern != "" {
		return r.Pattern
	}
	return unmatched
}

// count hands on the very request that it got: the handler writes its pattern there.
func (t *Telemetry) count(plane string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		sent := &status{ResponseWriter: w}
		returned := false
		defer func() { //nolint:contextcheck // the request holds its context
			if !returned && sent.code == 0 {
				sent.code = http.StatusInternalServerError // a panic on its way to whoever answers it
			}
			route := template(r)
			if t.Exports() {
				trace.SpanFromContext(r.Context()).SetAttributes(attribute.String("http.route", route))
			}
			t.metrics.requests.add(started, plane, route, method(r), strconv.Itoa(sent.get()))
		}()
		next.ServeHTTP(sent, r)
		returned = true
	})
}

// status remembers what was answered.
type status struct {
	http.ResponseWriter
	code int
}

// WriteHeader remembers the first final code.
func (s *status) WriteHeader(code int) {
	if s.code == 0 && code >= http.StatusOK {
		s.code = code
	}
	s.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController through.
func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *status) get() int {
	if s.code == 0 {
		return http.StatusOK
	}
	return s.code
}
