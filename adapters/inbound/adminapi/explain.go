package adminapi

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
)

// explained adds to the wrong members of a credential set what the payment type says about them. Values are not
// repeated.
func (a *api) explained(err error, typeName string) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || len(f.Fields) == 0 || a.Catalogue == nil {
		return err
	}
	known := a.Catalogue.All()
	i := slices.IndexFunc(known, func(t catalogue.Type) bool { return t.Name == typeName })
	if i < 0 {
		return err
	}
	var schema struct {
		Properties map[string]struct {
			Description string   `json:"description"`
			Pattern     string   `json:"pattern"`
			Enum        []string `json:"enum"`
		} `json:"properties"`
	}
	if json.Unmarshal(known[i].Credential, &schema) != nil {
		return err // a schema of another shape explains nothing
	}
	more := *f
	more.Fields = slices.Clone(f.Fields)
	for i, field := range more.Fields {
		p := schema.Properties[field.Pointer[strings.LastIndexByte(field.Pointer, '/')+1:]]
		hint := p.Description
		switch {
		case len(p.Enum) > 0:
			hint = strings.TrimSpace(hint + " One of: " + strings.Join(p.Enum, ", ") + ".")
		case hint == "" && p.Pattern != "":
			hint = "It must match " + p.Pattern + "."
		}
		if hint != "" {
			more.Fields[i].Detail = strings.TrimSpace(field.Detail + " (" + hint + ")")
		}
	}
	return &more
}
