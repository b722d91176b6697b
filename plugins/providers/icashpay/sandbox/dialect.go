// Package icashpaysandbox plays the gateway of icash Pay for payments in a store.
//
// The gateway's specification is not public as a whole. The envelope, the ciphers, the members and the states are
// those that public integrations and the platform's pages show; return codes below 0 are inventions of this sandbox.
// It shares no code with the plugin, so that a wrong reading on one side shows up as a disagreement.
package icashpaysandbox

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/payrack/payrack/plugins/sandbox"
)

const prefix = "/icashpay"

// credential is the set that payrack stores for an account.
type credential struct {
	MerchantID string `json:"merchant_id"`
	PlatformID string `json:"platform_id"`
	EncKeyID   string `json:"enc_key_id"`
	AESKey     string `json:"aes_key"`
	AESIV      string `json:"aes_iv"`
	// PrivateKey is the merchant's, PublicKey the gateway's; both are base64 of DER.
	PrivateKey string `json:"private_key"`
	PublicKey  string `json:"gateway_public_key"`
	StoreID    string `json:"store_id"`
	StoreName  string `json:"store_name"`
}

// player makes accounts and plays the gateway that can sign for them.
type player struct{ gateway *gateway }

// Dialect registers icash Pay with a sandbox.
func Dialect() sandbox.Dialect {
	p := &player{}
	return sandbox.Dialect{
		Name:   "icashpay",
		Prefix: prefix,
		Mount: func(env *sandbox.Env) http.Handler {
			p.gateway = newGateway(env)
			return p.gateway
		},
		Settings: func(baseURL string) json.RawMessage {
			return sandbox.Endpoints(strings.TrimSuffix(baseURL, "/")+prefix, true)
		},
		GatewaySettings: func(url string) json.RawMessage { return sandbox.Endpoints(url, false) },
		Accounts:        p.accounts,
		Identify:        identify,
		NewCode:         newCode,
		Faults:          ownFaults(),
	}
}

// pair is a key pair as its owner and the other side keep it.
type pair struct{ private, public string }

// keyPairs are the merchant's and the gateway's keys. They are made once in a process, because that takes a while;
// no two processes have the same.
var keyPairs = sync.OnceValue(func() [2]pair { return [2]pair{newPair(), newPair()} })

func newPair() pair {
	const bits = 2048
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic("icashpaysandbox: no RSA key: " + err.Error())
	}
	private, privateErr := x509.MarshalPKCS8PrivateKey(key)
	public, publicErr := x509.MarshalPKIXPublicKey(key.Public())
	if err := errors.Join(privateErr, publicErr); err != nil {
		panic("icashpaysandbox: an RSA key has no DER form: " + err.Error())
	}
	return pair{base64.StdEncoding.EncodeToString(private), base64.StdEncoding.EncodeToString(public)}
}

// accounts makes the development account of the store.
func (p *player) accounts(rand io.Reader) []sandbox.Account {
	keys := keyPairs()
	c := credential{
		MerchantID: "10" + sandbox.RandomDigits(rand, 6), PlatformID: "10" + sandbox.RandomDigits(rand, 6),
		EncKeyID: "1" + sandbox.RandomDigits(rand, 9), AESKey: sandbox.RandomHex(rand, 32), AESIV: sandbox.RandomHex(rand, 16),
		PrivateKey: keys[0].private, PublicKey: keys[1].public, StoreID: "001", StoreName: "測試門市",
	}
	if p.gateway != nil {
		p.gateway.keep(keys[1])
	}
	stored, err := json.Marshal(c) //nolint:gosec // a key of the sandbox's own, for whoever tests with it
	if err != nil {
		panic("icashpaysandbox: texts have no JSON form: " + err.Error())
	}
	return []sandbox.Account{{
		Label: "store", Types: []string{"I_CASH_QRCODE_PAY"}, Credential: stored,
		Public: map[string]string{"merchant_id": c.MerchantID, "platform_id": c.PlatformID, "enc_key_id": c.EncKeyID},
	}}
}

func parseCredential(stored json.RawMessage) (credential, error) {
	var c credential
	if err := json.Unmarshal(stored, &c); err != nil {
		return credential{}, fmt.Errorf("credential: %w", err)
	}
	if c.PlatformID == "" {
		c.PlatformID = c.MerchantID
	}
	return c, nil
}

// identify names an account by the id of its key, which is all that a request shows in the clear.
func identify(stored json.RawMessage) (string, error) {
	c, err := parseCredential(stored)
	switch {
	case err != nil:
		return "", err
	case c.MerchantID == "" || c.EncKeyID == "":
		return "", errors.New("credential: merchant_id and enc_key_id are needed")
	case len(c.AESKey) != 32 || len(c.AESIV) != 16:
		return "", errors.New("credential: aes_key has 32 characters, aes_iv 16")
	}
	return c.EncKeyID, nil
}

// newCode makes what a customer's app shows: IC and sixteen capitals and digits.
func newCode(rand io.Reader) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUV" // 32 of them, so that none is favoured
	code := []byte("IC")
	for _, b := range sandbox.RandomBytes(rand, 16) {
		code = append(code, digits[b%32])
	}
	return string(code)
}

// switches are what nobody knows about the real gateway, given as an account's options.
type switches struct {
	// DeclineBurnsOrder: an order number that was declined cannot be used again.
	DeclineBurnsOrder bool `json:"decline_burns_order"`
	// VoidPaid says what a void of a paid order does: "reverse" or "refuse".
	VoidPaid string `json:"void_paid"`
	// RefundTotal: a payment's record says how much was given back.
	RefundTotal bool `json:"refund_total"`
}

func switchesOf(a sandbox.Account) (switches, error) {
	s := switches{DeclineBurnsOrder: true, VoidPaid: "reverse", RefundTotal: true}
	err := sandbox.DecodeOptions(a, &s)
	return s, err
}
