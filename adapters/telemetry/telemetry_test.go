package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/payrack/payrack/adapters/telemetry"
)

// collector keeps what was uploaded.
type collector struct {
	mu    sync.Mutex
	spans []*tracepb.Span
	text  []string
	err   error
	hold  chan struct{}
}

func (c *collector) Start(context.Context) error { return nil }
func (c *collector) Stop(context.Context) error  { return nil }

func (c *collector) UploadTraces(_ context.Context, batch []*tracepb.ResourceSpans) error {
	if c.hold != nil {
		<-c.hold
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range batch {
		c.text = append(c.text, protojson.Format(r))
		for _, s := range r.GetScopeSpans() {
			c.spans = append(c.spans, s.GetSpans()...)
		}
	}
	return c.err
}

func (c *collector) all() []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spans
}

func (c *collector) everything() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.text, "\n")
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func start(t *testing.T, c *collector) *telemetry.Telemetry {
	t.Helper()
	o := telemetry.Options{Version: "1.2.3", Boot: "boot", Log: discard(), Getenv: func(string) string { return "" }}
	if c != nil {
		o.Client = c
	}
	tel, err := telemetry.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return tel
}

func stop(t *testing.T, tel *telemetry.Telemetry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := tel.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}

func text(s *tracepb.Span, key string) string {
	for _, kv := range s.GetAttributes() {
		if kv.GetKey() == key {
			return kv.GetValue().GetStringValue()
		}
	}
	return ""
}

func metricsOf(t *testing.T, tel *telemetry.Telemetry) string {
	t.Helper()
	w := httptest.NewRecorder()
	tel.MetricsHandler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

func TestHTTPSpanNamesTheRouteAndNothingOfTheClient(t *testing.T) {
	t.Parallel()
	c := &collector{}
	tel := start(t, c)
	var inside string
	h := tel.Middleware("public")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Pattern = r.Method + " /v2/payments/{id}"
		inside = telemetry.TraceID(r.Context())
		if r.Header.Get("Tracestate") != "" || r.Header.Get("Baggage") != "" {
			t.Error("free text of the client goes on")
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	r := httptest.NewRequestWithContext(t.Context(), "CANARYMETHOD", "http://canary-host/v2/payments/canary-path?request=canary-query", nil)
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	r.Header.Set("Tracestate", "vendor=canary-state")
	r.Header.Set("Baggage", "k=canary-baggage")
	r.Header.Set("User-Agent", "canary-agent")
	r.Header.Set("X-Forwarded-For", "canary-forwarded")
	h.ServeHTTP(httptest.NewRecorder(), r)
	stop(t, tel)

	if inside != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("the handler ran in trace %q", inside)
	}
	spans := c.all()
	if len(spans) != 1 || spans[0].GetName() != "OTHER /v2/payments/{id}" || text(spans[0], "http.route") != "/v2/payments/{id}" {
		t.Fatalf("spans %v", spans)
	}
	if out := c.everything(); strings.Contains(strings.ToLower(out), "canary") {
		t.Errorf("a value of the client left in a span:\n%s", out)
	}
	out := metricsOf(t, tel)
	if strings.Contains(strings.ToLower(out), "canary") {
		t.Errorf("a value of the client is in the metrics:\n%s", out)
	}
	if want := `payrack_http_requests_total{method="OTHER",plane="public",route="/v2/payments/{id}",status="418"} 1`; !strings.Contains(out, want) {
		t.Errorf("%s is missing in:\n%s", want, out)
	}
}

func TestPolledRoutesMakeNoSpan(t *testing.T) {
	t.Parallel()
	c := &collector{}
	tel := start(t, c)
	h := tel.Middleware("public")(http.NotFoundHandler())
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/seen"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	}
	stop(t, tel)
	if spans := c.all(); len(spans) != 1 || spans[0].GetName() != "GET unmatched" {
		t.Errorf("spans %v", spans)
	}
}

func TestAPanicCountsAsAFailure(t *testing.T) {
	t.Parallel()
	tel := start(t, nil)
	h := tel.Middleware("public")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("canary") }))
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x", nil))
	}()
	if out := metricsOf(t, tel); !strings.Contains(out, `status="500"} 1`) {
		t.Errorf("no 500 in:\n%s", out)
	}
}

func TestWithoutExporterThereAreIDsButNoSpans(t *testing.T) {
	t.Parallel()
	tel := start(t, nil)
	var id string
	h := tel.Middleware("public")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { id = telemetry.TraceID(r.Context()) }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x", nil))
	if len(id) != 32 {
		t.Errorf("trace id %q", id)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x", nil)
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if h.ServeHTTP(httptest.NewRecorder(), r); id != "0af7651916cd43dd8448eb211c80319c" || tel.Exports() {
		t.Errorf("trace id %q is not the client's", id)
	}
	r.Header["Traceparent"] = append(r.Header["Traceparent"], "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if h.ServeHTTP(httptest.NewRecorder(), r); len(id) != 32 || strings.HasSuffix(id, "af7651916cd43dd8448eb211c80319c") {
		t.Errorf("two traces, and %q was chosen", id)
	}
	tel.SpanSink(&coltracepb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{}}})
	stop(t, tel)
	stop(t, tel)
}

