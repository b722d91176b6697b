package conformance

import (
	"context"

	sdktrace "go.opentelemetry.io/otel/sdk/trace" //nolint:depguard // a plugin records spans only for a host that records: the kit has to
	"go.opentelemetry.io/otel/trace"              //nolint:depguard // see above
)

// fromTrace is where the kit's own trace ids come from.
const fromTrace = "trace"

// recordingTracers records every call, and keeps the ids of the traces.
func recordingTracers(c *collected) trace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(traceIDs{c}))
}

type traceIDs struct{ to *collected }

// OnStart keeps the id.
func (t traceIDs) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) {
	t.to.add(fromTrace, s.SpanContext().TraceID().String())
}

// OnEnd implements sdktrace.SpanProcessor.
func (traceIDs) OnEnd(sdktrace.ReadOnlySpan) {}

// Shutdown implements sdktrace.SpanProcessor.
func (traceIDs) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdktrace.SpanProcessor.
func (traceIDs) ForceFlush(context.Context) error { return nil }
