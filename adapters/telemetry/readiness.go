package telemetry

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// Readiness is what /readyz says, for those who look at metrics only.
type Readiness struct {
	// Ready is true while traffic should come here.
	Ready bool
	// Database is true if it took a write just now.
	Database bool
	// Providers that are not disabled, and whether each takes calls here or will in a moment.
	Providers map[string]bool
}

// WatchReadiness shows it each time the metrics are read.
func (t *Telemetry) WatchReadiness(read func(context.Context) Readiness) error {
	return t.metrics.watch(readiness{
		read:     read,
		ready:    prometheus.NewDesc("payrack_ready", "1 while /readyz answers 200.", nil, nil),
		database: prometheus.NewDesc("payrack_database_writable", "1 while the database takes writes.", nil, nil),
		provider: prometheus.NewDesc("payrack_provider_serving",
			"1 while this process has a provider that takes calls, or is about to restart it; nothing for a disabled one.", []string{"provider"}, nil),
	})
}

type readiness struct {
	read                      func(context.Context) Readiness
	ready, database, provider *prometheus.Desc
}

// Describe sends the descriptions.
func (r readiness) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{r.ready, r.database, r.provider} {
		to <- d
	}
}

// Collect asks.
func (r readiness) Collect(to chan<- prometheus.Metric) {
	now := r.read(context.Background()) //nolint:forbidigo // Prometheus gives none, and the probe has a bound of its own
	gauge := func(d *prometheus.Desc, yes bool, labels ...string) {
		value := 0.0
		if yes {
			value = 1
		}
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(r.ready, now.Ready)
	gauge(r.database, now.Database)
	for name, serves := range now.Providers {
		gauge(r.provider, serves, name)
	}
}
