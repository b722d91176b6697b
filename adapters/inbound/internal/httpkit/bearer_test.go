package httpkit_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/inbound"
)

// tokens knows one good token and one that has expired.
type tokens struct{ inbound.Access }

func (tokens) Authenticate(_ context.Context, token string) (access.Principal, error) {
	switch token {
	case "good.token-1":
		return access.Principal{Client: "c", Scopes: []access.Scope{access.Pay}}, nil
	case "expired":
		return access.Principal{}, fault.New(fault.Unauthenticated, "token_expired", "expired yesterday, signed with key 7")
	case "suspended":
		return access.Principal{}, fault.New(fault.Forbidden, "company_suspended", "The company is suspended.")
	case "down":
		return access.Principal{}, fault.New(fault.Unavailable, "keys_unavailable", "No keys.")
	}
	return access.Principal{}, fault.New(fault.Unauthenticated, "invalid_token", "kid not found")
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		headers []string
		target  string
		status  int
		code    string
	}{
		{"good", []string{"Bearer good.token-1"}, "/x", 200, ""},
		{"scheme in odd case", []string{"bEARER good.token-1"}, "/x", 200, ""},
		// Fourteen forged or broken headers.
		{"none", nil, "/x", 401, "invalid_token"},
		{"two headers", []string{"Bearer good.token-1", "Bearer good.token-1"}, "/x", 401, "invalid_token"},
		{"empty", []string{""}, "/x", 401, "invalid_token"},
		{"scheme only", []string{"Bearer"}, "/x", 401, "invalid_token"},
		{"scheme and blank", []string{"Bearer "}, "/x", 401, "invalid_token"},
		{"two blanks", []string{"Bearer  good.token-1"}, "/x", 401, "invalid_token"},
		{"tab", []string{"Bearer\tgood.token-1"}, "/x", 401, "invalid_token"},
		{"basic", []string{"Basic Z29vZC50b2tlbi0x"}, "/x", 401, "invalid_token"},
		{"no scheme", []string{"good.token-1"}, "/x", 401, "invalid_token"},
		{"trailing junk", []string{"Bearer good.token-1 x"}, "/x", 401, "invalid_token"},
		{"folded", []string{"Bearer good. token-1"}, "/x", 401, "invalid_token"},
		{"two in one", []string{"Bearer good.token-1, Bearer good.token-1"}, "/x", 401, "invalid_token"},
		{"other letters", []string{"Bearer good.tokén-1"}, "/x", 401, "invalid_token"},
		{"very long", []string{"Bearer " + strings.Repeat("a", 8193)}, "/x", 401, "invalid_token"},
		// What the core says.
		{"unknown", []string{"Bearer unknown"}, "/x", 401, "invalid_token"},
		{"expired", []string{"Bearer expired"}, "/x", 401, "invalid_token"},
		{"suspended", []string{"Bearer suspended"}, "/x", 403, "company_suspended"},
		{"down", []string{"Bearer down"}, "/x", 503, "keys_unavailable"},
		{"also in the query", []string{"Bearer good.token-1"}, "/x?a=1&access_token=good.token-1", 400, "token_in_url"},
		{"also in the query, escaped", []string{"Bearer good.token-1"}, "/x?acc%65ss_token=1", 400, "token_in_url"},
		{"also in the query, odd case", []string{"Bearer good.token-1"}, "/x?ACCESS_TOKEN", 400, "token_in_url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := get(tt.target)
			for _, h := range tt.headers {
				r.Header.Add("Authorization", h)
			}
			res := serve(t, httpkit.Shell{}, r, func(w http.ResponseWriter, r *http.Request) {
				if _, err := httpkit.Authenticate(r, tokens{}); err != nil {
					httpkit.WriteError(w, r, err)
				}
			})
			text := res.Body.String()
			if res.Code != tt.status || tt.code != "" && !strings.Contains(text, `"code":"`+tt.code+`"`) {
				t.Fatalf("got %d %s, want %d %s", res.Code, text, tt.status, tt.code)
			}
			if strings.Contains(text, "good.token") || strings.Contains(text, "kid") || strings.Contains(text, "key 7") {
				t.Errorf("the reply says too much: %s", text)
			}
			challenge := res.Header().Get("WWW-Authenticate")
			if tt.status == 401 && !strings.Contains(challenge, `error="invalid_token"`) || tt.status != 401 && challenge != "" {
				t.Errorf("WWW-Authenticate: %q", challenge)
			}
			if (tt.name == "expired") != strings.Contains(text, "expired") {
				t.Errorf("only expiry may be named: %s", text)
			}
		})
	}
}

func TestRequire(t *testing.T) {
	t.Parallel()
	res := serve(t, httpkit.Shell{}, get("/x"), func(w http.ResponseWriter, r *http.Request) {
		if err := httpkit.Require(access.Principal{Scopes: []access.Scope{access.Pay}}, access.Pay); err != nil {
			t.Error(err)
		}
		httpkit.WriteError(w, r, httpkit.Require(access.Principal{Scopes: []access.Scope{access.Pay}}, access.Refund))
	})
	if got := res.Header().Get("WWW-Authenticate"); res.Code != http.StatusForbidden || !strings.Contains(got, `error="insufficient_scope", scope="refund"`) {
		t.Errorf("got %d %q", res.Code, got)
	}
	if text := res.Body.String(); !strings.Contains(text, `"code":"insufficient_scope"`) {
		t.Error(text)
	}
}
