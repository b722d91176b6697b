package host_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"

	"github.com/payrack/payrack/plugins/host"
)

// One trace crosses the border, and the plugin's spans come back with a resource that the host wrote.
func TestTraceCrossesTheBorder(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewSpanRecorder()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	var mu sync.Mutex
	type got struct {
		source host.Source
		name   string
		trace  string
		parent string
		attrs  map[string]string
	}
	var spans []got
	h := newHost(t, func(o *host.Options) {
		o.TracerProvider = tracers
		o.StopTimeout = 20 * time.Second // a slow machine needs time to flush
		o.Spans = func(s host.Source, r *coltracepb.ExportTraceServiceRequest) {
			mu.Lock()
			defer mu.Unlock()
			for _, rs := range r.GetResourceSpans() {
				attrs := map[string]string{}
				for _, a := range rs.GetResource().GetAttributes() {
					attrs[a.GetKey()] = a.GetValue().GetStringValue()
				}
				for _, ss := range rs.GetScopeSpans() {
					for _, sp := range ss.GetSpans() {
						spans = append(spans, got{s, sp.GetName(), string(sp.GetTraceId()), string(sp.GetParentSpanId()), attrs})
					}
				}
			}
		}
	})
	a := activate(t, h, role{Version: "1.0.0"}, "")
	ctx, root := tracers.Tracer("test").Start(withTime(t, 5*time.Second), "root")
	l := acquire(t, h)
	id := text(t, l.Pay(ctx, payment("trace")))
	root.End()
	if id != root.SpanContext().TraceID().String() {
		t.Errorf("the plugin saw trace %s, want %s", id, root.SpanContext().TraceID())
	}
	l.Close()
	// Stopping flushes: what is queued arrives before the process ends.
	if err := h.Slot(pluginName).Disable(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(spans) != 1 {
		t.Fatalf("%d spans of the plugin, want the one of Pay: %+v", len(spans), spans)
	}
	s := spans[0]
	var client sdktrace.ReadOnlySpan
	for _, ended := range recorder.Ended() {
		if ended.Parent().SpanID() == root.SpanContext().SpanID() {
			client = ended
		}
	}
	if client == nil {
		t.Fatal("the host recorded no span of the call")
	}
	traceID, parent := root.SpanContext().TraceID(), client.SpanContext().SpanID()
	if s.trace != string(traceID[:]) || s.parent != string(parent[:]) {
		t.Errorf("the plugin's span %+v does not hang below the host's", s)
	}
	if s.source.PID != a.PID || s.source.Instance != a.Instance || s.attrs["service.name"] != "payrack-provider-"+pluginName ||
		s.attrs["payrack.plugin.sha256"] != a.SHA256 || s.attrs["payrack.plugin.instance"] != a.Instance {
		t.Errorf("source %+v, resource %v", s.source, s.attrs)
	}
	for _, ended := range recorder.Ended() {
		if ended.Name() == "payrack.provider.v1.ProviderService/Health" {
			t.Error("pings are traced")
		}
	}
}

// What nobody records still belongs to somebody's trace: its ids cross the border, and no span comes back.
func TestTraceIDsCrossTheBorderUnrecorded(t *testing.T) {
	t.Parallel()
	for name, tracers := range map[string]trace.TracerProvider{
		"never sampled":    sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())),
		"no tracer at all": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var came atomic.Int64
			h := newHost(t, func(o *host.Options) {
				o.TracerProvider = tracers
				o.Spans = func(host.Source, *coltracepb.ExportTraceServiceRequest) { came.Add(1) }
			})
			activate(t, h, role{Version: "1.0.0"}, "")
			state, err := trace.ParseTraceState("vendor=value")
			if err != nil {
				t.Fatal(err)
			}
			parent := trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: trace.TraceID{7, 1}, SpanID: trace.SpanID{2}, TraceState: state, Remote: true,
			})
			l := acquire(t, h)
			answer := text(t, l.Pay(trace.ContextWithRemoteSpanContext(withTime(t, 5*time.Second), parent), payment("trace")))
			if answer != parent.TraceID().String() {
				t.Errorf("the plugin saw trace %s, want %s", answer, parent.TraceID())
			}
			l.Close()
			if err := h.Slot(pluginName).Disable(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := came.Load(); n != 0 {
				t.Errorf("%d batches of spans came from a trace that is not recorded", n)
			}
		})
	}
}
