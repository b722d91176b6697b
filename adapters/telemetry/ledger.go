package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// Ledger measures the store of payments.
func (t *Telemetry) Ledger(next outbound.Ledger) outbound.Ledger { return ledger{t, next} }

type ledger struct {
	t    *Telemetry
	next outbound.Ledger
}

// call is one measured call to the store.
type call struct {
	t       *Telemetry
	name    string
	started time.Time
	span    trace.Span
}

func (l ledger) start(ctx context.Context, name string) (context.Context, call) {
	span := noSpan
	if l.t.Exports() {
		ctx, span = l.t.span(ctx, "payrack.ledger."+name)
	}
	return ctx, call{l.t, name, time.Now(), span}
}

// end passes the error on as it came: it is the port's own.
func (c call) end(err error) error {
	c.t.metrics.databaseSeconds.of(c.name).Observe(time.Since(c.started).Seconds())
	fail(c.span, err)
	c.span.End()
	return err
}

// Commit measures a durable write.
func (l ledger) Commit(ctx context.Context, c outbound.Change) (outbound.Committed, error) {
	factsOf(ctx).sawPayment(c.Record.Payment)
	ctx, m := l.start(ctx, "commit")
	done, err := l.next.Commit(ctx, c)
	result := lossOf(done.Loss)
	if err != nil {
		result = fault.CodeOf(err)
	}
	l.t.metrics.commits.of(result).Inc()
	if m.span.IsRecording() {
		m.span.SetAttributes(
			attribute.String(keyPayment, string(c.Record.Payment.ID)),
			attribute.String(keyOrder, c.Record.Payment.OrderNumber),
			attribute.String(keyState, string(c.Record.Payment.State)),
			attribute.String("payrack.event", c.Entry.Event),
			attribute.String(keyResult, result),
		)
	}
	return done, m.end(err)
}

func lossOf(l outbound.Loss) string {
	switch l {
	case outbound.NoLoss:
		return "committed"
	case outbound.LostClaim:
		return "lost_claim"
	case outbound.LostOrder:
		return "lost_order"
	case outbound.LostVersion:
		return "lost_version"
	case outbound.LostAttempt:
		return "lost_attempt"
	}
	return "other"
}

// Load measures a read.
func (l ledger) Load(ctx context.Context, co company.ID, id payment.ID) (payment.Record, error) {
	ctx, m := l.start(ctx, "load")
	r, err := l.next.Load(ctx, co, id)
	if err == nil {
		factsOf(ctx).sawPayment(r.Payment)
	}
	return r, m.end(err)
}

// Claimed measures a read.
func (l ledger) Claimed(ctx context.Context, keys []outbound.ClaimKey) ([]outbound.Held, error) {
	ctx, m := l.start(ctx, "claimed")
	held, err := l.next.Claimed(ctx, keys)
	return held, m.end(err)
}

// Find measures a read.
func (l ledger) Find(ctx context.Context, k outbound.Key) (payment.Record, error) {
	ctx, m := l.start(ctx, "find")
	r, err := l.next.Find(ctx, k)
	if err == nil {
		factsOf(ctx).sawPayment(r.Payment)
	}
	return r, m.end(err)
}

// List measures a read.
func (l ledger) List(ctx context.Context, q outbound.Query) (outbound.Page, error) {
	ctx, m := l.start(ctx, "list")
	p, err := l.next.List(ctx, q)
	return p, m.end(err)
}

// Fence measures a sign of life with what it takes over.
func (l ledger) Fence(ctx context.Context, boot string, limit int) ([]payment.Record, error) {
	ctx, m := l.start(ctx, "fence")
	r, err := l.next.Fence(ctx, boot, limit)
	return r, m.end(err)
}

// Due measures a claim of what is due.
func (l ledger) Due(ctx context.Context, q outbound.DueQuery) ([]payment.Record, error) {
	ctx, m := l.start(ctx, "due")
	r, err := l.next.Due(ctx, q)
	return r, m.end(err)
}
