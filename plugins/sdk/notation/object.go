package notation

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// ErrObject says that bytes are no JSON object that everybody reads alike.
var ErrObject = errors.New("no JSON object that can be read in one way only")

// Object is a JSON object whose members keep their order and their bytes, to make an answer for the client from a
// gateway's one: what is not touched stays as the gateway wrote it. The zero Object is empty.
type Object struct{ members []member }

type member struct {
	name  string
	value json.RawMessage
}

// ReadObject reads an object as strictly as provider.ReadJSON does; the error is ErrObject.
func ReadObject(raw []byte) (Object, error) {
	var all map[string]json.RawMessage
	if provider.ReadJSON(raw, &all) != nil {
		return Object{}, ErrObject
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return Object{}, ErrObject
	}
	o := Object{members: make([]member, 0, len(all))}
	for d.More() {
		name, err := d.Token()
		text, ok := name.(string)
		var value json.RawMessage
		if err != nil || !ok || d.Decode(&value) != nil {
			return Object{}, ErrObject
		}
		o.members = append(o.members, member{text, value})
	}
	return o, nil
}

// Get returns the bytes of a member, nil if there is none.
func (o Object) Get(name string) json.RawMessage {
	if i := o.index(name); i >= 0 {
		return o.members[i].value
	}
	return nil
}

// With returns the object with a member replaced in its place, or added at the end. The value is JSON.
func (o Object) With(name string, value json.RawMessage) Object {
	members := slices.Clone(o.members)
	if i := o.index(name); i >= 0 {
		members[i].value = value
	} else {
		members = append(members, member{name, value})
	}
	return Object{members}
}

// Without returns the object without the named members.
func (o Object) Without(names ...string) Object {
	return Object{slices.DeleteFunc(slices.Clone(o.members), func(m member) bool { return slices.Contains(names, m.name) })}
}

func (o Object) index(name string) int {
	return slices.IndexFunc(o.members, func(m member) bool { return m.name == name })
}

// Bytes is the object as JSON.
func (o Object) Bytes() json.RawMessage {
	out := []byte{'{'}
	for i, m := range o.members {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			panic("notation: a text has no JSON form: " + err.Error())
		}
		out = append(append(append(out, name...), ':'), m.value...)
	}
	return append(out, '}')
}
