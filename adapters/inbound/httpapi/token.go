package httpapi

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/inbound"
)

// tokenReply is RFC 6749 section 5.1.
type tokenReply struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope"`
}

// tokenError is RFC 6749 section 5.2.
type tokenError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	RequestID   string `json:"request_id"`

	status int
}

func badRequest(code, description string) *tokenError {
	return &tokenError{Error: code, Description: description, status: http.StatusBadRequest}
}

// token issues an access token for client credentials (RFC 6749 section 4.4). Its errors have OAuth's shape,
// because OAuth libraries read them.
func (a *api) token(c echo.Context) error {
	r, w := c.Request(), c.Response()
	w.Header().Set("Pragma", "no-cache")
	request, problem, err := a.tokenRequest(c)
	if err != nil {
		return err
	}
	if problem != nil {
		a.tokenProblem(c, *problem)
		return nil
	}
	source := httpkit.Of(r.Context()).Source(r)
	tries, any := request.ClientID+" "+source, source
	// Attempts are counted when they end, and a secret takes long to check: those that come at the same time wait here, so
	// that each of them meets the limit as the ones before it left it.
	select {
	case a.attempts <- struct{}{}:
		defer func() { <-a.attempts }()
	case <-r.Context().Done():
	}
	if err := r.Context().Err(); err != nil {
		return err //nolint:wrapcheck // it says that the client went away
	}
	for _, b := range []struct {
		buckets *httpkit.Buckets
		key     string
	}{{a.failures, tries}, {a.sources, any}} {
		if wait, ok := b.buckets.Peek(b.key); !ok {
			httpkit.SetRetryAfter(w.Header(), wait)
			a.tokenProblem(c, tokenError{
				Error: "temporarily_unavailable", Description: "Too many failed attempts; wait.",
				status: http.StatusTooManyRequests,
			})
			return nil
		}
	}
	t, err := a.Access.Token(r.Context(), request)
	if err != nil {
		if fault.KindOf(err) == fault.Unauthenticated {
			a.failures.Take(tries)
			a.sources.Take(any)
		}
		a.tokenProblem(c, a.tokenFault(c, err))
		return nil
	}
	scopes := make([]string, len(t.Scopes))
	for i, s := range t.Scopes {
		scopes[i] = string(s)
	}
	httpkit.Of(r.Context()).Principal = access.Principal{Client: request.ClientID}
	httpkit.WriteJSON(w, http.StatusOK, tokenReply{
		AccessToken: t.AccessToken, TokenType: "Bearer", ExpiresIn: int64(t.ExpiresIn.Seconds()),
		Scope: strings.Join(scopes, " "),
	})
	return nil
}

// tokenFault turns a fault of the core into OAuth's words.
func (a *api) tokenFault(c echo.Context, err error) tokenError {
	switch fault.KindOf(err) {
	case fault.Unauthenticated:
		return *invalidClient()
	case fault.Invalid, fault.Unsupported:
		code := "invalid_request"
		if fault.CodeOf(err) == "invalid_scope" {
			code = "invalid_scope"
		}
		return *badRequest(code, httpkit.From(err).Detail)
	case fault.Forbidden:
		return *badRequest("unauthorized_client", httpkit.From(err).Detail)
	case fault.Unavailable, fault.Limited:
		p := httpkit.From(err)
		httpkit.SetRetryAfter(c.Response().Header(), p.RetryAfter)
		return tokenError{Error: "temporarily_unavailable", Description: p.Detail, status: p.Status}
	case fault.Internal, fault.NotFound, fault.Conflict, fault.Mismatch, fault.Unknown, fault.BadAnswer:
	}
	httpkit.Of(c.Request().Context()).Err = err
	return tokenError{
		Error: "server_error", Description: "Something broke on our side.", status: http.StatusInternalServerError,
	}
}

