package ipass

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Settings of the plugin, the same for all companies. schema/settings.json describes them.
type Settings struct {
	Endpoints Endpoints `json:"endpoints"`
	Timeouts  Timeouts  `json:"timeouts"`
	// Wire is the gateway's contract where it differs from the assumed one.
	Wire Wire `json:"wire"`
	// AllowHTTP lets requests go over http to another machine than this one.
	AllowHTTP bool `json:"allow_http"`
}

// Endpoints are the bases below which the gateway's paths lie. There is no default: iPASS tells a merchant
// its host. An empty one is an environment that is not used.
type Endpoints struct {
	Live string `json:"live"`
	Test string `json:"test"`
}

// Timeouts bound one call, connecting included.
type Timeouts struct {
	Pay    Duration `json:"pay"`
	Search Duration `json:"search"`
}

// Duration is written as in "45s" or "1m30s".
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

func (s Settings) withDefaults() Settings {
	if s.Timeouts.Pay == 0 {
		s.Timeouts.Pay = Duration(payMax)
	}
	if s.Timeouts.Search == 0 {
		s.Timeouts.Search = Duration(searchMax)
	}
	return s
}

// Problems says in words for the operator what is wrong with the settings, all of it at once.
func (s Settings) Problems() []string {
	s = s.withDefaults()
	problems := slices.DeleteFunc([]string{
		checkEndpoint("endpoints.live", s.Endpoints.Live, s.AllowHTTP),
		checkEndpoint("endpoints.test", s.Endpoints.Test, s.AllowHTTP),
		checkTimeout("timeouts.pay", s.Timeouts.Pay, payMax),
		checkTimeout("timeouts.search", s.Timeouts.Search, searchMax),
	}, func(problem string) bool { return problem == "" })
	return append(problems, s.Wire.withDefaults().problems(s.Wire)...)
}

func checkEndpoint(name, text string, allowHTTP bool) string {
	if text == "" {
		return "" // this environment is not used
	}
	// The value is not repeated in the message: it may hold a user name and password.
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return name + " must be a URL such as https://gateway.example.com/ipass"
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return name + " must not have a user, a query or a fragment"
	case u.Scheme == "https":
		return ""
	case u.Scheme == "http" && (allowHTTP || thisMachine(u.Hostname())):
		return ""
	case u.Scheme == "http":
		return name + " must be https (allow_http permits http for a test network)"
	default:
		return name + " must be https"
	}
}

func thisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && addr.IsLoopback())
}

func checkTimeout(name string, d Duration, longest time.Duration) string {
	if d <= 0 || time.Duration(d) > longest {
		return fmt.Sprintf("%s must be more than 0s and at most %s", name, longest)
	}
	return ""
}

// of returns the URL of a path at the gateway of an environment.
func (e Endpoints) of(environment, path string) (string, error) {
	var base string
	switch environment {
	case provider.EnvironmentLive:
		base = e.Live
	case provider.EnvironmentTest:
		base = e.Test
	default:
		return "", errors.New("the environment is neither live nor test")
	}
	if base == "" {
		return "", fmt.Errorf("no iPASS gateway is configured for the %s environment: set endpoints.%s in the plugin's settings", environment, environment)
	}
	return strings.TrimRight(base, "/") + path, nil
}
