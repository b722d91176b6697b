package ecpaysandbox

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
)

var errUndecipherable = errors.New("undecipherable")

// decipher reads Data: base64 of AES-128-CBC with PKCS7 padding over URL-encoded JSON. The key's and the iv's texts are
// their bytes.
func (c credential) decipher(data string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(data)
	block, keyErr := aes.NewCipher([]byte(c.HashKey))
	if err != nil || keyErr != nil || len(raw) == 0 || len(raw)%aes.BlockSize != 0 {
		return nil, errUndecipherable
	}
	cipher.NewCBCDecrypter(block, []byte(c.HashIV)).CryptBlocks(raw, raw)
	pad := int(raw[len(raw)-1])
	if pad == 0 || pad > aes.BlockSize || !bytes.HasSuffix(raw, bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, errUndecipherable
	}
	encoded := string(raw[:len(raw)-pad])
	// JSON that was not URL-encoded is what ECPay refuses most often.
	if strings.HasPrefix(encoded, "{") {
		return nil, errUndecipherable
	}
	text, err := url.QueryUnescape(encoded)
	if err != nil {
		return nil, errUndecipherable
	}
	return []byte(text), nil
}

func (c credential) encipher(text []byte) string {
	block, err := aes.NewCipher([]byte(c.HashKey))
	if err != nil {
		// identify let no such key in.
		panic("ecpaysandbox: an account's key cannot encipher")
	}
	raw := []byte(strings.ReplaceAll(url.QueryEscape(string(text)), "~", "%7E"))
	pad := aes.BlockSize - len(raw)%aes.BlockSize
	raw = append(raw, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, []byte(c.HashIV)).CryptBlocks(raw, raw)
	return base64.StdEncoding.EncodeToString(raw)
}

func mustJSON(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic("ecpaysandbox: a value has no JSON form: " + err.Error())
	}
	return text
}
