package ipasssandbox

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"errors"

	"github.com/go-json-experiment/json"
)

// The headers of a request; the second one of an answer too.
const (
	headerMerchant = "iPass-MerchantId"
	headerIV       = "iPass-Iv"
)

var errUndecipherable = errors.New("undecipherable")

// sealed is the form of a body: the clear text's AES-CBC ciphertext with PKCS7 padding, in base64.
type sealed struct {
	Data string `json:"data"`
}

// open deciphers a body. Whatever is wrong, the caller learns nothing but that.
func open(key, ivHex string, body []byte) ([]byte, error) {
	var envelope sealed
	if err := json.Unmarshal(body, &envelope, json.RejectUnknownMembers(true)); err != nil {
		return nil, errUndecipherable
	}
	data, err := base64.StdEncoding.DecodeString(envelope.Data)
	if err != nil || len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, errUndecipherable
	}
	iv, err := hex.DecodeString(ivHex)
	if err != nil || len(iv) != aes.BlockSize {
		return nil, errUndecipherable
	}
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		return nil, errUndecipherable
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(data, data)
	padding := int(data[len(data)-1])
	if padding == 0 || padding > aes.BlockSize {
		return nil, errUndecipherable
	}
	text, tail := data[:len(data)-padding], data[len(data)-padding:]
	if !bytes.Equal(tail, bytes.Repeat([]byte{byte(padding)}, padding)) {
		return nil, errUndecipherable
	}
	return text, nil
}

// seal enciphers an answer with its own iv.
func seal(key string, iv, text []byte) ([]byte, error) {
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		return nil, errUndecipherable
	}
	padding := aes.BlockSize - len(text)%aes.BlockSize
	data := append(bytes.Clone(text), bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	body, err := json.Marshal(sealed{Data: base64.StdEncoding.EncodeToString(data)})
	if err != nil {
		return nil, errUndecipherable
	}
	return body, nil
}
