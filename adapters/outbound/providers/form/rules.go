package form

import (
	"cmp"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// verdict is what a rule says about a value.
type verdict uint8

const (
	// passes: the schema library would accept the value.
	passes verdict = iota
	// fails: it would not.
	fails
	// unsure: this rule cannot tell, the library must be asked.
	unsure
)

// rule is one keyword that restricts a value. The walker has checked types, required and unknown members
// before; what is left is checked here, for nearly every request, without building what the library wants.
// Only a request that a rule does not pass is taken to the library, which then says what is wrong.
type rule func(v value) verdict

// addRule reads a keyword that restricts values; one that no rule knows makes the library decide.
func (n *node) addRule(name string, v value) error {
	r, err := ruleOf(name, v)
	if err != nil {
		return err
	}
	if r != nil {
		n.rules = append(n.rules, r)
	}
	return nil
}

func ruleOf(name string, v value) (rule, error) {
	switch name {
	case "$schema", "$id", "$comment", "title", "description", "examples", "deprecated", "x-payrack-secret":
		return nil, nil //nolint:nilnil // these restrict nothing
	case "pattern":
		return pattern(v)
	case "format":
		return format(v), nil
	case "enum":
		return constants(v.items), nil
	case "const":
		return constants([]value{v}), nil
	case "not":
		return negated(v)
	case "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties":
		return counted(name, v), nil
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
		return bounded(name, v), nil
	}
	return askLibrary, nil
}

func askLibrary(value) verdict { return unsure }

func of(ok bool) verdict {
	if ok {
		return passes
	}
	return fails
}

// pattern is the library's own reading: Go's syntax, anywhere in the text.
func pattern(v value) (rule, error) {
	re, err := regexp.Compile(v.text)
	if err != nil {
		return nil, fmt.Errorf("the pattern does not compile: %w", err)
	}
	return func(v value) verdict { return of(v.kind != '"' || re.MatchString(v.text)) }, nil
}

func format(v value) rule {
	var check func(any) error
	switch v.text {
	case formatLocalDatetime:
		check = localDatetime
	case formatUUID:
		check = uuid
	default:
		return askLibrary
	}
	return func(v value) verdict { return of(v.kind != '"' || check(v.text) == nil) }
}

// constants compares texts, booleans and null; numbers have several spellings and lists have parts.
func constants(allowed []value) rule {
	for _, a := range allowed {
		if a.kind == '0' || a.kind == '[' || a.kind == '{' {
			return askLibrary
		}
	}
	return func(v value) verdict {
		return of(slices.ContainsFunc(allowed, func(a value) bool {
			return a.kind == v.kind && (a.kind == '"' && a.text == v.text || a.kind != '"' && a.raw == v.raw)
		}))
	}
}

func negated(v value) (rule, error) {
	inner := &node{}
	for _, m := range v.members {
		if err := inner.addRule(m.name, m.value); err != nil {
			return nil, err
		}
	}
	return func(v value) verdict {
		switch inner.judge(v) {
		case passes:
			return fails
		case fails:
			return passes
		case unsure:
		}
		return unsure
	}, nil
}

// counted bounds characters, items or members.
func counted(name string, v value) rule {
	limit, err := strconv.Atoi(v.raw)
	if err != nil {
		return askLibrary
	}
	of := func(n int) verdict { return of(n >= limit) }
	if strings.HasPrefix(name, "max") {
		of = func(n int) verdict {
			if n > limit {
				return fails
			}
			return passes
		}
	}
	return func(v value) verdict {
		switch {
		case v.kind == '"' && strings.HasSuffix(name, "Length"):
			return of(utf8.RuneCountInString(v.text))
		case v.kind == '[' && strings.HasSuffix(name, "Items"):
			return of(len(v.items))
		case v.kind == '{' && strings.HasSuffix(name, "Properties"):
			return of(len(v.members))
		}
		return passes
	}
}

// bounded compares numbers by their exact decimal value.
func bounded(name string, v value) rule {
	limit, ok := rational(v.raw)
	if !ok {
		return askLibrary
	}
	holds := map[string]func(order int) bool{
		"minimum":          func(order int) bool { return order >= 0 },
		"maximum":          func(order int) bool { return order <= 0 },
		"exclusiveMinimum": func(order int) bool { return order > 0 },
		"exclusiveMaximum": func(order int) bool { return order < 0 },
	}[name]
	whole, isWhole := int64(0), limit.IsInt() && limit.Num().IsInt64()
	if isWhole {
		whole = limit.Num().Int64()
	}
	return func(v value) verdict {
		if v.kind != '0' {
			return passes
		}
		if isWhole {
			if n, err := strconv.ParseInt(v.raw, 10, 64); err == nil {
				return of(holds(cmp.Compare(n, whole)))
			}
		}
		r, ok := rational(v.raw)
		if !ok {
			return unsure
		}
		return of(holds(r.Cmp(limit)))
	}
}

// rational reads a plain decimal. An exponent could make a short text a huge number.
func rational(raw string) (*big.Rat, bool) {
	if raw == "" || len(raw) > maxDigits || strings.ContainsAny(raw, "eE/") {
		return nil, false
	}
	return new(big.Rat).SetString(raw)
}

// judge asks the rules of one value.
func (n *node) judge(v value) verdict {
	for _, r := range n.rules {
		if said := r(v); said != passes {
			return said
		}
	}
	return passes
}

// clean reports whether a value that the walker found nothing wrong with passes every rule, inside and out.
func (n *node) clean(v value) bool {
	if n == nil {
		return true // not described any further
	}
	if n.judge(v) != passes {
		return false
	}
	for _, m := range v.members {
		if !n.index[m.name].clean(m.value) {
			return false
		}
	}
	if n.items == nil {
		return true
	}
	for _, item := range v.items {
		if !n.items.clean(item) {
			return false
		}
	}
	return true
}
