package ipass

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// This file is the whole contract between the plugin and the iPASS gateway. iPASS publishes no
// specification of it. Certain are the name iPass-MerchantId, a key issued by iPASS, a fresh random IV of
// 16 bytes for every request, the columns and the codes 0000, 0006 and 9999. Everything else is an
// assumption, numbered here and in the README; whoever has the real specification changes a setting below
// or, at worst, this file, and nothing else.
//
//	I1   every operation is an HTTPS POST of JSON
//	I2   paths /offline/pay and /offline/search below a base that is configured      (setting paths)
//	I3   iPass-MerchantId is a request header                                        (merchant_header)
//	I4   the IV travels in the header iPass-Iv, 32 lower-case hex digits             (iv_transport, iv_header)
//	I5   AES-CBC with PKCS7 padding, key length 16, 24 or 32 bytes                   (cipher)
//	I6   the key's text is the key's bytes                                           (key_encoding)
//	I7   the body is {"data":"<base64>"}, both ways
//	I8   names inside are camelCase                                                  (names)
//	I9   the answer is encrypted with the same key and an IV of its own; a request that cannot be
//	     attributed or decrypted is answered 400 or 401 with plain JSON
//	I10  there is no signature
//	I12  pay_status: 0 under way, 1 paid, 2 refunded, 3 partly, 4 reversed, 7 failed     (pay_status)
//	I13  a search shows refundedAmount and transactionId
//	I17  a code that is not listed is searched for before it counts as a decline     (codes)

// Wire is what a merchant with the real specification may have to change.
type Wire struct {
	Cipher         string            `json:"cipher"`
	KeyEncoding    string            `json:"key_encoding"`
	IVTransport    string            `json:"iv_transport"`
	IVHeader       string            `json:"iv_header"`
	MerchantHeader string            `json:"merchant_header"`
	Paths          Paths             `json:"paths"`
	Names          map[string]string `json:"names"`
	Codes          map[string]Code   `json:"codes"`
	PayStatus      map[string]string `json:"pay_status"`

	// platform leads from the lower-case name on the wire to the platform's name.
	platform map[string]string
}

// Paths of the operations below the endpoint.
type Paths struct {
	Pay    string `json:"pay"`
	Search string `json:"search"`
}

// Code is what a return code means: its class, and for a decline the stable word for the client.
type Code struct {
	Class       string `json:"class"`
	DeclineCode string `json:"decline_code"`
}

// Classes of return codes. The plugin decides by classes only, never by a code.
const (
	classSuccess   = "success"
	classDuplicate = "duplicate" // the order number was used before: whose payment it is, a search tells
	classUnknown   = "unknown"   // nobody knows whether money moved
	classDeclined  = "declined"  // definitely not executed
	classVerify    = "verify"    // a decline, once a search has confirmed it; also every unlisted code
	classNotFound  = "not_found"
)

// Meanings of pay_status.
const (
	statusOpen           = "open"
	statusPaid           = "paid"
	statusRefunded       = "refunded"
	statusPartlyRefunded = "partly_refunded"
	statusReversed       = "reversed"
	statusFailed         = "failed"
)

// ivSize is the length of an IV in bytes.
const ivSize = aes.BlockSize

// The ciphers, key encodings and ways of the IV.
const (
	cipherCBC, cipherGCM                = "aes-cbc-pkcs7", "aes-gcm"
	keyRaw, keyHex, keyBase64           = "raw", "hex", "base64"
	ivInHeader, ivInBody, ivBeforeCrypt = "header", "body", "prefix"
)

func defaultWire() Wire {
	return Wire{
		Cipher: cipherCBC, KeyEncoding: keyRaw, IVTransport: ivInHeader,
		IVHeader: "iPass-Iv", MerchantHeader: "iPass-MerchantId",
		Paths: Paths{Pay: "/offline/pay", Search: "/offline/search"},
		Names: map[string]string{
			"req_id": "reqId", "trade_code": "tradeCode", "amount": "amount", "order_number": "orderNumber",
			"store_id": "storeId", "terminal_id": "terminalId", "capture": "capture",
			"pos_date_time": "posDateTime", "trade_date_time": "tradeDateTime",
			"product_desc": "productDesc", "remark": "remark",
			"redeem": "redeem", "non_redeem_amout": "nonRedeemAmout", // spelt as the platform spells it
			"return_code": "returnCode", "return_msg": "returnMsg",
			"transaction_id": "transactionId", "transaction_date_time": "transactionDateTime",
			"electronic_invoice_carrier": "electronicInvoiceCarrier", "payment_type": "paymentType",
			"cancel_transaction_id": "cancelTransactionId", "cancel_date_time": "cancelDateTime",
			"void_date_time": "voidDateTime", "original_transactionId": "originalTransactionId",
			"pay_status": "payStatus", "refunded_amount": "refundedAmount", "cancel_list": "cancelList",
		},
		Codes: map[string]Code{
			"0000": {Class: classSuccess},
			"0006": {Class: classDuplicate},
			"9999": {Class: classUnknown},
			// iPASS does not publish the others. Those with an S are the sandbox's.
			"S400": {classDeclined, "invalid_request"},
			"S401": {classDeclined, "merchant_configuration"},
			"S402": {classDeclined, "insufficient_funds"},
			"S403": {classDeclined, "code_invalid"},
			"S404": {Class: classNotFound},
		},
		PayStatus: map[string]string{
			"0": statusOpen, "1": statusPaid, "2": statusRefunded, "3": statusPartlyRefunded, "4": statusReversed, "7": statusFailed,
		},
	}
}

