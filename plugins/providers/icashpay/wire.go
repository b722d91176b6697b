package icashpay

import (
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

// This file is the contract between the plugin and the gateway of icash Pay, which is not published as a whole.
// Seen in public integrations and in the platform's own pages are the envelope, the ciphers, the members and the
// states 0-7. What is assumed beside that is numbered here and in the README:
//
//	A1  a void goes to /POS/DeductCancelICPOF and names the payment by MerchantTradeNo           (setting paths)
//	A2  the meaning of every RtnCode but 1; those below 0 are the sandbox's                       (codes)
//	A3  a refusal is signed as a success is; an unsigned answer says nothing
//	A4  TradeStatus 6, posting failed, concludes nothing                                          (trade_status)
//	A5  a payment's record may name RefundTotalAmount; without it a partial refund is found by its own number
//	A6  a refund's TransactionID is its own where it differs from the payment's
//	A7  the times that a payment may take to land and to be found

// currency is the only one that icash Pay charges, and hundredths are how its amounts are written.
const (
	currency   = "TWD"
	hundredths = 2
)

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
	statusOpen           = "open"
	statusPaid           = "paid"
	statusRefunded       = "refunded"
	statusPartlyRefunded = "partly_refunded"
	statusCancelled      = "cancelled"
	statusFailed         = "failed"
)

var (
	classes  = []string{classDeclined, classDuplicate, classUnknown, classNotFound}
	statuses = []string{statusOpen, statusPaid, statusRefunded, statusPartlyRefunded, statusCancelled, statusFailed}
)

// assumed is the contract as far as it is known.
func assumed() Wire {
	return Wire{
		Paths: Paths{Pay: "/POS/DeductICPOF", Search: "/Cashier/QueryTradeICPO", Refund: "/Cashier/RefundICPO", Void: "/POS/DeductCancelICPOF"},
		Codes: map[string]Code{
			"-400": {classDeclined, "invalid_request"}, "-402": {classDeclined, "insufficient_funds"}, "-403": {classDeclined, "code_invalid"},
			"-404": {Class: classNotFound}, "-409": {Class: classDuplicate}, "-411": {classDeclined, "refund_too_large"}, "-412": {classDeclined, "wrong_state"},
		},
		TradeStatus: map[string]string{
			"0": statusOpen, "1": statusPaid, "2": statusRefunded, "3": statusPartlyRefunded, "4": statusCancelled,
			"5": statusOpen, "6": statusOpen, "7": statusFailed,
		},
	}
}

// The texts of this package's errors hold no value of the client and no secret, so that they may reach the operator.
var (
	errAnswer   = errors.New("the answer cannot be read")
	errMerchant = errors.New("the answer is for another merchant")
)

// answer is an answer whose signature fits.
type answer struct {
	code    string
	outside notation.Object
	inside  notation.Object
	record
}

// record is what is read of an answer's clear text.
type record struct {
	MerchantID        string          `json:"MerchantID"`
	MerchantTradeNo   string          `json:"MerchantTradeNo"`
	OMerchantTradeNo  string          `json:"OMerchantTradeNo"`
	TransactionID     provider.Number `json:"TransactionID"`
	TradeStatus       provider.Number `json:"TradeStatus"`
	TradeType         provider.Number `json:"TradeType"`
	TotalAmount       provider.Number `json:"TotalAmount"`
	RefundTotalAmount provider.Number `json:"RefundTotalAmount"`
	PaymentDate       string          `json:"PaymentDate"`
}

// exchange enciphers, signs and sends one request and reads the answer. The failure says how much is known if there
// is none that can be trusted.
func (p *Provider) exchange(ctx context.Context, call provider.Call, m merchant, path string, clear any) (answer, *provider.Failure) {
	gateway, err := p.settings.Endpoints.Of(call.Environment)
	if err != nil {
		return answer{}, provider.NothingSent(provider.ReasonUnavailable, err)
	}
	text, err := json.Marshal(clear)
	if err != nil {
		return answer{}, provider.NothingSent(provider.ReasonInternal, errors.New("the request cannot be written"))
	}
	sealed, signature, err := m.seal(text)
	if err != nil {
		return answer{}, provider.NothingSent(provider.ReasonAuth, err)
	}
	res, failure := p.http.Exchange(ctx, call, provider.Request{
		Method: http.MethodPost, URL: gateway.String() + path, Template: path,
		// As written in the documents: Set would write X-Icp-Enckeyid.
		Header: http.Header{
			"Content-Type": {"application/x-www-form-urlencoded"}, "X-iCP-EncKeyID": {m.EncKeyID}, "X-iCP-Signature": {signature},
		},
		Body: []byte(url.Values{"EncData": {sealed}}.Encode()), Clear: text,
	})
	if failure != nil {
		return answer{}, failure
	}
	a, err := m.open(res)
	if err != nil {
		return answer{}, provider.BadAnswer(err)
	}
	return a, nil
}

