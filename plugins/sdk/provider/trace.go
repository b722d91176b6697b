package provider

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// tracerName names this package in the spans that it makes.
const tracerName = "github.com/payrack/payrack/plugins/sdk/provider"

// The headers of W3C Trace Context.
const (
	traceparent = "traceparent"
	tracestate  = "tracestate"
)

// callPrefix begins the full method name of every call of the contract.
var callPrefix = "/" + providerv1.ProviderService_ServiceDesc.ServiceName + "/"

// traced leaves out what is not a call about a payment.
func traced(method string) bool {
	switch method {
	case providerv1.ProviderService_GetInfo_FullMethodName,
		providerv1.ProviderService_Configure_FullMethodName,
		providerv1.ProviderService_Health_FullMethodName,
		providerv1.ProviderService_Telemetry_FullMethodName:
		return false
	default:
		return strings.HasPrefix(method, callPrefix)
	}
}

// startCall continues the host's trace and begins the plugin's span of the call. It is written out for the
// same reason as the host's half: it is in the way of every payment, also of those that nobody records.
func startCall(ctx context.Context, tracer trace.Tracer, method string) (context.Context, trace.Span) {
	if parent := metadata.ValueFromIncomingContext(ctx, traceparent); len(parent) == 1 {
		headers := propagation.MapCarrier{traceparent: parent[0]}
		if state := metadata.ValueFromIncomingContext(ctx, tracestate); len(state) > 0 {
			headers[tracestate] = strings.Join(state, ",")
		}
		ctx = propagation.TraceContext{}.Extract(ctx, headers)
	}
	name := strings.TrimPrefix(method, "/")
	ctx, span := tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer))
	if span.IsRecording() {
		span.SetAttributes(attribute.String("rpc.system.name", "grpc"), attribute.String("rpc.method", name))
	}
	return ctx, span
}
