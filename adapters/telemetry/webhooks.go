package telemetry

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/payrack/payrack/core/webhook"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// Webhooks counts attempts to tell companies of their payments. It is called once.
func (t *Telemetry) Webhooks(next outbound.Webhooks) (outbound.Webhooks, error) {
	w := &watchedWebhooks{
		Webhooks: next,
		count: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrack_webhook_attempts_total",
			Help: "Messages sent to companies' servers, by result: delivered, status_3xx, status_4xx, status_5xx, or no_answer.",
		}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "payrack_webhook_attempt_duration_seconds", Help: "Time of an attempt to send a message.", Buckets: seconds(),
		}),
	}
	for _, c := range []prometheus.Collector{w.count, w.seconds} {
		if err := t.metrics.watch(c); err != nil {
			return nil, err
		}
	}
	return w, nil
}

type watchedWebhooks struct {
	outbound.Webhooks

	count   *prometheus.CounterVec
	seconds prometheus.Histogram
}

// Post counts.
func (w *watchedWebhooks) Post(ctx context.Context, m webhook.Message) webhook.Outcome {
	o := w.Webhooks.Post(ctx, m)
	w.count.WithLabelValues(attemptOf(o)).Inc()
	w.seconds.Observe(o.Took.Seconds())
	return o
}

// attemptOf is one of five words.
func attemptOf(o webhook.Outcome) string {
	switch {
	case o.Delivered():
		return "delivered"
	case o.Status >= 300 && o.Status <= 599:
		return fmt.Sprintf("status_%dxx", o.Status/100)
	default:
		return "no_answer"
	}
}

// PassedOver counts the entries of the journal of which no company could be told. It is called once.
func (t *Telemetry) PassedOver() (count func(), err error) {
	c := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "payrack_webhook_passed_over_entries_total",
		Help: "Entries of the journal that could not be read, so that no endpoint was told of them; the log names each.",
	})
	return c.Inc, t.metrics.watch(c)
}

// backlogPatience bounds what a look at the metrics waits for the database.
const backlogPatience = 2 * time.Second

// WatchBacklog shows how far behind webhooks and seals are, each time the metrics are read.
func (t *Telemetry) WatchBacklog(read func(context.Context) (inbound.Backlog, error)) error {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return t.metrics.watch(backlog{
		read:    read,
		pending: desc("payrack_webhook_pending_deliveries", "Events that are not delivered yet."),
		givenUp: desc("payrack_webhook_given_up_deliveries", "Events that an endpoint did not take in three days; payrack webhook replay sends them again."),
		oldest:  desc("payrack_webhook_oldest_pending_age_seconds", "Age of the oldest event that is not delivered yet, 0 if there is none."),
		sealed:  desc("payrack_journal_last_seal_age_seconds", "Age of the last seal of the journal. It grows while nothing is written."),
	})
}

type backlog struct {
	read                             func(context.Context) (inbound.Backlog, error)
	pending, givenUp, oldest, sealed *prometheus.Desc
}

// Describe sends the descriptions.
func (b backlog) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{b.pending, b.givenUp, b.oldest, b.sealed} {
		to <- d
	}
}

// Collect asks the store. Without an answer the metrics are missing, which an alert can tell from zero.
func (b backlog) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogPatience) //nolint:forbidigo // Prometheus gives none
	defer cancel()
	got, err := b.read(ctx)
	if err != nil {
		return
	}
	age := func(at time.Time) float64 {
		if at.IsZero() {
			return 0
		}
		return max(0, time.Since(at).Seconds())
	}
	gauge := func(d *prometheus.Desc, v float64) { to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	gauge(b.pending, float64(got.Pending))
	gauge(b.givenUp, float64(got.GivenUp))
	gauge(b.oldest, age(got.Oldest))
	if !got.Sealed.IsZero() {
		gauge(b.sealed, age(got.Sealed))
	}
}
