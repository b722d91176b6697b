package providers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/providers"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/plugins/host"
)

// alpha declares 2 s, 5 s and 3 s for pay, 1 s, nothing and 3 s for search, 1 s and nothing for all others.
func TestLimitsLower(t *testing.T) {
	t.Parallel()
	run := newPlatform(t)
	p, err := providers.New(providers.Options{
		Host: run.host, StoreDir: t.TempDir(), Limits: map[string]providers.Limits{
			"alpha": {
				Limit: providers.Limit{MaxDuration: 1500 * time.Millisecond, LandingMax: 2 * time.Second, SearchLagMax: time.Hour},
				Operations: map[catalogue.Kind]providers.Limit{
					catalogue.Pay:    {LandingMax: 3 * time.Second, SearchLagMax: time.Second},
					catalogue.Search: {MaxDuration: 100 * time.Millisecond},
				},
			},
			"beta": {Limit: providers.Limit{MaxDuration: time.Millisecond}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := activateAt(t.Context(), p, binary(t, alpha())); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[catalogue.Kind]providers.Limit{
		catalogue.Pay:    {MaxDuration: 1500 * time.Millisecond, LandingMax: 2 * time.Second, SearchLagMax: time.Second},
		catalogue.Search: {MaxDuration: 100 * time.Millisecond, SearchLagMax: 3 * time.Second},
		catalogue.Void:   {MaxDuration: time.Second},
	} {
		o, _ := p.Types()[0].Find(kind)
		if got := (providers.Limit{MaxDuration: o.MaxDuration, LandingMax: o.LandingMax, SearchLagMax: o.SearchLagMax}); got != want {
			t.Errorf("%s: %+v", kind, got)
		}
	}
}

func TestLimitsRefused(t *testing.T) {
	t.Parallel()
	for want, limits := range map[string]providers.Limits{
		"max_duration": {Limit: providers.Limit{MaxDuration: -1}},
		"landing_max":  {Operations: map[catalogue.Kind]providers.Limit{catalogue.Pay: {LandingMax: -1}}},
		"teleport":     {Operations: map[catalogue.Kind]providers.Limit{"teleport": {}}},
	} {
		_, err := providers.New(providers.Options{Host: &host.Host{}, StoreDir: t.TempDir(), Limits: map[string]providers.Limits{"alpha": limits}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "alpha") {
			t.Errorf("%s: %v", want, err)
		}
	}
}
