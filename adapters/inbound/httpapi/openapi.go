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

func (d *document) load() (err error) {
	d.base, err = baseDocument()
	return err
}

// baseDocument reads the source once: it is the same for every plane.
var baseDocument = sync.OnceValues(func() ([]byte, error) {
	doc, err := openapi3.NewLoader().LoadFromData(openAPISource)
	if err != nil {
		return nil, fmt.Errorf("httpapi: reading openapi.yaml: %w", err)
	}
	share(doc)
	text, err := doc.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("httpapi: writing the OpenAPI document: %w", err)
	}
	return text, nil
})

// share adds the answers that every operation of a kind can give.
func share(doc *openapi3.T) {
	problem := func() *openapi3.ResponseRef { return &openapi3.ResponseRef{Ref: "#/components/responses/Problem"} }
	for _, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			add := func(statuses ...string) {
				for _, status := range statuses {
					if operation.Responses.Value(status) == nil {
						operation.Responses.Set(status, problem())
					}
				}
			}
			add("413", "414")
			if open := operation.Security; open != nil && (len(*open) == 0 || len((*open)[0]) == 0) {
				continue // without a token
			}
			add("400", "401", "403", "429", "500", "503")
			if operation.RequestBody != nil {
				add("408", "415")
			}
		}
	}
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
		{confirmPath, "post", catalogue.Confirm},
		{capturePath, "post", catalogue.Capture},
		{cancelPath, "post", cancelKind},
		{refundPath, "post", catalogue.Refund},
		{searchPath, "post", catalogue.Search},
		{searchPath, "get", catalogue.Search},
		{searchPath, queryExtension, catalogue.Search},
	}
}

// cancelKind stands for a cancellation: the columns of the void, or of the search where a payment type has no void.
const cancelKind catalogue.Kind = "cancel"

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
			if _, voids := t.Find(catalogue.Void); o.Kind == catalogue.Void || o.Kind == catalogue.Search && !voids {
				requests[cancelKind] = append(requests[cancelKind], ref(name+".envelope"))
			}
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
			"default": problemRef(),
		},
	}
	responses := at(operation, "responses")
	for _, status := range []string{"400", "401", "403", "413", "414", "429", "500", "503"} {
		responses[status] = problemRef()
	}
	if o.Kind == catalogue.Search {
		responses["502"], responses["504"] = problemRef(), problemRef()
	} else {
		responses["404"], responses["409"], responses["422"] = problemRef(), problemRef(), problemRef()
		responses["504"] = object{"$ref": "#/components/responses/Pending"}
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
		responses["408"], responses["415"] = problemRef(), problemRef()
		if o.Kind != catalogue.Search {
			operation["parameters"] = []any{
				object{"$ref": "#/components/parameters/IdempotencyKey"}, object{"$ref": "#/components/parameters/Prefer"},
			}
		}
	}
	method := strings.ToLower(alias.Method)
	if !slices.Contains([]string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}, method) {
		method = "x-payrack-" + method
	}
	at(doc, "paths", alias.Path)[method] = operation
}

func problemRef() object { return object{"$ref": "#/components/responses/Problem"} }

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
