package linepay

import (
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Sign is the signature over one request.
func Sign(secret, apiPath, payload, nonce string) string {
	return sign(provider.NewSecret(secret), apiPath, payload, nonce)
}

// PayBody is the body of a payment in a store.
func PayBody(version string, r provider.PayRequest) ([]byte, error) {
	body, _, err := payBody(version, r)
	return body, err
}

// Outcome reads an answer to an operation without a gateway.
func Outcome(paymentType string, kind provider.Kind, raw []byte) provider.Answer {
	e, err := read(raw)
	if err != nil {
		return provider.BadAnswer(err).Answer()
	}
	p := &Provider{now: time.Now}
	amount := provider.Money{Units: 250, Currency: "TWD"}
	call := provider.Call{PaymentType: paymentType}
	ref := provider.Reference{OrderID: "PMX-0001", TransactionID: "1"}
	switch kind { //nolint:exhaustive // the rest is Pay
	case provider.KindConfirm:
		return p.confirmOutcome(provider.ConfirmRequest{Call: call, Reference: ref, Amount: amount}, e)
	case provider.KindCapture:
		return captureOutcome(provider.CaptureRequest{Call: call, Reference: ref, Amount: amount}, e)
	case provider.KindVoid:
		return voidOutcome(e)
	case provider.KindRefund:
		return refundOutcome(provider.RefundRequest{Call: call, Reference: ref, Amount: amount}, e)
	default:
	}
	r := provider.PayRequest{Call: call, Reference: ref, Amount: amount, Capture: true}
	switch paymentType {
	case TypeOnline:
		return p.requestOutcome(e)
	case TypePreapproved:
		return p.approvedOutcome(r, e)
	default:
		return payOutcome(r, e)
	}
}

// PayOutcome reads an answer to a payment in a store without a gateway.
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
