package httpapi

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
)

type healthReply struct {
	Status string `json:"status"`
}

// healthz says that the process answers. It asks nobody, so that a slow database does not get us killed.
func (a *api) healthz(c echo.Context) error {
	httpkit.WriteJSON(c.Response(), http.StatusOK, healthReply{"ok"})
	return nil
}

// readyz says whether traffic should come here.
func (a *api) readyz(c echo.Context) error {
	if a.Ready != nil {
		if err := a.Ready(c.Request().Context()); err != nil {
			httpkit.Of(c.Request().Context()).Err = err
			return &httpkit.RefusalError{
				Status: http.StatusServiceUnavailable, Code: "not_ready", Message: "The platform is not ready; the log says why.",
				RetryAfter: time.Second,
			}
		}
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, healthReply{"ready"})
	return nil
}

// keys publishes the keys that access tokens are signed with.
func (a *api) keys(c echo.Context) error {
	set, err := a.Access.Keys(c.Request().Context())
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	c.Response().Header().Set("Cache-Control", "public, max-age=300")
	httpkit.WriteBytes(c.Response(), http.StatusOK, "application/json", set)
	return nil
}
