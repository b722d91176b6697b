package httpkit

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/payrack/payrack/core/fault"
)

// Parameter is one query parameter that a route knows.
type Parameter struct {
	Name string
	// Lines allows tab and line ends, for JSON text.
	Lines bool
}

// ParseQuery reads a query. The routes' own parameters may stand once; others are ignored, as links collect
// them on their way, but their escapes must be right too. A value is present in the result if it was sent,
// even if empty. No name or value of the query gets into an error.
func ParseQuery(raw string, known ...Parameter) (map[string]string, error) {
	values := make(map[string]string, len(known))
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(key)
		if err != nil {
			return nil, queryFault("", "invalid_query", "The query has a wrong percent escape.")
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, queryFault("", "invalid_query", "The query has a wrong percent escape.")
		}
		i := slices.IndexFunc(known, func(p Parameter) bool { return p.Name == name })
		pointer := ""
		if i >= 0 {
			pointer = "/" + name
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, queryFault(pointer, "invalid_utf8", "The query is not valid UTF-8.")
		}
		if i < 0 {
			continue
		}
		if controls(value, known[i].Lines) {
			return nil, queryFault(pointer, "control_character", "A parameter has a control character.")
		}
		if _, twice := values[name]; twice {
			return nil, queryFault(pointer, "duplicate_parameter", "A parameter stands twice in the query.")
		}
		values[name] = value
	}
	return values, nil
}

func controls(s string, lines bool) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		if lines && (r == '\t' || r == '\n' || r == '\r') {
			return false
		}
		return r < 0x20 || (r >= 0x7f && r <= 0x9f)
	})
}

func queryFault(at, code, message string) error {
	f := fault.New(fault.Invalid, code, message)
	f.Fields = []fault.Field{{Pointer: at, Code: code, Detail: message}}
	return f
}
