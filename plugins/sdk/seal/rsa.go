package seal

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
)

// minRSABits is the smallest key that is taken, as NIST SP 800-131A has it.
const minRSABits = 2048

var (
	// ErrRSAKey says that a text is no usable RSA key. It does not say what is in it.
	ErrRSAKey = errors.New("not an RSA key of at least 2048 bits, as PEM or as base64 of DER")
	// ErrSignature says that a signature does not fit the message and the key.
	ErrSignature = errors.New("the signature does not fit")
)

// ParsePrivateKey reads an RSA private key: PKCS #8 or PKCS #1, as PEM or as the bare base64 between its lines, in
// which many gateways hand keys out. The error is ErrRSAKey.
func ParsePrivateKey(text string) (*rsa.PrivateKey, error) {
	der, err := der(text)
	if err != nil {
		return nil, err
	}
	var key *rsa.PrivateKey
	if any, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		key, _ = any.(*rsa.PrivateKey)
	} else if key, err = x509.ParsePKCS1PrivateKey(der); err != nil {
		return nil, ErrRSAKey
	}
	if key == nil || key.N.BitLen() < minRSABits {
		return nil, ErrRSAKey
	}
	return key, nil
}

// ParsePublicKey reads an RSA public key: PKIX ("BEGIN PUBLIC KEY"), PKCS #1 or a certificate, as PEM or as the bare
// base64 between its lines. A certificate is not checked: whoever configured it vouches for it. The error is
// ErrRSAKey.
func ParsePublicKey(text string) (*rsa.PublicKey, error) {
	der, err := der(text)
	if err != nil {
		return nil, err
	}
	var key *rsa.PublicKey
	if any, err := x509.ParsePKIXPublicKey(der); err == nil {
		key, _ = any.(*rsa.PublicKey)
	} else if certificate, err := x509.ParseCertificate(der); err == nil {
		key, _ = certificate.PublicKey.(*rsa.PublicKey)
	} else if key, err = x509.ParsePKCS1PublicKey(der); err != nil {
		return nil, ErrRSAKey
	}
	if key == nil || key.N.BitLen() < minRSABits {
		return nil, ErrRSAKey
	}
	return key, nil
}

func der(text string) ([]byte, error) {
	if block, _ := pem.Decode([]byte(text)); block != nil {
		return block.Bytes, nil
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil || len(raw) == 0 {
		return nil, ErrRSAKey
	}
	return raw, nil
}

// SignRSA signs with RSASSA-PKCS1-v1_5 over SHA-256, which libraries call RSA-SHA256 or SHA256withRSA. The
// signature is in base64.
func SignRSA(key *rsa.PrivateKey, message []byte) (string, error) {
	sum := sha256.Sum256(message)
	raw, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", ErrRSAKey
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// VerifyRSA checks a signature of SignRSA's kind; the error is ErrSignature. Give it the message's bytes as they
// came: a message that was read and written again is another message.
func VerifyRSA(key *rsa.PublicKey, message []byte, signature string) error {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return ErrSignature
	}
	sum := sha256.Sum256(message)
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw) != nil {
		return ErrSignature
	}
	return nil
}
