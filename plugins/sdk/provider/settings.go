package provider

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Endpoints are the gateways of a provider, one for each environment. It is a member of a plugin's settings
// that most providers need; its Problems belong into those of the settings.
type Endpoints struct {
	Live string `json:"live"`
	Test string `json:"test"`
}

// EndpointRules say what a provider's endpoints may be. The zero value wants both, with https.
type EndpointRules struct {
	// Example is shown to an operator who wrote something else than a URL.
	Example string
	// Optional accepts an empty endpoint: that environment is not used.
	Optional bool
	// NoPath refuses a path and says why, as in "the signature covers the path". Empty accepts one.
	NoPath string
	// AllowHTTP accepts http to other machines than this one. It is for test networks, by the operator's
	// own setting allow_http.
	AllowHTTP bool
}

// Problems says in words for the operator what is wrong. It does not repeat a value, which may hold a user
// name and a password.
func (e Endpoints) Problems(r EndpointRules) []string {
	var out []string
	for _, endpoint := range [][2]string{{"endpoints.live", e.Live}, {"endpoints.test", e.Test}} {
		if problem := r.check(endpoint[1]); problem != "" {
			out = append(out, endpoint[0]+" "+problem)
		}
	}
	return out
}

func (r EndpointRules) check(text string) string {
	if text == "" && r.Optional {
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		if r.Example == "" {
			return "must be a URL"
		}
		return "must be a URL such as " + r.Example
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "must not have a user, a query or a fragment"
	case r.NoPath != "" && u.Path != "" && u.Path != "/":
		return "must not have a path: " + r.NoPath
	case u.Scheme == "https", u.Scheme == "http" && (r.AllowHTTP || thisMachine(u.Hostname())):
		return ""
	case u.Scheme == "http":
		return "must be https: over http secrets would travel in clear (allow_http permits it for a test network)"
	default:
		return "must be https"
	}
}

func thisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && addr.IsLoopback())
}

// Of returns the gateway of an environment, as in Call.Environment. The error names the setting that is
// missing and holds no value.
func (e Endpoints) Of(environment string) (*url.URL, error) {
	var text string
	switch environment {
	case EnvironmentLive:
		text = e.Live
	case EnvironmentTest:
		text = e.Test
	default:
		return nil, errors.New("the environment is neither live nor test")
	}
	if text == "" {
		return nil, fmt.Errorf("no gateway is configured for the %s environment: set endpoints.%s in the plugin's settings", environment, environment)
	}
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil {
		return nil, fmt.Errorf("endpoints.%s in the plugin's settings is no URL", environment)
	}
	return u, nil
}

// Timeouts bound one payment and one search, connecting included. Zero has no bound of its own.
type Timeouts struct {
	Pay    Duration `json:"pay"`
	Search Duration `json:"search"`
}

// Or fills what is zero.
func (t Timeouts) Or(defaults Timeouts) Timeouts {
	if t.Pay == 0 {
		t.Pay = defaults.Pay
	}
	if t.Search == 0 {
		t.Search = defaults.Search
	}
	return t
}

// Problems says in words for the operator what is wrong: an operator may lower what a provider declares as
// its longest time, and not raise it.
func (t Timeouts) Problems(longest Timeouts) []string {
	var out []string
	check := func(name string, d, most Duration) {
		if d <= 0 || d > most {
			out = append(out, fmt.Sprintf("%s must be more than 0s and at most %s", name, time.Duration(most)))
		}
	}
	check("timeouts.pay", t.Pay, longest.Pay)
	check("timeouts.search", t.Search, longest.Search)
	return out
}

// Duration is a time in settings, written as in "45s" or "1m30s".
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New(`a duration must be written as in "45s"`)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes the duration as UnmarshalText reads it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }
