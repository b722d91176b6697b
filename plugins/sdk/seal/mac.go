package seal

import (
	"crypto/hmac"
	"crypto/sha256"
)

// MAC is the HMAC-SHA256 of the parts, one after the other. Gateways write it in hex or in base64:
//
//	base64.StdEncoding.EncodeToString(seal.MAC(key, path, body, nonce))
func MAC(key string, parts ...string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	for _, part := range parts {
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}

// VerifyMAC compares in a time that does not depend on the bytes. The error is ErrSignature.
func VerifyMAC(mac []byte, key string, parts ...string) error {
	if !hmac.Equal(mac, MAC(key, parts...)) {
		return ErrSignature
	}
	return nil
}
