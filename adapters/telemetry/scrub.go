package telemetry

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// scrubber stands before the client that takes spans out of the process, ours and those of plugins alike,
// and removes every attribute that may repeat what a client or a provider sent. Secrets travel in a
// query by the contract of one route, so nothing of an address but its template is worth the risk.
type scrubber struct{ next otlptrace.Client }

// unsafe lists attributes of the OpenTelemetry conventions, old and new, whose value is taken from a
// request, a statement or an error text.
func unsafe(key string) bool {
	switch key {
	case "url.full", "url.query", "url.path", "url.fragment", "url.original", "http.url", "http.target",
		"http.request.method_original", "http.user_agent", "user_agent.original", "client.address",
		"http.client_ip", "exception.message", "exception.stacktrace", "db.query.text", "db.statement",
		"error.message":
		return true
	}
	return strings.HasPrefix(key, "http.request.header.") || strings.HasPrefix(key, "http.response.header.")
}

// pluginMay lists the attributes that a plugin's spans may have: those of our SDK and of the conventions whose
// value is no client's. A plugin is somebody else's program, so what is not known stays inside.
func pluginMay(key string) bool {
	switch key {
	case "payrack.operation_id", "payrack.sent",
		"rpc.system", "rpc.system.name", "rpc.service", "rpc.method", "rpc.grpc.status_code", "rpc.response.status_code",
		"http.request.method", "http.request.body.size", "http.request.resend_count",
		"http.response.status_code", "http.response.body.size",
		"server.address", "server.port", "network.transport", "network.type", "network.protocol.name",
		"network.protocol.version", "tls.protocol.version", "url.scheme", "url.template",
		"error.type", "exception.type", "otel.status_code":
		return true
	}
	return false
}

// admit drops from a plugin's spans what is not on the list. The scrubber still comes behind it.
func admit(batch []*tracepb.ResourceSpans) {
	foreign := func(kv *commonpb.KeyValue) bool { return !pluginMay(kv.GetKey()) }
	for _, r := range batch {
		for _, sc := range r.GetScopeSpans() {
			if about := sc.GetScope(); about != nil {
				about.Attributes = nil
			}
			for _, span := range sc.GetSpans() {
				span.Attributes = slices.DeleteFunc(span.GetAttributes(), foreign)
				for _, e := range span.GetEvents() {
					e.Attributes = slices.DeleteFunc(e.GetAttributes(), foreign)
				}
				for _, l := range span.GetLinks() {
					l.Attributes = slices.DeleteFunc(l.GetAttributes(), foreign)
				}
			}
		}
	}
}

// Start starts the client.
func (s *scrubber) Start(ctx context.Context) error {
	if err := s.next.Start(ctx); err != nil {
		return fmt.Errorf("start the span client: %w", err)
	}
	return nil
}

// Stop stops the client.
func (s *scrubber) Stop(ctx context.Context) error {
	if err := s.next.Stop(ctx); err != nil {
		return fmt.Errorf("stop the span client: %w", err)
	}
	return nil
}

// UploadTraces scrubs the batch, which is the caller's no more, and sends it.
func (s *scrubber) UploadTraces(ctx context.Context, batch []*tracepb.ResourceSpans) error {
	for _, r := range batch {
		for _, sc := range r.GetScopeSpans() {
			for _, span := range sc.GetSpans() {
				scrub(span)
			}
		}
	}
	if err := s.next.UploadTraces(ctx, batch); err != nil {
		return fmt.Errorf("send spans: %w", err)
	}
	return nil
}

func scrub(span *tracepb.Span) {
	span.Attributes = safe(span.GetAttributes())
	span.TraceState = ""
	for _, e := range span.GetEvents() {
		e.Attributes = safe(e.GetAttributes())
	}
	for _, l := range span.GetLinks() {
		l.Attributes = safe(l.GetAttributes())
		l.TraceState = ""
	}
	if s := span.GetStatus(); s != nil {
		// Libraries put error texts here; the code says enough, and the reason is an attribute.
		s.Message = ""
	}
}

func safe(all []*commonpb.KeyValue) []*commonpb.KeyValue {
	return slices.DeleteFunc(all, func(kv *commonpb.KeyValue) bool { return unsafe(kv.GetKey()) })
}
