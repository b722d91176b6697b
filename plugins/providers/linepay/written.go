package linepay

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// written is one record of LINE Pay in its own words: what is shown to a client again is not re-encoded.
type written struct {
	paidWritten

	RefundList []refundWritten `json:"refundList"`
}

type paidWritten struct {
	TransactionID           jsontext.Value `json:"transactionId,omitzero"`
	OrderID                 jsontext.Value `json:"orderId,omitzero"`
	TransactionDate         jsontext.Value `json:"transactionDate,omitzero"`
	PayInfo                 jsontext.Value `json:"payInfo,omitzero"`
	AuthorizationExpireDate jsontext.Value `json:"authorizationExpireDate,omitzero"`
	PaymentProvider         jsontext.Value `json:"paymentProvider,omitzero"`
}

type refundWritten struct {
	RefundTransactionID   jsontext.Value `json:"refundTransactionId,omitzero"`
	RefundTransactionDate jsontext.Value `json:"refundTransactionDate,omitzero"`
}

// latestRefund is the one in doubt, because at most one is. The list is not documented to be in any order.
func (w written) latestRefund() refundWritten {
	return slices.MaxFunc(w.RefundList, func(a, b refundWritten) int {
		return strings.Compare(string(a.RefundTransactionDate), string(b.RefundTransactionDate))
	})
}

// writtenAt takes a record from an answer that was read already; no record is the zero value.
func writtenAt(e envelope, at int) written {
	var records []written
	if at < 0 || json.Unmarshal(e.Info, &records) != nil || at >= len(records) {
		return written{}
	}
	return records[at]
}

// native is the answer that the operation in doubt would have brought, made from the record that a search found, as
// far as the record has its members. It is empty where it cannot be made honestly: the page of a request, and the regKey
// of a confirm, stand in no record.
func (s inquiry) native(seen sight) provider.Native {
	f := seen.Findings
	if f == nil || (f.Finding != provider.FindingFound && f.Finding != provider.FindingEnded) {
		return provider.Native{}
	}
	ended := f.Finding == provider.FindingEnded
	w := seen.written
	if len(w.TransactionID) == 0 || ended != (s.about == provider.KindVoid) {
		return provider.Native{}
	}
	switch s.about {
	case provider.KindPay:
		switch s.call.PaymentType {
		case TypeOnline:
			return provider.Native{}
		case TypePreapproved:
			w.PayInfo = nil
		}
		return reply(seen.answer, w.paidWritten)
	case provider.KindConfirm:
		w.TransactionDate = nil
		return reply(seen.answer, w.paidWritten)
	case provider.KindCapture:
		if f.Captured == nil || f.Captured.Units == 0 {
			return provider.Native{}
		}
		w.AuthorizationExpireDate = nil
		if s.call.PaymentType != TypeQRCode {
			w.TransactionDate = nil
		}
		return reply(seen.answer, w.paidWritten)
	case provider.KindRefund:
		if len(w.RefundList) == 0 {
			return provider.Native{}
		}
		return reply(seen.answer, w.latestRefund())
	case provider.KindVoid:
		return reply(seen.answer, nil)
	case provider.KindSearch, provider.KindCheckMandate, provider.KindExpireMandate:
	}
	return provider.Native{}
}

// reply is an answer with the envelope of the one that was found.
func reply(from envelope, info any) provider.Native {
	body, err := marshal(struct {
		ReturnCode    string `json:"returnCode"`
		ReturnMessage string `json:"returnMessage"`
		Info          any    `json:"info,omitzero"`
	}{from.ReturnCode, from.ReturnMessage, info})
	if err != nil {
		return provider.Native{}
	}
	return provider.Native{Body: []byte(body)}
}
