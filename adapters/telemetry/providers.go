package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// Providers measures the calls to plugins.
func (t *Telemetry) Providers(next outbound.Providers) outbound.Providers { return providers{t, next} }

type providers struct {
	t    *Telemetry
	next outbound.Providers
}

// Open opens a session whose calls are measured.
func (p providers) Open(ctx context.Context, r outbound.Route) (outbound.Session, error) {
	s, err := p.next.Open(ctx, r)
	if err != nil {
		return nil, pass(err)
	}
	t := s.Type()
	factsOf(ctx).sawType(t)
	return &session{Session: s, t: p.t, about: t}, nil
}

// Types are those of the next.
func (p providers) Types() []catalogue.Type { return p.next.Types() }

// Read is that of the next.
func (p providers) Read(typeName string, kind catalogue.Kind, native []byte) (outbound.Form, error) {
	f, err := p.next.Read(typeName, kind, native)
	return f, pass(err)
}

// Credential is that of the next.
func (p providers) Credential(typeName string, set []byte) (outbound.CredentialForm, error) {
	f, err := p.next.Credential(typeName, set)
	return f, pass(err)
}

// pass hands an error of the port on as it came.
func pass(err error) error { return err }

type session struct {
	outbound.Session

	t     *Telemetry
	about catalogue.Type
}

// Send measures a money-moving call.
func (s *session) Send(ctx context.Context, i outbound.Instruction) outbound.Answer {
	started := time.Now()
	operation := string(i.Kind)
	ctx, span := s.start(ctx, operation)
	defer span.End()

	a := s.Session.Send(ctx, i)

	result := knowledge(a.Known)
	s.count(operation, result, a.Reason, started)
	if a.Known == payment.KnownNothing {
		s.t.metrics.unknown.WithLabelValues(s.about.Provider, operation, s.about.Version).Inc()
		span.SetStatus(codes.Error, "")
	}
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String(keyPayment, string(i.Payment.ID)),
			attribute.String(keyOrder, i.Payment.OrderNumber),
			attribute.String(keyResult, result),
			attribute.String(keyReason, reason(a.Reason)),
		)
	}
	return a
}

// Ask measures a search.
func (s *session) Ask(ctx context.Context, q outbound.Question) outbound.Findings {
	started := time.Now()
	const operation = "search"
	ctx, span := s.start(ctx, operation)
	defer span.End()

	f := s.Session.Ask(ctx, q)

	result := finding(f)
	s.count(operation, result, f.Reason, started)
	if f.Failed {
		span.SetStatus(codes.Error, "")
	}
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String(keyOrder, q.OrderID),
			attribute.String(keyResult, result),
			attribute.String(keyReason, reason(f.Reason)),
		)
	}
	return f
}

// Mandate measures a question about a stored approval.
func (s *session) Mandate(ctx context.Context, q outbound.MandateQuestion) outbound.MandateAnswer {
	started := time.Now()
	operation := "check_mandate"
	if q.End {
		operation = "expire_mandate"
	}
	ctx, span := s.start(ctx, operation)
	defer span.End()

	a := s.Session.Mandate(ctx, q)

	result := standing(a)
	s.count(operation, result, a.Reason, started)
	if !a.Known {
		span.SetStatus(codes.Error, "")
	}
	if span.IsRecording() {
		span.SetAttributes(attribute.String(keyResult, result), attribute.String(keyReason, reason(a.Reason)))
	}
	return a
}

func (s *session) start(ctx context.Context, operation string) (context.Context, trace.Span) {
	if !s.t.Exports() {
		return ctx, noSpan
	}
	return s.t.span(ctx, "payrack.provider."+operation, trace.WithAttributes(
		attribute.String(keyProvider, s.about.Provider),
		attribute.String(keyType, s.about.Name),
		attribute.String(keyVersion, s.about.Version),
		attribute.String(keyOperation, operation),
	))
}

func (s *session) count(operation, result, why string, started time.Time) {
	s.t.metrics.calls.add(started, s.about.Provider, operation, s.about.Version, result, reason(why))
}

func knowledge(k payment.Known) string {
	switch k {
	case payment.KnownNothing:
		return "unknown"
	case payment.KnownApproved:
		return "approved"
	case payment.KnownDeclined:
		return "declined"
	case payment.KnownAction:
		return "requires_action"
	case payment.KnownNotSent:
		return "not_sent"
	}
	return "unknown"
}

func standing(a outbound.MandateAnswer) string {
	switch {
	case !a.Known:
		return "failed"
	case a.Dead:
		return "dead"
	default:
		return "active"
	}
}

func finding(f outbound.Findings) string {
	if f.Failed {
		return "failed"
	}
	switch f.Finding {
	case payment.FindingNothing:
		return "nothing"
	case payment.FindingFound:
		return "found"
	case payment.FindingNotFound:
		return "not_found"
	case payment.FindingInProgress:
		return "in_progress"
	case payment.FindingAwaitingPayer:
		return "awaiting_payer"
	case payment.FindingPayerApproved:
		return "payer_approved"
	case payment.FindingEnded:
		return "ended"
	}
	return "nothing"
}
