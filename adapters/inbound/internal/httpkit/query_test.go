package httpkit_test

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/fault"
)

var searchParameters = []httpkit.Parameter{{Name: "type"}, {Name: "request", Lines: true}, {Name: "store_id"}, {Name: "is_test"}}

func TestParseQuery(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, raw     string
		want          map[string]string
		code, pointer string
	}{
		{name: "empty", raw: "", want: map[string]string{}},
		{
			name: "raw braces", raw: `type=X&request={"orderId":"1"}&store_id=0&is_test=FALSE`,
			want: map[string]string{"type": "X", "request": `{"orderId":"1"}`, "store_id": "0", "is_test": "FALSE"},
		},
		{name: "escaped", raw: "request=%7B%22a%22%3A%22%E6%96%87%22%7D", want: map[string]string{"request": `{"a":"文"}`}},
		{name: "plus is a blank", raw: "store_id=a+b", want: map[string]string{"store_id": "a b"}},
		{name: "present but empty", raw: "store_id=&is_test", want: map[string]string{"store_id": "", "is_test": ""}},
		{name: "empty pieces", raw: "&&type=X&", want: map[string]string{"type": "X"}},
		{name: "semicolon is a character", raw: "type=X;store_id=1", want: map[string]string{"type": "X;store_id=1"}},
		{name: "other case is another name", raw: "TYPE=X", want: map[string]string{}},
		{name: "unknown ones are ignored", raw: "utm=x&_=123&_=124&type=X", want: map[string]string{"type": "X"}},
		{name: "line ends in JSON", raw: "request=%7B%0D%0A%09%7D", want: map[string]string{"request": "{\r\n\t}"}},
		{name: "escaped twice stays escaped once", raw: "request=%257B", want: map[string]string{"request": "%7B"}},
		{name: "duplicate", raw: "type=X&type=X", code: "duplicate_parameter", pointer: "/type"},
		{name: "duplicate by escape", raw: "type=X&%74ype=X", code: "duplicate_parameter", pointer: "/type"},
		{name: "%zz", raw: "type=%zz", code: "invalid_query"},
		{name: "%", raw: "type=%", code: "invalid_query"},
		{name: "%u0041", raw: "type=%u0041", code: "invalid_query"},
		{name: "%zz in an unknown one", raw: "utm=%zz", code: "invalid_query"},
		{name: "%zz in a name", raw: "%zz=1", code: "invalid_query"},
		{name: "%ff", raw: "request=%ff", code: "invalid_utf8", pointer: "/request"},
		{name: "raw ff", raw: "request=\xff", code: "invalid_utf8", pointer: "/request"},
		{name: "%ff in a name", raw: "%ff=1", code: "invalid_utf8"},
		{name: "%00", raw: "store_id=%00", code: "control_character", pointer: "/store_id"},
		{name: "%00 in JSON", raw: "request=%00", code: "control_character", pointer: "/request"},
		{name: "line end in a text", raw: "type=X%0A", code: "control_character", pointer: "/type"},
		{name: "C1", raw: "type=X%C2%85", code: "control_character", pointer: "/type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := httpkit.ParseQuery(tt.raw, searchParameters...)
			if tt.code != "" {
				wantInvalid(t, err, tt.code, tt.pointer)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzParseQuery holds the query reader against net/url.
func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{
		`type=X&request={"orderId":"1"}&store_id=0&is_test=FALSE`, "a=%zz", "type=1&type=2", "type=%ff", "type=+", "a;b",
		"=", "&", "%74ype=1", "request=%0a%00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := httpkit.ParseQuery(raw, searchParameters...)
		want, urlErr := url.ParseQuery(strings.ReplaceAll(raw, ";", "%3B"))
		wrong := urlErr != nil
		for name, values := range want {
			known := name == "type" || name == "request" || name == "store_id" || name == "is_test"
			wrong = wrong || !utf8.ValidString(name)
			for _, v := range values {
				wrong = wrong || !utf8.ValidString(v) || known && strings.ContainsFunc(v, func(r rune) bool {
					return (r < 0x20 || r >= 0x7f && r < 0xa0) && (name != "request" || r != '\t' && r != '\n' && r != '\r')
				})
			}
			wrong = wrong || known && len(values) > 1
		}
		if wrong != (err != nil) {
			t.Fatalf("%q: got error %v, want one: %v", raw, err, wrong)
		}
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%q: kind %v", raw, fault.KindOf(err))
			}
			return
		}
		for name, v := range got {
			if len(want[name]) != 1 || want[name][0] != v {
				t.Fatalf("%q: %s is %q, want %q", raw, name, v, want[name])
			}
		}
	})
}
