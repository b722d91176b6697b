package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

const (
	// relayQueue bounds the batches that wait for the collector.
	relayQueue = 256
	// relayTimeout bounds one upload.
	relayTimeout = 10 * time.Second
)

// relay sends the span batches of plugins through our own client.
type relay struct {
	client  otlptrace.Client
	log     *slog.Logger
	dropped prometheus.Counter
	queue   chan []*tracepb.ResourceSpans
	done    chan struct{}

	mu     sync.RWMutex
	closed bool
}

func newRelay(ctx context.Context, client otlptrace.Client, log *slog.Logger, dropped prometheus.Counter) *relay {
	r := &relay{
		client: client, log: log, dropped: dropped,
		queue: make(chan []*tracepb.ResourceSpans, relayQueue),
		done:  make(chan struct{}),
	}
	go r.run(ctx)
	return r
}

func (r *relay) run(ctx context.Context) {
	defer close(r.done)
	for batch := range r.queue {
		r.send(ctx, batch)
	}
}

func (r *relay) send(ctx context.Context, batch []*tracepb.ResourceSpans) {
	ctx, cancel := context.WithTimeout(ctx, relayTimeout)
	defer cancel()
	admit(batch)
	if err := r.client.UploadTraces(ctx, batch); err != nil {
		r.dropped.Inc()
		r.log.WarnContext(ctx, "spans of a plugin were not exported; is the collector of OTEL_EXPORTER_OTLP_ENDPOINT up?",
			slog.String("error", err.Error()))
	}
}

func (r *relay) put(batch []*tracepb.ResourceSpans) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return
	}
	select {
	case r.queue <- batch:
	default:
		r.dropped.Inc()
	}
}

// close sends what is queued and waits for it as long as the context lives.
func (r *relay) close(ctx context.Context) error {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.queue)
	}
	r.mu.Unlock()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("send the spans of plugins: %w", ctx.Err())
	}
}

// SpanSink takes a batch of a plugin's spans. It never blocks: without an exporter the batch is dropped,
// and with a full queue too. The batch must not be used afterwards.
func (t *Telemetry) SpanSink(batch *coltracepb.ExportTraceServiceRequest) {
	if t.relay == nil || len(batch.GetResourceSpans()) == 0 {
		return
	}
	t.relay.put(batch.GetResourceSpans())
}