// class of a return code.
func (w Wire) class(code string) Code {
	if c, ok := w.Codes[code]; ok {
		return c
	}
	return Code{Class: classVerify}
}

var (
	// errUndecipherable is the one text for every way in which an answer cannot be decrypted: which of
	// them it was would help nobody but somebody who forges answers.
	errUndecipherable = errors.New("undecipherable answer")
	errKey            = errors.New("the key must be 16, 24 or 32 bytes in the configured key encoding")
	errSeal           = errors.New("the request cannot be encrypted")
)

// sealed is the outside of a request and of an answer.
type sealed struct {
	IV   string `json:"iv,omitempty"`
	Data string `json:"data"`
}

// seal encrypts a request and sets the headers that belong to it.
func (w Wire) seal(header http.Header, c credential, iv [ivSize]byte, clear []byte) ([]byte, error) {
	block, err := w.block(c.Key.Reveal())
	if err != nil {
		return nil, err
	}
	var crypt []byte
	if w.Cipher == cipherGCM {
		gcm, err := cipher.NewGCMWithNonceSize(block, ivSize)
		if err != nil {
			return nil, errSeal
		}
		crypt = gcm.Seal(nil, iv[:], clear, nil)
	} else {
		pad := aes.BlockSize - len(clear)%aes.BlockSize
		crypt = append(append(make([]byte, 0, len(clear)+pad), clear...), bytes.Repeat([]byte{byte(pad)}, pad)...)
		cipher.NewCBCEncrypter(block, iv[:]).CryptBlocks(crypt, crypt)
	}
	var out sealed
	switch w.IVTransport {
	case ivInBody:
		out.IV = hex.EncodeToString(iv[:])
	case ivBeforeCrypt:
		crypt = append(iv[:], crypt...)
	default:
		header[w.IVHeader] = []string{hex.EncodeToString(iv[:])}
	}
	// Assigned, not Set: Set would write Ipass-Merchantid.
	header[w.MerchantHeader] = []string{c.MerchantID}
	out.Data = base64.StdEncoding.EncodeToString(crypt)
	raw, err := json.Marshal(out)
	if err != nil {
		return nil, errSeal
	}
	return raw, nil
}

// open decrypts an answer.
func (w Wire) open(header http.Header, c credential, raw []byte) ([]byte, error) {
	block, err := w.block(c.Key.Reveal())
	if err != nil {
		return nil, err
	}
	var in sealed
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, errUndecipherable
	}
	crypt, err := base64.StdEncoding.DecodeString(in.Data)
	if err != nil {
		return nil, errUndecipherable
	}
	var iv []byte
	switch w.IVTransport {
	case ivInBody:
		iv, err = hex.DecodeString(in.IV)
	case ivBeforeCrypt:
		n := min(ivSize, len(crypt))
		iv, crypt = crypt[:n], crypt[n:]
	default:
		iv, err = hex.DecodeString(header.Get(w.IVHeader))
	}
	if err != nil || len(iv) != ivSize {
		return nil, errUndecipherable
	}
	if w.Cipher == cipherGCM {
		gcm, err := cipher.NewGCMWithNonceSize(block, ivSize)
		if err != nil {
			return nil, errUndecipherable
		}
		clear, err := gcm.Open(nil, iv, crypt, nil)
		if err != nil {
			return nil, errUndecipherable
		}
		return clear, nil
	}
	if len(crypt) == 0 || len(crypt)%aes.BlockSize != 0 {
		return nil, errUndecipherable
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(crypt, crypt)
	return unpad(crypt)
}

