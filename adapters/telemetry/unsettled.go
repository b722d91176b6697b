package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/payrack/payrack/core/payment"
)

// Unsettled are the payments of a state in which money is neither where it was nor where it shall be.
type Unsettled struct {
	Payments int64
	// Oldest is when the first of them came into it.
	Oldest time.Time
}

// WatchUnsettled shows what recovery and people have to find out, each time the metrics are read. States that are left out
// have no payment.
func (t *Telemetry) WatchUnsettled(read func(context.Context) (map[payment.State]Unsettled, error)) error {
	return t.metrics.watch(unsettled{
		read: read,
		count: prometheus.NewDesc("payrack_payments_unsettled",
			"Payments of all companies whose outcome is to be found out: by recovery, in REVIEW by people.", []string{"state"}, nil),
		oldest: prometheus.NewDesc("payrack_payments_unsettled_oldest_age_seconds",
			"Age of the oldest of payrack_payments_unsettled, 0 if there is none.", []string{"state"}, nil),
	})
}

type unsettled struct {
	read          func(context.Context) (map[payment.State]Unsettled, error)
	count, oldest *prometheus.Desc
}

// Describe sends the two descriptions.
func (u unsettled) Describe(to chan<- *prometheus.Desc) {
	to <- u.count
	to <- u.oldest
}

// Collect asks the store. Without an answer the metrics are missing, which an alert can tell from zero.
func (u unsettled) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogPatience) //nolint:forbidigo // Prometheus gives none
	defer cancel()
	got, err := u.read(ctx)
	if err != nil {
		return
	}
	for _, state := range []payment.State{
		payment.Unknown, payment.Capturing, payment.Voiding, payment.Refunding, payment.Reversing, payment.Mismatch, payment.Review,
	} {
		one := got[state]
		age := 0.0
		if !one.Oldest.IsZero() {
			age = max(0, time.Since(one.Oldest).Seconds())
		}
		to <- prometheus.MustNewConstMetric(u.count, prometheus.GaugeValue, float64(one.Payments), string(state))
		to <- prometheus.MustNewConstMetric(u.oldest, prometheus.GaugeValue, age, string(state))
	}
}
