// Package ecpaysandbox plays ECPay's POS API for TWQR payments in a store.
//
// The envelope, the cipher and the requests are as ECPay documents them. The documents that were at hand end before the
// members of the scanned code and of the answers: those follow ECPay's sibling APIs. Return codes below 0 are inventions of this
// sandbox. It shares no code with the plugin, so that a wrong reading on one side shows up as a disagreement.
package ecpaysandbox

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/payrack/payrack/plugins/sandbox"
)

const prefix = "/ecpay"

// credential is the set that payrack stores for an account.
type credential struct {
	MerchantID string `json:"MerchantID"`
	HashKey    string `json:"HashKey"`
	HashIV     string `json:"HashIV"`
}

// Dialect registers ECPay with a sandbox.
func Dialect() sandbox.Dialect {
	return sandbox.Dialect{
		Name:   "ecpay",
		Prefix: prefix,
		Mount:  func(env *sandbox.Env) http.Handler { return newGateway(env) },
		Settings: func(baseURL string) json.RawMessage {
			return settings(sandbox.Endpoints(strings.TrimSuffix(baseURL, "/")+prefix, true))
		},
		GatewaySettings: func(url string) json.RawMessage { return settings(sandbox.Endpoints(url, false)) },
		Accounts:        accounts,
		Identify:        identify,
		NewCode:         newCode,
		Faults:          ownFaults(),
	}
}

// settings adds the address for results, which ECPay demands and this sandbox never calls.
func settings(endpoints json.RawMessage) json.RawMessage {
	var all map[string]any
	if err := json.Unmarshal(endpoints, &all); err != nil {
		panic("ecpaysandbox: the endpoints are no object: " + err.Error())
	}
	all["return_url"] = "https://shop.example.com/ecpay/result"
	return mustJSON(all)
}

// accounts makes the development account of the store.
func accounts(rand io.Reader) []sandbox.Account {
	c := credential{MerchantID: "3" + sandbox.RandomDigits(rand, 6), HashKey: sandbox.RandomHex(rand, 16), HashIV: sandbox.RandomHex(rand, 16)}
	return []sandbox.Account{{
		Label: "store", Types: []string{"ECPAY_TWQR_POS"}, Credential: mustJSON(c),
		Public: map[string]string{"MerchantID": c.MerchantID, "HashKey": c.HashKey, "HashIV": c.HashIV},
	}}
}

func parseCredential(stored json.RawMessage) (credential, error) {
	var c credential
	if err := json.Unmarshal(stored, &c); err != nil {
		return credential{}, fmt.Errorf("credential: %w", err)
	}
	return c, nil
}

func identify(stored json.RawMessage) (string, error) {
	c, err := parseCredential(stored)
	switch {
	case err != nil:
		return "", err
	case c.MerchantID == "" || len(c.MerchantID) > 10:
		return "", errors.New("credential: MerchantID is 1 to 10 characters")
	case len(c.HashKey) != 16 || len(c.HashIV) != 16:
		return "", errors.New("credential: HashKey and HashIV have 16 characters each")
	}
	return c.MerchantID, nil
}

// newCode makes a TWQR code of the payer: 96 and thirty decimal digits, two to a byte, in base64. The digits six to
// eight are the institution that issued it.
func newCode(rand io.Reader) string {
	const institution = "008"
	digits := "04148" + institution + "0000" + sandbox.RandomDigits(rand, 18)
	packed := make([]byte, 0, len(digits)/2)
	for i := 0; i < len(digits); i += 2 {
		packed = append(packed, (digits[i]-'0')<<4|(digits[i+1]-'0'))
	}
	return "96" + base64.StdEncoding.EncodeToString(packed)
}

// switches are what nobody knows about the real gateway, given as an account's options.
type switches struct {
	// DeclineBurnsOrder: an order number that was declined cannot be used again.
	DeclineBurnsOrder bool `json:"decline_burns_order"`
	// RefundTotal: an order's record says how much was given back.
	RefundTotal bool `json:"refund_total"`
}

func switchesOf(a sandbox.Account) (switches, error) {
	s := switches{DeclineBurnsOrder: true, RefundTotal: true}
	err := sandbox.DecodeOptions(a, &s)
	return s, err
}
