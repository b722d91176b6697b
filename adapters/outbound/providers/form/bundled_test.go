package form_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/payrack/payrack/adapters/outbound/providers/form"
	"github.com/payrack/payrack/core/catalogue"
)

// Every schema that a bundled provider embeds keeps the agreement.
func TestBundledSchemasCompile(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob("../../../../plugins/providers/*/schema")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no bundled schemas: %v", err)
	}
	for _, folder := range folders {
		set, err := os.ReadFile(filepath.Join(folder, "credential.json"))
		if err != nil {
			t.Fatal(err)
		}
		credential, err := form.CompileCredential(set)
		if err != nil {
			t.Errorf("%s: %v", folder, err)
			continue
		}
		for _, operation := range []string{"pay.json", "search.json"} {
			doc, err := os.ReadFile(filepath.Join(folder, operation))
			if err != nil {
				t.Fatal(err)
			}
			// One currency, so that an amount without a currency column has one.
			_, err = form.CompileColumns(form.Spec{Schema: doc, Currencies: []catalogue.Currency{{Code: "TWD"}}, Credential: credential})
			if err != nil {
				t.Errorf("%s %s: %v", folder, operation, err)
			}
		}
	}
}
