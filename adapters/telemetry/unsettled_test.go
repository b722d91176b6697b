package telemetry_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/telemetry"
	"github.com/payrack/payrack/core/payment"
)

func TestUnsettledIsShownForEveryState(t *testing.T) {
	t.Parallel()
	tel := start(t, &collector{})
	var gone error
	if err := tel.WatchUnsettled(func(context.Context) (map[payment.State]telemetry.Unsettled, error) {
		return map[payment.State]telemetry.Unsettled{payment.Unknown: {Payments: 3, Oldest: time.Now().Add(-time.Hour)}}, gone
	}); err != nil {
		t.Fatal(err)
	}
	out := metricsOf(t, tel)
	for _, want := range []string{
		`payrack_payments_unsettled{state="UNKNOWN"} 3\n`, `payrack_payments_unsettled_oldest_age_seconds{state="UNKNOWN"} 3[6-9]\d\d`,
		`payrack_payments_unsettled{state="REVIEW"} 0\n`, `payrack_payments_unsettled_oldest_age_seconds{state="REVIEW"} 0\n`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%s is missing in:\n%s", want, out)
		}
	}
	gone = errors.New("the database is away")
	if out := metricsOf(t, tel); strings.Contains(out, "payrack_payments_unsettled") {
		t.Errorf("without a database it says:\n%s", out)
	}
}

func TestReadinessIsShown(t *testing.T) {
	t.Parallel()
	tel := start(t, &collector{})
	if err := tel.WatchReadiness(func(context.Context) telemetry.Readiness {
		return telemetry.Readiness{Database: true, Providers: map[string]bool{"acme": true, "till": false}}
	}); err != nil {
		t.Fatal(err)
	}
	out := metricsOf(t, tel)
	for _, want := range []string{
		"payrack_ready 0\n", "payrack_database_writable 1\n",
		"payrack_provider_serving{provider=\"acme\"} 1\n", "payrack_provider_serving{provider=\"till\"} 0\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing in:\n%s", want, out)
		}
	}
}
