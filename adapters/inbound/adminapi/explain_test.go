package adminapi_test

import (
	"strings"
	"testing"

	"github.com/payrack/payrack/adapters/inbound/adminapi"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/inbound"
)

// shelf is a catalogue of one type.
type shelf struct{ inbound.Catalogue }

func (shelf) All() []catalogue.Type {
	return []catalogue.Type{{Name: "T", Credential: []byte(`{"properties":{
		"key":{"description":"Merchant key: 32 hexadecimal characters.","pattern":"^[0-9a-f]{32}$"},
		"pin":{"pattern":"^[0-9]{4}$"},
		"version":{"enum":["v1","v2"]}}}`)}}
}

func TestWrongCredentialsAreExplained(t *testing.T) {
	t.Parallel()
	p := newPlane(t, func(o *adminapi.Options) { o.Catalogue = shelf{} })
	f := fault.New(fault.Invalid, "invalid_format", "key has a wrong form")
	for _, name := range []string{"key", "pin", "version", "other"} {
		f.Fields = append(f.Fields, fault.Field{Pointer: "/set/" + name, Code: "invalid_format", Detail: name + " has a wrong form"})
	}
	p.book.fails = f
	set := func(kind string) string {
		return `{"company_id":"a","type":"` + kind + `","environment":"test","set":{"key":"canary"}}`
	}
	body := p.ask("POST", "/admin/v1/credentials", "operator", set("T")).Body.String()
	for _, want := range []string{
		"key has a wrong form (Merchant key: 32 hexadecimal characters.)", "pin has a wrong form (It must match ^[0-9]{4}$.)",
		"version has a wrong form (One of: v1, v2.)", `"detail":"other has a wrong form"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing in %s", want, body)
		}
	}
	if body := p.ask("POST", "/admin/v1/credentials", "operator", set("U")).Body.String(); strings.Contains(body, "hexadecimal") {
		t.Errorf("an unknown type is explained: %s", body)
	}
	if f.Fields[0].Detail != "key has a wrong form" {
		t.Error("the core's own error was changed")
	}
}

func TestStatusTellsWhatTheProcessDoes(t *testing.T) {
	t.Parallel()
	p := newPlane(t, func(o *adminapi.Options) {
		o.Runtime = func(name string) adminapi.Runtime {
			return adminapi.Runtime{Phase: "quarantined", Detail: name + " crashed: signal: killed", Remedy: "activate a release"}
		}
	})
	body := p.ask("GET", "/admin/v1/plugins", "operator", "").Body.String()
	if !strings.Contains(body, `"runtime":{"phase":"quarantined","detail":"demo crashed: signal: killed","remedy":"activate a release"}`) {
		t.Error(body)
	}
}

func TestFilesThatAreGoneOrCutShort(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	for _, code := range []string{"binary_missing", "binary_damaged", "protocol_unsupported"} {
		p.rack.fails = fault.New(fault.Invalid, code, "what is wrong")
		w := p.ask("POST", "/admin/v1/plugins/releases", "operator", `{"path":"/x"}`)
		if !strings.Contains(w.Body.String(), `"code":"`+code+`"`) || !strings.Contains(w.Body.String(), "what is wrong") {
			t.Errorf("install, %s: %d %s", code, w.Code, w.Body)
		}
		w = p.ask("POST", "/admin/v1/plugins/demo/activate", "operator", `{"version":"1.0.0"}`)
		if code != "protocol_unsupported" {
			code = "digest_mismatch"
		}
		if w.Code != 422 || !strings.Contains(w.Body.String(), `"code":"`+code+`"`) {
			t.Errorf("activate, want %s: %d %s", code, w.Code, w.Body)
		}
	}
}
