package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
)

// principalHandler handles a request of a known client.
type principalHandler func(c echo.Context, p access.Principal) error

// authorized puts the token, the scope and the client's rate before a handler.
func (a *api) authorized(scope access.Scope, h principalHandler) echo.HandlerFunc {
	return func(c echo.Context) error {
		p, err := a.admit(c, scope)
		if err != nil {
			return err
		}
		return h(c, p)
	}
}

func (a *api) admit(c echo.Context, scope access.Scope) (access.Principal, error) {
	r := c.Request()
	if err := a.tokenInForm(c); err != nil {
		return access.Principal{}, err
	}
	p, err := httpkit.Authenticate(r, a.Access)
	if err != nil {
		return access.Principal{}, err //nolint:wrapcheck // a refusal goes to the client as it is
	}
	if err := httpkit.Require(p, scope); err != nil {
		return access.Principal{}, err //nolint:wrapcheck // a refusal goes to the client as it is
	}
	if wait, ok := a.clients.Take(p.Client); !ok {
		return access.Principal{}, &httpkit.RefusalError{
			Status: http.StatusTooManyRequests, Code: "rate_limited", RetryAfter: wait,
			Message: "This client sends too many requests; slow down.",
		}
	}
	return p, nil
}

// tokenInForm looks into a form body for a token. Forms are refused anyway, but a client that sends its
// token there must hear that, and that the token is burnt.
func (a *api) tokenInForm(c echo.Context) error {
	r := c.Request()
	if !httpkit.IsForm(r) {
		return nil
	}
	body, err := httpkit.ReadBody(c.Response(), r, a.MaxBody)
	if err != nil {
		return err //nolint:wrapcheck // a refusal goes to the client as it is
	}
	return httpkit.TokenInForm(string(body)) //nolint:wrapcheck // a refusal goes to the client as it is
}
