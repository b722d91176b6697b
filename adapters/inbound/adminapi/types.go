package adminapi

import (
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/catalogue"
)

type typeReply struct {
	Type        string          `json:"type"`
	Provider    string          `json:"provider"`
	Version     string          `json:"version"`
	MessageFrom string          `json:"message_from"`
	Currencies  []currencyReply `json:"currencies"`
	Operations  []string        `json:"operations"`
	// CredentialSchema is the JSON Schema of a credential set, as the provider wrote it.
	CredentialSchema json.RawMessage `json:"credential_schema,omitempty"`
}

type currencyReply struct {
	Code     string `json:"code"`
	Exponent int    `json:"exponent"`
}

// types tells what the installed providers say about their payment types.
func (a *api) types(c echo.Context, _ access.Principal) error {
	known := a.Catalogue.All()
	all := make([]typeReply, len(known))
	for i, t := range known {
		all[i] = typeOf(t)
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, map[string]any{"types": all})
	return nil
}

func typeOf(t catalogue.Type) typeReply {
	r := typeReply{
		Type: t.Name, Provider: t.Provider, Version: t.Version, MessageFrom: t.MessageFrom, CredentialSchema: t.Credential,
		Currencies: make([]currencyReply, len(t.Currencies)), Operations: make([]string, len(t.Operations)),
	}
	for i, one := range t.Currencies {
		r.Currencies[i] = currencyReply{one.Code, one.Exponent}
	}
	for i, o := range t.Operations {
		r.Operations[i] = string(o.Kind)
	}
	return r
}
