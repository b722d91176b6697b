package provider

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/payrack/payrack/plugins/internal/handshake"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

const (
	maxQueuedSpans = 4096
	maxBatchSpans  = 256
	// batchDelay lets the spans of one call travel together.
	batchDelay = 50 * time.Millisecond
)

// spanQueue holds finished spans until the host's stream takes them. A plugin never waits for it: what
// does not fit is dropped and counted.
type spanQueue struct {
	wake chan struct{}
	done chan struct{} // closed by finish

	mu       sync.Mutex
	spans    []sdktrace.ReadOnlySpan
	dropped  uint64
	streams  int
	emptied  chan struct{} // closed when the last batch was sent after finish
	finished bool
}

func newSpanQueue() *spanQueue {
	return &spanQueue{wake: make(chan struct{}, 1), done: make(chan struct{}), emptied: make(chan struct{})}
}

// tracerProvider makes the plugin's tracer: it records what the host's trace records and starts no trace
// of its own.
func (q *spanQueue) tracerProvider() *sdktrace.TracerProvider {
	limits := sdktrace.NewSpanLimits()
	limits.AttributeValueLengthLimit = 1024
	return sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample())),
		sdktrace.WithResource(resource.Empty()), // the host says who we are
		sdktrace.WithRawSpanLimits(limits),
		sdktrace.WithSpanProcessor(q),
	)
}

// OnStart implements sdktrace.SpanProcessor.
func (*spanQueue) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd queues a finished span.
func (q *spanQueue) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	q.mu.Lock()
	if len(q.spans) >= maxQueuedSpans {
		q.dropped++
	} else {
		q.spans = append(q.spans, s)
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// ForceFlush implements sdktrace.SpanProcessor; the stream flushes.
func (*spanQueue) ForceFlush(context.Context) error { return nil }

// Shutdown implements sdktrace.SpanProcessor.
func (*spanQueue) Shutdown(context.Context) error { return nil }

func (q *spanQueue) take() (spans []sdktrace.ReadOnlySpan, dropped uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.spans), maxBatchSpans)
	spans = append(spans, q.spans[:n]...)
	q.spans = append(q.spans[:0], q.spans[n:]...)
	dropped, q.dropped = q.dropped, 0
	return spans, dropped
}

// stream sends batches until the context ends or the queue was finished and is empty.
func (q *spanQueue) stream(ctx context.Context, send func(*providerv1.TelemetryResponse) error) error {
	q.mu.Lock()
	q.streams++
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		q.streams--
		q.mu.Unlock()
	}()
	var upload captured
	exporter := otlptrace.NewUnstarted(&upload)
	for last := false; !last; {
		select {
		case <-ctx.Done():
			return nil
		case <-q.done:
			last = true
		case <-q.wake:
			select {
			case <-time.After(batchDelay):
			case <-q.done:
				last = true
			}
		}
		for {
			spans, dropped := q.take()
			if len(spans) == 0 && dropped == 0 {
				break
			}
			batch, err := upload.batch(ctx, exporter, spans)
			if err != nil || len(batch) > handshake.MaxMessage/2 {
				batch, dropped = nil, dropped+uint64(len(spans))
			}
			if err := send(&providerv1.TelemetryResponse{OtlpTraces: batch, Dropped: dropped}); err != nil {
				return err
			}
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-q.emptied:
	default:
		close(q.emptied)
	}
	return nil
}

// finish sends what is queued, if the host listens, and waits for it within the limit.
func (q *spanQueue) finish(limit time.Duration) {
	q.mu.Lock()
	listening, first := q.streams > 0, !q.finished
	q.finished = true
	q.mu.Unlock()
	if first {
		close(q.done)
	}
	if !listening {
		return
	}
	select {
	case <-q.emptied:
	case <-time.After(limit):
	}
}

// captured is an OTLP "client" that only keeps the converted spans: the official exporter converts, the
// host's stream is the transport.
type captured struct{ spans []*tracepb.ResourceSpans }

// Start implements otlptrace.Client.
func (*captured) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (*captured) Stop(context.Context) error { return nil }

// UploadTraces keeps the spans.
func (c *captured) UploadTraces(_ context.Context, spans []*tracepb.ResourceSpans) error {
	c.spans = spans
	return nil
}

func (c *captured) batch(ctx context.Context, e *otlptrace.Exporter, spans []sdktrace.ReadOnlySpan) ([]byte, error) {
	c.spans = nil
	if len(spans) == 0 {
		return nil, nil
	}
	if err := e.ExportSpans(ctx, spans); err != nil {
		return nil, err
	}
	return proto.Marshal(&coltracepb.ExportTraceServiceRequest{ResourceSpans: c.spans})
}
