package telemetry

import (
	"context"
	"fmt"
	"io"
	"sync"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// chooseClient reads the standard variables. nil means that nothing is exported.
func chooseClient(o Options) (otlptrace.Client, error) {
	if o.Client != nil {
		return o.Client, nil
	}
	switch name := o.Getenv("OTEL_TRACES_EXPORTER"); name {
	case "", "none":
		return nil, nil //nolint:nilnil // no client is a choice, not a failure
	case "console":
		return &console{to: o.Console}, nil
	case "otlp":
	default:
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER is %q: choose otlp, console or none", name)
	}
	protocol := o.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
	if protocol == "" {
		protocol = o.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	switch protocol {
	case "", "http/protobuf":
		return otlptracehttp.NewClient(), nil
	case "grpc":
		return otlptracegrpc.NewClient(), nil
	default:
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: choose grpc or http/protobuf", protocol)
	}
}

// console prints one JSON object of OTLP a line.
type console struct {
	mu sync.Mutex
	to io.Writer
}

// Start does nothing.
func (c *console) Start(context.Context) error { return nil }

// Stop does nothing.
func (c *console) Stop(context.Context) error { return nil }

// UploadTraces prints.
func (c *console) UploadTraces(_ context.Context, batch []*tracepb.ResourceSpans) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, spans := range batch {
		line, err := protojson.Marshal(spans)
		if err != nil {
			return fmt.Errorf("print spans: %w", err)
		}
		if _, err := c.to.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("print spans: %w", err)
		}
	}
	return nil
}
