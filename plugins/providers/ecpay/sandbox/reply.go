package ecpaysandbox

import (
	"net/http"
	"strconv"
	"time"

	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/charges"
)

// The return codes. 1 is documented and 10200047 a sibling API's; those below 0 are invented.
const (
	codeOK         = "1"
	codeNumberUsed = "10200047"
	codeUnexpected = "-9999"

	codeMalformed     = "-400"
	codeBalance       = "-402"
	codeCode          = "-403"
	codeNotFound      = "-404"
	codeTooMuchRefund = "-411"
	codeWrongState    = "-412"
)

func codeOf(v charges.Verdict) string {
	switch v {
	case charges.NumberUsed:
		return codeNumberUsed
	case charges.CodeInvalid:
		return codeCode
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
	codeOK: "成功", codeUnexpected: "系統發生錯誤", codeMalformed: "參數錯誤", codeBalance: "餘額不足", codeCode: "付款碼已失效",
	codeNotFound: "查無交易", codeNumberUsed: "MerchantTradeNo 重複", codeTooMuchRefund: "退款金額超過可退金額", codeWrongState: "交易狀態不符",
}

// reply is an answer before it is enciphered.
type reply struct {
	code string
	record
}

// record are the members of all answers.
type record struct {
	MerchantID       string     `json:"MerchantID,omitempty"`
	OrderInfo        *orderInfo `json:"OrderInfo,omitempty"`
	MerchantTradeNo  string     `json:"MerchantTradeNo,omitempty"`
	MerchantRefundNo string     `json:"MerchantRefundNo,omitempty"`
	RefundNo         string     `json:"RefundNo,omitempty"`
	RefundAmount     *int64     `json:"RefundAmount,omitempty"`
}

type orderInfo struct {
	MerchantTradeNo string `json:"MerchantTradeNo"`
	TradeNo         string `json:"TradeNo"`
	TradeAmt        int64  `json:"TradeAmt"`
	TradeDate       string `json:"TradeDate"`
	PaymentType     string `json:"PaymentType"`
	PaymentDate     string `json:"PaymentDate"`
	TradeStatus     string `json:"TradeStatus"`
	RefundAmount    *int64 `json:"RefundAmount,omitempty"`
}

const layout = "2006/01/02 15:04:05"

var taipei = time.FixedZone("Asia/Taipei", 8*60*60)

// recordOf is the record of an order. One that was declined stays unpaid for ever.
func recordOf(o charges.Order) record {
	at := o.At.In(taipei).Format(layout)
	i := &orderInfo{
		MerchantTradeNo: o.Number, TradeNo: o.TransactionID, TradeAmt: o.Amount, TradeDate: at, PaymentType: "TWQR", TradeStatus: "0",
	}
	if o.State == charges.Paid {
		i.PaymentDate, i.TradeStatus = at, "1"
	}
	return record{OrderInfo: i}
}

func refused(code string) reply { return reply{code: code} }

func succeeded(c call, r record) reply {
	r.MerchantID = c.MerchantID
	return reply{code: codeOK, record: r}
}

// The faults that only this gateway has.
const (
	faultUnexpectedAfter = "unexpected_after_commit"
	faultTransCode       = "trans_code"
	faultUnpaid          = "unpaid"
	faultGarbageBase64   = "garbage_base64"
	faultWrongKey        = "wrong_key"
	faultPlainData       = "plain_data"
	faultEmptyTradeNo    = "empty_trade_no"
	faultForeignMerchant = "foreign_merchant"
	faultStatus9         = "trade_status_9"
	faultFlat            = "flat_answer"
	faultExtraFields     = "extra_fields"
)

func ownFaults() map[string]string {
	return map[string]string{
		faultUnexpectedAfter: "lands; the return code is -9999",
		faultTransCode:       "lands; the answer's TransCode is 0, without Data",
		faultUnpaid:          "lands; the answer shows the order as not paid yet",
		faultGarbageBase64:   "lands; Data is not base64",
		faultWrongKey:        "lands; Data is enciphered with another key",
		faultPlainData:       "lands; Data is the clear text",
		faultEmptyTradeNo:    "lands; the answer's TradeNo is empty",
		faultForeignMerchant: "lands; the answer names another MerchantID",
		faultStatus9:         "lands; the answer shows a TradeStatus that is not listed",
		faultFlat:            "lands; the order stands beside RtnCode and not in OrderInfo",
		faultExtraFields:     "lands; the answer has members that nobody knows",
	}
}

// spoil lets the faults strike that change what an answer says.
func spoil(x *sandbox.Exchange, r reply) reply {
	if r.code == codeOK && x.Fire(faultUnexpectedAfter) {
		return refused(codeUnexpected)
	}
	if i := r.OrderInfo; i != nil {
		spoilOrder(x, i)
	}
	if r.RefundAmount != nil && x.Fire(sandbox.FaultWrongAmount) {
		more := *r.RefundAmount + 1
		r.RefundAmount = &more
	}
	if r.MerchantTradeNo != "" && x.Fire(sandbox.FaultWrongOrder) {
		r.MerchantTradeNo += "X"
	}
	if r.MerchantID != "" && x.Fire(faultForeignMerchant) {
		r.MerchantID += "0"
	}
	return r
}

func spoilOrder(x *sandbox.Exchange, i *orderInfo) {
	if x.Fire(sandbox.FaultWrongAmount) {
		i.TradeAmt++
	}
	if x.Fire(sandbox.FaultWrongOrder) {
		i.MerchantTradeNo += "X"
	}
	if x.Fire(faultEmptyTradeNo) {
		i.TradeNo = ""
	}
	if x.Fire(faultUnpaid) {
		i.TradeStatus, i.PaymentDate = "0", ""
	}
	if x.Fire(faultStatus9) {
		i.TradeStatus = "9"
	}
}

// seal enciphers an answer and lets the faults strike that change what is on the wire.
func (g *gateway) seal(x *sandbox.Exchange, c call, r reply) sandbox.Answer {
	if x.Fire(faultTransCode) {
		return g.outside(c, 0, "系統錯誤", "")
	}
	code, err := strconv.Atoi(r.code)
	if err != nil {
		code = -9999 // the code of a fault or of a customer's code that is no number
	}
	clear := struct {
		RtnCode int    `json:"RtnCode"`
		RtnMsg  string `json:"RtnMsg"`
		record
	}{RtnCode: code, RtnMsg: messages[r.code], record: r.record}
	flat := r.OrderInfo != nil && x.Fire(faultFlat)
	if flat {
		clear.OrderInfo = nil
	}
	text := mustJSON(clear)
	if flat {
		text = append(append(text[:len(text)-1], ','), mustJSON(r.OrderInfo)[1:]...)
	}
	if x.Fire(faultExtraFields) {
		text = append(text[:len(text)-1], `,"Promotion":{"ID":7,"Tags":["a"]}}`...)
	}
	if x.Fire(faultWrongKey) {
		c.HashKey = "0000000000000000"
	}
	data := c.encipher(text)
	if x.Fire(faultGarbageBase64) {
		data = "***" + data
	}
	if x.Fire(faultPlainData) {
		data = string(text)
	}
	return g.outside(c, 1, "Success", data)
}

// outside is the envelope of every answer.
func (g *gateway) outside(c call, transCode int, message, data string) sandbox.Answer {
	type header struct {
		Timestamp int64 `json:"Timestamp"`
	}
	return sandbox.Answer{Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: mustJSON(struct {
		MerchantID string `json:"MerchantID"`
		RpHeader   header `json:"RpHeader"`
		TransCode  int    `json:"TransCode"`
		TransMsg   string `json:"TransMsg"`
		Data       string `json:"Data,omitempty"`
	}{c.MerchantID, header{g.env.Now().Unix()}, transCode, message, data})}
}
