package form_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/payrack/payrack/adapters/outbound/providers/form"
	"github.com/payrack/payrack/core/catalogue"
)

// Every schema that a bundled provider keeps as a file follows the agreement.
func TestBundledSchemasCompile(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for name, doc := range everySchema(t) {
		if !json.Valid(doc.columns) {
			t.Errorf("%s is no JSON", name)
		}
		// One currency, so that an amount without a currency column has one.
		_, err := form.CompileColumns(form.Spec{Schema: doc.columns, Currencies: []catalogue.Currency{{Code: "TWD"}}, Credential: doc.credential})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		provider, _, _ := strings.Cut(name, " ")
		seen[provider] = true
	}
	for _, provider := range []string{"linepay", "ipass"} {
		if !seen[provider] {
			t.Errorf("no schema of %s was found", provider)
		}
	}
}
