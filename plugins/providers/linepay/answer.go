package linepay

import (
	"bytes"
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// envelope is the outside of every answer of LINE Pay.
type envelope struct {
	ReturnCode    string `json:"returnCode"`
	ReturnMessage string `json:"returnMessage"`
	// Info is an object or, for details and authorizations, an array; absent on an error.
	Info jsontext.Value `json:"info"`
	// native is the answer as it came, without white space around it.
	native []byte
	// again is true if a refusal may be of the second delivery of a request whose first one was taken: it settles nothing.
	again bool
}

var (
	errEnvelope = errors.New("the answer has no returnCode that can be read")
	errInfo     = errors.New("the info of the answer cannot be read")
)

// read takes the body of an answer apart. Duplicate members and invalid UTF-8 make an answer unreadable: with them
// two readers could see two outcomes.
func read(raw []byte) (envelope, error) {
	var e envelope
	if err := json.Unmarshal(raw, &e); err != nil {
		return envelope{}, errEnvelope
	}
	if !plainCode(e.ReturnCode) {
		return envelope{}, errEnvelope
	}
	e.native = bytes.TrimSpace(raw)
	return e, nil
}

// plainCode accepts what may go into records as a code: documented ones have four digits.
func plainCode(code string) bool {
	for _, c := range code {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' && c != '-' {
			return false
		}
	}
	return code != "" && len(code) <= 32
}

func (e envelope) body() provider.Native { return provider.Native{Body: e.native} }

// info reads the info member; v is a pointer to a struct or a slice of structs. A success without info
// cannot be read.
func (e envelope) info(v any) error {
	if len(e.Info) == 0 || e.Info.Kind() == 'n' {
		return errInfo
	}
	if err := json.Unmarshal(e.Info, v); err != nil {
		return errInfo
	}
	return nil
}

// paidInfo is the info of a payment, a confirm and a capture, and with Status that of a check.
type paidInfo struct {
	Status                  string    `json:"status"`
	TransactionID           number    `json:"transactionId"`
	OrderID                 string    `json:"orderId"`
	TransactionDate         string    `json:"transactionDate"`
	PayInfo                 []payment `json:"payInfo"`
	AuthorizationExpireDate string    `json:"authorizationExpireDate"`
	// RegKey is the stored approval, in the answer to the confirm of a pre-approved payment.
	RegKey provider.Secret `json:"regKey"`
}

// reservedInfo is the info of a request for an online payment.
type reservedInfo struct {
	TransactionID number `json:"transactionId"`
	PaymentURL    struct {
		Web string `json:"web"`
		App string `json:"app"`
	} `json:"paymentUrl"`
	PaymentAccessToken provider.Secret `json:"paymentAccessToken"`
}

// refundedInfo is the info of a refund.
type refundedInfo struct {
	RefundTransactionID   number `json:"refundTransactionId"`
	RefundTransactionDate string `json:"refundTransactionDate"`
}

// record is one entry of payment details and authorization details.
type record struct {
	paidInfo

	TransactionType       string   `json:"transactionType"`
	PayStatus             string   `json:"payStatus"`
	Currency              string   `json:"currency"`
	RefundList            []refund `json:"refundList"`
	OriginalTransactionID number   `json:"originalTransactionId"`

	// authorized is true for an entry of authorization details.
	authorized bool
}

type refund struct {
	RefundTransactionID   number `json:"refundTransactionId"`
	RefundAmount          number `json:"refundAmount"`
	RefundTransactionDate string `json:"refundTransactionDate"`
}

// instant reads LINE Pay's time; one that cannot be read is no time, because nothing depends on it.
func instant(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
