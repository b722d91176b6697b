package linepay_test

import (
	"testing"

	"github.com/payrack/payrack/plugins/providers/linepay"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Answers as they were recorded from LINE Pay itself, and what they mean.
func TestRecordedAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		op   asked
		body string
		want string
	}{
		"confirm before the approval": {
			asked{linepay.TypeOnline, provider.KindConfirm},
			`{"returnCode":"1169","returnMessage":"Payment method and password must be certificated by LINE Pay."}`, "declined",
		},
		"confirm of a paid order": {
			asked{linepay.TypeOnline, provider.KindConfirm}, `{"returnCode":"1172","returnMessage":"Existing same orderId."}`, "search",
		},
		"refund of what is refunded": {
			asked{linepay.TypeOnline, provider.KindRefund}, `{"returnCode":"1165","returnMessage":"Already refunded."}`, "search",
		},
		"an id that is no number": {
			asked{linepay.TypeOnline, provider.KindRefund},
			`{"returnCode":"2101","returnMessage":"Parameter error.","errorDetailMap":{"unrecognizedPathVariable":"transactionId","requiredType":"long","cause":"TypeMismatch"}}`, "declined",
		},
		"separate capture is not enabled": {
			asked{linepay.TypeOnline, provider.KindPay}, `{"returnCode":"2103","returnMessage":"Parameter is not allowed [capture:false]"}`, "declined",
		},
		"an unknown channel": {
			asked{linepay.TypeQRCode, provider.KindPay}, `{"returnCode":"1104","returnMessage":"Merchant not found."}`, "declined",
		},
		"the other shape of an error": {
			asked{linepay.TypeOnline, provider.KindConfirm}, `{"resultCode":1104,"statusMessage":"Merchant not found."}`, "search",
		},
		"ids as text": {
			asked{linepay.TypeOnline, provider.KindRefund},
			`{"returnCode":"0000","returnMessage":"Success.","info":{"refundTransactionId":"2026071802368895011","refundTransactionDate":"2026-07-18T09:00:00Z"}}`, "done",
		},
		"points beside the card": {
			asked{linepay.TypeOnline, provider.KindCapture},
			`{"returnCode":"0000","returnMessage":"OK","info":{"transactionId":2026071802368895040,"orderId":"A","payInfo":[{"method":"CREDIT_CARD","amount":240},{"method":"POINT","amount":10}]}}`, "done",
		},
	} {
		answer := linepay.Outcome(c.op.paymentType, c.op.kind, []byte(c.body))
		if got := outcomeWord(answer); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if answer.Failure() == nil && string(answer.Native().Body) != c.body {
			t.Errorf("%s: the answer was changed: %s", name, answer.Native().Body)
		}
	}
}
