package adminapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/adapters/inbound/adminapi"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/ports/inbound"
)

type catalogueOf struct {
	inbound.Catalogue

	types []catalogue.Type
}

func (c *catalogueOf) All() []catalogue.Type { return c.types }

// What the installed providers say is read at each request: a new one is there without a restart.
func TestTypes(t *testing.T) {
	t.Parallel()
	known := &catalogueOf{}
	p := newPlane(t, func(o *adminapi.Options) { o.Catalogue = known })
	look := func() string { return strings.TrimSpace(p.ask("GET", "/admin/v1/types", "operator", "").Body.String()) }
	if diff := cmp.Diff(`{"types":[]}`, look()); diff != "" {
		t.Error(diff)
	}
	known.types = []catalogue.Type{{
		Name: "DEMO_PAY", Provider: "demo", Version: "1.2.3", MessageFrom: "DEMO",
		Credential: []byte(`{"properties":{"zz":{},"aa":{}}, "required":["zz"]}`),
		Currencies: []catalogue.Currency{{Code: "TWD"}, {Code: "THB", Exponent: 2}},
		Operations: []catalogue.Operation{{Kind: catalogue.Pay}, {Kind: catalogue.Search}},
	}}
	want := `{"types":[{"type":"DEMO_PAY","provider":"demo","version":"1.2.3","message_from":"DEMO",` +
		`"currencies":[{"code":"TWD","exponent":0},{"code":"THB","exponent":2}],"operations":["pay","search"],` +
		`"credential_schema":{"properties":{"zz":{},"aa":{}},"required":["zz"]}}]}`
	if diff := cmp.Diff(want, look()); diff != "" {
		t.Errorf("the schema must keep its order:\n%s", diff)
	}
	if w := p.ask("GET", "/admin/v1/types", "", ""); w.Code != 401 {
		t.Errorf("without a token: %d", w.Code)
	}
}

// A report is longer than any other request, and arrives as it was written: its signature covers the bytes.
func TestInstallWithReport(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	report := `{"report": {"results": ["` + strings.Repeat("x", 200<<10) + `"]}}` + "\n"
	body, err := json.Marshal(map[string]string{"path": "/tmp/x", "report": report})
	if err != nil {
		t.Fatal(err)
	}
	if w := p.ask("POST", "/admin/v1/plugins/releases", "operator", string(body)); w.Code != 201 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	if diff := cmp.Diff([]inbound.InstallPlugin{{Path: "/tmp/x", Actor: "ops", Report: []byte(report)}}, p.rack.installed); diff != "" {
		t.Error(diff)
	}
	if w := p.ask("POST", "/admin/v1/plugins/releases", "operator", `{"path":"/tmp/x","report":"`+strings.Repeat("x", 1<<20)+`"}`); w.Code != 413 {
		t.Errorf("too long: %d", w.Code)
	}
	if w := p.ask("POST", "/admin/v1/companies", "operator", `{"name":"`+strings.Repeat("x", 100<<10)+`"}`); w.Code != 413 {
		t.Errorf("other routes stay as they are: %d", w.Code)
	}
}
