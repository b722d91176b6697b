package icashpay

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Settings of the plugin, the same for all companies. schema/settings.json describes them.
type Settings struct {
	Endpoints provider.Endpoints `json:"endpoints"`
	Timeouts  provider.Timeouts  `json:"timeouts"`
	// Wire is the gateway's contract where it differs from the assumed one.
	Wire Wire `json:"wire"`
	// AllowHTTP lets requests go over http to another machine than this one.
	AllowHTTP bool `json:"allow_http"`
}

// Wire is what a merchant with the specification may have to change.
type Wire struct {
	// Paths of the operations below the endpoint.
	Paths Paths `json:"paths"`
	// Codes are meanings of RtnCode beside 1, which is success.
	Codes map[string]Code `json:"codes"`
	// TradeStatus are meanings of TradeStatus in a search.
	TradeStatus map[string]string `json:"trade_status"`
}

// Paths of the operations below the endpoint.
type Paths struct {
	Pay    string `json:"pay"`
	Search string `json:"search"`
	Refund string `json:"refund"`
	Void   string `json:"void"`
}

// Code is what a return code means: its class, and for a decline the stable word for the client.
type Code struct {
	Class       string `json:"class"`
	DeclineCode string `json:"decline_code"`
}

// longest are the longest times of a call, which are also the defaults. A refund and a void take as long as a
// payment.
func longest() provider.Timeouts {
	return provider.Timeouts{Pay: provider.Duration(payMax), Search: provider.Duration(searchMax)}
}

func (s Settings) withDefaults() Settings {
	s.Endpoints.Live = cmp.Or(s.Endpoints.Live, "https://payment.icashpay.com.tw/api/V2/Payment")
	s.Endpoints.Test = cmp.Or(s.Endpoints.Test, "https://icp-payment-preprod.icashpay.com.tw/api/V2/Payment")
	s.Timeouts = s.Timeouts.Or(longest())
	d := assumed()
	d.Paths.Pay = cmp.Or(s.Wire.Paths.Pay, d.Paths.Pay)
	d.Paths.Search = cmp.Or(s.Wire.Paths.Search, d.Paths.Search)
	d.Paths.Refund = cmp.Or(s.Wire.Paths.Refund, d.Paths.Refund)
	d.Paths.Void = cmp.Or(s.Wire.Paths.Void, d.Paths.Void)
	maps.Copy(d.Codes, s.Wire.Codes)
	maps.Copy(d.TradeStatus, s.Wire.TradeStatus)
	s.Wire = d
	return s
}

// Problems says in words for the operator what is wrong with the settings, all of it at once.
func (s Settings) Problems() []string {
	full := s.withDefaults()
	problems := full.Endpoints.Problems(provider.EndpointRules{
		Example: "https://payment.icashpay.com.tw/api/V2/Payment", AllowHTTP: s.AllowHTTP,
	})
	problems = append(problems, full.Timeouts.Problems(longest())...)
	paths := full.Wire.Paths
	for _, p := range [][2]string{{"pay", paths.Pay}, {"search", paths.Search}, {"refund", paths.Refund}, {"void", paths.Void}} {
		if !strings.HasPrefix(p[1], "/") || strings.ContainsAny(p[1], "?#% ") {
			problems = append(problems, fmt.Sprintf("wire.paths.%s must be a path that begins with / and has no query", p[0]))
		}
	}
	if _, ok := s.Wire.Codes[codeSuccess]; ok {
		problems = append(problems, "wire.codes.1 is success and cannot be changed")
	}
	for _, code := range slices.Sorted(maps.Keys(s.Wire.Codes)) {
		if !slices.Contains(classes, s.Wire.Codes[code].Class) {
			problems = append(problems, fmt.Sprintf("wire.codes.%s.class must be one of %s", code, strings.Join(classes, ", ")))
		}
	}
	for _, status := range slices.Sorted(maps.Keys(s.Wire.TradeStatus)) {
		if !slices.Contains(statuses, s.Wire.TradeStatus[status]) {
			problems = append(problems, fmt.Sprintf("wire.trade_status.%s must be one of %s", status, strings.Join(statuses, ", ")))
		}
	}
	return problems
}
