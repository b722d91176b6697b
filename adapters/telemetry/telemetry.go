package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

const scope = "github.com/payrack/payrack/adapters/telemetry"

// Options of New.
type Options struct {
	// Version of the program.
	Version string
	// Boot is the id of this life of the process.
	Boot string
	// Log takes notices of the exporter. Required.
	Log *slog.Logger
	// Getenv reads the OTEL_* variables that choose the exporter; os.Getenv if nil.
	Getenv func(string) string
	// Console takes spans with OTEL_TRACES_EXPORTER=console; os.Stderr if nil.
	Console io.Writer
	// Client takes the place of the exporter that the variables choose.
	Client otlptrace.Client
}

// Telemetry holds the tracer, the metrics and the way out for spans.
type Telemetry struct {
	// recorder makes the spans; nil if nothing is exported.
	recorder *sdktrace.TracerProvider
	provider trace.TracerProvider
	tracer   trace.Tracer
	metrics  *metrics
	relay    *relay
}

// New sets tracing and metrics up. With an exporter it starts its queue, which Shutdown ends.
func New(ctx context.Context, o Options) (*Telemetry, error) {
	if o.Log == nil {
		return nil, errors.New("telemetry: Options.Log is required")
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Console == nil {
		o.Console = os.Stderr
	}
	t := &Telemetry{metrics: newMetrics(o.Version)}
	client, err := chooseClient(o)
	if err != nil {
		return nil, err
	}
	if client == nil {
		// The middleware still gives each request an id, so that its logs and its problem document share one.
		t.provider = noop.NewTracerProvider()
		return t, nil
	}
	scrubbed := &scrubber{next: client}
	exporter, err := otlptrace.New(ctx, scrubbed)
	if err != nil {
		return nil, fmt.Errorf("start the span exporter: %w", err)
	}
	described, err := describe(ctx, o)
	if err != nil {
		return nil, err
	}
	t.recorder = sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(described))
	t.provider = t.recorder
	t.tracer = t.provider.Tracer(scope)
	t.relay = newRelay(context.WithoutCancel(ctx), scrubbed, o.Log, t.metrics.dropped)
	return t, nil
}

func describe(ctx context.Context, o Options) (*resource.Resource, error) {
	r, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(
			attribute.String("service.name", "payrack"),
			attribute.String("service.version", o.Version),
			attribute.String("service.instance.id", o.Boot),
			attribute.Int("process.pid", os.Getpid()),
		),
		// Last, so that OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
		resource.WithFromEnv(),
	)
	if err != nil {
		return nil, fmt.Errorf("describe this process for traces: %w", err)
	}
	return r, nil
}

// Exports reports whether spans are recorded and leave the process.
func (t *Telemetry) Exports() bool { return t.recorder != nil }

// span begins a span. Without an exporter it costs nothing and leaves the context as it is.
func (t *Telemetry) span(ctx context.Context, name string, o ...trace.SpanStartOption) (context.Context, trace.Span) {
	if t.recorder == nil {
		return ctx, noSpan
	}
	return t.tracer.Start(ctx, name, o...) //nolint:spancheck // the caller ends it
}

// noSpan records nothing.
var noSpan trace.Span = noop.Span{}

// TracerProvider makes tracers; without an exporter they record nothing.
func (t *Telemetry) TracerProvider() trace.TracerProvider { return t.provider }

// Propagator carries the trace over process borders: W3C trace context, without baggage.
func (t *Telemetry) Propagator() propagation.TextMapPropagator { return propagation.TraceContext{} }

// Registry is where other parts of the process register metrics.
func (t *Telemetry) Registry() *prometheus.Registry { return t.metrics.registry }

// TraceID is the trace of the context in lower-case hex, "" without one.
func TraceID(ctx context.Context) string {
	if c := trace.SpanContextFromContext(ctx); c.HasTraceID() {
		return c.TraceID().String()
	}
	return ""
}

// Shutdown sends what is queued, as far as the context allows, and stops. It is safe to call twice.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if t.recorder == nil {
		return nil
	}
	// The recorder closes the client, so it goes last.
	if err := errors.Join(t.relay.close(ctx), t.recorder.Shutdown(ctx)); err != nil {
		return fmt.Errorf("send the last spans: %w", err)
	}
	return nil
}
