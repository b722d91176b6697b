package scaffold

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// columnRoles are the roles of the SDK; the others are the plugin's own matter.
var columnRoles = []string{roleOrder, roleAmount, roleCurrency, roleCode, roleDescription, roleTransaction}

// columns is the annotated JSON Schema of an operation's native request.
func (o *Operation) columns(currencies []string) ([]byte, error) {
	properties := orderedObject{}
	var required []string
	for _, m := range o.Request {
		if m.Role == roleAccount || m.Role == roleReference || m.Role == "" && m.In != inBody && !m.Required {
			continue // from the credential set, made by the platform, or of no use
		}
		s := clone(m.Schema)
		if m.Doc != "" {
			s["description"] = m.Doc
		}
		if m.Role == roleAmount {
			s = amountColumn(m, currencies)
		}
		if m.Role == roleCurrency {
			s["enum"] = currencies
		}
		if slices.Contains(columnRoles, m.Role) {
			s["x-payrack-role"] = m.Role
		}
		if m.Role == roleCode {
			s["x-payrack-secret"] = true
		}
		if m.Role == roleDescription {
			s["x-payrack-text"] = true
		}
		properties.add(m.Name, s)
		if m.Required && (o.Kind != provider.KindRefund || m.Role != roleAmount) {
			required = append(required, m.Name)
		}
	}
	schema := orderedObject{}
	schema.add("$schema", "https://json-schema.org/draft/2020-12/schema")
	schema.add("title", titles[o.Kind])
	schema.add("type", "object")
	schema.add("additionalProperties", false)
	if len(required) > 0 {
		schema.add("required", required)
	}
	schema.add("properties", properties)
	return indented(schema)
}

// amountColumn: clients write major units, whatever the gateway counts.
func amountColumn(m Member, currencies []string) map[string]any {
	s := map[string]any{"description": m.Doc, "type": "integer", "minimum": 1}
	if m.Doc == "" {
		delete(s, "description")
	}
	if slices.ContainsFunc(currencies, func(c string) bool { return exponents[c] > 0 }) {
		s["type"], s["exclusiveMinimum"] = "number", 0
		delete(s, "minimum")
	}
	return s
}

// answerSchema describes the native answer, for the published documents.
func (o *Operation) answerSchema() ([]byte, error) {
	schema := orderedObject{}
	schema.add("$schema", "https://json-schema.org/draft/2020-12/schema")
	schema.add("title", "Answer to "+string(o.Kind)+", as the gateway sent it")
	for _, m := range treeOf(o.Answer).schema() {
		schema.add(m.name, m.value)
	}
	return indented(schema)
}

func (n *node) schema() orderedObject {
	out := orderedObject{}
	if n.leaf != nil {
		if n.leaf.Type != "null" {
			out.add("type", n.leaf.Type)
		}
		return out
	}
	out.add("type", "object")
	properties := orderedObject{}
	for _, c := range n.children {
		s := c.schema()
		if c.step.List && c.leaf == nil {
			items := s
			s = orderedObject{}
			s.add("type", "array")
			s.add("items", items)
		}
		properties.add(c.step.Name, s)
	}
	out.add("properties", properties)
	return out
}

// orderedObject is a JSON object whose members keep their order.
type orderedObject []namedValue //nolint:recvcheck // json.Marshal finds the method of a value only, and add must change it

type namedValue struct {
	name  string
	value any
}

func (o *orderedObject) add(name string, value any) {
	if i := slices.IndexFunc(*o, func(v namedValue) bool { return v.name == name }); i >= 0 {
		(*o)[i].value = value
		return
	}
	*o = append(*o, namedValue{name, value})
}

// MarshalJSON writes the members in their order; a map's are sorted by words that read well first.
func (o orderedObject) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			out = append(out, ',')
		}
		value := m.value
		if s, ok := value.(map[string]any); ok {
			value = sorted(s)
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, quote(m.name)...), ':'), raw...)
	}
	return append(out, '}'), nil
}

// sorted puts description and type first.
func sorted(s map[string]any) orderedObject {
	var out orderedObject
	names := slices.Sorted(maps.Keys(s))
	for _, first := range []string{"description", "type"} {
		if v, ok := s[first]; ok {
			out.add(first, v)
		}
	}
	for _, name := range names {
		out.add(name, s[name])
	}
	return out
}

func indented(v any) ([]byte, error) {
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(out, '\n'), nil
}