func pluginBatch() *coltracepb.ExportTraceServiceRequest {
	value := func(s string) *commonpb.AnyValue {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
	}
	unsafe := []*commonpb.KeyValue{
		{Key: "url.full", Value: value("https://x/?canary")},
		{Key: "http.request.header.authorization", Value: value("canary")},
		{Key: "http.response.header.set-cookie", Value: value("canary")},
		{Key: "db.statement", Value: value("canary")},
		{Key: "acme.card_number", Value: value("canary")},
		{Key: "http.response.status_code", Value: value("kept")},
	}
	return &coltracepb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{
		ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{{
			Name: "gateway pay", TraceState: "canary", Attributes: unsafe,
			Status: &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "canary"},
			Events: []*tracepb.Span_Event{{Name: "exception", Attributes: []*commonpb.KeyValue{
				{Key: "exception.message", Value: value("canary")}, {Key: "acme.note", Value: value("canary")}, {Key: "exception.type", Value: value("kept")},
			}}},
			Links: []*tracepb.Span_Link{{TraceState: "canary", Attributes: []*commonpb.KeyValue{{Key: "acme.link", Value: value("canary")}}}},
		}}, Scope: &commonpb.InstrumentationScope{Attributes: []*commonpb.KeyValue{{Key: "acme.scope", Value: value("canary")}}}}},
	}}}
}

func TestPluginSpansAreScrubbedAndRelayed(t *testing.T) {
	t.Parallel()
	c := &collector{}
	tel := start(t, c)
	if !strings.Contains(protojson.Format(pluginBatch()), "canary") {
		t.Fatal("the batch holds no canary: this test shows nothing")
	}
	tel.SpanSink(pluginBatch())
	stop(t, tel)
	if spans := c.all(); len(spans) != 1 || spans[0].GetName() != "gateway pay" || text(spans[0], "http.response.status_code") != "kept" {
		t.Errorf("spans %v", spans)
	}
	if out := c.everything(); strings.Contains(out, "canary") || strings.Count(out, "kept") != 2 {
		t.Errorf("relayed:\n%s", out)
	}
}

func TestRelayNeverBlocksAndCountsWhatItDrops(t *testing.T) {
	t.Parallel()
	c := &collector{hold: make(chan struct{})}
	tel := start(t, c)
	const sent = 400
	for range sent {
		tel.SpanSink(pluginBatch())
	}
	if strings.Contains(metricsOf(t, tel), "payrack_telemetry_dropped_batches_total 0\n") {
		t.Error("nothing was dropped with a collector that hangs")
	}
	close(c.hold)
	stop(t, tel)
	if n := len(c.all()); n == 0 || n >= sent {
		t.Errorf("%d batches arrived of %d", n, sent)
	}
	tel.SpanSink(pluginBatch()) // after the end: dropped, no panic
}

func TestRelaySurvivesAFailingCollector(t *testing.T) {
	t.Parallel()
	c := &collector{err: errors.New("503")}
	tel := start(t, c)
	tel.SpanSink(pluginBatch())
	tel.SpanSink(pluginBatch())
	stop(t, tel)
	if n := len(c.all()); n != 2 {
		t.Errorf("%d batches were tried, want 2", n)
	}
	if !strings.Contains(metricsOf(t, tel), "payrack_telemetry_dropped_batches_total 2\n") {
		t.Error("the failures are not counted")
	}
}

func TestExporterVariables(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"none by default":  {nil, ""},
		"none":             {map[string]string{"OTEL_TRACES_EXPORTER": "none"}, ""},
		"unknown exporter": {map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, "choose otlp, console or none"},
		"unknown protocol": {map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "choose grpc or http/protobuf"},
		"http":             {map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, ""},
		"grpc":             {map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, ""},
		"traces over common": {map[string]string{
			"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "nonsense", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tel, err := telemetry.New(t.Context(), telemetry.Options{Log: discard(), Getenv: func(k string) string { return c.env[k] }})
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				stop(t, tel)
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestConsolePrintsOneObjectALine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel, err := telemetry.New(t.Context(), telemetry.Options{
		Log: discard(), Console: &out, Version: "1.2.3",
		Getenv: func(k string) string { return map[string]string{"OTEL_TRACES_EXPORTER": "console"}[k] },
	})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tel.TracerProvider().Tracer("test").Start(t.Context(), "hello")
	span.End()
	tel.SpanSink(pluginBatch())
	stop(t, tel)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	for _, line := range lines {
		if err := protojson.Unmarshal([]byte(line), proto.Message(&tracepb.ResourceSpans{})); err != nil {
			t.Errorf("%v: %s", err, line)
		}
	}
	if !strings.Contains(out.String(), `"hello"`) || !strings.Contains(out.String(), `"1.2.3"`) {
		t.Errorf("the span or its resource is missing:\n%s", out.String())
	}
}

func TestLogNamesItsTrace(t *testing.T) {
	t.Parallel()
	tel := start(t, &collector{})
	t.Cleanup(func() { stop(t, tel) })
	var out bytes.Buffer
	log := slog.New(telemetry.LogHandler(slog.NewJSONHandler(&out, nil))).With(slog.String("a", "b"))
	ctx, span := tel.TracerProvider().Tracer("test").Start(t.Context(), "work")
	defer span.End()
	log.InfoContext(ctx, "with")
	if want := `"trace_id":"` + telemetry.TraceID(ctx) + `"`; !strings.Contains(out.String(), want) || !strings.Contains(out.String(), `"span_id":"`) {
		t.Errorf("got %s, want %s", out.String(), want)
	}
	out.Reset()
	log.InfoContext(t.Context(), "without")
	if strings.Contains(out.String(), "trace_id") {
		t.Errorf("a trace id without a trace: %s", out.String())
	}
}
