package form

import (
	"fmt"
	"slices"
	"strconv"
)

// The roles of the agreement.
const (
	roleAmount      = "amount"
	roleCurrency    = "currency"
	roleOrder       = "order"
	roleRequestID   = "request_id"
	roleCode        = "code"
	roleCredential  = "credential"
	roleTime        = "time"
	roleMandate     = "mandate"
	roleTransaction = "transaction"
	roleCapture     = "capture"
	roleDescription = "description"
	roleMandateID   = "mandate_id"
	roleReturnURL   = "return_url"
	roleCancelURL   = "cancel_url"
	roleAccount     = "account"
	roleWire        = "wire"
)

// types is a set of JSON types.
type types uint8

const (
	typeNull types = 1 << iota
	typeBoolean
	typeInteger
	typeNumber
	typeText
	typeList
	typeObject
)

func (t types) has(x types) bool { return t&x != 0 }

// words for what a type takes, by the first that is in the set.
func (t types) words() string {
	switch {
	case t.has(typeText):
		return "a text"
	case t.has(typeInteger) && !t.has(typeNumber):
		return "a whole number without exponent"
	case t.has(typeNumber):
		return "a plain decimal number without exponent"
	case t.has(typeBoolean):
		return "true or false"
	case t.has(typeObject):
		return "an object"
	case t.has(typeList):
		return "a list"
	default:
		return "null"
	}
}

var typeNames = map[string]types{
	"null": typeNull, "boolean": typeBoolean, "integer": typeInteger, "number": typeNumber,
	"string": typeText, "array": typeList, "object": typeObject,
}

// node is a schema as the walker needs it.
type node struct {
	name        string
	types       types
	role        string
	aliases     []string
	trim        bool
	free        bool
	fingerprint bool
	code        string
	format      string
	fallback    *value
	// order of the property in its parent.
	order      int
	properties []*node
	index      map[string]*node
	required   []string
	// choices are the sets of columns of which one must be there.
	choices [][]string
	items   *node
	closed  bool
	// rules are the keywords that restrict a value of the right type.
	rules []rule
	// at is where the member stands; inside a list it is its own name only.
	at path
}

// property finds the declared member of an object; nil-safe.
func (n *node) property(name string) *node {
	if n == nil {
		return nil
	}
	return n.index[name]
}

// item is the node of a list's items; nil-safe.
func (n *node) item() *node {
	if n == nil {
		return nil
	}
	return n.items
}

// byRole returns the properties with a role.
func (n *node) byRole(role string) []*node {
	var found []*node
	for _, p := range n.properties {
		if p.role == role {
			found = append(found, p)
		}
	}
	return found
}

func (n *node) requires(name string) bool { return slices.Contains(n.required, name) }

// canonical finds a member by its name or an alias.
func (n *node) canonical(name string) *node {
	if p := n.index[name]; p != nil {
		return p
	}
	for _, p := range n.properties {
		if slices.Contains(p.aliases, name) {
			return p
		}
	}
	return nil
}

// The keywords that the walker reads or may leave to the schema library. All others are refused.
var leftToLibrary = map[string]bool{
	"$schema": true, "$id": true, "$comment": true, "title": true, "description": true, "examples": true, "deprecated": true,
	"enum": true, "const": true, "pattern": true, "minLength": true, "maxLength": true, "minimum": true, "maximum": true,
	"exclusiveMinimum": true, "exclusiveMaximum": true, "multipleOf": true, "minItems": true, "maxItems": true,
	"uniqueItems": true, "minProperties": true, "maxProperties": true, "dependentRequired": true,
	"x-payrack-secret": true,
}

// draft is the only dialect that is read.
const draft = "https://json-schema.org/draft/2020-12/schema"

// readSchema reads a column or credential schema.
func readSchema(doc []byte) (*node, error) {
	v, err := parse(doc)
	if err != nil {
		return nil, fmt.Errorf("the schema is not strict JSON: %w", err)
	}
	n, err := readNode("", v, true)
	if err != nil {
		return nil, err
	}
	if n.types != typeObject || !n.closed {
		return nil, fmt.Errorf(`the schema must have "type": "object" and "additionalProperties": false`)
	}
	n.locate(nil)
	return n, nil
}

// locate notes where each member stands that is not inside a list.
func (n *node) locate(at path) {
	for _, p := range n.properties {
		p.at = at.with(p.name)
		p.locate(p.at)
	}
}

