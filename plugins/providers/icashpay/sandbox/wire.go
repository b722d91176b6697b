package icashpaysandbox

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
)

var errUndecipherable = errors.New("undecipherable")

// decipher reads EncData: base64 of AES-256-CBC with PKCS7 padding. The key's and the iv's texts are their bytes.
func decipher(key, iv, sealed string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	block, keyErr := aes.NewCipher([]byte(key))
	if err != nil || keyErr != nil || len(raw) == 0 || len(raw)%aes.BlockSize != 0 {
		return nil, errUndecipherable
	}
	cipher.NewCBCDecrypter(block, []byte(iv)).CryptBlocks(raw, raw)
	pad := int(raw[len(raw)-1])
	if pad == 0 || pad > aes.BlockSize || !bytes.HasSuffix(raw, bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, errUndecipherable
	}
	return raw[:len(raw)-pad], nil
}

func encipher(key, iv string, text []byte) string {
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		// identify let no such key in.
		panic("icashpaysandbox: an account's key cannot encipher")
	}
	pad := aes.BlockSize - len(text)%aes.BlockSize
	raw := append(bytes.Clone(text), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, []byte(iv)).CryptBlocks(raw, raw)
	return base64.StdEncoding.EncodeToString(raw)
}

func privateKey(text string) (*rsa.PrivateKey, error) {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errUndecipherable
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errUndecipherable
	}
	if own, ok := key.(*rsa.PrivateKey); ok {
		return own, nil
	}
	return nil, errUndecipherable
}

// signatureFits checks a merchant's signature. Its public key is the half of the private one that an account holds.
func signatureFits(private, message, signature string) bool {
	key, err := privateKey(private)
	raw, rawErr := base64.StdEncoding.DecodeString(signature)
	if err != nil || rawErr != nil {
		return false
	}
	sum := sha256.Sum256([]byte(message))
	return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], raw) == nil
}

// sign signs with the gateway's key.
func sign(private string, message []byte) string {
	key, err := privateKey(private)
	if err != nil {
		panic("icashpaysandbox: the gateway's own key cannot be read")
	}
	sum := sha256.Sum256(message)
	raw, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		panic("icashpaysandbox: the gateway's own key does not sign: " + err.Error())
	}
	return base64.StdEncoding.EncodeToString(raw)
}
