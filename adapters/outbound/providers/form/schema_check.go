package form

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// schema is a compiled schema: the walker's reading of it and the library's.
type schema struct {
	root    *node
	library *jsonschema.Schema
}

func compile(doc []byte) (*schema, error) {
	root, err := readSchema(doc)
	if err != nil {
		return nil, err
	}
	plain, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		return nil, fmt.Errorf("the schema is not JSON: %w", err)
	}
	const name = "payrack:///columns.json"
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.RegisterFormat(&jsonschema.Format{Name: formatLocalDatetime, Validate: localDatetime})
	c.RegisterFormat(&jsonschema.Format{Name: formatUUID, Validate: uuid})
	if err := c.AddResource(name, plain); err != nil {
		return nil, fmt.Errorf("the schema cannot be used: %w", err)
	}
	library, err := c.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("the schema does not compile: %w", err)
	}
	return &schema{root: root, library: library}, nil
}

// noLoader keeps schemas from naming files or addresses.
type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("a schema must not refer to others")
}

// validate checks what the walker left: by the rules, and with the library if one does not pass. The library
// is asked about all columns that are right so far.
func (s *schema) validate(v value, p *problems) {
	if len(p.list) == 0 && s.root.clean(v) {
		return
	}
	clean := value{kind: '{', members: make([]member, 0, len(v.members))}
	for _, m := range v.members {
		if !p.within(path{m.name}) {
			clean.members = append(clean.members, m)
		}
	}
	var invalid *jsonschema.ValidationError
	if err := s.library.Validate(clean.plain()); errors.As(err, &invalid) {
		s.collect(invalid, p)
	}
}

// collect turns the library's findings into ours. Its texts quote values, so none of them is used.
func (s *schema) collect(e *jsonschema.ValidationError, p *problems) {
	if len(e.Causes) > 0 {
		if _, choice := e.ErrorKind.(*kind.AnyOf); choice {
			return // reported by missingChoice
		}
		for _, cause := range e.Causes {
			s.collect(cause, p)
		}
		return
	}
	at, n := s.place(e.InstanceLocation)
	if beside, ok := e.ErrorKind.(*kind.DependentRequired); ok {
		// One column demands others beside it: these are missing, like any that is required.
		for _, name := range beside.Missing {
			if here := at.with(name); !p.within(here) {
				p.missing(here)
			}
		}
		return
	}
	code, detail := judge(e.ErrorKind)
	switch code {
	case "", codeMissing: // told before, from the walker
		return
	case codeUnknown:
		p.unknown(at)
		return
	case codeType:
	default:
		if n != nil && n.code != "" {
			code = n.code
		}
	}
	p.add(at, code, at.column()+" "+detail)
}

// place follows declared names and list positions; what lies under an undeclared name is told at its parent.
func (s *schema) place(tokens []string) (path, *node) {
	n, at := s.root, path(nil)
	for _, t := range tokens {
		switch {
		case n.property(t) != nil:
			n = n.property(t)
		case n.item() != nil:
			n = n.item()
		default:
			return at, n
		}
		at = at.with(t)
	}
	return at, n
}

func judge(k jsonschema.ErrorKind) (code, detail string) {
	switch k := k.(type) {
	case *kind.Required, *kind.AnyOf:
		return codeMissing, ""
	case *kind.AdditionalProperties:
		return codeUnknown, ""
	case *kind.Type:
		return codeType, "has another type than described"
	case *kind.MaxLength:
		return codeLong, "may have at most " + strconv.Itoa(k.Want) + " characters"
	case *kind.MinLength:
		return codeShort, "must have at least " + strconv.Itoa(k.Want) + " characters"
	case *kind.MaxItems:
		return codeLong, "may have at most " + strconv.Itoa(k.Want) + " items"
	case *kind.MinItems:
		return codeShort, "must have at least " + strconv.Itoa(k.Want) + " items"
	case *kind.MaxProperties:
		return codeLong, "may have at most " + strconv.Itoa(k.Want) + " members"
	case *kind.MinProperties:
		return codeShort, "must have at least " + strconv.Itoa(k.Want) + " members"
	case *kind.Minimum:
		return codeRange, "must be at least " + decimal(k.Want)
	case *kind.Maximum:
		return codeRange, "must be at most " + decimal(k.Want)
	case *kind.ExclusiveMinimum:
		return codeRange, "must be more than " + decimal(k.Want)
	case *kind.ExclusiveMaximum:
		return codeRange, "must be less than " + decimal(k.Want)
	case *kind.Format:
		return codeFormat, formatDetail(k.Want)
	case *kind.Enum, *kind.Const, *kind.Not:
		return codeFormat, "does not have one of the values that are taken"
	default:
		return codeFormat, "does not have the form that is described"
	}
}

func formatDetail(format string) string {
	switch format {
	case formatLocalDatetime:
		return "must be a real date and time, written YYYY-MM-DD HH:mm:ss"
	case formatUUID:
		return "must be a UUID of 36 characters"
	default:
		return "does not have the form that is described"
	}
}

func decimal(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	return r.FloatString(2)
}
