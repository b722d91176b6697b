package icashpaysandbox

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/charges"
)

// The return codes. 1 is the gateway's; those below 0 are invented, because the list is not public.
const (
	codeOK         = "1"
	codeUnexpected = "-9999"

	codeMalformed     = "-400"
	codeBalance       = "-402"
	codeBarcode       = "-403"
	codeNotFound      = "-404"
	codeNumberUsed    = "-409"
	codeTooMuchRefund = "-411"
	codeWrongState    = "-412"
)

func codeOf(v charges.Verdict) string {
	switch v {
	case charges.NumberUsed:
		return codeNumberUsed
	case charges.CodeInvalid:
		return codeBarcode
	case charges.NoBalance:
		return codeBalance
	case charges.NotFound:
		return codeNotFound
	case charges.WrongState:
		return codeWrongState
	case charges.TooMuch:
		return codeTooMuchRefund
	case charges.Done:
		return codeOK
	case charges.Refused, charges.Unset:
		return codeUnexpected
	}
	return codeUnexpected
}

var messages = map[string]string{
	codeOK: "成功", codeUnexpected: "系統發生錯誤", codeMalformed: "參數錯誤", codeBalance: "餘額不足", codeBarcode: "付款條碼已失效",
	codeNotFound: "查無交易", codeNumberUsed: "訂單編號重複", codeTooMuchRefund: "退款金額超過可退金額", codeWrongState: "交易狀態不符",
}

// reply is an answer before it is enciphered; without a record there is no EncData.
type reply struct {
	code   string
	record *record
}

// record is the clear text of EncData. Amounts are hundredths, in text.
type record struct {
	PlatformID         string `json:"PlatformID"`
	MerchantID         string `json:"MerchantID"`
	MerchantTradeNo    string `json:"MerchantTradeNo,omitempty"`
	OMerchantTradeNo   string `json:"OMerchantTradeNo,omitempty"`
	TransactionID      string `json:"TransactionID,omitempty"`
	TradeStatus        string `json:"TradeStatus,omitempty"`
	TradeType          string `json:"TradeType,omitempty"`
	AllocateStatus     string `json:"AllocateStatus,omitempty"`
	ICPAccount         string `json:"ICPAccount,omitempty"`
	TotalAmount        string `json:"TotalAmount,omitempty"`
	ICPAmount          string `json:"ICPAmount,omitempty"`
	BonusAmt           string `json:"BonusAmt,omitempty"`
	RefundTotalAmount  string `json:"RefundTotalAmount,omitempty"`
	RefundICPAmount    string `json:"RefundICPAmount,omitempty"`
	RefundBonusAmt     string `json:"RefundBonusAmt,omitempty"`
	OTotalAmount       string `json:"OTotalAmount,omitempty"`
	OICPAmount         string `json:"OICPAmount,omitempty"`
	OBonusAmt          string `json:"OBonusAmt,omitempty"`
	PaymentDate        string `json:"PaymentDate,omitempty"`
	PaymentType        string `json:"PaymentType,omitempty"`
	MMemberID          string `json:"MMemberID"`
	MobileInvoiceCarry string `json:"MobileInvoiceCarry"`
	IsFiscTWQC         *int   `json:"IsFiscTWQC,omitempty"`
	Timestamp          string `json:"Timestamp,omitempty"`
}

func refused(code string) reply { return reply{code: code} }

func succeeded(c call, r *record) reply {
	r.PlatformID, r.MerchantID = c.PlatformID, c.MerchantID
	return reply{code: codeOK, record: r}
}

// The faults that only this gateway has.
const (
	faultUnexpectedAfter    = "unexpected_after_commit"
	faultNoSignature        = "no_signature"
	faultForeignSignature   = "foreign_signature"
	faultChangedAfterSigned = "changed_after_signing"
	faultGarbageBase64      = "garbage_base64"
	faultWrongKey           = "wrong_key"
	faultHalfDollar         = "half_dollar"
	faultEmptyTransactionID = "empty_transaction_id"
	faultForeignMerchant    = "foreign_merchant"
	faultStatus5            = "trade_status_5"
	faultStatus9            = "trade_status_9"
	faultExtraFields        = "extra_fields"
)

