package ecpay

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Settings of the plugin, the same for all companies. schema/settings.json describes them.
type Settings struct {
	Endpoints provider.Endpoints `json:"endpoints"`
	Timeouts  provider.Timeouts  `json:"timeouts"`
	// ReturnURL is where ECPay sends results of requests that name no ReturnURL. ECPay demands one.
	ReturnURL string `json:"return_url"`
	// Wire is the API where it differs from the assumed one.
	Wire Wire `json:"wire"`
	// AllowHTTP lets requests go over http to another machine than this one.
	AllowHTTP bool `json:"allow_http"`
}

// Wire is what a merchant with the whole specification may have to change.
type Wire struct {
	// ChoosePayment is the word for TWQR.
	ChoosePayment string `json:"choose_payment"`
	// CodeMember is where the scanned code stands: a member, or an object and a member with a point between.
	CodeMember string `json:"code_member"`
	// Codes are meanings of RtnCode beside 1, which is success.
	Codes map[string]Code `json:"codes"`
	// TradeStatus are meanings of TradeStatus in a search.
	TradeStatus map[string]string `json:"trade_status"`
	// UnpaidFinalAfter is the age at which an order that is still unpaid counts as never paid. Zero is never.
	UnpaidFinalAfter provider.Duration `json:"unpaid_final_after"`
}

// Code is what a return code means: its class, and for a decline the stable word for the client.
type Code struct {
	Class       string `json:"class"`
	DeclineCode string `json:"decline_code"`
}

// longest are the longest times of a call, which are also the defaults. A refund takes as long as a payment.
func longest() provider.Timeouts {
	return provider.Timeouts{Pay: provider.Duration(payMax), Search: provider.Duration(searchMax)}
}

func (s Settings) withDefaults() Settings {
	s.Endpoints.Live = cmp.Or(s.Endpoints.Live, "https://ecpayment.ecpay.com.tw")
	s.Endpoints.Test = cmp.Or(s.Endpoints.Test, "https://ecpayment-stage.ecpay.com.tw")
	s.Timeouts = s.Timeouts.Or(longest())
	d := assumed()
	d.ChoosePayment = cmp.Or(s.Wire.ChoosePayment, d.ChoosePayment)
	d.CodeMember = cmp.Or(s.Wire.CodeMember, d.CodeMember)
	d.UnpaidFinalAfter = s.Wire.UnpaidFinalAfter
	maps.Copy(d.Codes, s.Wire.Codes)
	maps.Copy(d.TradeStatus, s.Wire.TradeStatus)
	s.Wire = d
	return s
}

// Problems says in words for the operator what is wrong with the settings, all of it at once.
func (s Settings) Problems() []string {
	full := s.withDefaults()
	problems := full.Endpoints.Problems(provider.EndpointRules{Example: "https://ecpayment.ecpay.com.tw", AllowHTTP: s.AllowHTTP})
	problems = append(problems, full.Timeouts.Problems(longest())...)
	if s.ReturnURL != "" && !webAddress(s.ReturnURL) {
		problems = append(problems, "return_url must be a URL such as https://shop.example.com/ecpay/result")
	}
	object, member, nested := strings.Cut(full.Wire.CodeMember, ".")
	if object == "" || nested && (member == "" || strings.Contains(member, ".")) {
		problems = append(problems, "wire.code_member must be written as in TWQRInfo.TWQRCode")
	}
	if least := provider.Duration(searchLag + landingMax); s.Wire.UnpaidFinalAfter != 0 && s.Wire.UnpaidFinalAfter < least {
		problems = append(problems, "wire.unpaid_final_after must be at least 20m: ECPay may hear from the bank until then")
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

func webAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && u.User == nil
}
