package provider

import (
	"bufio"
	"context"
	"io"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// newLogger writes one JSON object a record; the host reads them from standard error.
func newLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(tracedHandler{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})})
}

// tracedHandler adds the ids of the trace, so that a log line and a span find each other.
type tracedHandler struct{ slog.Handler }

// Handle adds trace_id and span_id.
func (h tracedHandler) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h tracedHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return tracedHandler{h.Handler.WithAttrs(a)}
}

// WithGroup implements slog.Handler.
func (h tracedHandler) WithGroup(name string) slog.Handler {
	return tracedHandler{h.Handler.WithGroup(name)}
}

// logLines logs what somebody printed, a line a record, until r ends.
func logLines(ctx context.Context, r io.Reader, log *slog.Logger) {
	lines := bufio.NewReaderSize(r, 16<<10)
	for {
		line, _, err := lines.ReadLine()
		if len(line) > 0 {
			log.LogAttrs(ctx, slog.LevelInfo, "plugin printed", slog.String("line", string(line)))
		}
		if err != nil {
			return
		}
	}
}
