package configs

import (
	"fmt"
	"strconv"
	"time"
)

// Limit lowers what a plugin declares about its operations. Zero members leave it as it is.
type Limit struct {
	// MaxDuration of one call.
	MaxDuration time.Duration
	// LandingMax is how late an accepted call may still move money, SearchLagMax how late that may be missing in a search.
	LandingMax   time.Duration
	SearchLagMax time.Duration
}

// Lowered reads the limits of all plugins.
func (p Plugins) Lowered() (map[string]Limit, error) {
	all := map[string]Limit{}
	for name, section := range p.Limits {
		members, ok := section.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("has no section under %s", name)
		}
		var l Limit
		for member, value := range members {
			if member == "breaker" {
				if _, ok := truth(value); !ok {
					return nil, fmt.Errorf("has a breaker under %s that is neither true nor false", name)
				}
				continue
			}
			text, ok := value.(string)
			d, err := time.ParseDuration(text)
			if !ok || err != nil || d <= 0 {
				return nil, fmt.Errorf("has a %s under %s that is no duration", member, name)
			}
			switch member {
			case "max_duration":
				l.MaxDuration = d
			case "landing_max":
				l.LandingMax = d
			case "search_lag_max":
				l.SearchLagMax = d
			default:
				return nil, fmt.Errorf("has an unknown member under %s", name)
			}
		}
		all[name] = l
	}
	return all, nil
}

// Breaker reports whether new payments of a plugin are shed while its provider is in trouble: yes, unless
// limits.NAME.breaker says no.
func (p Plugins) Breaker(name string) bool {
	members, ok := p.Limits[name].(map[string]any)
	if !ok {
		return true
	}
	if on, ok := truth(members["breaker"]); ok {
		return on
	}
	return true
}

// truth reads a value of a map whose members are not ours to name: from the environment it is a text.
func truth(value any) (on, ok bool) {
	switch v := value.(type) {
	case bool:
		return v, true
	case string:
		on, err := strconv.ParseBool(v)
		return on, err == nil
	default:
		return false, false
	}
}
