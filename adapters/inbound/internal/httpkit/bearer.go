package httpkit

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/inbound"
)

// maxToken bounds a bearer token, in bytes.
const maxToken = 8192

// Authenticate reads the token of a request and notes whose it is. It fails with problems of 400, 401 and
// 403 that do not say what was wrong with a token, expiry excepted.
func Authenticate(r *http.Request, tokens inbound.Access) (access.Principal, error) {
	x := Of(r.Context())
	if names(x.Query(), "access_token") {
		return access.Principal{}, errTokenInURL
	}
	token, ok := bearer(r.Header)
	if !ok {
		return access.Principal{}, unauthorized("Send exactly one header: Authorization: Bearer with an access token.")
	}
	p, err := tokens.Authenticate(r.Context(), token)
	if err != nil {
		if fault.KindOf(err) != fault.Unauthenticated {
			return access.Principal{}, err //nolint:wrapcheck // a fault of the core keeps its kind
		}
		if fault.CodeOf(err) == "token_expired" {
			return access.Principal{}, unauthorized("The access token expired; ask for a new one.")
		}
		return access.Principal{}, unauthorized("The access token is not valid.")
	}
	x.Principal = p
	return p, nil
}

// Require fails with 403 if the principal lacks the scope.
func Require(p access.Principal, s access.Scope) error {
	if p.May(s) {
		return nil
	}
	return &RefusalError{
		Status: http.StatusForbidden, Code: "insufficient_scope",
		Message: "The access token lacks the scope " + string(s) + ".",
		Header: http.Header{
			"Www-Authenticate": {`Bearer realm="payrack", error="insufficient_scope", scope="` + string(s) + `"`},
		},
	}
}

var errTokenInURL = &RefusalError{
	Status: http.StatusBadRequest, Code: "token_in_url",
	// Tokens are not recalled: they live an hour.
	Message: "An access token was sent outside the Authorization header, where logs see it. It stays good until it expires: " +
		"take it out of the logs, and send the next one in the header.",
}

// TokenInForm refuses a form body that carries an access token.
func TokenInForm(body string) error {
	if names(body, "access_token") {
		return errTokenInURL
	}
	return nil
}

func unauthorized(message string) error {
	return &RefusalError{
		Status: http.StatusUnauthorized, Code: "invalid_token", Message: message, Header: challenge(message),
	}
}

func challenge(description string) http.Header {
	value := `Bearer realm="payrack", error="invalid_token"`
	if strings.HasPrefix(description, "The access token expired") {
		value += `, error_description="expired"`
	}
	return http.Header{"Www-Authenticate": {value}}
}

// bearer reads exactly one header of the form "Bearer b64token" (RFC 6750 section 2.1).
func bearer(h http.Header) (token string, ok bool) {
	all := h["Authorization"]
	if len(all) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(all[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || len(scheme) != len("Bearer") || token == "" || len(token) > maxToken {
		return "", false
	}
	body := strings.TrimRight(token, "=")
	if body == "" {
		return "", false
	}
	for _, c := range []byte(body) {
		if !pathByte(c) && c != '+' && c != '/' {
			return "", false
		}
	}
	return token, true
}

// names reports whether a query or form, well formed or not, has a parameter of this name.
func names(raw, name string) bool {
	for part := range strings.SplitSeq(raw, "&") {
		key, _, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(key); err == nil && strings.EqualFold(plain, name) {
			return true
		}
	}
	return false
}
