package form

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth of nesting. The HTTP side allows less; this bound keeps the recursion here safe on its own.
const maxDepth = 16

var errTooDeep = errors.New("nested too deep")

// value is a JSON value that keeps its tokens as they were written.
type value struct {
	kind jsontext.Kind
	// raw is the token of a scalar as written, text the decoded text of a string.
	raw     string
	text    string
	items   []value
	members []member
}

type member struct {
	name  string
	value value
}

// parse reads exactly one JSON value: no duplicate members, valid UTF-8, nothing behind it.
func parse(doc []byte) (value, error) {
	d := jsontext.NewDecoder(bytes.NewReader(doc))
	v, err := read(d, 0)
	if err != nil {
		return value{}, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return value{}, errors.New("text after the value")
	}
	return v, nil
}

func read(d *jsontext.Decoder, depth int) (value, error) {
	if depth > maxDepth {
		return value{}, errTooDeep
	}
	v := value{kind: d.PeekKind()}
	switch v.kind {
	case '{':
		return readObject(d, v, depth)
	case '[':
		return readList(d, v, depth)
	default:
		raw, err := d.ReadValue()
		if err != nil {
			return value{}, err //nolint:wrapcheck // the caller replaces the text, which quotes the input
		}
		v.raw = string(raw)
		if v.kind == 'f' { // one kind for both booleans
			v.kind = 't'
		}
		if v.kind == '"' {
			text, err := jsontext.AppendUnquote(nil, raw)
			if err != nil {
				return value{}, err //nolint:wrapcheck // the caller replaces the text, which quotes the input
			}
			v.text = string(text)
		}
		return v, nil
	}
}

func readObject(d *jsontext.Decoder, v value, depth int) (value, error) {
	if _, err := d.ReadToken(); err != nil {
		return value{}, err //nolint:wrapcheck // the caller replaces the text, which quotes the input
	}
	v.members = make([]member, 0, 8)
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return value{}, err //nolint:wrapcheck // the caller replaces the text, which quotes the input
		}
		m := member{name: name.String()}
		if m.value, err = read(d, depth+1); err != nil {
			return value{}, err
		}
		v.members = append(v.members, m)
	}
	_, err := d.ReadToken()
	return v, err //nolint:wrapcheck // the caller replaces the text, which quotes the input
}

func readList(d *jsontext.Decoder, v value, depth int) (value, error) {
	if _, err := d.ReadToken(); err != nil {
		return value{}, err //nolint:wrapcheck // the caller replaces the text, which quotes the input
	}
	for d.PeekKind() != ']' {
		item, err := read(d, depth+1)
		if err != nil {
			return value{}, err
		}
		v.items = append(v.items, item)
	}
	_, err := d.ReadToken()
	return v, err //nolint:wrapcheck // the caller replaces the text, which quotes the input
}

func textValue(s string) value { return value{kind: '"', raw: string(appendText(nil, s)), text: s} }

// appendText writes a JSON string.
func appendText(b []byte, s string) []byte {
	out, err := jsontext.AppendQuote(b, s)
	if err != nil { // only for invalid UTF-8, which was refused when the text was read
		return append(b, `""`...)
	}
	return out
}

func (v value) emptyText() bool { return v.kind == '"' && v.text == "" }

// get finds a member of an object.
func (v value) get(name string) (value, bool) {
	for _, m := range v.members {
		if m.name == name {
			return m.value, true
		}
	}
	return value{}, false
}

// appendCompact writes the value without white space, each token as it was written.
func (v value) appendCompact(b []byte) []byte {
	switch v.kind {
	case '{':
		b = append(b, '{')
		for i, m := range v.members {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendName(b, m.name)
			b = m.value.appendCompact(b)
		}
		return append(b, '}')
	case '[':
		b = append(b, '[')
		for i, item := range v.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendCompact(b)
		}
		return append(b, ']')
	default:
		return append(b, v.raw...)
	}
}

func appendName(b []byte, name string) []byte {
	return append(appendText(b, name), ':')
}

// plain is the value as the schema library takes it; numbers stay decimal text.
func (v value) plain() any {
	switch v.kind {
	case '{':
		object := make(map[string]any, len(v.members))
		for _, m := range v.members {
			object[m.name] = m.value.plain()
		}
		return object
	case '[':
		list := make([]any, len(v.items))
		for i, item := range v.items {
			list[i] = item.plain()
		}
		return list
	case '"':
		return v.text
	case '0':
		return json.Number(v.raw)
	case 't':
		return v.raw == "true"
	default:
		return nil
	}
}
