package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// Dialect is what a provider registers: its side of the wire.
type Dialect struct {
	// Name of the provider, such as "linepay".
	Name string
	// Prefix of the paths that this dialect serves: "/" takes what nobody else takes.
	Prefix string
	// Mount returns the handler. It opens its books on the Env, starts nothing and does not block.
	Mount func(*Env) http.Handler
	// Settings are plugin settings that lead both environments to the sandbox at baseURL.
	Settings func(baseURL string) json.RawMessage
	// GatewaySettings are plugin settings that lead both environments to another gateway; url is that
	// gateway's base, used as it is.
	GatewaySettings func(url string) json.RawMessage
	// Accounts makes the development accounts with fresh credentials. Their labels differ.
	Accounts func(rand io.Reader) []Account
	// Identify returns the name of the account that a credential set is for, or what is wrong with it.
	Identify func(credential json.RawMessage) (string, error)
	// NewCode returns a fresh one-time code of the provider's shape.
	NewCode func(rand io.Reader) string
	// Faults are names of faults that only this dialect knows, with what they do.
	Faults map[string]string
}

// Controller is a handler of [Dialect.Mount] that has control routes of its own: what customers of this provider do.
type Controller interface {
	// Control serves what lies below /_sandbox/NAME; the paths that it sees begin behind that. [Env.Decode] and
	// [Env.Reply] read and answer as the other control routes do.
	Control() http.Handler
}

// Account is one contract of a company or store with a provider.
type Account struct {
	// Label says whom the account is for: "store" or "company". Empty for a registered one.
	Label string `json:"label"`
	// Types are the payment types that the account is for.
	Types []string `json:"types"`
	// Credential is the credential set as payrack stores it.
	Credential json.RawMessage `json:"credential"`
	// Public are the members that `payrack dev` writes into dev.json.
	Public map[string]string `json:"public"`
	// Options are switches of the dialect, an object; empty means its defaults.
	Options json.RawMessage `json:"options,omitempty"`
}

// Code is a one-time code that a customer's app shows.
type Code struct {
	// Code as it is scanned.
	Code string `json:"code"`
	// IssuedAt is the sandbox's clock when the customer opened the app.
	IssuedAt time.Time `json:"issued_at"`
	// Used is set once a payment has taken the code.
	Used bool `json:"used,omitzero"`
	CodeOptions
}

// CodeOptions choose the customer behind a one-time code. The zero value pays everything from a full
// wallet.
type CodeOptions struct {
	// Decline is a return code with which the wallet refuses to pay.
	Decline string `json:"decline,omitempty"`
	// Balance in charge units, if not nil: a larger amount is refused.
	Balance *int64 `json:"balance,omitzero"`
	// Method is how the customer pays, in the dialect's words. Empty is the dialect's default.
	Method string `json:"method,omitempty"`
	// Discount in charge units that the provider gives, where the provider knows discounts.
	Discount int64 `json:"discount,omitzero"`
	// Carrier of electronic invoices that the customer has bound, where the provider knows them.
	Carrier string `json:"carrier,omitempty"`
}
