package httpapi

import (
	"encoding/json"
	"net/http"
	"sync"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/catalogue"
)

// deprecatedSince is when credentials in a query became deprecated (RFC 9745): 2026-12-01.
const deprecatedSince = "@1796083200"

// secretsInQuery applies the mode to a GET whose request has members that the payment type's columns call
// credentials. An unknown type has no such columns; the core refuses it.
func (a *api) secretsInQuery(c echo.Context, e envelope, kind catalogue.Kind) error {
	if a.QuerySecrets == AllowQuerySecrets {
		return nil
	}
	secret := a.secrets.of(a.Catalogue.All(), e.Type, kind)
	found := false
	for _, m := range e.Members {
		found = found || secret[m.Name]
	}
	if !found {
		return nil
	}
	httpkit.Of(c.Request().Context()).QuerySecrets = true
	if a.QuerySecrets == RefuseQuerySecrets {
		return &httpkit.RefusalError{
			Status: http.StatusBadRequest, Code: "secret_in_url",
			Message: "Credentials in a URL end up in logs. Store them for the company or store, or send the same members as a JSON body with QUERY or POST. Rotate what was sent.",
		}
	}
	h := c.Response().Header()
	h.Set("Deprecation", deprecatedSince)
	h.Add("Link", `<`+docsPath+`>; rel="deprecation"; type="text/html"`)
	return nil
}

// secretColumns remembers which columns of a payment type are credentials, by type, version and operation.
type secretColumns struct{ known sync.Map }

type columnsKey struct {
	name, version string
	kind          catalogue.Kind
}

func (s *secretColumns) of(types []catalogue.Type, name string, kind catalogue.Kind) map[string]bool {
	for _, t := range types {
		if t.Name != name {
			continue
		}
		key := columnsKey{t.Name, t.Version, kind}
		if found, ok := s.known.Load(key); ok {
			if names, ok := found.(map[string]bool); ok {
				return names
			}
		}
		operation, _ := t.Find(kind)
		names := secretNames(operation.Columns)
		s.known.Store(key, names)
		return names
	}
	return nil
}

// secretNames are the members, with their other spellings, that are secret or part of a credential set.
func secretNames(columns []byte) map[string]bool {
	var schema struct {
		Properties map[string]struct {
			Role   string   `json:"x-payrack-role"`   //nolint:tagliatelle // annotations of the column schemas
			Secret bool     `json:"x-payrack-secret"` //nolint:tagliatelle // annotations of the column schemas
			Alias  []string `json:"x-payrack-alias"`  //nolint:tagliatelle // annotations of the column schemas
		} `json:"properties"`
	}
	names := make(map[string]bool)
	if json.Unmarshal(columns, &schema) != nil {
		return names
	}
	for name, p := range schema.Properties {
		if !p.Secret && p.Role != "credential" {
			continue
		}
		names[name] = true
		for _, alias := range p.Alias {
			names[alias] = true
		}
	}
	return names
}
