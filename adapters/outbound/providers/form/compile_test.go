package form_test

import (
	"strings"
	"testing"

	"github.com/payrack/payrack/adapters/outbound/providers/form"
	"github.com/payrack/payrack/core/catalogue"
)

func TestRefusedSchemas(t *testing.T) {
	t.Parallel()
	object := func(rest string) string {
		return `{"type":"object","additionalProperties":false` + rest + `}`
	}
	property := func(p string) string { return object(`,"properties":{"a":` + p + `}`) }
	for _, c := range []struct{ schema, want string }{
		{`[]`, "must be an object"},
		{`{`, "not strict JSON"},
		{`{"type":"object","type":"object"}`, "not strict JSON"},
		{`{"type":"object"}`, "additionalProperties"},
		{`{"additionalProperties":false}`, "must have a type"},
		{property(`{}`), "must have a type"},
		{property(`{"type":"money"}`), "type names"},
		{property(`{"type":"string","$ref":"https://example.com/x"}`), "$ref"},
		{property(`{"type":"string","allOf":[]}`), "allOf"},
		{property(`{"type":"string","if":true}`), `"if"`},
		{property(`{"type":"object","patternProperties":{}}`), "patternProperties"},
		{property(`{"type":"object","additionalProperties":{}}`), "additionalProperties"},
		{property(`{"type":"object","anyOf":[{"required":["b"]}]}`), "anyOf"},
		{property(`{"type":"string","not":{"type":"string"}}`), "not may only"},
		{property(`{"type":"string","pattern":"("}`), "does not compile"},
		{property(`{"type":"integer","x-payrack-trim":true}`), "trimmed"},
		{property(`{"type":"string","x-payrack-role":"price"}`), "role"},
		{property(`{"type":"boolean","x-payrack-role":"amount"}`), "role"},
		{object(`,"required":["b"],"properties":{}`), "required"},
		{object(`,"properties":{"a":{"type":"string","x-payrack-alias":["b"]},"b":{"type":"string"}}`), "twice"},
		{object(`,"properties":{"a":{"type":"string","x-payrack-role":"order"},"b":{"type":"string","x-payrack-role":"order"}}`), "twice"},
		{object(`,"properties":{"a":{"type":"string","x-payrack-role":"credential"}}`), "channel_id"},
		{object(`,"properties":{"a":{"type":"number","x-payrack-role":"amount"}}`), "currency"},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","additionalProperties":false}`, "$schema"},
	} {
		_, err := form.CompileColumns(form.Spec{
			Schema:     []byte(c.schema),
			Currencies: []catalogue.Currency{{Code: "TWD"}, {Code: "USD", Exponent: 2}},
			Credential: credential(t, "code_credential"),
		})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n got %v, want %q", c.schema, err, c.want)
		}
	}
}

func TestRefusedCurrencies(t *testing.T) {
	t.Parallel()
	for _, x := range []catalogue.Currency{{Code: "TWD", Exponent: 2}, {Code: "EUR", Exponent: 2}, {Code: "USD"}} {
		if _, err := form.CompileColumns(form.Spec{Schema: schema(t, "till_search"), Currencies: []catalogue.Currency{x}}); err == nil {
			t.Errorf("%s with %d decimals was taken", x.Code, x.Exponent)
		}
	}
}

func TestRefusedCredentialSchemas(t *testing.T) {
	t.Parallel()
	for _, properties := range []string{
		`"a":{"type":"string"}`,
		`"a":{"type":"integer","x-payrack-role":"account"}`,
		`"a":{"type":"string","x-payrack-role":"order"}`,
		`"a":{"type":"string","x-payrack-role":"account"},"b":{"type":"string","x-payrack-role":"account"}`,
	} {
		doc := `{"type":"object","additionalProperties":false,"required":["a"],"properties":{` + properties + `}}`
		if _, err := form.CompileCredential([]byte(doc)); err == nil {
			t.Errorf("%s was taken", properties)
		}
	}
	optional := `{"type":"object","additionalProperties":false,"properties":{"a":{"type":"string","x-payrack-role":"account"}}}`
	if _, err := form.CompileCredential([]byte(optional)); err == nil {
		t.Error("an optional account was taken")
	}
}
