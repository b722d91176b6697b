package provider

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"regexp"
	"strconv"
	"strings"
)

// standIns makes a private key for each kind of stand-in, once for a process.
type standIns struct{ made map[string]string }

var standInForm = regexp.MustCompile(regexp.QuoteMeta(standInPrefix) + `[A-Za-z0-9-]+:[a-z0-9]+:[a-z0-9]+`)

// fill puts a key in the place of every stand-in of a JSON document.
func (s *standIns) fill(document []byte) []byte {
	if !bytes.Contains(document, []byte(standInPrefix)) {
		return document
	}
	return standInForm.ReplaceAllFunc(document, func(word []byte) []byte {
		key, err := s.key(string(word))
		if err != nil {
			return word
		}
		text, err := json.Marshal(key)
		if err != nil {
			return word
		}
		return bytes.Trim(text, `"`)
	})
}

func (s *standIns) key(word string) (string, error) {
	if key, ok := s.made[word]; ok {
		return key, nil
	}
	part := strings.Split(strings.TrimPrefix(word, standInPrefix), ":")
	der, name, err := newKey(part[0], part[1])
	if err != nil {
		return "", err
	}
	key := base64.StdEncoding.EncodeToString(der)
	if part[2] == formPEM {
		key = string(pem.EncodeToMemory(&pem.Block{Type: name, Bytes: der}))
	}
	if s.made == nil {
		s.made = map[string]string{}
	}
	s.made[word] = key
	return key, nil
}

// maxStandInBits bounds how long a rehearsal calculates for a key.
const maxStandInBits = 4096

func newKey(kind, container string) (der []byte, name string, err error) {
	var key any
	switch name, size, _ := strings.Cut(kind, "-"); name {
	case "rsa":
		bits, err := strconv.Atoi(size)
		if err != nil || bits < 2048 {
			bits = 2048
		}
		key, err = rsa.GenerateKey(rand.Reader, min(bits, maxStandInBits))
		if err != nil {
			return nil, "", err
		}
	case "ec":
		curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[size]
		if curve == nil {
			curve = elliptic.P256()
		}
		if key, err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			return nil, "", err
		}
	default:
		if _, key, err = ed25519.GenerateKey(rand.Reader); err != nil {
			return nil, "", err
		}
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if container == "pkcs1" {
			return x509.MarshalPKCS1PrivateKey(k), "RSA PRIVATE KEY", nil
		}
	case *ecdsa.PrivateKey:
		if container == "sec1" {
			der, err = x509.MarshalECPrivateKey(k)
			return der, "EC PRIVATE KEY", err
		}
	}
	der, err = x509.MarshalPKCS8PrivateKey(key)
	return der, "PRIVATE KEY", err
}
