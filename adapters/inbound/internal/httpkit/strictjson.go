package httpkit

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/core/fault"
)

// JSONLimits bounds a JSON text.
type JSONLimits struct {
	// Depth of objects and arrays inside each other, the outermost counted.
	Depth int
	// Members of one object.
	Members int
	// Text is the longest string, in bytes of UTF-8: four for each of 4,000 characters.
	Text int
}

// DefaultJSON is what a request body may be.
func DefaultJSON() JSONLimits { return JSONLimits{Depth: 8, Members: 100, Text: 16000} }

// Member is one member of an object. Value holds the bytes as they were sent.
type Member struct {
	Name  string
	Value jsontext.Value
}

// ParseObject reads one JSON object and nothing else. Unlike encoding/json it refuses duplicate members,
// also when one is spelt with escapes, invalid UTF-8, lone surrogates, a byte order mark, and anything behind
// the object. at is the JSON pointer of the object, for the problem. No name or value of the text gets into
// an error.
func ParseObject(text []byte, l JSONLimits, at string) ([]Member, error) {
	if len(bytes.TrimLeft(text, " \t\r\n")) == 0 {
		return nil, jsonFault(at, "malformed_json", "The JSON text is empty.")
	}
	if err := check(text, l, at); err != nil {
		return nil, err
	}
	d := jsontext.NewDecoder(bytes.NewReader(text))
	if _, err := d.ReadToken(); err != nil {
		return nil, syntax(text, at, err)
	}
	var members []Member
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, syntax(text, at, err)
		}
		m := Member{Name: name.String()}
		value, err := d.ReadValue()
		if err != nil {
			return nil, syntax(text, at, err)
		}
		m.Value = value.Clone()
		members = append(members, m)
	}
	return members, nil
}

// check walks the tokens once, so that a deep or crowded text is refused where it becomes so.
func check(text []byte, l JSONLimits, at string) error {
	d := jsontext.NewDecoder(bytes.NewReader(text))
	if k := d.PeekKind(); k != '{' && k != 0 {
		if k == '[' && depthOf(text) > l.Depth {
			return jsonFault(at, "too_deep", "The JSON text nests too deep.")
		}
		// Whether the text is JSON at all comes before what it is.
		if err := d.SkipValue(); err != nil {
			return syntax(text, at, err)
		}
		if err := behind(d, text, at); err != nil {
			return err
		}
		return jsonFault(at, "invalid_type", "This must be a JSON object.")
	}
	for {
		token, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			if d.StackDepth() == 0 && d.InputOffset() > 0 {
				return nil
			}
			return jsonFault(at, "malformed_json", "The JSON text ends too early.")
		}
		if err != nil {
			return syntax(text, at, err)
		}
		if d.StackDepth() > l.Depth {
			return jsonFault(at, "too_deep", "The JSON text nests too deep.")
		}
		kind, length := d.StackIndex(d.StackDepth())
		if kind == '{' && length > 2*int64(l.Members) {
			return jsonFault(at, "too_many_members", "An object of the JSON text has too many members.")
		}
		if token.Kind() == '"' && len(token.String()) > l.Text {
			return jsonFault(at, "too_long", "A text is too long.")
		}
		if d.StackDepth() == 0 && (token.Kind() == '}') {
			return behind(d, text, at)
		}
	}
}

// behind refuses anything after the object.
func behind(d *jsontext.Decoder, text []byte, at string) error {
	if len(bytes.TrimLeft(text[d.InputOffset():], " \t\r\n")) > 0 {
		return jsonFault(at, "malformed_json", "There is something behind the JSON text.")
	}
	return nil
}

// depthOf counts brackets at the beginning of a text.
func depthOf(text []byte) int {
	n := 0
	for _, c := range text {
		switch c {
		case '[', '{':
			n++
		case ' ', '\t', '\r', '\n':
		default:
			return n
		}
	}
	return n
}

func syntax(text []byte, at string, err error) error {
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return jsonFault(at, "duplicate_member", "A member stands twice in one object.")
	}
	if !utf8.Valid(text) || jsontext.Value(text).IsValid(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)) {
		return jsonFault(at, "invalid_utf8", "A text is not valid UTF-8.")
	}
	return jsonFault(at, "malformed_json", "This is not JSON.")
}

func jsonFault(at, code, message string) error {
	f := fault.New(fault.Invalid, code, message)
	f.Fields = []fault.Field{{Pointer: at, Code: code, Detail: message}}
	return f
}
