package provider

import (
	"context"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// Service lets tests call a provider through the contract without a process.
type Service = service

// NewTestService describes and returns the service, as Serve does before its handshake.
func NewTestService[S any](
	ctx context.Context, name string, open func(context.Context, S, Host) (Provider, error), h Host,
) (providerv1.ProviderServiceServer, error) {
	return newService(ctx, name, typedOpener[S](open), h, nil)
}

// WatchParent is watchParent.
func WatchParent(parent int, every time.Duration, end func()) { watchParent(parent, every, end) }

// SpanQueue is spanQueue.
type SpanQueue = spanQueue

// NewSpanQueue is newSpanQueue.
var NewSpanQueue = newSpanQueue

// Tracers is tracerProvider.
func (q *spanQueue) Tracers() *sdktrace.TracerProvider { return q.tracerProvider() }

// Stream is stream.
func (q *spanQueue) Stream(ctx context.Context, send func(*providerv1.TelemetryResponse) error) error {
	return q.stream(ctx, send)
}

// Finish is finish.
func (q *spanQueue) Finish(limit time.Duration) { q.finish(limit) }

// Foreign is foreign.
var Foreign = foreign
