package linepay

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Settings of the plugin, the same for all companies. schema/settings.json describes them.
type Settings struct {
	Endpoints Endpoints `json:"endpoints"`
	Timeouts  Timeouts  `json:"timeouts"`
	// AllowHTTP lets requests go over http to another machine than this one.
	AllowHTTP bool `json:"allow_http"`
}

// Endpoints are the gateways: scheme and host, no path, because the path is part of what is signed.
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
	if s.Endpoints.Live == "" {
		s.Endpoints.Live = "https://api-pay.line.me"
	}
	if s.Endpoints.Test == "" {
		s.Endpoints.Test = "https://sandbox-api-pay.line.me"
	}
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
	return slices.DeleteFunc([]string{
		checkEndpoint("endpoints.live", s.Endpoints.Live, s.AllowHTTP),
		checkEndpoint("endpoints.test", s.Endpoints.Test, s.AllowHTTP),
		checkTimeout("timeouts.pay", s.Timeouts.Pay, payMax),
		checkTimeout("timeouts.search", s.Timeouts.Search, searchMax),
	}, func(problem string) bool { return problem == "" })
}

func checkEndpoint(name, text string, allowHTTP bool) string {
	// The value is not repeated in the message: it may hold a user name and password.
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return name + " must be a URL such as https://api-pay.line.me"
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return name + " must not have a user, a query or a fragment"
	case u.Path != "" && u.Path != "/":
		return name + " must not have a path: LINE Pay checks a signature over the path"
	case u.Scheme == "https":
		return ""
	case u.Scheme == "http" && (allowHTTP || thisMachine(u.Hostname())):
		return ""
	case u.Scheme == "http":
		return name + " must be https: over http secrets would travel in clear (allow_http permits it for a test network)"
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

// of returns the gateway of an environment.
func (e Endpoints) of(environment string) (*url.URL, error) {
	var text string
	switch environment {
	case provider.EnvironmentLive:
		text = e.Live
	case provider.EnvironmentTest:
		text = e.Test
	default:
		return nil, errors.New("the environment is neither live nor test")
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("the endpoint of the environment is not a URL")
	}
	return u, nil
}
