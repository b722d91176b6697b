package ipass

import (
	"cmp"
	"fmt"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Settings of the plugin, the same for all companies. schema/settings.json describes them.
type Settings struct {
	// Endpoints are the bases below which the gateway's paths lie. There is no default: iPASS tells a
	// merchant its host. An empty one is an environment that is not used.
	Endpoints provider.Endpoints `json:"endpoints"`
	Timeouts  Timeouts           `json:"timeouts"`
	// Wire is the gateway's contract where it differs from the assumed one.
	Wire Wire `json:"wire"`
	// RefundWithoutAmount says what a refund without an amount is: see VoidSlip. Empty is RefuseSlip.
	RefundWithoutAmount string `json:"refund_without_amount"`
	// AllowHTTP lets requests go over http to another machine than this one.
	AllowHTTP bool `json:"allow_http"`
}

// Words of RefundWithoutAmount. The platform's page of the void shows the refund's path with an order number
// alone, most likely by a slip of the pen. VoidSlip serves clients that were written to that page.
const (
	RefuseSlip = "refuse"
	VoidSlip   = "void"
)

// Timeouts bound one call, connecting included. FollowUp is for void, refund and capture.
type Timeouts struct {
	provider.Timeouts

	FollowUp provider.Duration `json:"follow_up"`
}

// longest are the longest times of a call, which are also the defaults.
func longest() Timeouts {
	return Timeouts{
		Timeouts: provider.Timeouts{Pay: provider.Duration(payMax), Search: provider.Duration(searchMax)},
		FollowUp: provider.Duration(followUpMax),
	}
}

func (s Settings) withDefaults() Settings {
	s.Timeouts.Timeouts = s.Timeouts.Or(longest().Timeouts)
	s.Timeouts.FollowUp = cmp.Or(s.Timeouts.FollowUp, longest().FollowUp)
	s.RefundWithoutAmount = cmp.Or(s.RefundWithoutAmount, RefuseSlip)
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
	problems = append(problems, s.Timeouts.Problems(longest().Timeouts)...)
	if most := longest().FollowUp; s.Timeouts.FollowUp < 0 || s.Timeouts.FollowUp > most {
		problems = append(problems, fmt.Sprintf("timeouts.follow_up must be more than 0s and at most %s", time.Duration(most)))
	}
	if wrong := oneOf("refund_without_amount", s.RefundWithoutAmount, RefuseSlip, VoidSlip); wrong != "" {
		problems = append(problems, wrong)
	}
	return append(problems, s.Wire.withDefaults().problems(s.Wire)...)
}
