package ipass

import "github.com/payrack/payrack/plugins/sdk/provider"

// Settings of the plugin, the same for all companies. schema/settings.json describes them.
type Settings struct {
	// Endpoints are the bases below which the gateway's paths lie. There is no default: iPASS tells a
	// merchant its host. An empty one is an environment that is not used.
	Endpoints provider.Endpoints `json:"endpoints"`
	Timeouts  provider.Timeouts  `json:"timeouts"`
	// Wire is the gateway's contract where it differs from the assumed one.
	Wire Wire `json:"wire"`
	// AllowHTTP lets requests go over http to another machine than this one.
	AllowHTTP bool `json:"allow_http"`
}

// longest are the longest times of a call, which are also the defaults.
func longest() provider.Timeouts {
	return provider.Timeouts{Pay: provider.Duration(payMax), Search: provider.Duration(searchMax)}
}

func (s Settings) withDefaults() Settings {
	s.Timeouts = s.Timeouts.Or(longest())
	return s
}

// Problems says in words for the operator what is wrong with the settings, all of it at once.
func (s Settings) Problems() []string {
	s = s.withDefaults()
	problems := s.Endpoints.Problems(provider.EndpointRules{
		Example:   "https://gateway.example.com/ipass",
		Optional:  true,
		AllowHTTP: s.AllowHTTP,
	})
	problems = append(problems, s.Timeouts.Problems(longest())...)
	return append(problems, s.Wire.withDefaults().problems(s.Wire)...)
}
