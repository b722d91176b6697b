package linepay

import (
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Sign is the signature over one request.
func Sign(secret, apiPath, payload, nonce string) string {
	return sign(provider.NewSecret(secret), apiPath, payload, nonce)
}

// PayBody is the body of a payment.
func PayBody(version string, r provider.PayRequest) ([]byte, error) {
	body, _, err := payBody(version, r)
	return body, err
}

// PayOutcome reads an answer without a gateway.
func PayOutcome(r provider.PayRequest, raw []byte) provider.Answer {
	e, err := read(raw)
	if err != nil {
		return provider.BadAnswer(err).Answer()
	}
	return payOutcome(r, e)
}

// Decimal writes an amount.
func Decimal(m provider.Money) string { return decimal(m) }

// Units reads an amount.
func Units(token string, exponent int) (int64, error) { return number(token).units(exponent) }
