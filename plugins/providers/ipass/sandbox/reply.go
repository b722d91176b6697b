package ipasssandbox

import (
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/payrack/payrack/plugins/sandbox"
)

// reply is the clear text of every answer.
type reply struct {
	ReturnCode            string   `json:"returnCode"`
	ReturnMsg             string   `json:"returnMsg"`
	ReqID                 string   `json:"reqId,omitempty"`
	TransactionID         *string  `json:"transactionId,omitzero"`
	OriginalTransactionID string   `json:"originalTransactionId,omitempty"`
	TransactionDateTime   string   `json:"transactionDateTime,omitempty"`
	CancelTransactionID   string   `json:"cancelTransactionId,omitempty"`
	CancelDateTime        string   `json:"cancelDateTime,omitempty"`
	VoidDateTime          string   `json:"voidDateTime,omitempty"`
	PayStatus             string   `json:"payStatus,omitempty"`
	ProductDesc           string   `json:"productDesc,omitempty"`
	Carrier               *string  `json:"electronicInvoiceCarrier,omitzero"`
	PaymentType           string   `json:"paymentType,omitempty"`
	Amount                *int64   `json:"amount,omitzero"`
	RefundedAmount        *int64   `json:"refundedAmount,omitzero"`
	OrderNumber           string   `json:"orderNumber,omitempty"`
	CancelList            []cancel `json:"cancelList,omitzero"`
}

type cancel struct {
	CancelTransactionID string `json:"cancelTransactionId"`
	ReqID               string `json:"reqId"`
	Amount              int64  `json:"amount"`
	CancelDateTime      string `json:"cancelDateTime"`
}

func refused(code string) reply {
	return reply{ReturnCode: code, ReturnMsg: messageOf(code)}
}

// malformed names the member that cannot be read.
func malformed(member string) reply {
	r := refused(codeMalformed)
	r.ReturnMsg += ": " + member
	return r
}

func succeeded() reply { return refused(codeOK) }

// The faults that only this gateway has.
const (
	fault9999Before         = "9999_before_commit"
	fault9999After          = "9999_after_commit"
	faultGarbageBase64      = "garbage_base64"
	faultWrongKey           = "wrong_key"
	faultFlippedIV          = "flipped_iv"
	faultForeignReqID       = "foreign_req_id"
	faultEmptyTransactionID = "empty_transaction_id"
	faultPlainText          = "plain_text"
	faultPascalCase         = "pascal_case"
	faultAmountAsString     = "amount_as_string"
	faultExtraFields        = "extra_fields"
	faultPayStatus9         = "pay_status_9"
	faultResetBefore        = "reset_before_commit"
	faultResetAfter         = "reset_after_commit"
)

func ownFaults() map[string]string {
	return map[string]string{
		fault9999Before:         "never lands; 9999 without a reqId",
		fault9999After:          "lands; 9999 without a reqId",
		faultGarbageBase64:      "lands; the ciphertext is not base64",
		faultWrongKey:           "lands; the answer is enciphered with another key",
		faultFlippedIV:          "lands; one bit of the answer's iv is wrong",
		faultForeignReqID:       "lands; the answer carries another request's reqId",
		faultEmptyTransactionID: "lands; the answer's transactionId is empty, and so is a refund's cancelTransactionId",
		faultPlainText:          "lands; the answer is not enciphered",
		faultPascalCase:         "lands; members begin with a capital letter",
		faultAmountAsString:     "lands; amounts are text",
		faultExtraFields:        "lands; the answer has members that nobody knows",
		faultPayStatus9:         "a search answers a payStatus that is not listed",
		faultResetBefore:        "never lands; the connection is reset, as when TLS breaks",
		faultResetAfter:         "lands; the connection is reset, as when TLS breaks",
	}
}

// spoil lets the faults strike that change what an answer says.
func spoil(x *sandbox.Exchange, r reply) reply {
	if x.Fire(fault9999After) {
		return refused(codeUnexpected)
	}
	if r.Amount != nil && x.Fire(sandbox.FaultWrongAmount) {
		more := *r.Amount + 1
		r.Amount = &more
	}
	if r.OrderNumber != "" && x.Fire(sandbox.FaultWrongOrder) {
		r.OrderNumber += "X"
	}
	if r.ReqID != "" && x.Fire(faultForeignReqID) {
		r.ReqID = "00000000-0000-4000-8000-000000000000"
	}
	if (r.TransactionID != nil || r.CancelTransactionID != "") && x.Fire(faultEmptyTransactionID) {
		r = r.withoutIDs()
	}
	if r.PayStatus != "" && x.Fire(faultPayStatus9) {
		r.PayStatus = "9"
	}
	return r
}

// withoutIDs says that it went well and not under which id.
func (r reply) withoutIDs() reply {
	empty := ""
	if r.TransactionID != nil {
		r.TransactionID = &empty
	}
	r.CancelTransactionID = ""
	return r
}

var (
	memberName = regexp.MustCompile(`"([a-z])([A-Za-z]*)":`)
	amountOf   = regexp.MustCompile(`("(?:amount|refundedAmount)":)(-?[0-9]+)`)
)

// encode writes the clear text and lets the faults strike that change how it is written.
func encode(x *sandbox.Exchange, r reply) []byte {
	text, err := json.Marshal(r)
	if err != nil {
		panic("ipasssandbox: an answer has no JSON form: " + err.Error())
	}
	if amountOf.Match(text) && x.Fire(faultAmountAsString) {
		text = amountOf.ReplaceAll(text, []byte(`$1"$2"`))
	}
	if x.Fire(faultExtraFields) {
		text = append(text[:len(text)-1], `,"promotion":{"id":7,"tags":["a"]},"traceNo":"0001"}`...)
	}
	if x.Fire(faultPascalCase) {
		text = memberName.ReplaceAllFunc(text, func(m []byte) []byte {
			return append([]byte{'"', strings.ToUpper(string(m[1:2]))[0]}, m[2:]...)
		})
	}
	return text
}

// encipher makes the body and lets the faults strike that change what is on the wire.
func (g *gateway) encipher(x *sandbox.Exchange, key string, text []byte) sandbox.Answer {
	if x.Fire(faultPlainText) {
		return answer(http.StatusOK, nil, text)
	}
	if x.Fire(faultWrongKey) {
		key = sandbox.RandomHex(g.env.Rand(), 32)
	}
	iv := sandbox.RandomBytes(g.env.Rand(), 16)
	body, err := seal(key, iv, text)
	if err != nil {
		// Identify let no such key in.
		panic("ipasssandbox: an account's key cannot encipher")
	}
	if x.Fire(faultGarbageBase64) {
		body = []byte(`{"data":"***not base64***"}`)
	}
	if x.Fire(faultFlippedIV) {
		iv[0] ^= 1
	}
	return answer(http.StatusOK, iv, body)
}

func answer(status int, iv, body []byte) sandbox.Answer {
	header := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	if iv != nil {
		header[headerIV] = []string{hex.EncodeToString(iv)} // net/http would spell it Ipass-Iv
	}
	return sandbox.Answer{Status: status, Header: header, Body: body}
}

// nobody answers whom the gateway does not know or cannot read: in clear, for lack of a key.
func nobody(status int) sandbox.Answer {
	body, err := json.Marshal(refused(codeNobody))
	if err != nil {
		panic("ipasssandbox: an answer has no JSON form: " + err.Error())
	}
	return answer(status, nil, body)
}
