package outboundtest

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/outbound"
)

// Signer is the contract of outbound.Signer. open returns signers that do not know each other's keys.
func Signer(t *testing.T, open func(t *testing.T) outbound.Signer) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	who := access.Principal{
		Client: "client-1", Company: "c1", Scopes: []access.Scope{access.Pay, access.Search},
		Environments: []company.Environment{company.Test, company.Live}, Expires: now.Add(time.Hour),
	}

	t.Run("a token names its principal", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		token, err := s.Sign(t.Context(), who, now)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // all but the first may come from a cache
			got, err := s.Verify(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			if got.TokenID == "" {
				t.Error("the token has no id")
			}
			want := who
			want.TokenID = got.TokenID
			got.Expires = got.Expires.UTC()
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
			got.Scopes[0] = access.Admin // a caller cannot change what the next one gets
		}
	})

	t.Run("every token has its own id", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		seen := map[string]bool{}
		for range 20 {
			token, err := s.Sign(t.Context(), who, now)
			if err != nil {
				t.Fatal(err)
			}
			p, err := s.Verify(t.Context(), token)
			if err != nil || seen[p.TokenID] {
				t.Fatalf("id %q again, %v", p.TokenID, err)
			}
			seen[p.TokenID] = true
		}
	})

	t.Run("an expired token is told apart", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		old := who
		old.Expires = now.Add(-time.Second)
		token, err := s.Sign(t.Context(), old, now.Add(-time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		wantFault(t, verified(s.Verify(t.Context(), token)), fault.Unauthenticated, "token_expired")
	})

	t.Run("a token of another signer is invalid", func(t *testing.T) {
		t.Parallel()
		token, err := open(t).Sign(t.Context(), who, now)
		if err != nil {
			t.Fatal(err)
		}
		wantFault(t, verified(open(t).Verify(t.Context(), token)), fault.Unauthenticated, "invalid_token")
	})

	t.Run("anything else is invalid", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		token, err := s.Sign(t.Context(), who, now)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(token, ".")
		for _, text := range []string{
			"", ".", "..", "a.b.c", parts[0] + "." + parts[1] + ".", parts[0] + "." + parts[1], token + ".", token + "A", " " + token,
			"." + parts[1] + "." + parts[2], parts[0] + ".." + parts[2], strings.Repeat("A", 1<<20), token[:len(token)-8],
		} {
			wantFault(t, verified(s.Verify(t.Context(), text)), fault.Unauthenticated, "invalid_token")
		}
		if _, err := s.Verify(t.Context(), token); err != nil {
			t.Error(err)
		}
	})

	t.Run("every changed character is seen", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		token, err := s.Sign(t.Context(), who, now)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(token); i += 7 {
			changed := []byte(token)
			changed[i] = 'A' + (changed[i]+1)%26
			if string(changed) == token {
				continue
			}
			wantFault(t, verified(s.Verify(t.Context(), string(changed))), fault.Unauthenticated, "invalid_token")
		}
	})

	t.Run("the published keys are public and name the key of a token", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		doc, err := s.Keys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var set struct {
			Keys []map[string]any `json:"keys"`
		}
		if err := json.Unmarshal(doc, &set); err != nil || len(set.Keys) == 0 {
			t.Fatalf("%s, %v", doc, err)
		}
		ids := map[any]bool{}
		for _, k := range set.Keys {
			ids[k["kid"]] = true
			for _, private := range []string{"d", "p", "q", "k"} {
				if _, ok := k[private]; ok {
					t.Errorf("the member %s is published", private)
				}
			}
		}
		token, err := s.Sign(t.Context(), who, now)
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(token, ".")
		raw, err := base64.RawURLEncoding.DecodeString(head)
		if err != nil {
			t.Fatal(err)
		}
		var header map[string]any
		if err := json.Unmarshal(raw, &header); err != nil {
			t.Fatal(err)
		}
		if !ids[header["kid"]] || header["typ"] != "at+jwt" {
			t.Errorf("header %s, keys %v", raw, ids)
		}
	})
}

func verified(_ access.Principal, err error) error { return err }
