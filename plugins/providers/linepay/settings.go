package linepay

import "github.com/payrack/payrack/plugins/sdk/provider"

// Settings of the plugin, the same for all companies. schema/settings.json describes them.
type Settings struct {
	// Endpoints have no path, because the path is part of what is signed.
	Endpoints provider.Endpoints `json:"endpoints"`
	Timeouts  provider.Timeouts  `json:"timeouts"`
	// AllowHTTP lets requests go over http to another machine than this one.
	AllowHTTP bool `json:"allow_http"`
}

// longest are the times that LINE Pay asks for, with 5 s to connect. They are also the defaults.
func longest() provider.Timeouts {
	return provider.Timeouts{Pay: provider.Duration(payMax), Search: provider.Duration(searchMax)}
}

func (s Settings) withDefaults() Settings {
	if s.Endpoints.Live == "" {
		s.Endpoints.Live = "https://api-pay.line.me"
	}
	if s.Endpoints.Test == "" {
		s.Endpoints.Test = "https://sandbox-api-pay.line.me"
	}
	s.Timeouts = s.Timeouts.Or(longest())
	return s
}

// Problems says in words for the operator what is wrong with the settings, all of it at once.
func (s Settings) Problems() []string {
	s = s.withDefaults()
	return append(s.Endpoints.Problems(provider.EndpointRules{
		Example:   "https://api-pay.line.me",
		NoPath:    "LINE Pay checks a signature over the path",
		AllowHTTP: s.AllowHTTP,
	}), s.Timeouts.Problems(longest())...)
}
