package telemetry_test

import (
	"strings"
	"testing"

	"github.com/payrack/payrack/adapters/telemetry"
)

func TestBreakersAreShown(t *testing.T) {
	t.Parallel()
	tel := start(t, &collector{})
	if err := tel.WatchBreakers(func() []telemetry.Breaker {
		return []telemetry.Breaker{
			{Provider: "acme", Type: "ACME_PAY", Environment: "live", Shut: true}, {Provider: "acme", Type: "ACME_PAY", Environment: "test"},
		}
	}); err != nil {
		t.Fatal(err)
	}
	out := metricsOf(t, tel)
	for _, want := range []string{
		`payrack_provider_breaker_open{environment="live",provider="acme",type="ACME_PAY"} 1`,
		`payrack_provider_breaker_open{environment="test",provider="acme",type="ACME_PAY"} 0`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing in:\n%s", want, out)
		}
	}
}
