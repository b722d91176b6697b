// Package native handles answers in a provider's own shape as bytes: they are stored, spliced and replayed,
// never parsed and written again, so that a 19-digit id or a trailing zero comes out as the provider wrote it.
package native

import (
	"bytes"
	"encoding/json"
)

// Member is one JSON member to add.
type Member struct {
	Name string
	// Value is anything encoding/json writes.
	Value any
}

// Append returns the object with members added before its last brace. A member of the same name that the object
// has already is left out: no answer may have a member twice, and what is added is ours to say. A body that is
// not an object is returned as an object of the members alone.
func Append(object []byte, members ...Member) []byte {
	body := bytes.TrimSpace(object)
	if len(body) < 2 || body[0] != '{' || body[len(body)-1] != '}' {
		body = []byte("{}")
	}
	for _, m := range members {
		if bytes.Contains(body, []byte(m.Name)) || bytes.IndexByte(body, '\\') >= 0 {
			body = without(body, m.Name)
		}
	}
	inside := bytes.TrimSpace(body[1 : len(body)-1])
	out := bytes.NewBuffer(make([]byte, 0, len(body)+64*len(members)))
	out.WriteByte('{')
	out.Write(inside)
	comma := len(inside) > 0
	for _, m := range members {
		value, err := encode(m.Value)
		if err != nil {
			continue
		}
		name, err := encode(m.Name)
		if err != nil {
			continue
		}
		if comma {
			out.WriteByte(',')
		}
		comma = true
		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes()
}

// Has reports whether the object has a top-level member of a name.
func Has(object []byte, name string) bool {
	body := bytes.TrimSpace(object)
	return len(without(body, name)) != len(body)
}

// without is the object without its top-level members of a name, every other byte between them kept. A body that
// cannot be read is returned as it is.
func without(body []byte, name string) []byte {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return body
	}
	var kept [][]byte
	dropped := false
	for from := d.InputOffset(); d.More(); from = d.InputOffset() {
		key, err := d.Token()
		if err != nil {
			return body
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return body
		}
		if key == name {
			dropped = true
			continue
		}
		kept = append(kept, bytes.Trim(body[from:d.InputOffset()], ", \t\r\n"))
	}
	if !dropped {
		return body
	}
	out := append([]byte{'{'}, bytes.Join(kept, []byte{','})...)
	return append(out, '}')
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
