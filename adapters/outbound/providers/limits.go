package providers

import (
	"fmt"
	"time"

	"github.com/payrack/payrack/core/catalogue"
)

// Limit lowers what a plugin declares of its operations. Zero leaves a time as it was declared, and so does one that
// is longer: the plugin knows best how late its gateway can be.
type Limit struct {
	// MaxDuration is the longest time one call takes.
	MaxDuration time.Duration
	// LandingMax is how late an accepted call may still move money.
	LandingMax time.Duration
	// SearchLagMax is how late a landed operation may be missing in a search.
	SearchLagMax time.Duration
}

// Limits are those of one plugin.
type Limits struct {
	// Limit is for all operations.
	Limit
	// Operations are for one each; the lower one counts.
	Operations map[catalogue.Kind]Limit
}

func (l Limits) check(plugin string) error {
	if err := l.Limit.check(); err != nil {
		return fmt.Errorf("limits of plugin %s: %w", plugin, err)
	}
	for kind, limit := range l.Operations {
		switch kind {
		case catalogue.Pay, catalogue.Confirm, catalogue.Capture, catalogue.Void, catalogue.Refund, catalogue.Search:
		default:
			return fmt.Errorf("limits of plugin %s: there is no operation %q", plugin, kind)
		}
		if err := limit.check(); err != nil {
			return fmt.Errorf("limits of plugin %s, operation %s: %w", plugin, kind, err)
		}
	}
	return nil
}

func (l Limit) check() error {
	for name, d := range map[string]time.Duration{
		"max_duration": l.MaxDuration, "landing_max": l.LandingMax, "search_lag_max": l.SearchLagMax,
	} {
		if d < 0 {
			return fmt.Errorf("%s must not be negative", name)
		}
	}
	return nil
}

// lower applies the limits to an operation.
func (l Limits) lower(o *catalogue.Operation) {
	for _, limit := range []Limit{l.Limit, l.Operations[o.Kind]} {
		o.MaxDuration = lower(o.MaxDuration, limit.MaxDuration)
		o.LandingMax = lower(o.LandingMax, limit.LandingMax)
		o.SearchLagMax = lower(o.SearchLagMax, limit.SearchLagMax)
	}
}

func lower(declared, limit time.Duration) time.Duration {
	if limit == 0 {
		return declared
	}
	return min(declared, limit)
}
