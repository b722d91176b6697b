package ipass

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	_ "embed" // the assumptions
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// This file and its data in wire.json are the whole contract between the plugin and the iPASS gateway. iPASS
// publishes no specification of it. Certain are the name iPass-MerchantId, a key issued by iPASS, a fresh
// random IV of 16 bytes for every request, the columns and the codes 0000, 0006 and 9999. Everything else is
// an assumption, numbered here and in ADAPTING.md; whoever has the real specification changes settings (which
// are laid over wire.json) or, at worst, these two files, and nothing else.
//
//	I1   every operation is an HTTPS POST of JSON
//	I2   paths /offline/pay, capture, refund, void and search below a base that is configured  (paths)
//	I3   iPass-MerchantId is a request header                                        (merchant_header)
//	I4   the IV travels in the header iPass-Iv, 32 lower-case hex digits  (iv_transport, iv_header, iv_case)
//	I5   AES-CBC with PKCS7 padding, key length 16, 24 or 32 bytes                   (cipher)
//	I6   the key's text is the key's bytes                                           (key_encoding)
//	I7   the body is {"data":"<base64>"}, both ways          (data_member, data_encoding, iv_member)
//	I8   names inside are camelCase                                                  (field_case, names)
//	I9   the answer is encrypted with the same key and an IV of its own; a request that cannot be
//	     attributed or decrypted is answered 400 or 401 with plain JSON
//	I10  there is no signature
//	I11  9999 says nothing about the debit; 0006 may be about our own request        (published, fixed)
//	I12  pay_status: 0 under way or held, 1 paid, 2 refunded, 3 partly, 4 reversed, 7 failed  (pay_status)
//	I13  a search shows refundedAmount and cancelList with the reqId of each refund
//	I14  a void by order number also undoes a payment that was captured
//	I15  a refund is never repeated under another reqId while its outcome is open
//	I17  a code that is not listed is searched for before it counts as a decline     (codes)

// Wire is what a merchant with the real specification may have to change.
type Wire struct {
	Cipher         string            `json:"cipher"`
	KeyEncoding    string            `json:"key_encoding"`
	IVTransport    string            `json:"iv_transport"`
	IVHeader       string            `json:"iv_header"`
	IVCase         string            `json:"iv_case"`
	IVMember       string            `json:"iv_member"`
	DataEncoding   string            `json:"data_encoding"`
	DataMember     string            `json:"data_member"`
	MerchantHeader string            `json:"merchant_header"`
	FieldCase      string            `json:"field_case"`
	Paths          Paths             `json:"paths"`
	Names          map[string]string `json:"names"`
	Codes          map[string]Code   `json:"codes"`
	PayStatus      map[string]string `json:"pay_status"`

	// platform leads from the lower-case name on the wire to the platform's name.
	platform map[string]string
}

// Paths of the operations below the endpoint.
type Paths struct {
	Pay     string `json:"pay"`
	Capture string `json:"capture"`
	Refund  string `json:"refund"`
	Void    string `json:"void"`
	Search  string `json:"search"`
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
	statusOpen           = "open" // under way; held, where the credential set separates the capture
	statusPaid           = "paid"
	statusRefunded       = "refunded"
	statusPartlyRefunded = "partly_refunded"
	statusReversed       = "reversed"
	statusFailed         = "failed"
)

// ivSize is the length of an IV in bytes.
const ivSize = aes.BlockSize

// How every request is sent.
const (
	method      = http.MethodPost
	contentType = "application/json; charset=utf-8"
)

// The ciphers, encodings, ways of the IV and cases of names.
const (
	cipherCBC, cipherGCM                = "aes-cbc-pkcs7", "aes-gcm"
	keyRaw, textHex, textBase64         = "raw", "hex", "base64"
	ivInHeader, ivInBody, ivBeforeCrypt = "header", "body", "prefix"
	lowerCase, upperCase                = "lower", "upper"
	camelCase, pascalCase, snakeCase    = "camel", "pascal", "snake"
)

//go:embed wire.json
var wireJSON []byte

// assumptions are the contract as wire.json has it.
type assumptions struct {
	Wire

	// Published codes come from iPASS itself; a setting cannot change their meaning.
	Published []string `json:"published"`
}

// assumed reads wire.json. The maps are shared: clone them.
var assumed = sync.OnceValue(func() (a assumptions) {
	if err := json.Unmarshal(wireJSON, &a, json.RejectUnknownMembers(true)); err != nil {
		panic("ipass: wire.json cannot be read: " + err.Error()) // a defect of the build, found by every test
	}
	return a
})

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
	ivText := hex.EncodeToString(iv[:])
	if w.IVCase == upperCase {
		ivText = strings.ToUpper(ivText)
	}
	var outside []member
	switch w.IVTransport {
	case ivInBody:
		outside = append(outside, quoted(w.IVMember, ivText))
	case ivBeforeCrypt:
		crypt = append(iv[:], crypt...)
	default:
		header[w.IVHeader] = []string{ivText}
	}
	// Assigned, not Set: Set would write Ipass-Merchantid.
	header[w.MerchantHeader] = []string{c.MerchantID}
	data := base64.StdEncoding.EncodeToString(crypt)
	if w.DataEncoding == textHex {
		data = hex.EncodeToString(crypt)
	}
	raw, err := whole(append(outside, quoted(w.DataMember, data)))
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
	var outside map[string]jsontext.Value
	if err := json.Unmarshal(raw, &outside); err != nil {
		return nil, errUndecipherable
	}
	decode := base64.StdEncoding.DecodeString
	if w.DataEncoding == textHex {
		decode = hex.DecodeString
	}
	crypt, err := decode(textOf(outside[w.DataMember]))
	if err != nil {
		return nil, errUndecipherable
	}
	var iv []byte
	switch w.IVTransport {
	case ivInBody:
		iv, err = hex.DecodeString(textOf(outside[w.IVMember]))
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

// textOf is a JSON string's text, or "" for whatever else stands there.
func textOf(v jsontext.Value) string {
	var s string
	if json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
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
	case textHex:
		raw, err = hex.DecodeString(key)
	case textBase64:
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

// refusal reports whether a status, with a readable body, says that the request was not taken. The four
// exceptions may also come from something in between, while the request is under way.
func refusal(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	default:
		return status >= 400 && status <= 499
	}
}
