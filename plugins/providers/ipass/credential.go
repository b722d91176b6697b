package ipass

import (
	"crypto/rand"
	"encoding/hex"
	"errors"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// What an amount in an answer is compared with.
const (
	checkExact  = "exact"
	checkAtMost = "at_most"
)

// credential is the credential set of one call.
type credential struct {
	MerchantID string          `json:"merchantid"`
	Key        provider.Secret `json:"key"`
	// IV comes with a request's own credentials only, and serves one HTTP request.
	IV string `json:"iv"`
	// AmountCheck is exact or at_most; empty chooses by the request.
	AmountCheck string `json:"amount_check"`
	// SeparateCapture: iPASS lets this merchant hold an amount first and take it later.
	SeparateCapture bool `json:"separate_capture"`
}

func credentialOf(call provider.Call) (credential, error) {
	var c credential
	if err := call.Credential.Decode(&c); err != nil {
		return credential{}, errors.New("the credential set cannot be read")
	}
	switch {
	case c.MerchantID == "" || c.Key.Empty():
		return credential{}, errors.New("the credential set has no merchantid or no key")
	case call.Account != "" && call.Account != c.MerchantID:
		return credential{}, errors.New("the credential set belongs to another merchant than the payment")
	}
	return c, nil
}

// clientIV is the IV that the client sent for this one request, or a fresh one.
func (c credential) clientIV() ([ivSize]byte, error) {
	if c.IV == "" {
		return freshIV(), nil
	}
	var iv [ivSize]byte
	raw, err := hex.DecodeString(c.IV)
	if err != nil || len(raw) != ivSize || [ivSize]byte(raw) == iv {
		return iv, errors.New("iv must be 32 hexadecimal digits and not all zero")
	}
	return [ivSize]byte(raw), nil
}

// freshIV is new for every HTTP request, polls included: iPASS demands it, and CBC needs it.
func freshIV() (iv [ivSize]byte) {
	_, _ = rand.Read(iv[:]) // it never fails: the program ends instead
	return iv
}