func (a *api) tokenProblem(c echo.Context, e tokenError) {
	x := httpkit.Of(c.Request().Context())
	e.RequestID, x.Code = x.RequestID, e.Error
	if e.status == http.StatusUnauthorized {
		c.Response().Header().Set("WWW-Authenticate", `Basic realm="payrack", charset="UTF-8"`)
	}
	httpkit.WriteJSON(c.Response(), e.status, e)
}

func invalidClient() *tokenError {
	return &tokenError{
		Error: "invalid_client", Description: "The client is not known, or its secret is wrong.",
		status: http.StatusUnauthorized,
	}
}

// tokenRequest reads the form. err is a refusal of HTTP itself.
func (a *api) tokenRequest(c echo.Context) (inbound.TokenRequest, *tokenError, error) {
	r := c.Request()
	if q := httpkit.Of(r.Context()).Query(); q != "" {
		return inbound.TokenRequest{}, badRequest("invalid_request", "Send the parameters in the body: a URL ends up in logs."), nil
	}
	if httpkit.FormMedia(r) != nil {
		return inbound.TokenRequest{}, badRequest("invalid_request", "Send the parameters as application/x-www-form-urlencoded."), nil //nolint:nilerr // OAuth has its own shape of errors
	}
	body, err := httpkit.ReadBody(c.Response(), r, a.MaxBody)
	if err != nil {
		return inbound.TokenRequest{}, nil, err //nolint:wrapcheck // a refusal goes to the client as it is
	}
	form, err := httpkit.ParseQuery(string(body), httpkit.Parameter{Name: "grant_type"},
		httpkit.Parameter{Name: "client_id"}, httpkit.Parameter{Name: "client_secret"}, httpkit.Parameter{Name: "scope"})
	if err != nil {
		return inbound.TokenRequest{}, badRequest("invalid_request", "The form is not well formed, or a parameter stands twice."), nil //nolint:nilerr // OAuth has its own shape of errors
	}
	switch form["grant_type"] {
	case "client_credentials":
	case "":
		return inbound.TokenRequest{}, badRequest("invalid_request", "grant_type is missing."), nil
	default:
		return inbound.TokenRequest{}, badRequest("unsupported_grant_type", "Only client_credentials is offered."), nil
	}
	request, problem := credentials(r.Header["Authorization"], form)
	request.Scope = form["scope"]
	return request, problem, nil
}

// credentials come in the form or by HTTP Basic, never both (RFC 6749 section 2.3).
func credentials(headers []string, form map[string]string) (inbound.TokenRequest, *tokenError) {
	id, secret := form["client_id"], form["client_secret"]
	if len(headers) == 0 {
		if id == "" || secret == "" {
			return inbound.TokenRequest{}, invalidClient()
		}
		return inbound.TokenRequest{ClientID: id, ClientSecret: secret}, nil
	}
	basicID, basicSecret, ok := basic(headers)
	if !ok {
		return inbound.TokenRequest{}, invalidClient()
	}
	if _, twice := form["client_secret"]; twice || (id != "" && id != basicID) {
		return inbound.TokenRequest{}, badRequest("invalid_request", "Send the client's credentials once: in the form or by HTTP Basic.")
	}
	return inbound.TokenRequest{ClientID: basicID, ClientSecret: basicSecret}, nil
}

func basic(headers []string) (id, secret string, ok bool) {
	if len(headers) != 1 {
		return "", "", false
	}
	scheme, encoded, _ := strings.Cut(headers[0], " ")
	if lower(scheme) != "basic" {
		return "", "", false
	}
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", "", false
	}
	id, secret, ok = strings.Cut(string(decoded), ":")
	if !ok || id == "" || secret == "" {
		return "", "", false
	}
	// Both parts are form-encoded inside Basic (RFC 6749 section 2.3.1).
	if id, err = url.QueryUnescape(id); err != nil {
		return "", "", false
	}
	if secret, err = url.QueryUnescape(secret); err != nil {
		return "", "", false
	}
	return id, secret, true
}
