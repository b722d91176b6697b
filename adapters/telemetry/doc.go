// Package telemetry shows what the platform does: traces, metrics, and logs that name their trace.
//
// Which port: none of its own. It decorates inbound.Payments, outbound.Ledger and outbound.Providers, wraps
// http.Handler and slog.Handler, and takes spans that plugins send. Core and adapters stay silent; every
// name of a span or metric stands in this package.
//
// Which outside system: an OTLP collector, named by the standard OTEL_* variables (OTEL_TRACES_EXPORTER is
// none by default, otlp or console). Our spans and those of plugins leave through one client, where one
// scrubber takes out whatever could hold a value that a client sent. Metrics are read by Prometheus.
//
// When the collector is slow, down or wrong: spans are queued up to a bound and then dropped, and the drops
// of plugin batches are counted; no payment waits for it.
package telemetry
