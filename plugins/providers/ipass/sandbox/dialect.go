// Package ipasssandbox plays the gateway of iPASS MONEY for payments in a store.
//
// The gateway's own specification is not public. What is certain comes from the platform's pages; the rest
// is the recommended contract that payrack's plugin follows as well, read here a second time: the two
// share no code, so that a wrong reading on one side shows up as a disagreement. Return codes that begin
// with S are inventions of this sandbox.
package ipasssandbox

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

const prefix = "/ipass"

// credential is the set that payrack stores for an account; members that only the plugin reads are
// passed over.
type credential struct {
	MerchantID string `json:"merchantid"`
	Key        string `json:"key"`
}

// Dialect registers iPASS with a sandbox.
func Dialect() sandbox.Dialect {
	return sandbox.Dialect{
		Name:   "ipass",
		Prefix: prefix,
		Mount:  func(env *sandbox.Env) http.Handler { return newGateway(env) },
		Settings: func(baseURL string) json.RawMessage {
			return sandbox.Endpoints(strings.TrimSuffix(baseURL, "/")+prefix, true)
		},
		GatewaySettings: func(url string) json.RawMessage { return sandbox.Endpoints(url, false) },
		Accounts:        accounts,
		Identify:        identify,
		NewCode:         newCode,
		Faults:          ownFaults(),
	}
}

// accounts makes the development accounts: one of a store, one of the company.
func accounts(rand io.Reader) []sandbox.Account {
	var made []sandbox.Account
	for _, label := range []string{"store", "company"} {
		c := credential{MerchantID: "7" + sandbox.RandomDigits(rand, 9), Key: sandbox.RandomHex(rand, 32)}
		stored, err := json.Marshal(c)
		if err != nil {
			panic("ipasssandbox: two texts have no JSON form: " + err.Error())
		}
		made = append(made, sandbox.Account{
			Label:      label,
			Types:      []string{"IPASS_OFFLINE_PAY"},
			Credential: stored,
			Public:     map[string]string{"merchantid": c.MerchantID, "key": c.Key},
		})
	}
	return made
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
	if err != nil {
		return "", err
	}
	if c.MerchantID == "" || len(c.MerchantID) > 64 {
		return "", errors.New("credential: merchantid is 1 to 64 characters")
	}
	if n := len(c.Key); n != 16 && n != 24 && n != 32 {
		return "", errors.New("credential: key is 16, 24 or 32 bytes")
	}
	return c.MerchantID, nil
}

// newCode makes what a customer's app shows: 96 and thirty decimal digits, two to a byte, in base64. The
// digits six to eight are the institution that issued the code.
func newCode(rand io.Reader) string {
	const institution = "391"
	digits := "03538" + institution + "0000" + sandbox.RandomDigits(rand, 18)
	packed := make([]byte, 0, len(digits)/2)
	for i := 0; i < len(digits); i += 2 {
		packed = append(packed, (digits[i]-'0')<<4|(digits[i+1]-'0'))
	}
	return "96" + base64.StdEncoding.EncodeToString(packed)
}

// What a switch may say.
const (
	tombstone = "tombstone"
	notFound  = "not_found"
	reverse   = "reverse"
	refuse    = "refuse"
	replay    = "replay"
	reject    = "reject"
	none      = "none"
)

// switches are what nobody knows about the real gateway, given as an account's options.
type switches struct {
	// DeclineBurnsOrder: an order number that was declined cannot be used again.
	DeclineBurnsOrder bool `json:"decline_burns_order"`
	// VoidUnknown says what a void of an unknown order does: "tombstone" succeeds and blocks a later
	// payment, "not_found" refuses and blocks nothing.
	VoidUnknown string `json:"void_unknown"`
	// VoidPaid says what a void of a paid order does: "reverse" or "refuse".
	VoidPaid string `json:"void_paid"`
	// RefundDedup says what a refund with a known reqId does: "replay", "reject" or "none".
	RefundDedup string `json:"refund_dedup"`
	// SearchLag is how many seconds a search is behind.
	SearchLag int64 `json:"search_lag"`
}

func switchesOf(a sandbox.Account) (switches, error) {
	s := switches{DeclineBurnsOrder: true, VoidUnknown: tombstone, VoidPaid: reverse, RefundDedup: replay}
	err := sandbox.DecodeOptions(a, &s)
	return s, err
}
