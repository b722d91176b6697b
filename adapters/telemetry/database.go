package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// Statement opens a client span for one piece of work of a database and returns how to end it. name is a
// constant such as "sqlite.commit"; statements are never shown, they may hold values.
func (t *Telemetry) Statement(ctx context.Context, system, name string) func(batch int, err error) {
	_, span := t.span(ctx, name, trace.WithSpanKind(trace.SpanKindClient))
	return func(batch int, err error) {
		if span.IsRecording() {
			span.SetAttributes(attribute.String("db.system.name", system))
			if batch > 0 {
				span.SetAttributes(attribute.Int("db.operation.batch.size", batch))
			}
			fail(span, err)
		}
		span.End()
	}
}
