package provider

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strconv"
	"strings"
)

// dummyOf is a text of the same shape that tells nothing: as long, digits for digits, letters for letters, hexadecimal
// for hexadecimal, so that whatever checks a key's form takes it. The same secret has the same dummy in one process and
// another one in the next.
func dummyOf(key []byte, secret string) string {
	if stand := standInOf(secret); stand != "" {
		return stand
	}
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(secret))
	noise := h.Sum(nil)
	hex := isHex(secret)
	var out strings.Builder
	for i, r := range []rune(secret) {
		if i > 0 && i%len(noise) == 0 {
			sum := sha256.Sum256(noise)
			noise = sum[:]
		}
		n := rune(noise[i%len(noise)])
		letters := rune(26)
		if hex {
			letters = 6
		}
		switch {
		case r == '0' && i == 0:
			out.WriteRune(r)
		case r >= '0' && r <= '9':
			out.WriteRune('1' + n%9) // never 0, so that a number stays one of as many digits
		case r >= 'a' && r <= 'z':
			out.WriteRune('a' + n%letters)
		case r >= 'A' && r <= 'Z':
			out.WriteRune('A' + n%letters)
		case r > '~':
			out.WriteRune('某')
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

func isHex(s string) bool {
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return len(s) >= 8
}

// A private key cannot be made up letter by letter. A stand-in says what kind it was; a rehearsal makes a new one of
// that kind.
const standInPrefix = "payrack-stand-in-key:"

// Forms in which a key may be written.
const (
	formPEM  = "pem"
	formBare = "base64"
)

// standInOf describes a private key; empty if the text is none.
func standInOf(secret string) string {
	form, der := formPEM, []byte(nil)
	if block, _ := pem.Decode([]byte(secret)); block != nil {
		der = block.Bytes
	} else if len(secret) > 40 {
		form = formBare
		der, _ = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(secret), ""))
	}
	if len(der) == 0 {
		return ""
	}
	container := "pkcs8"
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		container = "pkcs1"
		key, err = x509.ParsePKCS1PrivateKey(der)
	}
	if err != nil {
		container = "sec1"
		key, err = x509.ParseECPrivateKey(der)
	}
	if err != nil {
		return ""
	}
	var kind string
	switch k := key.(type) {
	case *rsa.PrivateKey:
		kind = "rsa-" + strconv.Itoa(k.N.BitLen())
	case *ecdsa.PrivateKey:
		kind = "ec-" + k.Curve.Params().Name
	case ed25519.PrivateKey:
		kind = "ed25519"
	default:
		return ""
	}
	return standInPrefix + kind + ":" + container + ":" + form
}
