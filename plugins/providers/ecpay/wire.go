package ecpay

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/payrack/payrack/plugins/sdk/notation"
	"github.com/payrack/payrack/plugins/sdk/provider"
	"github.com/payrack/payrack/plugins/sdk/seal"
)

// This file is the contract between the plugin and ECPay. The hosts, the paths, the envelope, the cipher with its
// vectors, the members of a request and of a refund, TransCode, RtnCode and TradeStatus 0 are documented. What is
// assumed beside that is numbered here and in the README:
//
//	B1  ChoosePayment is TWQR, and the scanned code stands in TWQRInfo.TWQRCode       (settings choose_payment, code_member)
//	B2  answers hold the order in OrderInfo or beside RtnCode, by the names of the sibling APIs
//	B3  the meaning of every RtnCode but 1; those below 0 are the sandbox's            (codes)
//	B4  TradeStatus 1 is paid; every other one concludes nothing                       (trade_status)
//	B5  an order that stays unpaid concludes nothing, however old it is                (unpaid_final_after)
//	B6  RtnCode 1 to a refund means that the money is given back
//	B7  a search shows RefundAmount, the sum given back
//	B8  a TransCode other than 1 says nothing about the payment: it is neither enciphered nor signed

// The paths below the endpoint.
const (
	pathPay    = "/1.0.0/POS/BackAuth"
	pathSearch = "/1.0.0/POS/QueryTrade"
	pathRefund = "/1.0.0/POS/Refund"
)

// currency is the only one, in whole dollars.
const currency = "TWD"

const codeSuccess = "1"

// Classes of return codes. An unlisted code is left open: a search settles it.
const (
	classDeclined  = "declined"  // definitely not executed
	classDuplicate = "duplicate" // the number was used before: whose it is, a search tells
	classUnknown   = "unknown"   // nobody knows whether money moved
	classNotFound  = "not_found"
)

// Meanings of TradeStatus.
const (
	statusUnpaid = "unpaid"
	statusOpen   = "open"
	statusPaid   = "paid"
	statusFailed = "failed"
)

var (
	classes  = []string{classDeclined, classDuplicate, classUnknown, classNotFound}
	statuses = []string{statusUnpaid, statusOpen, statusPaid, statusFailed}
)

// assumed is the API as far as it is known.
func assumed() Wire {
	return Wire{
		ChoosePayment: "TWQR", CodeMember: "TWQRInfo.TWQRCode",
		Codes: map[string]Code{
			// Of the sibling APIs: an order number that was used, an order that was paid.
			"10200047": {Class: classDuplicate}, "10200095": {Class: classDuplicate},
			"-400": {classDeclined, "invalid_request"}, "-402": {classDeclined, "insufficient_funds"}, "-403": {classDeclined, "code_invalid"},
			"-404": {Class: classNotFound}, "-411": {classDeclined, "refund_too_large"}, "-412": {classDeclined, "wrong_state"},
		},
		TradeStatus: map[string]string{"0": statusUnpaid, "1": statusPaid},
	}
}

// The texts of this package's errors hold no value of the client and no secret, so that they may reach the operator.
var (
	errAnswer   = errors.New("the answer cannot be read")
	errMerchant = errors.New("the answer is for another merchant")
)

// merchant is the credential set of one call.
type merchant struct {
	MerchantID string          `json:"MerchantID"`
	HashKey    provider.Secret `json:"HashKey"`
	HashIV     provider.Secret `json:"HashIV"`

	cipher seal.CBC
}

func merchantOf(call provider.Call) (merchant, error) {
	var m merchant
	if err := call.Credential.Decode(&m); err != nil {
		return merchant{}, errors.New("the credential set cannot be read")
	}
	switch {
	case m.MerchantID == "":
		return merchant{}, errors.New("the credential set has no MerchantID")
	case call.Account != "" && call.Account != m.MerchantID:
		return merchant{}, errors.New("the credential set belongs to another merchant than the payment")
	case len(m.HashKey.Reveal()) != 16 || len(m.HashIV.Reveal()) != seal.IVSize:
		return merchant{}, errors.New("HashKey and HashIV must have 16 characters each")
	}
	var err error
	m.cipher, err = seal.NewCBC([]byte(m.HashKey.Reveal()))
	return m, err
}

// answer is an answer that was deciphered.
type answer struct {
	code string
	body notation.Object
	record
}

// record is what is read of an answer's clear text.
type record struct {
	MerchantID       string          `json:"MerchantID"`
	MerchantRefundNo string          `json:"MerchantRefundNo"`
	RefundNo         provider.Number `json:"RefundNo"`
	OrderInfo        orderInfo       `json:"OrderInfo"`
	orderInfo
}

type orderInfo struct {
	MerchantTradeNo string          `json:"MerchantTradeNo"`
	TradeNo         provider.Number `json:"TradeNo"`
	TradeAmt        provider.Number `json:"TradeAmt"`
	Amount          provider.Number `json:"Amount"`
	TradeDate       string          `json:"TradeDate"`
	PaymentDate     string          `json:"PaymentDate"`
	TradeStatus     provider.Number `json:"TradeStatus"`
	RefundAmount    provider.Number `json:"RefundAmount"`
}

