package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
)

type healthReply struct {
	Status string `json:"status"`
	// Limited names what does not work although traffic may come here.
	Limited []string `json:"limited,omitempty"`
}

// NotReadyError says what keeps the platform from taking traffic, or what does not work although it does. It is
// what Options.Ready returns for more than "not ready".
type NotReadyError struct {
	// Serving is true if traffic may come here all the same.
	Serving bool
	// Causes are sentences for everybody: no address, no path, no secret.
	Causes []string
	// Err is for the log.
	Err error
}

// Error lists the causes.
func (e *NotReadyError) Error() string {
	text := strings.Join(e.Causes, "; ")
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns what is for the log.
func (e *NotReadyError) Unwrap() error { return e.Err }

// healthz says that the process answers. It asks nobody, so that a slow database does not get us killed.
func (a *api) healthz(c echo.Context) error {
	httpkit.WriteJSON(c.Response(), http.StatusOK, healthReply{Status: "ok"})
	return nil
}

// readyz says whether traffic should come here.
func (a *api) readyz(c echo.Context) error {
	ready := healthReply{Status: "ready"}
	if a.Ready == nil {
		httpkit.WriteJSON(c.Response(), http.StatusOK, ready)
		return nil
	}
	err := a.Ready(c.Request().Context())
	why, known := errors.AsType[*NotReadyError](err)
	switch {
	case err == nil:
	case known && why.Serving:
		ready.Limited = why.Causes
	default:
		httpkit.Of(c.Request().Context()).Err = err
		message := "The platform is not ready; the log says why."
		if known {
			message = "The platform is not ready: " + strings.Join(why.Causes, "; ") + "."
		}
		return &httpkit.RefusalError{
			Status: http.StatusServiceUnavailable, Code: "not_ready", Message: message, RetryAfter: time.Second,
		}
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, ready)
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
