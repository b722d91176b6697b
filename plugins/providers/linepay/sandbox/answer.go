package linepaysandbox

import (
	"regexp"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/plugins/sandbox"
)

// envelope is the form of every answer.
type envelope struct {
	ReturnCode     string            `json:"returnCode"`
	ReturnMessage  string            `json:"returnMessage"`
	ErrorDetailMap map[string]string `json:"errorDetailMap,omitempty"`
	Info           any               `json:"info,omitzero"`
}

// payInfo is one part of what was paid.
type payInfo struct {
	Method                 string `json:"method"`
	Amount                 amount `json:"amount"`
	CreditCardNickname     string `json:"creditCardNickname,omitempty"`
	CreditCardBrand        string `json:"creditCardBrand,omitempty"`
	MaskedCreditCardNumber string `json:"maskedCreditCardNumber,omitempty"`
}

// paidInfo answers pay, capture, and check where the payment is complete.
type paidInfo struct {
	Status                  string         `json:"status,omitempty"`
	TransactionID           int64          `json:"transactionId,omitzero"`
	OrderID                 string         `json:"orderId,omitempty"`
	TransactionDate         string         `json:"transactionDate,omitempty"`
	PayInfo                 []payInfo      `json:"payInfo,omitempty"`
	Balance                 *amount        `json:"balance,omitzero"`
	AuthorizationExpireDate string         `json:"authorizationExpireDate,omitempty"`
	PaymentProvider         jsontext.Value `json:"paymentProvider,omitzero"`
}

// refundedInfo answers a refund.
type refundedInfo struct {
	RefundTransactionID   int64  `json:"refundTransactionId"`
	RefundTransactionDate string `json:"refundTransactionDate"`
}

// detail is one record of details or authorizations.
type detail struct {
	TransactionID           int64          `json:"transactionId"`
	TransactionDate         string         `json:"transactionDate"`
	TransactionType         string         `json:"transactionType"`
	PayStatus               string         `json:"payStatus,omitempty"`
	ProductName             string         `json:"productName"`
	MerchantName            string         `json:"merchantName,omitempty"`
	Currency                string         `json:"currency"`
	AuthorizationExpireDate string         `json:"authorizationExpireDate,omitempty"`
	PayInfo                 []payInfo      `json:"payInfo"`
	RefundList              []refundRecord `json:"refundList,omitempty"`
	OriginalTransactionID   int64          `json:"originalTransactionId,omitzero"`
	OrderID                 string         `json:"orderId"`
	PaymentProvider         jsontext.Value `json:"paymentProvider,omitzero"`
	Packages                jsontext.Value `json:"packages,omitzero"`
}

type refundRecord struct {
	RefundTransactionID   int64  `json:"refundTransactionId"`
	TransactionType       string `json:"transactionType"`
	RefundAmount          amount `json:"refundAmount"`
	RefundTransactionDate string `json:"refundTransactionDate"`
}

// refused is the answer with a return code and nothing else.
func refused(code string) envelope {
	return envelope{ReturnCode: code, ReturnMessage: messageOf(code)}
}

// parameter is the answer to a value that cannot be read.
func parameter(cause string) envelope {
	e := refused(codeParameter)
	e.ErrorDetailMap = map[string]string{"cause": cause}
	return e
}

// badID is the answer to a transaction id in a path or query that is not a signed 64-bit number.
func badID() envelope {
	e := refused(codeParameter)
	e.ErrorDetailMap = map[string]string{
		"unrecognizedPathVariable": "transactionId", "requiredType": "long", "cause": "TypeMismatch",
	}
	return e
}

func succeeded(info any) envelope {
	return envelope{ReturnCode: codeOK, ReturnMessage: messageOf(codeOK), Info: info}
}

// stamp is how the gateway writes a time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// providerOf is the member that came with v2.4 in stores and with v4 online.
func providerOf(version string) jsontext.Value {
	if version == "v2" || version == "v3" {
		return nil
	}
	return jsontext.Value(`"TSP"`)
}

// parts writes payInfo; one charge unit too much if the fault says so.
func parts(x *sandbox.Exchange, o order) []payInfo {
	infos := make([]payInfo, 0, len(o.PayInfo))
	for _, p := range o.PayInfo {
		infos = append(infos, payInfo{
			Method: p.Method, Amount: amount{units: p.Amount, exponent: o.exponent()}, MaskedCreditCardNumber: p.Masked,
		})
	}
	if len(infos) > 0 && x.Fire(sandbox.FaultWrongAmount) {
		infos[0].Amount.units++
	}
	return infos
}

// orderID writes the order; another one if the fault says so.
func orderID(x *sandbox.Exchange, o order) string {
	if x.Fire(sandbox.FaultWrongOrder) {
		return o.OrderID + "X"
	}
	return o.OrderID
}

var ids = regexp.MustCompile(`("(?:refundT|originalT|t)ransactionId":)([0-9]+)`)

// write encodes an answer. Ids are bare numbers of 19 digits.
func write(x *sandbox.Exchange, e envelope) sandbox.Answer {
	body, err := json.Marshal(e)
	if err != nil {
		panic("linepaysandbox: an answer has no JSON form: " + err.Error())
	}
	if x.Fire(faultErrorShape) {
		body = []byte(`{"resultCode":500,"statusMessage":"error"}`)
	}
	if ids.Match(body) && x.Fire(faultIDsAsStrings) {
		body = ids.ReplaceAll(body, []byte(`$1"$2"`))
	}
	return sandbox.Answer{Body: body}
}
