package provider_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// sampled is a context inside a trace that the host records.
func sampled(t *testing.T) context.Context {
	t.Helper()
	return trace.ContextWithRemoteSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true,
	}))
}

// A plugin never waits for the host's stream: what does not fit is dropped, and the host is told.
func TestSpansAreBoundedAndCounted(t *testing.T) {
	t.Parallel()
	q := provider.NewSpanQueue()
	tracer := q.Tracers().Tracer("test")
	const made, room = 5000, 4096
	for range made {
		_, span := tracer.Start(sampled(t), "s")
		span.End()
	}
	_, root := tracer.Start(t.Context(), "a trace of its own")
	root.End()
	var got int
	var dropped uint64
	streamed := make(chan error, 1)
	go func() {
		streamed <- q.Stream(t.Context(), func(b *providerv1.TelemetryResponse) error {
			dropped += b.GetDropped()
			var batch coltracepb.ExportTraceServiceRequest
			if err := proto.Unmarshal(b.GetOtlpTraces(), &batch); err != nil {
				return err
			}
			for _, r := range batch.GetResourceSpans() {
				for _, s := range r.GetScopeSpans() {
					got += len(s.GetSpans())
				}
			}
			return nil
		})
	}()
	q.Finish(10 * time.Second)
	if err := <-streamed; err != nil {
		t.Fatal(err)
	}
	if got != room || dropped != made-room {
		t.Errorf("%d spans and %d dropped; want %d and %d: only spans of the host's traces count", got, dropped, room, made-room)
	}
}

func TestFinishDoesNotWaitForNobody(t *testing.T) {
	t.Parallel()
	q := provider.NewSpanQueue()
	_, span := q.Tracers().Tracer("test").Start(sampled(t), "s")
	span.End()
	q.Finish(time.Hour)
	q.Finish(time.Hour)
}