// seal enciphers a request and signs what was enciphered.
func (m merchant) seal(text []byte) (sealed, signature string, err error) {
	raw, err := m.cipher.Seal([]byte(m.AESIV.Reveal()), text)
	if err != nil {
		return "", "", err
	}
	sealed = base64.StdEncoding.EncodeToString(raw)
	signature, err = seal.SignRSA(m.private, []byte(sealed))
	return sealed, signature, err
}

// open checks an answer's signature, over the bytes as they came, before it believes anything in it.
func (m merchant) open(res provider.Response) (answer, error) {
	err := res.Verify(func() error { return seal.VerifyRSA(m.public, res.Body, res.Header.Get("X-iCP-Signature")) })
	if err != nil {
		return answer{}, errors.New("the signature of the answer does not fit the gateway's public key")
	}
	var envelope struct {
		EncData string          `json:"EncData"`
		RtnCode provider.Number `json:"RtnCode"`
	}
	if err := provider.ReadJSON(res.Body, &envelope); err != nil {
		return answer{}, err
	}
	code, err := strconv.ParseInt(string(envelope.RtnCode), 10, 32)
	if err != nil {
		return answer{}, errors.New("the answer has no return code that can be read")
	}
	a := answer{code: strconv.FormatInt(code, 10)}
	if a.outside, err = notation.ReadObject(res.Body); err != nil || envelope.EncData == "" {
		return a, err
	}
	text, err := res.Open([]byte(envelope.EncData), func(sealed []byte) ([]byte, error) {
		raw, err := base64.StdEncoding.DecodeString(string(sealed))
		if err != nil {
			return nil, err
		}
		return m.cipher.Open([]byte(m.AESIV.Reveal()), raw)
	})
	if err != nil {
		return answer{}, errAnswer
	}
	if err := provider.ReadJSON(text, &a.record); err != nil {
		return answer{}, err
	}
	if a.MerchantID != "" && a.MerchantID != m.MerchantID {
		return answer{}, errMerchant
	}
	if a.inside, err = notation.ReadObject(text); err == nil {
		a.inside = inDollars(a.inside)
	}
	return a, err
}

// inDollars writes the amounts of a record as the platform has them, dollars as numbers. One that is not written as
// documented stays as it came: whether it matters is decided where it is read.
func inDollars(o notation.Object) notation.Object {
	for _, name := range []string{
		"TotalAmount", "ICPAmount", "BonusAmt", "RefundTotalAmount", "RefundICPAmount", "RefundBonusAmt", "OTotalAmount", "OICPAmount", "OBonusAmt",
	} {
		var n provider.Number
		if raw := o.Get(name); raw == nil || json.Unmarshal(raw, &n) != nil {
			continue
		}
		if m, err := notation.ParseScaled(string(n), hundredths, currency, hundredths); err == nil {
			o = o.With(name, json.RawMessage(strings.TrimSuffix(m.Decimal(), ".00")))
		}
	}
	return o
}

// dollars reads an amount, nil if there is none.
func dollars(n provider.Number) (*provider.Money, error) {
	if n == "" {
		return nil, nil //nolint:nilnil // an answer may leave an amount away; that is not an error
	}
	m, err := notation.ParseScaled(string(n), hundredths, currency, 0)
	return &m, err
}

// native is the answer as the client sees it, in the clear.
func (a answer) native() provider.Native {
	inside := a.inside.Bytes()
	if len(inside) <= len(`{}`) {
		return provider.Native{Body: a.outside.Bytes()}
	}
	return provider.Native{Body: a.outside.With("EncData", inside).Bytes(), Sensitive: true}
}

// settle sorts an answer that is no success.
func (p *Provider) settle(a answer) provider.Answer {
	code := p.settings.Wire.Codes[a.code]
	result := provider.Result{Code: a.code, DeclineCode: code.DeclineCode}
	if code.Class == classDeclined {
		return provider.Declined(result, a.native())
	}
	return provider.Undecided(result, a.native())
}
