package ecpay

import (
	"encoding/base64"
	"encoding/json"
	"net/url"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Seal enciphers a text under a key and an iv.
func Seal(key, iv, text string) (string, error) {
	m, err := merchantFor(key, iv)
	if err != nil {
		return "", err
	}
	return m.seal(text)
}

// OpenAnswer deciphers an answer and returns its code and its clear text.
func OpenAnswer(key, iv, data string) (code, text string, err error) {
	m, err := merchantFor(key, iv)
	if err != nil {
		return "", "", err
	}
	a, err := m.open(provider.Response{}, data)
	return a.code, string(a.body.Bytes()), err
}

func merchantFor(key, iv string) (merchant, error) {
	set, err := json.Marshal(map[string]string{"MerchantID": "3002607", "HashKey": key, "HashIV": iv})
	if err != nil {
		return merchant{}, err
	}
	return merchantOf(provider.Call{Credential: provider.NewDocument(set)})
}

// Decipher returns the clear text of a request.
func Decipher(key, iv, data string) (string, error) {
	m, err := merchantFor(key, iv)
	if err != nil {
		return "", err
	}
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return "", err
	}
	encoded, err := m.cipher.Open([]byte(iv), raw)
	if err != nil {
		return "", err
	}
	return url.QueryUnescape(string(encoded))
}

// TradeNo is tradeNo.
func TradeNo(id string) string { return tradeNo(id) }
