package telemetry

import (
	"context"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// LogHandler adds trace_id and span_id of the context to each record.
func LogHandler(next slog.Handler) slog.Handler { return traced{next} }

type traced struct{ next slog.Handler }

// Enabled asks the next handler.
func (h traced) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle adds the ids.
func (h traced) Handle(ctx context.Context, r slog.Record) error {
	if c := trace.SpanContextFromContext(ctx); c.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", c.TraceID().String()), slog.String("span_id", c.SpanID().String()))
	}
	if err := h.next.Handle(ctx, r); err != nil {
		return fmt.Errorf("write a log record: %w", err)
	}
	return nil
}

// WithAttrs keeps the ids.
func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{h.next.WithAttrs(attrs)} }

// WithGroup keeps the ids, inside the group as slog has it.
func (h traced) WithGroup(name string) slog.Handler { return traced{h.next.WithGroup(name)} }
