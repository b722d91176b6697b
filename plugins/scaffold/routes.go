package scaffold

import (
	"encoding/json"
	"strings"
)

// route is what the fake gateway reads about an operation.
func (o *Operation) route(minor bool) orderedObject {
	out := orderedObject{}
	out.add("kind", string(o.Kind))
	out.add("method", o.Method)
	out.add("path", o.muxPath())
	places := orderedObject{}
	for _, m := range o.Request {
		if m.Role != "" && m.Role != roleAccount {
			name := m.Name
			if m.In == inPath {
				name = muxName(name)
			}
			places.add(m.Role, m.In+" "+name)
		}
	}
	out.add("request", places)
	out.add("paid", o.Paid)
	out.add("refused", o.Refused)
	out.add("missing", o.Missing)
	out.add("minor", minor)
	values := map[string]string{}
	for _, l := range o.Answer {
		if l.Role != "" {
			values[l.Role] = "$" + l.Role
		}
	}
	bare := make([]Leaf, len(o.Answer))
	for i, l := range o.Answer {
		if l.Role != "" && l.Type != "string" {
			// The value stands without quotes in the answer.
			l.Type, l.Example, l.Role = "string", "#"+l.Role, ""
		}
		bare[i] = l
	}
	out.add("answer", json.RawMessage(answerBody(bare, values)))
	return out
}

// bodies are what clients are told where the platform answers by itself: a duplicate, a payment in progress, one that
// is being given back. The codes are payrack's own, because nothing says what the gateway's would be.
func (o *Operation) bodies() []string {
	l, ok := o.leaf(roleReturn)
	codes := map[string][]string{
		"string": {"DUPLICATE_ORDER", "IN_PROGRESS", "REVERSING"}, "integer": {"9172", "9145", "9199"}, "boolean": {"false", "false", "false"},
	}[l.Type]
	var out []string
	for i, message := range []string{"The order number is taken.", "The payment is in progress.", "The payment is being given back."} {
		if !ok {
			out = append(out, `{"message":`+quote(message)+`}`)
			continue
		}
		named := []Leaf{l, {Path: []Step{{Name: "message"}}, Type: "string", Example: message}}
		if len(l.Path) == 1 && plain(l.Path[0].Name) == "message" {
			named = named[:1]
		}
		out = append(out, strings.Join(strings.Fields(answerBody(named, map[string]string{roleReturn: codes[i]})), " "))
	}
	return out
}

// muxPath is the path as http.ServeMux takes it: the names in braces are Go identifiers.
func (o *Operation) muxPath() string {
	var b strings.Builder
	rest := o.Path
	for {
		fixed, after, found := strings.Cut(rest, "{")
		b.WriteString(fixed)
		if !found {
			return b.String()
		}
		var name string
		name, rest, _ = strings.Cut(after, "}")
		b.WriteString("{" + muxName(name) + "}")
	}
}

func muxName(name string) string { return goName(name) }

// conformanceColumns are native columns that the kit must send because the gateway demands them, or "".
func (o *Operation) conformanceColumns() string {
	out := orderedObject{}
	for _, m := range o.Request {
		if m.Role == "" && m.Required && (m.In == inBody || m.In == inQuery) {
			out.add(m.Name, sample(m.Schema))
		}
	}
	if len(out) == 0 {
		return ""
	}
	raw, err := out.MarshalJSON()
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(string(raw), "`", "'")
}

// sample is a value that a schema accepts, as far as it is simple.
func sample(s map[string]any) any {
	if e, ok := s["enum"].([]any); ok && len(e) > 0 {
		return e[0]
	}
	switch s["type"] {
	case "integer", "number":
		return 1
	case "boolean":
		return true
	case "array":
		if items, ok := s["items"].(map[string]any); ok {
			return []any{sample(items)}
		}
		return []any{}
	case "object":
		out := orderedObject{}
		properties, _ := s["properties"].(map[string]any)
		required, _ := s["required"].([]string)
		for _, name := range required {
			if p, ok := properties[name].(map[string]any); ok {
				out.add(name, sample(p))
			}
		}
		return out
	default:
		return "1"
	}
}