// unpad takes PKCS7 padding off, looking at the same bytes whatever they are.
func unpad(padded []byte) ([]byte, error) {
	n := int(padded[len(padded)-1])
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, aes.BlockSize)
	for i := 1; i <= aes.BlockSize; i++ {
		outside := 1 ^ subtle.ConstantTimeLessOrEq(i, n)
		good &= outside | subtle.ConstantTimeByteEq(padded[len(padded)-i], padded[len(padded)-1])
	}
	if good != 1 {
		return nil, errUndecipherable
	}
	return padded[:len(padded)-n], nil
}

func (w Wire) block(key string) (cipher.Block, error) {
	var raw []byte
	var err error
	switch w.KeyEncoding {
	case keyHex:
		raw, err = hex.DecodeString(key)
	case keyBase64:
		raw, err = base64.StdEncoding.DecodeString(key)
	default:
		raw = []byte(key)
	}
	if err != nil {
		return nil, errKey
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, errKey
	}
	return block, nil
}

// withDefaults lays the settings over the defaults; tables are merged entry by entry.
func (w Wire) withDefaults() Wire {
	d := defaultWire()
	d.Cipher = cmp.Or(w.Cipher, d.Cipher)
	d.KeyEncoding = cmp.Or(w.KeyEncoding, d.KeyEncoding)
	d.IVTransport = cmp.Or(w.IVTransport, d.IVTransport)
	d.IVHeader = cmp.Or(w.IVHeader, d.IVHeader)
	d.MerchantHeader = cmp.Or(w.MerchantHeader, d.MerchantHeader)
	d.Paths.Pay = cmp.Or(w.Paths.Pay, d.Paths.Pay)
	d.Paths.Search = cmp.Or(w.Paths.Search, d.Paths.Search)
	maps.Copy(d.Names, w.Names)
	maps.Copy(d.Codes, w.Codes)
	maps.Copy(d.PayStatus, w.PayStatus)
	d.platform = make(map[string]string, len(d.Names))
	for name, on := range d.Names {
		d.platform[strings.ToLower(on)] = name
	}
	return d
}

// problems says what is wrong, w being merged and own being what was set.
func (w Wire) problems(own Wire) []string {
	problems := []string{
		oneOf("wire.cipher", w.Cipher, cipherCBC, cipherGCM),
		oneOf("wire.key_encoding", w.KeyEncoding, keyRaw, keyHex, keyBase64),
		oneOf("wire.iv_transport", w.IVTransport, ivInHeader, ivInBody, ivBeforeCrypt),
	}
	for _, h := range [][2]string{{"wire.iv_header", w.IVHeader}, {"wire.merchant_header", w.MerchantHeader}} {
		if strings.Trim(h[1], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			problems = append(problems, fmt.Sprintf("%s must be a header name of letters, digits and hyphens", h[0]))
		}
	}
	for _, p := range [][2]string{{"wire.paths.pay", w.Paths.Pay}, {"wire.paths.search", w.Paths.Search}} {
		if !strings.HasPrefix(p[1], "/") || strings.ContainsAny(p[1], "?#% ") {
			problems = append(problems, fmt.Sprintf("%s must be a path that begins with / and has no query", p[0]))
		}
	}
	if len(w.platform) != len(w.Names) {
		problems = append(problems, "wire.names must give every column a name of its own")
	}
	known := defaultWire().Names
	for _, name := range slices.Sorted(maps.Keys(own.Names)) {
		if known[name] == "" || own.Names[name] == "" {
			problems = append(problems, fmt.Sprintf("wire.names.%s is not a column with a name", name))
		}
	}
	for _, code := range slices.Sorted(maps.Keys(own.Codes)) {
		switch code {
		case "0000", "0006", "9999":
			problems = append(problems, fmt.Sprintf("wire.codes.%s is published by iPASS and cannot be changed", code))
		}
		problems = append(problems, oneOf("wire.codes."+code+".class", own.Codes[code].Class, classSuccess, classDuplicate, classUnknown, classDeclined, classVerify, classNotFound))
	}
	for _, status := range slices.Sorted(maps.Keys(own.PayStatus)) {
		problems = append(problems, oneOf("wire.pay_status."+status, own.PayStatus[status],
			statusOpen, statusPaid, statusRefunded, statusPartlyRefunded, statusReversed, statusFailed))
	}
	return slices.DeleteFunc(problems, func(problem string) bool { return problem == "" })
}

func oneOf(name, value string, allowed ...string) string {
	if slices.Contains(allowed, value) {
		return ""
	}
	return fmt.Sprintf("%s must be one of %s", name, strings.Join(allowed, ", "))
}