func readNode(name string, v value, top bool) (*node, error) {
	n := &node{name: name, fingerprint: true, index: map[string]*node{}, at: path{name}}
	if v.kind != '{' {
		return nil, fmt.Errorf("%s: a schema must be an object", where(name))
	}
	for _, m := range v.members {
		if err := n.keyword(m.name, m.value, top); err != nil {
			return nil, fmt.Errorf("%s: %w", where(name), err)
		}
	}
	if n.types == 0 {
		return nil, fmt.Errorf("%s: a schema must have a type", where(name))
	}
	for _, r := range n.required {
		if n.index[r] == nil {
			return nil, fmt.Errorf("%s: required %q is not among the properties", where(name), r)
		}
	}
	if n.trim && n.types != typeText {
		return nil, fmt.Errorf("%s: only a text can be trimmed", where(name))
	}
	return n, n.checkNames()
}

func where(name string) string {
	if name == "" {
		return "the schema"
	}
	return "property " + strconv.Quote(name)
}

// checkNames refuses an alias that is another member's name: a request could then be read in two ways.
func (n *node) checkNames() error {
	taken := map[string]bool{}
	for _, p := range n.properties {
		for _, name := range append([]string{p.name}, p.aliases...) {
			if taken[name] {
				return fmt.Errorf("%s: the member name %q is used twice", where(n.name), name)
			}
			taken[name] = true
		}
	}
	return nil
}

func (n *node) keyword(name string, v value, top bool) error {
	if leftToLibrary[name] || name == "not" || name == "format" {
		if err := n.addRule(name, v); err != nil {
			return err
		}
	}
	var err error
	switch name {
	case "type":
		return n.readTypes(v)
	case "properties":
		return n.readProperties(v)
	case "required":
		n.required, err = names(v)
	case "additionalProperties":
		n.closed = v.kind == 't' && v.raw == "false"
		if v.kind != 't' {
			return fmt.Errorf("additionalProperties must be true or false")
		}
	case "items":
		n.items, err = readNode("", v, false)
	case "anyOf":
		return n.readChoices(v, top)
	case "not":
		return constantsOnly(v)
	case "format":
		n.format = v.text
	case "default":
		n.fallback = &v
	case "x-payrack-role":
		n.role = v.text
	case "x-payrack-alias":
		n.aliases, err = names(v)
	case "x-payrack-trim":
		n.trim = v.raw == "true"
	case "x-payrack-text":
		n.free = v.raw == "true"
	case "x-payrack-fingerprint":
		n.fingerprint = v.raw != "false"
	case "x-payrack-code":
		n.code = v.text
	default:
		if !leftToLibrary[name] {
			return fmt.Errorf("the keyword %q is not part of the column agreement", name)
		}
		if name == "$schema" && v.text != draft {
			return fmt.Errorf("$schema must be %s", draft)
		}
	}
	return err
}

func (n *node) readTypes(v value) error {
	list := []value{v}
	if v.kind == '[' {
		list = v.items
	}
	for _, item := range list {
		t, ok := typeNames[item.text]
		if !ok {
			return fmt.Errorf("type must be one of JSON Schema's type names")
		}
		n.types |= t
	}
	return nil
}

func (n *node) readProperties(v value) error {
	for i, m := range v.members {
		p, err := readNode(m.name, m.value, false)
		if err != nil {
			return err
		}
		p.order = i
		n.properties = append(n.properties, p)
		n.index[m.name] = p
	}
	return nil
}

func (n *node) readChoices(v value, top bool) error {
	if !top {
		return fmt.Errorf("anyOf is read at the top only")
	}
	for _, branch := range v.items {
		required, ok := branch.get("required")
		if !ok || len(branch.members) != 1 {
			return fmt.Errorf(`anyOf may only hold {"required": […]}`)
		}
		set, err := names(required)
		if err != nil {
			return err
		}
		if len(set) == 0 {
			return fmt.Errorf("anyOf holds a branch that requires nothing")
		}
		n.choices = append(n.choices, set)
	}
	return nil
}

func constantsOnly(v value) error {
	for _, m := range v.members {
		if m.name != "const" && m.name != "enum" && m.name != "pattern" {
			return fmt.Errorf("not may only hold const, enum and pattern")
		}
	}
	return nil
}

func names(v value) ([]string, error) {
	list := make([]string, 0, len(v.items))
	for _, item := range v.items {
		if item.kind != '"' {
			return nil, fmt.Errorf("must be a list of member names")
		}
		list = append(list, item.text)
	}
	return list, nil
}
