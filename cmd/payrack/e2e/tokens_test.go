package e2e_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// tokensOf lists the raw tokens of a JSON text: a number is the digits that were written, so that a 19-digit id
// or a trailing zero cannot hide behind a number type.
func tokensOf(t *testing.T, raw []byte) []string {
	t.Helper()
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	var all []string
	for {
		v, err := d.ReadToken()
		if err != nil {
			if d.InputOffset() > 0 && len(bytes.TrimSpace(raw[d.InputOffset():])) == 0 {
				return all
			}
			t.Fatalf("%v in %s", err, raw)
		}
		all = append(all, fmt.Sprintf("%c %s", v.Kind(), v.String()))
	}
}

// membersOf lists the top-level members of an object with the raw tokens of their values.
func membersOf(t *testing.T, raw []byte) map[string][]string {
	t.Helper()
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	if _, err := d.ReadToken(); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	all := map[string][]string{}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		key := name.String()
		value, err := d.ReadValue()
		if err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		all[key] = tokensOf(t, bytes.Clone(value))
	}
	return all
}
