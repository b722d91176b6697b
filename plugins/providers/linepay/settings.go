package linepay

import (
	"context"
	"fmt"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// What LINE Pay asks clients to wait for an answer, each with 5 s to connect.
const (
	payMax      = 45 * time.Second
	requestMax  = 25 * time.Second
	confirmMax  = 45 * time.Second
	captureMax  = 65 * time.Second // online; in stores as long as the rest
	followMax   = 25 * time.Second // void, refund, and capture in stores
	searchMax   = 25 * time.Second
	mandateMax  = 25 * time.Second
	longestCall = captureMax
)

// Settings of the plugin, the same for all companies. schema/settings.json describes them.
type Settings struct {
	// Endpoints have no path, because the path is part of what is signed.
	Endpoints provider.Endpoints `json:"endpoints"`
	Timeouts  Timeouts           `json:"timeouts"`
	// AllowHTTP lets requests go over http to another machine than this one.
	AllowHTTP bool `json:"allow_http"`
}

// Timeouts bound one call, connecting included; with several requests in one call they bound all of them
// together. Zero is the longest.
type Timeouts struct {
	// Pay bounds the payment in a store and the charge of a stored approval.
	Pay provider.Duration `json:"pay"`
	// Request bounds the begin of an online payment.
	Request provider.Duration `json:"request"`
	Confirm provider.Duration `json:"confirm"`
	Capture provider.Duration `json:"capture"`
	Void    provider.Duration `json:"void"`
	Refund  provider.Duration `json:"refund"`
	Search  provider.Duration `json:"search"`
	// Mandate bounds the check and the end of a stored approval.
	Mandate provider.Duration `json:"mandate"`
}

// limit is one timeout: its name in the settings, its value, and the longest it may be.
type limit struct {
	name  string
	value *provider.Duration
	most  time.Duration
}

func (t *Timeouts) limits() []limit {
	return []limit{
		{"pay", &t.Pay, payMax},
		{"request", &t.Request, requestMax},
		{"confirm", &t.Confirm, confirmMax},
		{"capture", &t.Capture, captureMax},
		{"void", &t.Void, followMax},
		{"refund", &t.Refund, followMax},
		{"search", &t.Search, searchMax},
		{"mandate", &t.Mandate, mandateMax},
	}
}

func (s Settings) withDefaults() Settings {
	if s.Endpoints.Live == "" {
		s.Endpoints.Live = "https://api-pay.line.me"
	}
	if s.Endpoints.Test == "" {
		s.Endpoints.Test = "https://sandbox-api-pay.line.me"
	}
	for _, l := range s.Timeouts.limits() {
		if *l.value == 0 {
			*l.value = provider.Duration(l.most)
		}
	}
	return s
}

// Problems says in words for the operator what is wrong with the settings, all of it at once.
func (s Settings) Problems() []string {
	s = s.withDefaults()
	problems := s.Endpoints.Problems(provider.EndpointRules{
		Example:   "https://api-pay.line.me",
		NoPath:    "LINE Pay checks a signature over the path",
		AllowHTTP: s.AllowHTTP,
	})
	for _, l := range s.Timeouts.limits() {
		if d := time.Duration(*l.value); d <= 0 || d > l.most {
			problems = append(problems, fmt.Sprintf("timeouts.%s must be more than 0s and at most %s", l.name, l.most))
		}
	}
	return problems
}

// within bounds a call by a setting.
func within(ctx context.Context, d provider.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(d))
}
