package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// script is a person who types lines.
type script struct {
	types []string
	// saw is what was shown, secret counts the answers that were typed without echo.
	saw    []string
	secret int
}

var errScriptEnded = errors.New("the script has no more lines")

func (s *script) tell(line string) { s.saw = append(s.saw, line) }

func (s *script) answer(_ context.Context, secret bool) (string, error) {
	if len(s.types) == 0 {
		return "", errScriptEnded
	}
	if secret {
		s.secret++
	}
	line := s.types[0]
	s.types = s.types[1:]
	return line, nil
}

const askedSchema = `{
	"title": "Acme credential set", "type": "object", "additionalProperties": false, "required": ["secret", "account"],
	"properties": {
		"mode": {"type": "string", "enum": ["a", "b"], "default": "a", "x-payrack-role": "wire"},
		"account": {"type": "string", "pattern": "^[0-9]{4}$", "description": "Four digits.", "x-payrack-role": "account", "x-payrack-alias": ["acct"]},
		"secret": {"type": "string", "minLength": 4, "x-payrack-secret": true},
		"pem": {"type": "string", "x-payrack-text": true},
		"limit": {"type": "integer", "minimum": 1},
		"strict": {"type": "boolean"}
	}
}`

func TestCredentialIsAskedFor(t *testing.T) {
	t.Parallel()
	pem := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(pem, []byte("-----BEGIN-----\nline\n-----END-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		args   []string
		types  []string
		want   string
		secret int
		saw    []string
		err    string
	}{
		{
			name:  "everything, with mistakes on the way",
			types: []string{"abc", "@@@@", "12", "1234", "c", "b", "@/nowhere", "@" + pem, "0", "many", "7", "perhaps", "yes"},
			want:  `{"account":"1234","limit":7,"mode":"b","pem":"-----BEGIN-----\nline\n-----END-----","secret":"@@@@","strict":true}`, secret: 2,
			saw: []string{
				"Acme credential set (ACME_PAY, acme 1.0.0)", "account: Four digits.", "mode [one of a, b; default a]", "secret [secret: what you type is not shown]",
				"pem [@FILE takes what a file holds; optional]", "strict [true or false; optional]", "limit is a number", "strict is true or false",
			},
		},
		{name: "the least", types: []string{"", "abcd", "", "1234", "", "", "", ""}, want: `{"account":"1234","secret":"abcd"}`, secret: 2, saw: []string{"secret is required", "account is required"}},
		{name: "some were given, by another spelling too", args: []string{"acct=1234"}, types: []string{"abcd"}, want: `{"account":"1234","secret":"abcd"}`, secret: 1},
		{name: "a mistake among what was given", args: []string{"account=12", "limit=0"}, types: []string{"abcd"}, secret: 1, err: "account: "},
		{name: "the person leaves", types: []string{"abcd"}, secret: 1, err: errScriptEnded.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q, err := newQuestions(paymentType{Type: "ACME_PAY", Provider: "acme", Version: "1.0.0", CredentialSchema: json.RawMessage(askedSchema)})
			if err != nil {
				t.Fatal(err)
			}
			if err := q.given(strings.NewReader(""), "", c.args, true); err != nil {
				t.Fatal(err)
			}
			person := &script{types: slices.Clone(c.types)}
			err = q.ask(t.Context(), person, len(c.args) == 0)
			var set json.RawMessage
			if err == nil {
				set, err = q.checked()
			}
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || string(set) != c.want || len(person.types) != 0 || person.secret != c.secret {
				t.Errorf("got %s, %v, %d secrets, %q not typed\nwant %s, %d secrets", set, err, person.secret, person.types, c.want, c.secret)
			}
			all := strings.Join(person.saw, "\n")
			for _, want := range c.saw {
				if !strings.Contains(all, want) {
					t.Errorf("the person did not see %q:\n%s", want, all)
				}
			}
		})
	}
}
