// Package linepaysandbox plays the LINE Pay gateway: the in-store API in the versions v2, v2.4 and v4, and the online
// API with stored approvals in the versions v2, v3 and v4.
//
// It is written from the published documents, not from payrack's plugin, and shares no code with it, so
// that a wrong reading on one side shows up as a disagreement. Where the documents are silent it takes
// the reading that is harder on the client.
package linepaysandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/payrack/payrack/plugins/sandbox"
)

// The faults that only this gateway has.
const (
	faultAuthReady    = "auth_ready"
	faultAutoCancel   = "auto_cancel"
	faultErrorShape   = "error_shape"
	faultIDsAsStrings = "ids_as_strings"
)

// credential is the set that payrack stores for an account; members that only the plugin reads are
// passed over.
type credential struct {
	ChannelID     string `json:"channel_id"`
	ChannelSecret string `json:"channel_secret"`
}

// Dialect registers LINE Pay with a sandbox.
func Dialect() sandbox.Dialect {
	return sandbox.Dialect{
		Name:            "linepay",
		Prefix:          "/",
		Mount:           mount,
		Settings:        func(baseURL string) json.RawMessage { return sandbox.Endpoints(baseURL, true) },
		GatewaySettings: func(url string) json.RawMessage { return sandbox.Endpoints(url, false) },
		Accounts:        accounts,
		Identify:        identify,
		NewCode:         newCode,
		Faults: map[string]string{
			faultAuthReady:    "pay is accepted and stays AUTH_READY for delay_ms before it is decided",
			faultAutoCancel:   "capture answers 1199 and releases the hold",
			faultErrorShape:   "lands; the answer is the undocumented resultCode/statusMessage object",
			faultIDsAsStrings: "lands; the answer has its ids as text",
		},
	}
}

func mount(env *sandbox.Env) http.Handler { return newGateway(env) }

// accounts makes the one development account: a store's.
func accounts(rand io.Reader) []sandbox.Account {
	c := credential{
		ChannelID:     "1" + sandbox.RandomDigits(rand, 9),
		ChannelSecret: sandbox.RandomHex(rand, 32),
	}
	stored, err := json.Marshal(c)
	if err != nil {
		panic("linepaysandbox: two texts have no JSON form: " + err.Error())
	}
	return []sandbox.Account{{
		Label:      "store",
		Types:      []string{"LINE_QRCODE_PAY", "LINE_PAY", "LINE_PREAPPROVED_PAY"},
		Credential: stored,
		Public:     map[string]string{"channel_id": c.ChannelID, "channel_secret": c.ChannelSecret},
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
	if err != nil {
		return "", err
	}
	if len(c.ChannelID) != 10 || strings.Trim(c.ChannelID, "0123456789") != "" {
		return "", errors.New("credential: channel_id is ten digits")
	}
	if len(c.ChannelSecret) != 32 {
		return "", errors.New("credential: channel_secret is 32 characters")
	}
	return c.ChannelID, nil
}

// newCode makes what a Taiwanese customer's app shows: 18 digits that begin with 38.
func newCode(rand io.Reader) string { return "38" + sandbox.RandomDigits(rand, 16) }

// switches are the settings of one merchant, given as an account's options.
type switches struct {
	// Currencies that are enabled.
	Currencies []string `json:"currencies"`
	// CaptureSeparated allows capture=false.
	CaptureSeparated bool `json:"capture_separated"`
	// DeclineBurnsOrder: an order that the wallet declined cannot be used again.
	DeclineBurnsOrder bool `json:"decline_burns_order"`
	// SeparatePoint reports points on their own instead of as balance.
	SeparatePoint bool `json:"separate_point"`
	// Preapproved allows stored approvals, CardAuthorization the check that tries the card.
	Preapproved       bool `json:"preapproved"`
	CardAuthorization bool `json:"card_authorization"`
	// ReuseNonces lets a nonce be used again.
	ReuseNonces bool `json:"reuse_nonces"`
	// AllowedIPs, if not nil, are the only callers in v2 and v2.4.
	AllowedIPs []string `json:"allowed_ips"`
}

func switchesOf(a sandbox.Account) (switches, error) {
	s := switches{
		Currencies:        []string{"TWD", "THB", "USD", "JPY"},
		CaptureSeparated:  true,
		DeclineBurnsOrder: true,
		SeparatePoint:     true,
		Preapproved:       true,
		CardAuthorization: true,
	}
	err := sandbox.DecodeOptions(a, &s)
	return s, err
}
