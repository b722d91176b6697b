package httpkit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/fault"
)

func TestParseObject(t *testing.T) {
	t.Parallel()
	type member struct{ Name, Value string }
	tests := []struct {
		name, text string
		want       []member
		code       string
	}{
		{name: "empty object", text: ` {} `},
		{
			name: "raw tokens are kept", text: "\t{\"b\": 2019049910005496810 ,\"a\":{ \"x\" : 1.50 },\"\\u0063\":\"\\u6587\"}\r\n",
			want: []member{{"b", "2019049910005496810"}, {"a", `{ "x" : 1.50 }`}, {"c", `"\u6587"`}},
		},
		{name: "surrogate pair", text: `{"a":"\ud83d\ude00"}`, want: []member{{"a", `"\ud83d\ude00"`}}},
		{name: "nul is a matter of columns", text: `{"a":"\u0000"}`, want: []member{{"a", `"\u0000"`}}},
		{name: "nothing", text: "", code: "malformed_json"},
		{name: "white space", text: " \r\n\t", code: "malformed_json"},
		{name: "null", text: "null", code: "invalid_type"},
		{name: "array", text: "[]", code: "invalid_type"},
		{name: "text", text: `""`, code: "invalid_type"},
		{name: "number", text: "0", code: "invalid_type"},
		{name: "true", text: "true", code: "invalid_type"},
		{name: "array and more", text: "[] []", code: "malformed_json"},
		{name: "byte order mark", text: "\xef\xbb\xbf{}", code: "malformed_json"},
		{name: "UTF-16", text: "\xff\xfe{\x00}\x00", code: "invalid_utf8"},
		{name: "trailing comma", text: `{"a":1,}`, code: "malformed_json"},
		{name: "comment", text: `{/* */}`, code: "malformed_json"},
		{name: "single quotes", text: `{'a':1}`, code: "malformed_json"},
		{name: "NaN", text: `{"a":NaN}`, code: "malformed_json"},
		{name: "Infinity", text: `{"a":Infinity}`, code: "malformed_json"},
		{name: "hexadecimal", text: `{"a":0x10}`, code: "malformed_json"},
		{name: "underscore", text: `{"a":1_000}`, code: "malformed_json"},
		{name: "plus", text: `{"a":+1}`, code: "malformed_json"},
		{name: "leading zero", text: `{"a":01}`, code: "malformed_json"},
		{name: "cut", text: `{"a":"1"`, code: "malformed_json"},
		{name: "raw control", text: "{\"a\":\"\x01\"}", code: "malformed_json"},
		{name: "trailing data", text: `{} x`, code: "malformed_json"},
		{name: "second object", text: `{}{}`, code: "malformed_json"},
		{name: "duplicate", text: `{"amount":1,"amount":999}`, code: "duplicate_member"},
		{name: "duplicate by escape", text: `{"amount":1,"\u0061mount":999}`, code: "duplicate_member"},
		{name: "duplicate inside", text: `{"r":{"a":1,"a":2}}`, code: "duplicate_member"},
		{name: "invalid byte", text: "{\"a\":\"\xff\"}", code: "invalid_utf8"},
		{name: "encoded surrogate", text: "{\"a\":\"\xed\xa0\x80\"}", code: "invalid_utf8"},
		{name: "overlong", text: "{\"a\":\"\xc0\xaf\"}", code: "invalid_utf8"},
		{name: "invalid byte in a name", text: "{\"\xff\":1}", code: "invalid_utf8"},
		{name: "lone high surrogate", text: `{"a":"\ud800"}`, code: "invalid_utf8"},
		{name: "lone low surrogate", text: `{"a":"\udc00"}`, code: "invalid_utf8"},
		{name: "depth 8", text: strings.Repeat(`{"a":`, 7) + "{}" + strings.Repeat("}", 7), want: []member{{"a", strings.Repeat(`{"a":`, 6) + "{}" + strings.Repeat("}", 6)}}},
		{name: "depth 9", text: strings.Repeat(`{"a":`, 8) + "{}" + strings.Repeat("}", 8), code: "too_deep"},
		{name: "depth 9 of arrays inside", text: `{"a":` + strings.Repeat("[", 8) + strings.Repeat("]", 8) + "}", code: "too_deep"},
		{name: "many brackets", text: strings.Repeat("[", 60000), code: "too_deep"},
		{name: "many braces", text: strings.Repeat(`{"":`, 15000), code: "too_deep"},
		{name: "long text", text: `{"a":"` + strings.Repeat("x", 16001) + `"}`, code: "too_long"},
		{name: "long text by escapes", text: `{"a":"` + strings.Repeat(`\u6587`, 5334) + `"}`, code: "too_long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			members, err := httpkit.ParseObject([]byte(tt.text), httpkit.DefaultJSON(), "/at")
			if tt.code != "" {
				wantInvalid(t, err, tt.code, "/at")
				return
			}
			if err != nil {
				t.Fatalf("ParseObject: %v", err)
			}
			var got []member
			for _, m := range members {
				got = append(got, member{m.Name, string(m.Value)})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func wantInvalid(t *testing.T, err error, code, pointer string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a fault", err)
	}
	if f.Kind != fault.Invalid || f.Code != code {
		t.Fatalf("got kind %v code %s, want Invalid %s", f.Kind, f.Code, code)
	}
	if len(f.Fields) != 1 || f.Fields[0].Pointer != pointer || f.Fields[0].Code != code {
		t.Errorf("got fields %+v, want one at %q", f.Fields, pointer)
	}
}

func TestParseObjectMembers(t *testing.T) {
	t.Parallel()
	object := func(n int) []byte {
		m := make(map[string]int, n)
		for i := range n {
			m[strings.Repeat("m", i+1)] = i
		}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if _, err := httpkit.ParseObject(object(100), httpkit.DefaultJSON(), ""); err != nil {
		t.Errorf("100 members: %v", err)
	}
	_, err := httpkit.ParseObject(object(101), httpkit.DefaultJSON(), "")
	wantInvalid(t, err, "too_many_members", "")
}

// FuzzParseObject holds the strict reader against a second opinion: what it accepts is strict JSON in the
// eyes of jsontext and JSON in the eyes of the standard library, with the same members; what it refuses for
// its form is refused by jsontext too.
func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1,"\u0061":2}`, `{"a":"\ud800"}`, `[[[]]]`, `{"a":{"b":[1,2,{"c":null}]}}`, "{\"a\":\"\xff\"}",
		"\xef\xbb\xbf{}", `{"type":"X","request":{"amount":2019049910005496810}}`, `{} {}`, `{"a":1e400}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		members, err := httpkit.ParseObject(text, httpkit.DefaultJSON(), "")
		strict := jsontext.Value(text).IsValid()
		if err == nil {
			second(t, text, members, strict)
			return
		}
		switch code := fault.CodeOf(err); code {
		case "too_deep", "too_many_members", "too_long", "invalid_type":
		case "malformed_json", "duplicate_member", "invalid_utf8":
			if strict {
				t.Errorf("refused with %s: %q", code, text)
			}
		default:
			t.Errorf("code %q", code)
		}
	})
}

func second(t *testing.T, text []byte, members []httpkit.Member, strict bool) {
	t.Helper()
	if !strict || !utf8.Valid(text) {
		t.Fatalf("accepted what is not strict JSON: %q", text)
	}
	var std map[string]json.RawMessage
	if err := json.Unmarshal(text, &std); err != nil {
		t.Fatalf("accepted what the standard library refuses: %q: %v", text, err)
	}
	if len(std) != len(members) {
		t.Fatalf("%d members, want %d: %q", len(members), len(std), text)
	}
	for _, m := range members {
		want, ok := std[m.Name]
		if !ok || !bytes.Equal(bytes.TrimSpace(want), m.Value) {
			t.Fatalf("member %q: got %q, want %q", m.Name, m.Value, want)
		}
	}
	if d := depth(text); d > httpkit.DefaultJSON().Depth {
		t.Fatalf("accepted depth %d: %q", d, text)
	}
}

// depth counts brackets outside of texts.
func depth(text []byte) int {
	n, most, inside := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '{' || c == '[':
			n++
			most = max(most, n)
		case c == '}' || c == ']':
			n--
		}
	}
	return most
}
