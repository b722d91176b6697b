package telemetry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/outbound"
)

// Fleet measures which release of a provider serves on this process, and what happens to the processes of releases.
type Fleet struct {
	outbound.Runtime

	mu       sync.Mutex
	channels map[string]release.Channel

	swaps      *prometheus.CounterVec
	facts      *prometheus.CounterVec
	prepared   *prometheus.CounterVec
	generation *prometheus.GaugeVec
	weight     *prometheus.GaugeVec
	phase      *prometheus.GaugeVec
}

// Fleet measures a runtime. It may be called once.
func (t *Telemetry) Fleet(next outbound.Runtime) (*Fleet, error) {
	f := &Fleet{
		Runtime: next, channels: map[string]release.Channel{},
		swaps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrack_plugin_swaps_total", Help: "Changes of the stable release of a provider that this process made.",
		}, []string{"provider"}),
		facts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrack_plugin_facts_total",
			Help: "What happened to plugin processes: crashed, wedged, quarantined, restarted, overdrawn (stopped with calls in flight), " +
				"overran (went on with calls whose time was over).",
		}, []string{"provider", "version", "kind"}),
		prepared: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrack_plugin_preparations_total", Help: "Releases that were started beside the others: ready, or the code of the refusal.",
		}, []string{"provider", "version", "result"}),
		generation: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "payrack_plugin_generation", Help: "Generation of the provider's channel that this process serves.",
		}, []string{"provider"}),
		weight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "payrack_plugin_canary_weight", Help: "Share of the payments that the candidate has, in percent; 0 without a canary.",
		}, []string{"provider"}),
		phase: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "payrack_plugin_phase", Help: "1 for the phase of the provider's channel that this process serves.",
		}, []string{"provider", "phase"}),
	}
	for _, c := range []prometheus.Collector{f.swaps, f.facts, f.prepared, f.generation, f.weight, f.phase} {
		if err := t.metrics.registry.Register(c); err != nil {
			return nil, fmt.Errorf("register a metric: %w", err)
		}
	}
	return f, nil
}

// Prepare counts what became of a preparation.
func (f *Fleet) Prepare(ctx context.Context, r release.Release) error {
	// A release that is ready already is prepared again and again, and costs nothing.
	ready := slices.ContainsFunc(f.Instances(r.Name), func(i release.Instance) bool {
		return i.Version == r.Version && (i.State == "serving" || i.State == "ready")
	})
	err := f.Runtime.Prepare(ctx, r)
	if ready && err == nil {
		return nil
	}
	result := "ready"
	if err != nil {
		result = fault.CodeOf(err)
		if errors.Is(err, context.Canceled) {
			result = "cancelled"
		}
	}
	f.prepared.WithLabelValues(r.Name, r.Version, result).Inc()
	return pass(err)
}

// Route shows the channel that serves from now on.
func (f *Fleet) Route(ctx context.Context, c release.Channel, releases []release.Release) error {
	if err := f.Runtime.Route(ctx, c, releases); err != nil {
		return pass(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	before, known := f.channels[c.Name]
	f.channels[c.Name] = c
	if before.Stable != "" && before.Stable != c.Stable {
		f.swaps.WithLabelValues(c.Name).Inc()
	}
	f.generation.WithLabelValues(c.Name).Set(float64(c.Generation))
	weight := 0
	if c.Shares() {
		weight = c.Weight
	}
	f.weight.WithLabelValues(c.Name).Set(float64(weight))
	now := phaseOf(c)
	if known && phaseOf(before) != now {
		f.phase.DeleteLabelValues(c.Name, phaseOf(before))
	}
	f.phase.WithLabelValues(c.Name, now).Set(1)
	return nil
}

// Fact counts what happened to a process. Its memory is no event.
func (f *Fleet) Fact(x release.Fact) {
	if x.Kind != release.FactMemory {
		f.facts.WithLabelValues(x.Name, x.Version, string(x.Kind)).Inc()
	}
}

func phaseOf(c release.Channel) string {
	switch {
	case !c.Enabled:
		return "disabled"
	case c.Phase == "":
		return string(release.Idle)
	default:
		return string(c.Phase)
	}
}
