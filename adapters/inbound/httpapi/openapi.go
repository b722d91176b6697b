package httpapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/catalogue"
)

// openAPISource is the document without payment types; those are put in from the catalogue.
//
//go:embed openapi.yaml
var openAPISource []byte

// document is the API's document for the payment types that are installed now.
type document struct {
	base []byte

	mu       sync.Mutex
	types    string
	rendered []byte
}

func (d *document) load() error {
	doc, err := openapi3.NewLoader().LoadFromData(openAPISource)
	if err != nil {
		return fmt.Errorf("httpapi: reading openapi.yaml: %w", err)
	}
	if d.base, err = doc.MarshalJSON(); err != nil {
		return fmt.Errorf("httpapi: writing the OpenAPI document: %w", err)
	}
	return nil
}

func (a *api) openAPI(c echo.Context) error {
	text, err := a.document.with(a.Catalogue.All())
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	httpkit.WriteBytes(c.Response(), http.StatusOK, "application/json", text)
	return nil
}

// with returns the document with these payment types.
func (d *document) with(types []catalogue.Type) ([]byte, error) {
	var signature strings.Builder
	for _, t := range types {
		signature.WriteString(t.Name + "@" + t.Provider + "@" + t.Version + "\n")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rendered != nil && d.types == signature.String() {
		return d.rendered, nil
	}
	text, err := splice(d.base, types)
	if err != nil {
		return nil, fmt.Errorf("putting payment types into the OpenAPI document: %w", err)
	}
	d.rendered, d.types = text, signature.String()
	return text, nil
}

// object is a JSON object whose numbers keep their tokens.
type object = map[string]any

func decode(text []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var o object
	if err := d.Decode(&o); err != nil {
		return nil, fmt.Errorf("reading a schema: %w", err)
	}
	return o, nil
}

// fixedOperations are the fixed routes that carry a native request.
func fixedOperations() []struct {
	path, method string
	kind         catalogue.Kind
} {
	return []struct {
		path, method string
		kind         catalogue.Kind
	}{
		{payPath, "post", catalogue.Pay},
		{searchPath, "post", catalogue.Search},
		{searchPath, "get", catalogue.Search},
		{searchPath, queryExtension, catalogue.Search},
	}
}

// queryExtension holds the QUERY operation: OpenAPI 3.1 has no member for that method.
const queryExtension = "x-payrack-query"

// splice puts the columns and answers of each payment type in place of the general ones, and adds the routes
// that providers declared.
func splice(base []byte, types []catalogue.Type) ([]byte, error) {
	doc, err := decode(base)
	if err != nil {
		return nil, err
	}
	paths, schemas := at(doc, "paths"), at(doc, "components", "schemas")
	requests, answers := make(map[catalogue.Kind][]any), make(map[catalogue.Kind][]any)
	for _, t := range types {
		for _, o := range t.Operations {
			name := t.Name + "." + string(o.Kind)
			if err := addSchema(schemas, name, o.Columns); err != nil {
				return nil, err
			}
			if len(o.Answer) > 0 {
				if err := addSchema(schemas, name+".answer", o.Answer); err != nil {
					return nil, err
				}
				answers[o.Kind] = append(answers[o.Kind], ref(name+".answer"))
			}
			schemas[name+".envelope"] = envelopeSchema(t.Name, name)
			requests[o.Kind] = append(requests[o.Kind], ref(name+".envelope"))
			for _, alias := range o.Aliases {
				addAlias(doc, t, o, alias)
			}
		}
	}
	for _, fixed := range fixedOperations() {
		operation := at(paths, fixed.path, fixed.method)
		if all := requests[fixed.kind]; len(all) > 0 && fixed.method != "get" {
			at(operation, "requestBody", "content", "application/json")["schema"] = object{"oneOf": all}
		}
		if all := answers[fixed.kind]; len(all) > 0 {
			native := at(doc, "components", "responses", "Native")
			at(operation, "responses")["200"] = object{
				"description": native["description"], "headers": native["headers"],
				"content": object{"application/json": object{"schema": object{"anyOf": all}}},
			}
		}
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("writing the document: %w", err)
	}
	return text, nil
}

// at walks into an object and makes what is not there.
func at(o object, path ...string) object {
	for _, name := range path {
		next, ok := o[name].(object)
		if !ok {
			next = object{}
			o[name] = next
		}
		o = next
	}
	return o
}

func ref(name string) object { return object{"$ref": "#/components/schemas/" + name} }

// addSchema puts a provider's schema under a name of the document. References inside the schema are made
// references inside the document, secrets write-only.
func addSchema(schemas object, name string, text []byte) error {
	if len(text) == 0 {
		text = []byte(`{"type":"object"}`)
	}
	schema, err := decode(text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	delete(schema, "$schema")
	delete(schema, "$id")
	settle(schema, "#/components/schemas/"+name)
	schemas[name] = schema
	return nil
}

func settle(value any, root string) {
	switch v := value.(type) {
	case object:
		if target, ok := v["$ref"].(string); ok && strings.HasPrefix(target, "#") {
			v["$ref"] = root + strings.TrimPrefix(target, "#")
		}
		if secret, ok := v["x-payrack-secret"].(bool); ok && secret {
			v["writeOnly"] = true
		}
		for _, inner := range v {
			settle(inner, root)
		}
	case []any:
		for _, inner := range v {
			settle(inner, root)
		}
	}
}

func envelopeSchema(typ, columns string) object {
	properties := object{
		"request":  ref(columns),
		"store_id": ref("StoreID"),
		"is_test":  ref("IsTest"),
	}
	required := []any{"request"}
	if typ != "" {
		properties["type"] = object{"const": typ, "type": "string"}
		required = []any{"type", "request"}
	}
	return object{
		"type": "object", "properties": properties, "required": required, "additionalProperties": false,
	}
}

// addAlias adds a provider's own route: the fixed route of the same operation without the type.
func addAlias(doc object, t catalogue.Type, o catalogue.Operation, alias catalogue.Route) {
	name := t.Name + "." + string(o.Kind)
	at(doc, "components", "schemas")[name+".alias"] = envelopeSchema("", name)
	native := at(doc, "components", "responses", "Native")
	operation := object{
		"operationId": strings.ToLower(alias.Method) + strings.ReplaceAll(alias.Path, "/", "_"),
		"summary":     "The route of " + t.Name + " for the operation " + string(o.Kind) + ".",
		"tags":        []any{"Payments in a provider's columns"},
		"security":    []any{object{"oauth2": []any{scopeOf(o.Kind)}}},
		"responses": object{
			"200": object{
				"description": native["description"], "headers": native["headers"],
				"content": object{"application/json": object{"schema": answerSchema(o, name)}},
			},
			"504":     object{"$ref": "#/components/responses/Pending"},
			"default": object{"$ref": "#/components/responses/Problem"},
		},
	}
	if alias.Method == http.MethodGet {
		operation["parameters"] = []any{
			object{"$ref": "#/components/parameters/Request"},
			object{"$ref": "#/components/parameters/StoreID"},
			object{"$ref": "#/components/parameters/IsTest"},
		}
	} else {
		operation["requestBody"] = object{
			"required": true, "content": object{"application/json": object{"schema": ref(name + ".alias")}},
		}
		operation["parameters"] = []any{object{"$ref": "#/components/parameters/IdempotencyKey"}}
	}
	method := strings.ToLower(alias.Method)
	if !slices.Contains([]string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}, method) {
		method = "x-payrack-" + method
	}
	at(doc, "paths", alias.Path)[method] = operation
}

func answerSchema(o catalogue.Operation, name string) object {
	if len(o.Answer) == 0 {
		return object{"type": "object"}
	}
	return ref(name + ".answer")
}

func scopeOf(k catalogue.Kind) string {
	switch k {
	case catalogue.Search:
		return "search"
	case catalogue.Void, catalogue.Refund:
		return "refund"
	case catalogue.Pay, catalogue.Confirm, catalogue.Capture:
	}
	return "pay"
}