func ownFaults() map[string]string {
	return map[string]string{
		faultUnexpectedAfter:    "lands; the return code is -9999",
		faultNoSignature:        "lands; the answer is not signed",
		faultForeignSignature:   "lands; the answer is signed with another key",
		faultChangedAfterSigned: "lands; a blank is added to the answer behind its signature",
		faultGarbageBase64:      "lands; the ciphertext is not base64, and signed",
		faultWrongKey:           "lands; the answer is enciphered with another key, and signed",
		faultHalfDollar:         "lands; the answer's amount has half a dollar",
		faultEmptyTransactionID: "lands; the answer's TransactionID is empty",
		faultForeignMerchant:    "lands; the answer names another MerchantID",
		faultStatus5:            "a search answers TradeStatus 5, paid and not posted",
		faultStatus9:            "a search answers a TradeStatus that is not listed",
		faultExtraFields:        "lands; the answer has members that nobody knows",
	}
}

// spoil lets the faults strike that change what an answer says.
func spoil(x *sandbox.Exchange, r reply) reply {
	if r.code == codeOK && x.Fire(faultUnexpectedAfter) {
		return refused(codeUnexpected)
	}
	if r.record == nil {
		return r
	}
	for _, amount := range []*string{&r.record.TotalAmount, &r.record.RefundTotalAmount} {
		if *amount == "" {
			continue
		}
		if x.Fire(sandbox.FaultWrongAmount) {
			*amount = addCents(*amount, 100)
		}
		if x.Fire(faultHalfDollar) {
			*amount = addCents(*amount, 50)
		}
	}
	for _, order := range []*string{&r.record.OMerchantTradeNo, &r.record.MerchantTradeNo} {
		if *order != "" && x.Fire(sandbox.FaultWrongOrder) {
			*order += "X"
		}
	}
	if r.record.TransactionID != "" && x.Fire(faultEmptyTransactionID) {
		r.record.TransactionID = ""
	}
	if x.Fire(faultForeignMerchant) {
		r.record.MerchantID += "0"
	}
	if r.record.TradeStatus != "" && x.Fire(faultStatus5) {
		r.record.TradeStatus = "5"
	}
	if r.record.TradeStatus != "" && x.Fire(faultStatus9) {
		r.record.TradeStatus = "9"
	}
	return r
}

func addCents(text string, more int64) string {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic("icashpaysandbox: an amount is no number")
	}
	return strconv.FormatInt(n+more, 10)
}

// seal enciphers and signs an answer, and lets the faults strike that change what is on the wire.
func (c call) seal(x *sandbox.Exchange, r reply) sandbox.Answer {
	code, err := strconv.Atoi(r.code)
	if err != nil {
		code = -9999 // the code of a fault or of a customer's code that is no number
	}
	envelope := struct {
		EncData string `json:"EncData"`
		RtnCode int    `json:"RtnCode"`
		RtnMsg  string `json:"RtnMsg"`
	}{RtnCode: code, RtnMsg: messages[r.code]}
	if r.record != nil {
		envelope.EncData = encipher(c.keyOf(x), c.AESIV, c.textOf(x, r.record))
		if x.Fire(faultGarbageBase64) {
			envelope.EncData = "***" + envelope.EncData
		}
	}
	body := mustJSON(envelope)
	header := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	switch {
	case x.Fire(faultNoSignature):
	case x.Fire(faultForeignSignature):
		header["X-Icp-Signature"] = []string{sign(c.PrivateKey, body)}
	default:
		header["X-Icp-Signature"] = []string{sign(c.signingKey, body)}
	}
	if x.Fire(faultChangedAfterSigned) {
		body = append(body[:len(body)-1], " }"...)
	}
	return sandbox.Answer{Header: header, Body: body}
}

func (c call) keyOf(x *sandbox.Exchange) string {
	if x.Fire(faultWrongKey) {
		return strings.Repeat("0", len(c.AESKey))
	}
	return c.AESKey
}

func (c call) textOf(x *sandbox.Exchange, r *record) []byte {
	text := mustJSON(r)
	if x.Fire(faultExtraFields) {
		text = append(text[:len(text)-1], `,"Promotion":{"ID":7,"Tags":["a"]}}`...)
	}
	return text
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("icashpaysandbox: an answer has no JSON form: " + err.Error())
	}
	return text
}
