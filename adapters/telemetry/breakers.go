package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Breaker is one that may refuse new payments of a payment type.
type Breaker struct {
	Provider    string
	Type        string
	Environment string
	// Shut is true while new payments are refused, or taken one at a time only.
	Shut bool
}

// WatchBreakers shows which payment types take no new payments because their provider does not answer, each time the
// metrics are read.
func (t *Telemetry) WatchBreakers(read func() []Breaker) error {
	return t.metrics.watch(breakers{
		read: read,
		shut: prometheus.NewDesc("payrack_provider_breaker_open",
			"1 while new payments are refused because the provider does not answer.", []string{"provider", "type", "environment"}, nil),
	})
}

type breakers struct {
	read func() []Breaker
	shut *prometheus.Desc
}

// Describe sends the description.
func (b breakers) Describe(to chan<- *prometheus.Desc) { to <- b.shut }

// Collect shows each breaker.
func (b breakers) Collect(to chan<- prometheus.Metric) {
	for _, one := range b.read() {
		value := 0.0
		if one.Shut {
			value = 1
		}
		to <- prometheus.MustNewConstMetric(b.shut, prometheus.GaugeValue, value, one.Provider, one.Type, one.Environment)
	}
}
