package conformance

import (
	"encoding/json"
	"errors"
	"slices"
)

// schema is what the kit reads of a JSON Schema: the members and the platform's annotations.
type schema struct {
	Type                 any               `json:"type"`
	Properties           map[string]schema `json:"properties"`
	Required             []string          `json:"required"`
	AdditionalProperties *json.RawMessage  `json:"additionalProperties"` //nolint:tagliatelle // JSON Schema spells it so
	Enum                 []any             `json:"enum"`
	Default              any               `json:"default"`
	Pattern              string            `json:"pattern"`
	MaxLength            int               `json:"maxLength"` //nolint:tagliatelle // JSON Schema spells it so
	Format               string            `json:"format"`
	Role                 string            `json:"x-payrack-role"`   //nolint:tagliatelle // JSON Schema spells it so
	Alias                []string          `json:"x-payrack-alias"`  //nolint:tagliatelle // JSON Schema spells it so
	Secret               bool              `json:"x-payrack-secret"` //nolint:tagliatelle // JSON Schema spells it so
}

func parseSchema(raw json.RawMessage) (schema, error) {
	var s schema
	if len(raw) == 0 {
		return s, errors.New("there is no schema")
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, errors.New("the schema cannot be read: " + err.Error())
	}
	return s, nil
}

// closed reports that no other members are accepted.
func (s schema) closed() bool {
	return s.AdditionalProperties != nil && string(*s.AdditionalProperties) == "false"
}

// withRole finds the member with a role, at the top or one level below.
func (s schema) withRole(role string) (name string, found schema, ok bool) {
	for _, name := range s.names() {
		if s.Properties[name].Role == role {
			return name, s.Properties[name], true
		}
	}
	for _, outer := range s.names() {
		if inner, found, ok := s.Properties[outer].withRole(role); ok {
			return outer + "." + inner, found, true
		}
	}
	return "", schema{}, false
}

// names are the members in a fixed order.
func (s schema) names() []string {
	names := make([]string, 0, len(s.Properties))
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
