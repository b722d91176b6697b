package linepay

import "github.com/payrack/payrack/plugins/sdk/provider"

// class is what a return code says about the operation that was asked for.
type class uint8

const (
	// undecided is the zero value: a code that nobody documented concludes nothing.
	undecided class = iota
	// success: done, if the rest of the answer agrees.
	success
	// failed: this attempt is finally refused, on the payer's side. A new attempt needs a new code or order.
	failed
	// setup: the merchant's contract or credentials do not allow it. Nobody but the operator can help.
	setup
	// wrong: LINE Pay refused our request as wrong.
	wrong
	// exists: the effect is already there. Whose it is, a search tells.
	exists
	// unsure: LINE Pay does not say whether it happened. A search tells.
	unsure
	// again: temporary. LINE Pay permits the same void or refund again; the platform searches first.
	again
	// missing: LINE Pay has no such transaction, or not yet.
	missing
)

type code struct {
	class class
	// decline is the stable word for the client, where the operation was declined.
	decline string
	// kills is true if a stored approval that meets the code can never be charged again. The documents of
	// v2 and of v3 list different codes; these are both lists together.
	kills bool
}

const (
	codeOK = "0000"
	// codeHeaders refuses the headers: signature, secret or, with v2, our IP; perhaps also a nonce that came before.
	codeHeaders = "1106"
	// codeOneTimeKey refuses a customer's code that is wrong, used or older than five minutes.
	codeOneTimeKey = "1133"
	regKeyDead     = true
)

// codes are the return codes of both APIs. 0110, 0121, 0122 and 0123 are missing, because they are no outcome of
// anything but the status of an online payment: see status.go.
var codes = map[string]code{
	codeOK: {class: success},

	"1101": {failed, "payer_unknown", false},
	"1102": {failed, "payer_blocked", false},
	"1104": {setup, "merchant_configuration", false}, // channel unknown: wrong id or wrong host
	"1105": {setup, "merchant_configuration", false}, // merchant may not use LINE Pay now
	"1106": {setup, "merchant_configuration", false}, // headers refused: signature, secret or, with v2, our IP
	"1110": {failed, "card_unusable", false},
	"1115": {failed, "partial_refund_impossible", false}, // coupon or fee: refund the whole
	"1124": {wrong, "amount_invalid", false},
	"1133": {failed, "code_invalid", false}, // one-time code wrong, used or older than five minutes
	"1141": {failed, "payer_account", regKeyDead},
	"1142": {failed, "insufficient_funds", false},
	"1145": {class: unsure}, // in progress
	"1150": {class: missing},
	"1152": {class: exists}, // the same transaction was made before
	"1153": {wrong, "amount_invalid", false},
	"1154": {failed, "mandate_unusable", false}, // the way of paying behind the approval, for now
	"1155": {wrong, "invalid_request", false},
	"1159": {wrong, "invalid_request", false},
	"1163": {failed, "refund_period_over", false},
	"1164": {failed, "refund_too_large", false},
	"1165": {class: exists}, // already refunded or voided
	"1169": {failed, "payer_not_authenticated", false},
	"1170": {failed, "payer_balance_changed", false},
	"1172": {class: exists}, // order id already used; confirmed already
	"1177": {wrong, "invalid_request", false},
	"1178": {setup, "currency_not_enabled", false},
	"1179": {failed, "state_does_not_allow", false},
	"1180": {failed, "payment_expired", false},
	"1183": {wrong, "amount_too_small", false},
	"1184": {wrong, "amount_too_large", false},
	"1190": {failed, "mandate_unknown", regKeyDead},
	"1193": {failed, "mandate_expired", regKeyDead},
	"1194": {setup, "mandates_not_enabled", false},
	"1197": {class: unsure}, // a payment with the approval is in progress
	"1198": {class: unsure}, // the same call is being worked on
	"1199": {class: unsure}, // internal error
	"1280": {class: unsure}, // temporary card error
	"1281": {failed, "card_declined", regKeyDead},
	"1282": {failed, "card_declined", regKeyDead},
	"1283": {failed, "fraud_suspected", regKeyDead},
	"1284": {failed, "card_suspended", regKeyDead},
	"1285": {failed, "card_invalid", regKeyDead},
	"1286": {failed, "card_invalid", regKeyDead},
	"1287": {failed, "card_expired", regKeyDead},
	"1288": {failed, "insufficient_funds", false},
	"1289": {failed, "limit_exceeded", false},
	"1290": {failed, "limit_exceeded", regKeyDead},
	"1291": {failed, "card_stolen", regKeyDead},
	"1292": {failed, "card_suspended", regKeyDead},
	"1293": {failed, "card_invalid", regKeyDead},
	"1294": {failed, "card_blacklisted", regKeyDead},
	"1295": {failed, "card_invalid", regKeyDead},
	"1296": {failed, "amount_invalid", false},
	"1298": {failed, "card_declined", false},
	"1900": {class: again},
	"1902": {class: again},
	"1903": {class: again},
	"1999": {class: again}, // a repetition that differs from the first call
	"2020": {failed, "limit_exceeded", false},
	"2021": {failed, "payer_blocked", false},
	"2022": {failed, "limit_exceeded", false},
	"2023": {failed, "limit_exceeded", false},
	"2024": {setup, "merchant_limit_exceeded", false},
	"2042": {setup, "merchant_reserve_low", false},
	"2101": {wrong, "invalid_request", false},
	"2102": {wrong, "invalid_request", false},
	"2103": {setup, "parameter_not_allowed", false},
	"2104": {wrong, "invalid_request", false},
	"9000": {class: unsure}, // internal error
}

// exceptions are the codes that refuse elsewhere and settle nothing for one operation. The network may deliver a request
// twice: then the second is refused for what the first has done, and its answer is the one that arrives. So no code that
// the operation itself brings about afterwards refuses it. A void's is 1165, which refuses nothing anyway.
var exceptions = map[provider.Kind]map[string]bool{
	provider.KindConfirm: {"1179": true},
	provider.KindRefund:  {"1164": true, "1179": true},
	// With the codes from 1180 on the hold itself is gone, released by LINE Pay: a search shows that.
	provider.KindCapture: {
		"1155": true, "1179": true, "1180": true, "1281": true, "1282": true, "1283": true, "1284": true, "1285": true, "1286": true, "1287": true,
		"1288": true, "1289": true, "1290": true, "1291": true, "1292": true, "1293": true, "1294": true, "1295": true,
		"1296": true, "1298": true,
	},
}

// meaning is what a code says about one operation.
func meaning(kind provider.Kind, returned string) code {
	if exceptions[kind][returned] {
		return code{class: unsure}
	}
	return codes[returned]
}

// declined reports whether LINE Pay answered definitely that it did not do what was asked.
func (c class) declined() bool {
	switch c {
	case failed, setup, wrong:
		return true
	case undecided, success, exists, unsure, again, missing:
		return false
	default:
		return false
	}
}

// reason sorts a code for people, metrics and breakers.
func (c class) reason() provider.Reason {
	switch c {
	case setup:
		return provider.ReasonAuth
	case wrong, failed:
		return provider.ReasonInvalid
	case unsure, again:
		return provider.ReasonUnavailable
	case undecided, success, exists, missing:
		return provider.ReasonUnspecified
	default:
		return provider.ReasonUnspecified
	}
}
