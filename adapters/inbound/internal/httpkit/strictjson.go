package httpkit

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sync"
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

// Member is one member of an object. Value holds the bytes as they were sent; it is a part of the text.
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
	d := decoders.Get().(*decoder) //nolint:forcetypeassert // the pool holds nothing else
	defer d.giveBack()
	d.Reset(bytes.NewBuffer(text)) // a buffer's bytes are read where they are
	return d.object(text, l, at)
}

// decoder is a reader of tokens that is used again: it keeps its tables, not the text.
type decoder struct{ jsontext.Decoder }

var decoders = sync.Pool{New: func() any { return &decoder{} }}

func (d *decoder) giveBack() {
	d.Reset(noText{}) // a request can hold secrets
	decoders.Put(d)
}

// noText is an empty reader.
type noText struct{}

// Read reads nothing.
func (noText) Read([]byte) (int, error) { return 0, io.EOF }

// object walks the tokens once, so that a deep or crowded text is refused where it becomes so, and notes the
// outermost members on the way.
func (d *decoder) object(text []byte, l JSONLimits, at string) ([]Member, error) {
	if k := d.PeekKind(); k != '{' && k != 0 {
		return nil, d.other(k, text, l, at)
	}
	var (
		members = make([]Member, 0, 8)
		from    int64
	)
	for {
		before := d.InputOffset()
		token, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			return nil, jsonFault(at, "malformed_json", "The JSON text ends too early.")
		}
		if err != nil {
			return nil, syntax(text, at, err)
		}
		depth := d.StackDepth()
		if depth > l.Depth {
			return nil, jsonFault(at, "too_deep", "The JSON text nests too deep.")
		}
		kind, length := d.StackIndex(depth)
		if kind == '{' && length > 2*int64(l.Members) {
			return nil, jsonFault(at, "too_many_members", "An object of the JSON text has too many members.")
		}
		// What stands there is never shorter than what it means.
		if token.Kind() == '"' && d.InputOffset()-before > int64(l.Text) && len(token.String()) > l.Text {
			return nil, jsonFault(at, "too_long", "A text is too long.")
		}
		switch {
		case depth == 0:
			return members, behind(&d.Decoder, text, at)
		case depth == 1 && length%2 == 1:
			members, from = append(members, Member{Name: token.String()}), d.InputOffset()
		case depth == 1 && length > 0:
			// This token ends the value of the member.
			value := bytes.TrimLeft(text[from:d.InputOffset()], " \t\r\n:")
			members[len(members)-1].Value = slices.Clip(value)
		}
	}
}

// other refuses a text that is no object. Whether it is JSON at all comes before what it is.
func (d *decoder) other(k jsontext.Kind, text []byte, l JSONLimits, at string) error {
	if k == '[' && depthOf(text) > l.Depth {
		return jsonFault(at, "too_deep", "The JSON text nests too deep.")
	}
	if err := d.SkipValue(); err != nil {
		return syntax(text, at, err)
	}
	if err := behind(&d.Decoder, text, at); err != nil {
		return err
	}
	return jsonFault(at, "invalid_type", "This must be a JSON object.")
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
