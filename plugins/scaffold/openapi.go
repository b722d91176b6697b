package scaffold

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// FromOpenAPI reads the OpenAPI 3 document of a gateway, in JSON or YAML. roles name members whose role is not
// recognised by their names, from role to member; they may be nil.
func FromOpenAPI(ctx context.Context, text []byte, roles map[string]string) (Gateway, error) {
	loader := openapi3.NewLoader()
	loader.Context = ctx
	doc, err := loader.LoadFromData(text)
	if err != nil {
		return Gateway{}, fmt.Errorf("the OpenAPI document cannot be read: %w", err)
	}
	if doc.Paths == nil || doc.Paths.Len() == 0 {
		return Gateway{}, errors.New("the file is no OpenAPI 3 document, or it has no paths")
	}
	g := Gateway{Title: "the gateway"}
	if doc.Info != nil && doc.Info.Title != "" {
		g.Title = doc.Info.Title
	}
	if len(doc.Servers) > 0 {
		g.Live = baseURL(doc.Servers[0].URL)
	}
	g.authOf(doc)
	g.collect(doc)
	return g, g.complete(roles)
}

func baseURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" {
		return ""
	}
	return strings.TrimRight((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), "/")
}

func (g *Gateway) authOf(doc *openapi3.T) {
	g.Auth = AuthHMAC
	if doc.Components != nil {
		for _, name := range sortedNames(doc.Components.SecuritySchemes) {
			s := doc.Components.SecuritySchemes[name].Value
			switch {
			case s == nil:
			case s.Type == "http" && strings.EqualFold(s.Scheme, "bearer"):
				g.Auth = AuthBearer
				return
			case s.Type == "http" && strings.EqualFold(s.Scheme, "basic"):
				g.Auth = AuthBasic
				return
			case s.Type == "apiKey" && s.In == "header":
				g.Auth, g.AuthHeader = AuthHeaderKey, s.Name
				return
			}
		}
	}
	g.note("The document does not say how requests are signed in a way that the scaffold knows: sign.go has an HMAC-SHA256 that has to be made the gateway's own.")
}

