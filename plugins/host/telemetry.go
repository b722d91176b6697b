package host

import (
	"context"
	"log/slog"
	"sync"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// Source says which process spans came from. It is the host's knowledge, not the plugin's word.
type Source struct {
	Plugin   string
	Version  string
	SHA256   string
	Instance string
	PID      int
}

func (s Source) resource() *resourcepb.Resource {
	text := func(key, value string) *commonpb.KeyValue {
		return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
	}
	return &resourcepb.Resource{Attributes: []*commonpb.KeyValue{
		text("service.name", "payrack-provider-"+s.Plugin),
		text("service.version", s.Version),
		text("payrack.plugin", s.Plugin),
		text("payrack.plugin.version", s.Version),
		text("payrack.plugin.sha256", s.SHA256),
		text("payrack.plugin.instance", s.Instance),
		{Key: "process.pid", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: int64(s.PID)}}},
	}}
}

// relay receives what the plugin tells by itself, its spans and its exchanges, until the instance ends.
func (i *instance) relay(ctx context.Context, client providerv1.ProviderServiceClient, o Options) {
	defer close(i.relayed)
	var streams sync.WaitGroup
	if o.Exchanges != nil && !o.Rehearsal {
		streams.Go(func() { i.record(ctx, o.Exchanges) })
	}
	i.relaySpans(ctx, client, o.Spans)
	streams.Wait()
}

// relaySpans receives the plugin's spans until the stream ends, and opens it again while the instance lives.
func (i *instance) relaySpans(ctx context.Context, client providerv1.ProviderServiceClient, spans func(Source, *coltracepb.ExportTraceServiceRequest)) {
	for {
		stream, err := client.Telemetry(ctx, &providerv1.TelemetryRequest{})
		for err == nil {
			var batch *providerv1.TelemetryResponse
			if batch, err = stream.Recv(); err == nil {
				i.forward(ctx, batch, spans)
			}
		}
		if i.process.gone() || ctx.Err() != nil || status.Code(err) == codes.Unimplemented {
			return
		}
		select {
		case <-time.After(time.Second):
		case <-i.process.exited:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (i *instance) forward(ctx context.Context, batch *providerv1.TelemetryResponse, spans func(Source, *coltracepb.ExportTraceServiceRequest)) {
	if n := batch.GetDropped(); n > 0 {
		i.log.LogAttrs(ctx, slog.LevelWarn, "plugin spans dropped", slog.Uint64("spans", n))
	}
	if spans == nil || len(batch.GetOtlpTraces()) == 0 {
		return
	}
	var request coltracepb.ExportTraceServiceRequest
	if err := proto.Unmarshal(batch.GetOtlpTraces(), &request); err != nil {
		i.log.LogAttrs(ctx, slog.LevelWarn, "plugin spans unreadable")
		return
	}
	for _, r := range request.GetResourceSpans() {
		r.Resource = i.source().resource()
	}
	spans(i.source(), &request)
}
