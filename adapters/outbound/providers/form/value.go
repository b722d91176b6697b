package form

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"

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

// reader reads one document. Its tokens share the memory of one copy of the text.
type reader struct {
	jsontext.Decoder
	doc string
}

var readers = sync.Pool{New: func() any { return &reader{} }}

// parse reads exactly one JSON value: no duplicate members, valid UTF-8, nothing behind it.
func parse(doc []byte) (value, error) {
	d := readers.Get().(*reader) //nolint:forcetypeassert // the pool holds nothing else
	defer readers.Put(d)
	d.doc = string(doc)
	d.Reset(strings.NewReader(d.doc))
	defer func() {
		d.doc = "" // a request can hold secrets
		d.Reset(strings.NewReader(""))
	}()
	v, err := d.read(0)
	if err != nil {
		return value{}, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return value{}, errors.New("text after the value")
	}
	return v, nil
}

func (d *reader) read(depth int) (value, error) {
	if depth > maxDepth {
		return value{}, errTooDeep
	}
	v := value{kind: d.PeekKind()}
	switch v.kind {
	case '{':
		return d.object(v, depth)
	case '[':
		return d.list(v, depth)
	default:
		raw, err := d.scalar()
		if err != nil {
			return value{}, err
		}
		v.raw = raw
		if v.kind == 'f' { // one kind for both booleans
			v.kind = 't'
		}
		if v.kind == '"' {
			v.text, err = unquote(raw)
		}
		return v, err
	}
}

// scalar is the next token that is no bracket, as it was written.
func (d *reader) scalar() (string, error) {
	raw, err := d.ReadValue()
	if err != nil {
		return "", err //nolint:wrapcheck // the caller replaces the text, which quotes the input
	}
	end := d.InputOffset()
	return d.doc[end-int64(len(raw)) : end], nil
}

// unquote is the text of a string that was read strictly.
func unquote(raw string) (string, error) {
	if inner := raw[1 : len(raw)-1]; !strings.Contains(inner, `\`) {
		return inner, nil
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	return string(text), err
}

func (d *reader) object(v value, depth int) (value, error) {
	if _, err := d.ReadToken(); err != nil {
		return value{}, err //nolint:wrapcheck // the caller replaces the text, which quotes the input
	}
	v.members = make([]member, 0, 8)
	for d.PeekKind() != '}' {
		raw, err := d.scalar()
		if err != nil {
			return value{}, err
		}
		var m member
		if m.name, err = unquote(raw); err != nil {
			return value{}, err
		}
		if m.value, err = d.read(depth + 1); err != nil {
			return value{}, err
		}
		v.members = append(v.members, m)
	}
	_, err := d.ReadToken()
	return v, err //nolint:wrapcheck // the caller replaces the text, which quotes the input
}

func (d *reader) list(v value, depth int) (value, error) {
	if _, err := d.ReadToken(); err != nil {
		return value{}, err //nolint:wrapcheck // the caller replaces the text, which quotes the input
	}
	for d.PeekKind() != ']' {
		item, err := d.read(depth + 1)
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
	if plainText(s) {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	out, err := jsontext.AppendQuote(b, s)
	if err != nil { // only for invalid UTF-8, which was refused when the text was read
		return append(b, `""`...)
	}
	return out
}

// plainText reports whether a text stands between quotes as it is.
func plainText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func (v value) emptyText() bool { return v.kind == '"' && v.text == "" }

// words is a scalar without quotes: 7 and "7" have the same.
func (v value) words() string {
	if v.kind == '"' {
		return v.text
	}
	return v.raw
}

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
