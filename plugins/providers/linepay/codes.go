package linepay

import "github.com/payrack/payrack/plugins/sdk/provider"

// class is what a return code of the Offline API says about a payment that was asked for.
type class uint8

const (
	// undecided is the zero value: a code that nobody documented concludes nothing.
	undecided class = iota
	// success: done, if the rest of the answer agrees.
	success
	// failed: this attempt is finally refused, on the payer's side. A new attempt needs a new code.
	failed
	// setup: the merchant's contract or credentials do not allow it. Nobody but the operator can help.
	setup
	// wrong: LINE Pay refused our request as wrong.
	wrong
	// exists: the effect is already there. Whose it is, a search tells.
	exists
	// unsure: LINE Pay does not say whether it happened. A search tells.
	unsure
	// again: temporary; documented to be repeated for void and refund, and inconclusive for a payment.
	again
	// missing: LINE Pay has no such transaction, or not yet.
	missing
)

type code struct {
	class class
	// decline is the stable word for the client, where the payment was declined.
	decline string
}

// codes are the return codes of the Offline API.
var codes = map[string]code{
	"0000": {class: success},

	"1101": {failed, "payer_unknown"},
	"1102": {failed, "payer_blocked"},
	"1104": {setup, "merchant_configuration"}, // channel unknown: wrong id or wrong host
	"1105": {setup, "merchant_configuration"}, // merchant may not use LINE Pay now
	"1106": {setup, "merchant_configuration"}, // headers refused: signature, secret or, with v2, our IP
	"1110": {failed, "card_unusable"},
	"1115": {failed, "partial_refund_impossible"},
	"1124": {wrong, "amount_invalid"},
	"1133": {failed, "code_invalid"}, // one-time code wrong, used or older than five minutes
	"1141": {failed, "payer_account"},
	"1142": {failed, "insufficient_funds"},
	"1145": {class: unsure}, // in progress
	"1150": {class: missing},
	"1152": {class: exists}, // the same transaction was made before
	"1153": {wrong, "amount_invalid"},
	"1155": {wrong, "invalid_request"},
	"1159": {wrong, "invalid_request"},
	"1163": {failed, "refund_period_over"},
	"1164": {failed, "refund_too_large"},
	"1165": {class: exists}, // already refunded or voided
	"1169": {failed, "payer_not_authenticated"},
	"1170": {failed, "payer_balance_changed"},
	"1172": {class: exists}, // order id already used
	"1177": {wrong, "invalid_request"},
	"1178": {setup, "currency_not_enabled"},
	"1179": {failed, "state_does_not_allow"},
	"1183": {wrong, "amount_too_small"},
	"1184": {wrong, "amount_too_large"},
	"1198": {class: unsure}, // the same call is being worked on
	"1199": {class: unsure}, // internal error
	"1280": {class: unsure}, // temporary card error
	"1281": {failed, "card_declined"},
	"1282": {failed, "card_declined"},
	"1283": {failed, "fraud_suspected"},
	"1284": {failed, "card_suspended"},
	"1285": {failed, "card_invalid"},
	"1286": {failed, "card_invalid"},
	"1287": {failed, "card_expired"},
	"1288": {failed, "insufficient_funds"},
	"1289": {failed, "limit_exceeded"},
	"1290": {failed, "limit_exceeded"},
	"1291": {failed, "card_stolen"},
	"1292": {failed, "card_suspended"},
	"1293": {failed, "card_invalid"},
	"1294": {failed, "card_blacklisted"},
	"1295": {failed, "card_invalid"},
	"1296": {failed, "amount_invalid"},
	"1298": {failed, "card_declined"},
	"1900": {class: again},
	"1902": {class: again},
	"1903": {class: again},
	"1999": {class: again}, // a repetition that differs from the first call
	"2020": {failed, "limit_exceeded"},
	"2021": {failed, "payer_blocked"},
	"2022": {failed, "limit_exceeded"},
	"2023": {failed, "limit_exceeded"},
	"2024": {setup, "merchant_limit_exceeded"},
	"2042": {setup, "merchant_reserve_low"},
	"2101": {wrong, "invalid_request"},
	"2102": {wrong, "invalid_request"},
	"2103": {setup, "parameter_not_allowed"},
	"2104": {wrong, "invalid_request"},
	"9000": {class: unsure}, // internal error
}

// declined reports whether LINE Pay answered definitely that it did not take the payment.
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
