package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/inbound"
)

// action is an operation on a payment, as a port offers it.
type action func(context.Context, inbound.Native) (inbound.Reply, error)

func (a *api) integratePay(c echo.Context, p access.Principal) error {
	return a.native(c, p, "", catalogue.Pay, a.Payments.Pay)
}

func (a *api) integrateConfirm(c echo.Context, p access.Principal) error {
	return a.native(c, p, "", catalogue.Confirm, a.Payments.Confirm)
}

func (a *api) integrateCapture(c echo.Context, p access.Principal) error {
	return a.native(c, p, "", catalogue.Capture, a.Payments.Capture)
}

// integrateCancel takes the columns of the void, or of the search where the payment type has no void.
func (a *api) integrateCancel(c echo.Context, p access.Principal) error {
	return a.native(c, p, "", catalogue.Void, a.Payments.Cancel)
}

func (a *api) integrateRefund(c echo.Context, p access.Principal) error {
	return a.native(c, p, "", catalogue.Refund, a.Payments.Refund)
}

func (a *api) integrateSearch(c echo.Context, p access.Principal) error {
	return a.native(c, p, "", catalogue.Search, a.Payments.Search)
}

// alias answers below the prefix of the providers' own routes, for every path that is no fixed route.
func (a *api) alias(c echo.Context) error {
	r := c.Request()
	if methods, fixed := a.methods[r.URL.Path]; fixed {
		// A fixed route with a method that it does not have ends here too.
		httpkit.Of(r.Context()).Enter(r, r.URL.Path)
		return httpkit.MethodNotAllowed(methods) //nolint:wrapcheck // a refusal goes to the client as it is
	}
	if id, below := strings.CutPrefix(r.URL.Path, CallbackPrefix); below && id != "" && !strings.Contains(id, "/") {
		httpkit.Of(r.Context()).Enter(r, callbackPath)
		return httpkit.MethodNotAllowed(a.methods[callbackPath]) //nolint:wrapcheck // a refusal goes to the client as it is
	}
	to, known := a.Catalogue.Route(r.Method, r.URL.Path)
	if !known {
		if others := a.aliasMethods(r.URL.Path); len(others) > 0 {
			httpkit.Of(r.Context()).Enter(r, r.URL.Path)
			return httpkit.MethodNotAllowed(others) //nolint:wrapcheck // a refusal goes to the client as it is
		}
		return httpkit.NotFound() //nolint:wrapcheck // a refusal goes to the client as it is
	}
	httpkit.Of(r.Context()).Enter(r, r.URL.Path)
	if err := httpkit.CheckSize(r, a.MaxURL, a.MaxBody); err != nil {
		return err //nolint:wrapcheck // a refusal goes to the client as it is
	}
	scope, do := a.operation(to.Kind)
	p, err := a.admit(c, scope)
	if err != nil {
		return err
	}
	if do == nil {
		return fault.New(fault.Unsupported, "operation_unsupported", "This platform does not offer this operation.")
	}
	return a.native(c, p, to.Type, to.Kind, do)
}

// operation says which scope an operation needs and who does it.
func (a *api) operation(k catalogue.Kind) (access.Scope, action) {
	switch k {
	case catalogue.Pay:
		return access.Pay, a.Payments.Pay
	case catalogue.Search:
		return access.Search, a.Payments.Search
	case catalogue.Confirm:
		return access.Pay, a.Payments.Confirm
	case catalogue.Capture:
		return access.Pay, a.Payments.Capture
	case catalogue.Void:
		return access.Refund, a.Payments.Void
	case catalogue.Refund:
		return access.Refund, a.Payments.Refund
	}
	return access.Admin, nil
}

// aliasMethods are the methods that providers declared for a path.
func (a *api) aliasMethods(path string) []string {
	var methods []string
	for _, t := range a.Catalogue.All() {
		for _, o := range t.Operations {
			for _, route := range o.Aliases {
				if route.Path == path && !slices.Contains(methods, route.Method) {
					methods = append(methods, route.Method)
				}
			}
		}
	}
	slices.Sort(methods)
	return methods
}

// plainType reports whether a text reads like a payment type: 1 to 64 letters, digits and underscores.
func plainType(text string) bool {
	for i := range len(text) {
		if c := text[i]; !alphanumeric(c) && c != '_' {
			return false
		}
	}
	return text != "" && len(text) <= 64
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// native reads a request in a provider's columns and hands it to the core. typ is set on routes that stand
// for one payment type.
func (a *api) native(c echo.Context, p access.Principal, typ string, kind catalogue.Kind, do action) error {
	r := c.Request()
	x := httpkit.Of(r.Context())
	environment := a.DefaultEnvironment
	if typ != "" {
		environment = company.Live
	}
	e, err := a.envelope(c, typ == "")
	if typ != "" {
		e.Type = typ
	}
	if plainType(e.Type) {
		x.Type = e.Type
	}
	if err != nil {
		return err
	}
	if e.Test != nil {
		environment = company.Live
		if *e.Test {
			environment = company.Test
		}
	}
	if r.Method == http.MethodGet {
		if err := a.secretsInQuery(c, e, kind); err != nil {
			return err
		}
	}
	n := inbound.Native{
		Principal: p, Type: e.Type, Request: e.Request, Store: e.Store, Environment: environment,
		TraceID: x.TraceID(r.Context()),
	}
	if kind != catalogue.Search {
		if n.IdempotencyKey, err = idempotencyKey(r.Header); err != nil {
			return err
		}
		n.Wait = patience(r.Header, c.Response().Header())
	}
	reply, err := do(r.Context(), n)
	if err != nil {
		return err
	}
	return answer(c.Response(), r, reply)
}

func (a *api) envelope(c echo.Context, typed bool) (envelope, error) {
	r := c.Request()
	if r.Method == http.MethodGet {
		return fromQuery(httpkit.Of(r.Context()).Query(), typed, httpkit.DefaultJSON())
	}
	if err := httpkit.JSONMedia(r); err != nil {
		return envelope{}, err //nolint:wrapcheck // a refusal goes to the client as it is
	}
	body, err := httpkit.ReadBody(c.Response(), r, a.MaxBody)
	if err != nil {
		return envelope{}, err //nolint:wrapcheck // a refusal goes to the client as it is
	}
	return fromBody(body, typed, httpkit.DefaultJSON())
}
