package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/inbound"
)

// Payments measures the use cases: a span and a count for each, by how it ended.
func (t *Telemetry) Payments(next inbound.Payments) inbound.Payments { return payments{t, next} }

type payments struct {
	t    *Telemetry
	next inbound.Payments
}

// Pay measures a payment.
func (p payments) Pay(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return p.measure(ctx, "pay", c, p.next.Pay)
}

// Confirm measures a confirm.
func (p payments) Confirm(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return p.measure(ctx, "confirm", c, p.next.Confirm)
}

// Capture measures a capture.
func (p payments) Capture(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return p.measure(ctx, "capture", c, p.next.Capture)
}

// Void measures a void.
func (p payments) Void(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return p.measure(ctx, "void", c, p.next.Void)
}

// Refund measures a refund.
func (p payments) Refund(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return p.measure(ctx, "refund", c, p.next.Refund)
}

// Cancel measures a cancellation.
func (p payments) Cancel(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return p.measure(ctx, "cancel", c, p.next.Cancel)
}

// Search measures a search.
func (p payments) Search(ctx context.Context, c inbound.Native) (inbound.Reply, error) {
	return p.measure(ctx, "search", c, p.next.Search)
}

type useCase func(context.Context, inbound.Native) (inbound.Reply, error)

func (p payments) measure(ctx context.Context, operation string, c inbound.Native, next useCase) (inbound.Reply, error) {
	started := time.Now()
	ctx, span := p.t.span(ctx, "payrack."+operation)
	defer span.End()
	ctx, known := withFacts(ctx)

	reply, err := next(ctx, c)

	result := resultOf(reply, err)
	typeName, provider := known.labels()
	p.t.metrics.payments.add(started, operation, typeName, provider, result)
	if span.IsRecording() {
		span.SetAttributes(known.attributes()...)
		span.SetAttributes(attribute.String(keyOperation, operation), attribute.String(keyResult, result))
		if reply.Payment != "" {
			span.SetAttributes(attribute.String(keyPayment, string(reply.Payment)))
		}
		if reply.State != "" {
			span.SetAttributes(attribute.String(keyState, string(reply.State)))
		}
		fail(span, err)
	}
	return reply, err
}

// resultOf is one word for how a use case ended: final, replayed, pending, or the code of the error.
func resultOf(r inbound.Reply, err error) string {
	if err != nil {
		return fault.CodeOf(err)
	}
	switch r.Class {
	case inbound.ReplyPending:
		return "pending"
	case inbound.ReplyFinal:
		if r.Replayed {
			return "replayed"
		}
		return "final"
	}
	return "final"
}