func sortedNames[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// collect keeps, of each kind of operation, the one whose name fits best.
func (g *Gateway) collect(doc *openapi3.T) {
	type found struct {
		score int
		op    Operation
	}
	best := map[provider.Kind]found{}
	for _, path := range sortedNames(doc.Paths.Map()) {
		item := doc.Paths.Value(path)
		for _, method := range sortedNames(item.Operations()) {
			op := item.Operations()[method]
			kind, score := kindOf(method, path, op.OperationID+" "+op.Summary)
			if kind == "" || score <= best[kind].score {
				continue
			}
			best[kind] = found{score, readOperation(kind, method, path, slices.Concat(item.Parameters, op.Parameters), op)}
		}
	}
	for _, k := range order {
		if f, ok := best[k]; ok {
			g.Operations = append(g.Operations, f.op)
		}
	}
}

// kindOf guesses what an operation does; a higher score is surer.
func kindOf(method, path, words string) (provider.Kind, int) {
	text := strings.ToLower(path + " " + words)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	money := has("pay", "charge", "order", "transaction", "purchase", "sale")
	// The shorter path is the collection's, not that of something below it.
	score := 100 - 5*strings.Count(path, "/")
	switch {
	case has("webhook", "notif", "callback", "token", "list"):
		return "", 0
	case method == "GET" && !has("refund"):
		if !money && !has("search", "query", "status", "inquir") {
			return "", 0
		}
		if strings.Contains(path, "{") {
			score += 10 // one payment rather than a list of them
		}
		return provider.KindSearch, score
	case method == "GET":
		return "", 0
	case has("refund"):
		return provider.KindRefund, score
	case has("void", "cancel", "reverse"):
		return provider.KindVoid, score
	case has("capture"):
		return "", 0 // authorizing first is a second way to pay, which needs an author who wants it
	case method != "POST" && method != "PUT":
		return "", 0
	case has("query", "search", "inquir", "status", "check", "detail"):
		return provider.KindSearch, score
	case has("confirm", "preapprov", "subscription"):
		return "", 0
	case money:
		if has("create", "pay", "charge") {
			score += 10
		}
		return provider.KindPay, score
	default:
		return "", 0
	}
}

func readOperation(kind provider.Kind, method, path string, parameters openapi3.Parameters, op *openapi3.Operation) Operation {
	out := Operation{Kind: kind, Method: method, Path: path}
	for _, ref := range parameters {
		p := ref.Value
		if p == nil || p.In != inPath && p.In != inQuery || p.Schema == nil || p.Schema.Value == nil {
			continue
		}
		m := memberOf(p.Name, p.Schema.Value)
		m.In, m.Required, m.Doc = p.In, p.Required, cmp.Or(p.Description, m.Doc)
		out.Request = append(out.Request, m)
	}
	if op.RequestBody != nil && op.RequestBody.Value != nil {
		if s := jsonSchema(op.RequestBody.Value.Content); s != nil {
			properties, required := propertiesOf(s)
			for _, name := range orderedNames(properties, required) {
				m := memberOf(name, properties[name].Value)
				m.In, m.Required = inBody, slices.Contains(required, name)
				out.Request = append(out.Request, m)
			}
		}
	}
	if op.Responses == nil {
		return out
	}
	for _, status := range sortedNames(op.Responses.Map()) {
		response := op.Responses.Value(status).Value
		if response == nil {
			continue
		}
		s := jsonSchema(response.Content)
		code, err := strconv.Atoi(status)
		switch {
		case s == nil:
		case status == "default" || err != nil || code < 300:
			if len(out.Answer) == 0 {
				out.Answer = leaves(s, nil, 0)
			}
		case code == 402 || code == 404 || code == 409 || code == 422 || code == 400:
			out.Statuses = append(out.Statuses, code)
		}
	}
	return out
}

func jsonSchema(content openapi3.Content) *openapi3.Schema {
	for _, name := range sortedNames(content) {
		if strings.Contains(name, "json") && content[name].Schema != nil {
			return content[name].Schema.Value
		}
	}
	return nil
}

// propertiesOf gathers the members of an object, those of allOf included.
func propertiesOf(s *openapi3.Schema) (openapi3.Schemas, []string) {
	all, required := openapi3.Schemas{}, slices.Clone(s.Required)
	for name, p := range s.Properties {
		if p.Value != nil {
			all[name] = p
		}
	}
	for _, part := range s.AllOf {
		if part.Value == nil {
			continue
		}
		more, needed := propertiesOf(part.Value)
		maps.Copy(all, more)
		required = append(required, needed...)
	}
	return all, required
}

// orderedNames are the required members in the document's order, then the others by name.
func orderedNames(properties openapi3.Schemas, required []string) []string {
	var names []string
	for _, name := range required {
		if _, ok := properties[name]; ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range sortedNames(properties) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func memberOf(name string, s *openapi3.Schema) Member {
	return Member{Name: name, Type: typeOf(s), Doc: oneLine(s.Description), Schema: plainSchema(s, 0)}
}

func typeOf(s *openapi3.Schema) string {
	for _, t := range []string{"string", "integer", "number", "boolean", "array", "object"} {
		if s.Type != nil && s.Type.Includes(t) {
			return t
		}
	}
	if len(s.Properties) > 0 || len(s.AllOf) > 0 {
		return "object"
	}
	return "string"
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

const deepest = 6

// plainSchema is the part of a schema that checks values, without references.
func plainSchema(s *openapi3.Schema, depth int) map[string]any {
	out := map[string]any{"type": typeOf(s)}
	if s.Pattern != "" {
		out["pattern"] = s.Pattern
	}
	if len(s.Enum) > 0 {
		out["enum"] = s.Enum
	}
	if s.MinLength > 0 {
		out["minLength"] = s.MinLength
	}
	if s.MaxLength != nil {
		out["maxLength"] = *s.MaxLength
	}
	// Bounds are copied as they are written, whatever type the reader gives them.
	raw, err := s.MarshalJSON()
	var said map[string]json.RawMessage
	if err == nil && json.Unmarshal(raw, &said) == nil {
		for _, name := range []string{"minimum", "maximum"} {
			if v, ok := said[name]; ok {
				out[name] = v
			}
		}
	}
	switch {
	case depth >= deepest:
	case out["type"] == "array" && s.Items != nil && s.Items.Value != nil:
		out["items"] = plainSchema(s.Items.Value, depth+1)
	case out["type"] == "object":
		properties, required := propertiesOf(s)
		if len(properties) == 0 {
			break
		}
		members := map[string]any{}
		for name, p := range properties {
			members[name] = plainSchema(p.Value, depth+1)
		}
		out["properties"], out["additionalProperties"] = members, false
		if len(required) > 0 {
			out["required"] = required
		}
	}
	return out
}

// leaves lists the values of an answer, through objects and lists of objects.
func leaves(s *openapi3.Schema, at []Step, depth int) []Leaf {
	if depth >= deepest {
		return nil
	}
	var out []Leaf
	properties, _ := propertiesOf(s)
	for _, name := range sortedNames(properties) {
		p := properties[name].Value
		path := append(slices.Clone(at), Step{Name: name})
		switch t := typeOf(p); t {
		case "object":
			out = append(out, leaves(p, path, depth+1)...)
		case "array":
			path[len(path)-1].List = true
			if p.Items != nil && p.Items.Value != nil && typeOf(p.Items.Value) == "object" && !slices.ContainsFunc(at, func(s Step) bool { return s.List }) {
				out = append(out, leaves(p.Items.Value, path, depth+1)...)
			}
		default:
			l := Leaf{Path: path, Type: t, Example: p.Example}
			for _, v := range p.Enum {
				l.Enum = append(l.Enum, fmt.Sprint(v))
			}
			out = append(out, l)
		}
	}
	return out
}
