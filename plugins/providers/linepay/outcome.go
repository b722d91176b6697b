package linepay

import (
	"errors"
	"strings"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// outcome says what LINE Pay's answer means for an operation. done reads the info of a success.
func outcome(kind provider.Kind, e envelope, done func(provider.Result) provider.Answer) provider.Answer {
	c := meaning(kind, e.ReturnCode)
	if e.again {
		c = code{class: unsure}
	}
	result := provider.Result{Code: e.ReturnCode, DeclineCode: c.decline}
	switch {
	case c.class == success:
		return done(result)
	case c.class.declined():
		return provider.Declined(result, e.body())
	default:
		return provider.Undecided(result, e.body())
	}
}

// charged reads a success that names what was paid. held says whether the amount is only held; where the request
// does not tell, the answer does.
func charged(e envelope, currency string, held func(paidInfo) bool, result provider.Result) (provider.Answer, paidInfo) {
	var info paidInfo
	if err := e.info(&info); err != nil {
		return provider.BadAnswer(err).Answer(), info
	}
	id, err := info.TransactionID.id()
	if err != nil {
		return provider.BadAnswer(errors.New("success without a transaction id")).Answer(), info
	}
	amount, err := sum(info.PayInfo, currency)
	if err != nil {
		return provider.BadAnswer(err).Answer(), info
	}
	result.Reference = provider.Reference{OrderID: info.OrderID, TransactionID: id}
	result.ProviderTime = instant(info.TransactionDate)
	if held(info) {
		result.Authorized = amount
		result.AuthorizationExpires = instant(info.AuthorizationExpireDate)
	} else {
		result.Captured = amount
	}
	if amount == nil {
		// Done, but nobody said how much: the search reads the amount from LINE Pay's records.
		return provider.Undecided(result, e.body()), info
	}
	return provider.Approved(result, e.body()), info
}

// lapses: an answer to a confirm or to the charge of an approval names the end of a hold, if it is one.
func lapses(i paidInfo) bool { return i.AuthorizationExpireDate != "" }

// label names a stored approval for people, as in "VISA ************1111".
func label(entries []payment) string {
	for _, p := range entries {
		if p.MaskedCreditCardNumber != "" {
			return strings.TrimSpace(p.CreditCardBrand + " " + p.MaskedCreditCardNumber)
		}
	}
	for _, p := range entries {
		if p.Method != "" {
			return p.Method
		}
	}
	return ""
}
