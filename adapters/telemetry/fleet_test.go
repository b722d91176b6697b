package telemetry_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/payrack/payrack/adapters/telemetry"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/outbound"
)

// shelf is a runtime that does what it is told, and refuses version "bad". Version 1.0.9 is ready already.
type shelf struct{ outbound.Runtime }

func (shelf) Instances(string) []release.Instance {
	return []release.Instance{{Version: "1.0.9", State: "ready"}}
}

func (shelf) Prepare(_ context.Context, r release.Release) error {
	if r.Version == "bad" {
		return fault.New(fault.Invalid, "unhealthy", "It is not well.")
	}
	return nil
}

func (shelf) Route(_ context.Context, c release.Channel, _ []release.Release) error {
	if c.Stable == "bad" {
		return fault.New(fault.Conflict, "not_ready", "It is not ready.")
	}
	return nil
}

func TestFleetIsMeasured(t *testing.T) {
	t.Parallel()
	tel, err := telemetry.New(t.Context(), telemetry.Options{Version: "1", Boot: "b", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	f, err := tel.Fleet(shelf{})
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"1.0.0", "1.0.9", "bad"} {
		if err := f.Prepare(t.Context(), release.Release{Name: "demo", Version: version}); (err != nil) != (version == "bad") {
			t.Errorf("%s: %v", version, err)
		}
	}
	steps := []release.Channel{
		{Name: "demo", Generation: 1, Phase: release.Idle, Enabled: true},
		{Name: "demo", Stable: "1.0.0", Generation: 1, Phase: release.Idle, Enabled: true},
		{Name: "demo", Stable: "1.0.0", Candidate: "1.1.0", Weight: 30, Generation: 2, Phase: release.InCanary, Enabled: true},
		{Name: "demo", Stable: "1.1.0", Previous: "1.0.0", Weight: 30, Generation: 3, Phase: release.Baking, Enabled: true},
		{Name: "demo", Stable: "bad", Generation: 4, Phase: release.Idle, Enabled: true},
		{Name: "other", Stable: "2.0.0", Generation: 9, Phase: release.Idle},
	}
	for i, c := range steps {
		if err := f.Route(t.Context(), c, nil); (err != nil) != (c.Stable == "bad") {
			t.Errorf("%+v: %v", c, err)
		}
		if i == 2 && !slices.Contains(scrape(t, tel), `payrack_plugin_canary_weight{provider="demo"} 30`) {
			t.Error("the share of the canary is not shown")
		}
	}
	for _, kind := range []release.FactKind{release.FactCrashed, release.FactCrashed, release.FactOverdrawn, release.FactMemory} {
		f.Fact(release.Fact{Kind: kind, Name: "demo", Version: "1.1.0", Value: 7})
	}
	got := scrape(t, tel)
	for _, want := range []string{
		`payrack_plugin_preparations_total{provider="demo",result="ready",version="1.0.0"} 1`,
		`payrack_plugin_preparations_total{provider="demo",result="unhealthy",version="bad"} 1`,
		`payrack_plugin_swaps_total{provider="demo"} 1`,
		`payrack_plugin_generation{provider="demo"} 3`,
		`payrack_plugin_generation{provider="other"} 9`,
		`payrack_plugin_canary_weight{provider="demo"} 0`,
		`payrack_plugin_phase{phase="baking",provider="demo"} 1`,
		`payrack_plugin_phase{phase="disabled",provider="other"} 1`,
		`payrack_plugin_facts_total{kind="crashed",provider="demo",version="1.1.0"} 2`,
		`payrack_plugin_facts_total{kind="overdrawn",provider="demo",version="1.1.0"} 1`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not there", want)
		}
	}
	for _, line := range got {
		if strings.Contains(line, `phase="canary"`) || strings.Contains(line, `kind="memory"`) || strings.Contains(line, "1.0.9") {
			t.Errorf("%s is there", line)
		}
	}
	if _, err := tel.Fleet(shelf{}); err == nil {
		t.Error("measured twice")
	}
}

// scrape are the lines of the metrics.
func scrape(t *testing.T, tel *telemetry.Telemetry) []string {
	t.Helper()
	w := httptest.NewRecorder()
	tel.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n")
}
