package provider

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Schema writes the JSON Schema of a struct, so that columns, credentials and settings are written down once, as
// the struct that they are decoded into. Members are the fields with a json tag, in their order; embedded structs
// lend theirs. anyOf names members of which at least one must be there.
//
// The tag payrack holds words and annotations, separated by commas:
//
//	required            the member must be there; missing ones are named in the order of the fields
//	role=amount         x-payrack-role, see the package documentation. Members with a role other than time
//	                    reach the plugin in typed fields; the field of the struct stays empty
//	alias=a|b           x-payrack-alias
//	secret trim text    x-payrack-secret, x-payrack-trim, x-payrack-text; a field of type Secret is secret
//	                    by itself
//	nofingerprint       x-payrack-fingerprint: false
//	format=…            format
//
// Further tags: doc (description), pattern, enum ("a|b"), default, example, min and max (value of a number, length
// of a text, items of a list) and above (a number must be larger).
//
// Texts, Secret and types that read text are "string", integers "integer", Number "number", bool "boolean", slices
// "array", structs "object"; json.RawMessage takes anything. Schema panics at a type or word that it does not know,
// as regexp.MustCompile does: call it in Describe, which runs when the plugin starts.
func Schema[T any](anyOf ...string) json.RawMessage {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("provider.Schema: %s is no struct", t))
	}
	s := objectSchema(t)
	for _, name := range anyOf {
		if !slices.Contains(s.names, name) {
			panic(fmt.Sprintf("provider.Schema: %s has no member %q", t, name))
		}
	}
	var out ordered
	s.into(&out, anyOf)
	return out.json()
}

// objectOf is the schema of a struct under construction.
type objectOf struct {
	names    []string
	members  []ordered
	required []string
}

// ordered is a JSON object whose members keep their order, without its braces.
type ordered []byte

func (o *ordered) add(name string, v any) {
	if len(*o) > 0 {
		*o = append(*o, ',')
	}
	*o = append(*o, literal(name)+":"+literal(v)...)
}

func (o *ordered) json() json.RawMessage { return json.RawMessage("{" + string(*o) + "}") }

func literal(v any) string {
	if raw, ok := v.(json.RawMessage); ok {
		return string(raw)
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic("provider.Schema: " + err.Error())
	}
	return string(b)
}

func objectSchema(t reflect.Type) objectOf {
	var s objectOf
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			inner := objectSchema(f.Type)
			s.names, s.members = append(s.names, inner.names...), append(s.members, inner.members...)
			s.required = append(s.required, inner.required...)
		case !f.IsExported() || name == "-":
		case name == "":
			panic(fmt.Sprintf("provider.Schema: field %s of %s has no json tag", f.Name, t))
		default:
			member, required := memberSchema(f)
			s.names, s.members = append(s.names, name), append(s.members, member)
			if required {
				s.required = append(s.required, name)
			}
		}
	}
	return s
}

// into adds what describes the object.
func (s objectOf) into(out *ordered, anyOf []string) {
	out.add("type", "object")
	if len(s.required) > 0 {
		out.add("required", s.required)
	}
	if len(anyOf) > 0 {
		choices := make([]map[string][]string, len(anyOf))
		for i, name := range anyOf {
			choices[i] = map[string][]string{"required": {name}}
		}
		out.add("anyOf", choices)
	}
	out.add("additionalProperties", false)
	var properties ordered
	for i, name := range s.names {
		properties.add(name, s.members[i].json())
	}
	out.add("properties", properties.json())
}

// memberSchema is the schema of one field, and whether it is required.
func memberSchema(f reflect.StructField) (out ordered, required bool) {
	if doc := f.Tag.Get("doc"); doc != "" {
		out.add("description", doc)
	}
	kind := typeSchema(&out, f.Type)
	bounds(&out, f, kind)
	if f.Type == reflect.TypeFor[Secret]() {
		out.add("x-payrack-secret", true)
	}
	for word := range strings.SplitSeq(f.Tag.Get("payrack"), ",") {
		word, value, _ := strings.Cut(word, "=")
		switch word {
		case "":
		case "required":
			required = true
		case "role":
			out.add("x-payrack-role", value)
		case "alias":
			out.add("x-payrack-alias", strings.Split(value, "|"))
		case "secret", "trim", "text":
			out.add("x-payrack-"+word, true)
		case "nofingerprint":
			out.add("x-payrack-fingerprint", false)
		case "format":
			out.add("format", value)
		default:
			panic(fmt.Sprintf("provider.Schema: field %s: the tag payrack has no word %q", f.Name, word))
		}
	}
	return out, required
}

// typeSchema adds the type and returns its word.
func typeSchema(out *ordered, t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var kind string
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		return ""
	case t == reflect.TypeFor[Number]():
		kind = "number"
	case t == reflect.TypeFor[Secret](), reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()), t.Kind() == reflect.String:
		kind = "string"
	case t.Kind() == reflect.Bool:
		kind = "boolean"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		kind = "integer"
	case t.Kind() == reflect.Slice:
		out.add("type", "array")
		var items ordered
		typeSchema(&items, t.Elem())
		out.add("items", items.json())
		return "array"
	case t.Kind() == reflect.Struct:
		objectSchema(t).into(out, nil)
		return "object"
	default:
		panic(fmt.Sprintf("provider.Schema: a member cannot be a %s", t))
	}
	out.add("type", kind)
	return kind
}

// bounds adds the tags that narrow a value.
func bounds(out *ordered, f reflect.StructField, kind string) {
	words := map[string][2]string{
		"string": {"minLength", "maxLength"}, "array": {"minItems", "maxItems"},
		"number": {"minimum", "maximum"}, "integer": {"minimum", "maximum"},
	}[kind]
	value := func(text string) any {
		if kind == "string" {
			return text
		}
		return number(f, text)
	}
	for i, tag := range []string{"min", "max"} {
		if text, ok := f.Tag.Lookup(tag); ok {
			if words[i] == "" {
				panic(fmt.Sprintf("provider.Schema: field %s cannot have a %s", f.Name, tag))
			}
			out.add(words[i], number(f, text))
		}
	}
	if text, ok := f.Tag.Lookup("above"); ok {
		out.add("exclusiveMinimum", number(f, text))
	}
	if text, ok := f.Tag.Lookup("pattern"); ok {
		out.add("pattern", text)
	}
	if text, ok := f.Tag.Lookup("enum"); ok {
		var all []any
		for v := range strings.SplitSeq(text, "|") {
			all = append(all, value(v))
		}
		out.add("enum", all)
	}
	if text, ok := f.Tag.Lookup("default"); ok {
		out.add("default", value(text))
	}
	if text, ok := f.Tag.Lookup("example"); ok {
		out.add("examples", []any{value(text)})
	}
}

// number is a tag that must be a JSON literal, such as 64 or true.
func number(f reflect.StructField, text string) json.RawMessage {
	if !json.Valid([]byte(text)) {
		panic(fmt.Sprintf("provider.Schema: field %s: %q is no number", f.Name, text))
	}
	return json.RawMessage(text)
}
