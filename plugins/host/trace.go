package host

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"
)

// startCall begins the host's span of a call to a plugin and passes the trace on. It is written out here
// because a call costs tens of microseconds, of which the general instrumentation of gRPC, with its events
// for each message and its attributes also for what is not recorded, took a tenth.
func (h *Host) startCall(ctx context.Context, method string) (context.Context, trace.Span) {
	name := strings.TrimPrefix(method, "/")
	ctx, span := h.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient))
	if span.IsRecording() {
		span.SetAttributes(attribute.String("rpc.system.name", "grpc"), attribute.String("rpc.method", name))
	}
	if !span.SpanContext().IsValid() {
		return ctx, span
	}
	out, ok := metadata.FromOutgoingContext(ctx)
	if !ok {
		out = metadata.MD{}
	}
	propagation.TraceContext{}.Inject(ctx, carrier(out))
	return metadata.NewOutgoingContext(ctx, out), span
}

// carrier writes the trace headers into the metadata of a call.
type carrier metadata.MD

// Get implements propagation.TextMapCarrier.
func (c carrier) Get(key string) string {
	if values := c[key]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// Set implements propagation.TextMapCarrier. The propagator's keys are in lower case, as gRPC wants them.
func (c carrier) Set(key, value string) { c[key] = []string{value} }

// Keys implements propagation.TextMapCarrier.
func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for key := range c {
		keys = append(keys, key)
	}
	return keys
}
