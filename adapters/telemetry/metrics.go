package telemetry

import (
	"fmt"
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/payrack/payrack/core/release"
)

// metrics are all metrics of the process. No label ever holds what a client sent: an unbounded label is a
// way to fill the memory from outside.
type metrics struct {
	registry *prometheus.Registry

	requests        timed
	payments        timed
	calls           timed
	commits         cache[string, prometheus.Counter]
	databaseSeconds cache[string, prometheus.Observer]
	unknown         *prometheus.CounterVec
	dropped         prometheus.Counter
}

// seconds are the buckets of all durations: from a cached answer to the longest provider call.
func seconds() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 40, 60}
}

func newMetrics(version string) *metrics {
	r := prometheus.NewRegistry()
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: seconds()}, labels)
		r.MustRegister(h)
		return h
	}
	m := &metrics{
		registry: r,
		requests: timed{
			count: counter("payrack_http_requests_total",
				"HTTP requests that were answered.", "plane", "route", "method", "status"),
			seconds: histogram("payrack_http_request_duration_seconds",
				"Time to answer an HTTP request.", "plane", "route", "method"),
		},
		payments: timed{
			count: counter("payrack_operations_total",
				"Operations asked for, by how they ended: final, pending, or the code of the error.",
				"operation", "type", "provider", "result"),
			seconds: histogram("payrack_operation_duration_seconds",
				"Time of an operation in the core, provider call included.", "operation", "type", "provider"),
		},
		calls: timed{
			count: counter("payrack_provider_calls_total",
				"Calls to providers, by what the answer settled.", "provider", "operation", "version", "result", "reason"),
			seconds: histogram("payrack_provider_call_duration_seconds",
				"Time of a call to a provider through its plugin.", "provider", "operation", "version"),
		},
		unknown: counter("payrack_unknown_outcomes_total",
			"Money-moving calls after which nobody knew whether money moved.", "provider", "operation", "version"),
	}
	commits := counter("payrack_ledger_commits_total", "Durable writes of payments, by how they ended.", "result")
	m.commits.make = func(result string) prometheus.Counter { return commits.WithLabelValues(result) }
	database := histogram("payrack_ledger_duration_seconds", "Time of a call to the store of payments.", "call")
	m.databaseSeconds.make = func(call string) prometheus.Observer { return database.WithLabelValues(call) }
	for _, t := range []*timed{&m.requests, &m.payments, &m.calls} {
		t.seen.make = t.find
	}
	m.dropped = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "payrack_telemetry_dropped_batches_total",
		Help: "Span batches of plugins that were not exported.",
	})
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "payrack_build_info", Help: "Always 1; the labels say what runs.",
	}, []string{"version", "go_version"})
	build.WithLabelValues(version, runtime.Version()).Set(1)
	r.MustRegister(m.dropped, build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// MetricsHandler serves the metrics for Prometheus.
func (t *Telemetry) MetricsHandler() http.Handler {
	return promhttp.HandlerFor(t.metrics.registry, promhttp.HandlerOpts{Registry: t.metrics.registry})
}

// WatchInstances shows the plugin processes, by provider, each time the metrics are read.
func (t *Telemetry) WatchInstances(read func() map[string][]release.Instance) error {
	return t.metrics.watch(instances{
		read: read,
		count: prometheus.NewDesc("payrack_plugin_instances",
			"Plugin processes.", []string{"provider", "version", "state"}, nil),
		inflight: prometheus.NewDesc("payrack_plugin_calls_in_flight",
			"Calls that a plugin works on.", []string{"provider", "version"}, nil),
	})
}

type instances struct {
	read            func() map[string][]release.Instance
	count, inflight *prometheus.Desc
}

// Describe sends the two descriptions.
func (i instances) Describe(to chan<- *prometheus.Desc) {
	to <- i.count
	to <- i.inflight
}

// Collect counts the processes.
func (i instances) Collect(to chan<- prometheus.Metric) {
	type process struct{ provider, version, state string }
	type release struct{ provider, version string }
	count, inflight := map[process]int{}, map[release]int{}
	for provider, all := range i.read() {
		for _, one := range all {
			count[process{provider, one.Version, one.State}]++
			inflight[release{provider, one.Version}] += one.Inflight
		}
	}
	for k, n := range count {
		to <- prometheus.MustNewConstMetric(i.count, prometheus.GaugeValue, float64(n), k.provider, k.version, k.state)
	}
	for k, n := range inflight {
		to <- prometheus.MustNewConstMetric(i.inflight, prometheus.GaugeValue, float64(n), k.provider, k.version)
	}
}

func (m *metrics) watch(c prometheus.Collector) error {
	if err := m.registry.Register(c); err != nil {
		return fmt.Errorf("register a metric: %w", err)
	}
	return nil
}