// exchange enciphers and sends one request and reads the answer. The failure says how much is known if there is none.
func (p *Provider) exchange(ctx context.Context, call provider.Call, m merchant, path string, clear any) (answer, *provider.Failure) {
	gateway, err := p.settings.Endpoints.Of(call.Environment)
	if err != nil {
		return answer{}, provider.NothingSent(provider.ReasonUnavailable, err)
	}
	text, err := written(clear)
	if err != nil {
		return answer{}, provider.NothingSent(provider.ReasonInternal, err)
	}
	body, err := m.envelope(p.now().Unix(), text)
	if err != nil {
		return answer{}, provider.NothingSent(provider.ReasonInternal, err)
	}
	res, failure := p.http.Exchange(ctx, call, provider.Request{
		Method: http.MethodPost, URL: gateway.String() + path, Template: path, Body: body, Clear: []byte(text),
	})
	if failure != nil {
		return answer{}, failure
	}
	var outside struct {
		MerchantID string          `json:"MerchantID"`
		TransCode  provider.Number `json:"TransCode"`
		Data       string          `json:"Data"`
	}
	if failure := res.Read(&outside); failure != nil {
		return answer{}, failure
	}
	switch transCode, err := strconv.ParseInt(string(outside.TransCode), 10, 32); {
	case err != nil:
		return answer{}, provider.BadAnswer(errors.New("the answer has no TransCode that can be read"))
	case transCode != 1:
		return answer{}, &provider.Failure{
			Effect: provider.EffectPossible, Reason: provider.ReasonAuth, Code: "TransCode " + strconv.FormatInt(transCode, 10),
			Detail: "ECPay did not take the request's envelope: check MerchantID, HashKey, HashIV and this machine's clock, which may be off by ten minutes at most",
		}
	case outside.MerchantID != "" && outside.MerchantID != m.MerchantID:
		return answer{}, provider.BadAnswer(errMerchant)
	}
	a, err := m.open(res, outside.Data)
	if err != nil {
		return answer{}, provider.BadAnswer(err)
	}
	return a, nil
}

// written is a request in clear.
func written(clear any) (string, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(clear); err != nil {
		return "", errors.New("the request cannot be written")
	}
	return strings.TrimSpace(text.String()), nil
}

// envelope is a request as ECPay takes it.
func (m merchant) envelope(timestamp int64, clear string) ([]byte, error) {
	data, err := m.seal(clear)
	if err != nil {
		return nil, err
	}
	type header struct {
		Timestamp int64 `json:"Timestamp"`
	}
	return json.Marshal(struct {
		MerchantID string `json:"MerchantID"`
		RqHeader   header `json:"RqHeader"`
		Data       string `json:"Data"`
	}{m.MerchantID, header{timestamp}, data})
}

// seal enciphers: the text is URL-encoded first, which is ECPay's own order, and with the ~ encoded as PHP does.
func (m merchant) seal(text string) (string, error) {
	encoded := strings.ReplaceAll(url.QueryEscape(text), "~", "%7E")
	raw, err := m.cipher.Seal([]byte(m.HashIV.Reveal()), []byte(encoded))
	return base64.StdEncoding.EncodeToString(raw), err
}

// decipher is the reverse of seal.
func (m merchant) decipher(data []byte) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(string(data))
	if err != nil {
		return nil, err
	}
	encoded, err := m.cipher.Open([]byte(m.HashIV.Reveal()), raw)
	if err != nil {
		return nil, err
	}
	text, err := url.QueryUnescape(string(encoded))
	return []byte(text), err
}

// open deciphers an answer.
func (m merchant) open(res provider.Response, data string) (answer, error) {
	text, err := res.Open([]byte(data), m.decipher)
	if err != nil {
		return answer{}, errAnswer
	}
	var code struct {
		RtnCode provider.Number `json:"RtnCode"`
	}
	var a answer
	if err := errors.Join(provider.ReadJSON(text, &code), provider.ReadJSON(text, &a.record)); err != nil {
		return answer{}, errAnswer
	}
	number, err := strconv.ParseInt(string(code.RtnCode), 10, 32)
	switch {
	case err != nil:
		return answer{}, errors.New("the answer has no RtnCode that can be read")
	case a.MerchantID != "" && a.MerchantID != m.MerchantID:
		return answer{}, errMerchant
	}
	a.code = strconv.FormatInt(number, 10)
	a.body, err = notation.ReadObject(text)
	return a, err
}

// order is the order of an answer, wherever it stands in it.
func (r record) order() orderInfo {
	in, out := r.OrderInfo, r.orderInfo
	return orderInfo{
		MerchantTradeNo: cmp.Or(in.MerchantTradeNo, out.MerchantTradeNo),
		TradeNo:         cmp.Or(in.TradeNo, out.TradeNo),
		TradeAmt:        cmp.Or(in.TradeAmt, in.Amount, out.TradeAmt, out.Amount),
		TradeDate:       cmp.Or(in.TradeDate, out.TradeDate),
		PaymentDate:     cmp.Or(in.PaymentDate, out.PaymentDate),
		TradeStatus:     cmp.Or(in.TradeStatus, out.TradeStatus),
		RefundAmount:    cmp.Or(in.RefundAmount, out.RefundAmount),
	}
}

// dollars reads an amount, nil if there is none.
func dollars(n provider.Number) (*provider.Money, error) {
	if n == "" {
		return nil, nil //nolint:nilnil // an answer may leave an amount away; that is not an error
	}
	m, err := notation.ParseScaled(string(n), 0, currency, 0)
	return &m, err
}

// native is the clear answer, as ECPay wrote it.
func (a answer) native() provider.Native { return provider.Native{Body: a.body.Bytes()} }

// settle sorts an answer that is no success.
func (p *Provider) settle(a answer) provider.Answer {
	code := p.settings.Wire.Codes[a.code]
	result := provider.Result{Code: a.code, DeclineCode: code.DeclineCode}
	if code.Class == classDeclined {
		return provider.Declined(result, a.native())
	}
	return provider.Undecided(result, a.native())
}
