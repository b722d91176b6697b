package form

import (
	"errors"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// parseObject reads the request as one strict JSON object.
func parseObject(doc []byte, base string) (value, error) {
	v, err := parse(doc)
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return value{}, unreadable(base, "duplicate_member", "has a member twice")
	case errors.Is(err, errTooDeep):
		return value{}, unreadable(base, "too_deep", "is nested too deep")
	case err != nil:
		return value{}, unreadable(base, "malformed_json", "is not readable JSON")
	case v.kind != '{':
		return value{}, unreadable(base, codeType, "must be an object")
	}
	return v, nil
}

// tidyTop reads the members of the request under their canonical names. Members with problems are left out.
func (s *schema) tidyTop(v value, p *problems) value {
	out := value{kind: '{', members: make([]member, 0, len(v.members))}
	for _, m := range v.members {
		n := s.root.canonical(m.name)
		if n == nil {
			p.unknown(nil)
			continue
		}
		at := n.at
		tidied, ok := s.tidyMember(n, m.value, at, s.root.requires(n.name), p)
		if !ok {
			continue
		}
		if other, twice := out.get(n.name); twice {
			if string(appendMeaning(nil, nil, other)) != string(appendMeaning(nil, nil, tidied)) {
				p.add(at, codeConflicting, n.name+" was given under two spellings with different values")
			}
			continue
		}
		out.members = append(out.members, member{name: n.name, value: tidied})
	}
	s.missing(s.root, out, nil, p)
	s.missingChoice(out, p)
	return out
}

func (s *schema) missing(n *node, v value, at path, p *problems) {
	for _, name := range n.required {
		if _, ok := v.get(name); ok {
			continue
		}
		if here := at.with(name); !p.within(here) {
			p.missing(here)
		}
	}
}

// missingChoice reports the first named column if none of the sets of columns is there. An empty text in
// place of an id is no id.
func (s *schema) missingChoice(v value, p *problems) {
	if len(s.root.choices) == 0 {
		return
	}
	for _, set := range s.root.choices {
		complete := true
		for _, name := range set {
			x, ok := v.get(name)
			complete = complete && (ok || p.within(path{name})) && !x.emptyText()
		}
		if complete {
			return
		}
	}
	for _, name := range s.root.choices[0] {
		if x, ok := v.get(name); !ok || x.emptyText() {
			p.missing(path{name})
		}
	}
}

// tidyMember reads one declared member; ok is false if it is absent or wrong.
func (s *schema) tidyMember(n *node, v value, at path, required bool, p *problems) (value, bool) {
	if v.kind == 'n' && !n.types.has(typeNull) {
		// null stands for "absent" where something may be empty, never where a number or a decision is.
		if n.types.has(typeBoolean | typeInteger | typeNumber) {
			p.add(at, codeType, at.column()+" must be "+n.types.words())
		} else if required {
			p.missing(at)
		}
		return value{}, false
	}
	v, ok := s.tidy(n, v, at, p)
	if !ok {
		return value{}, false
	}
	if v.kind == '"' && v.text == "" {
		if required {
			p.missing(at)
			return value{}, false
		}
		if n.role == roleCredential {
			return value{}, false // an empty credential member is none
		}
	}
	return v, true
}

// tidy reads a value by its node.
func (s *schema) tidy(n *node, v value, at path, p *problems) (value, bool) {
	if !n.takes(v) {
		p.add(at, codeType, at.column()+" must be "+n.types.words())
		return value{}, false
	}
	switch v.kind {
	case '0':
		if code := numberProblem(v.raw, !n.types.has(typeNumber)); code != "" {
			detail := " must be " + n.types.words()
			if code == codeRange {
				detail = " is out of range"
			}
			p.add(at, code, at.column()+detail)
			return value{}, false
		}
	case '"':
		if n.trim {
			if t := trim(v.text); t != v.text {
				v = textValue(t)
			}
		}
		if !cleanText(v.text, n.free) {
			p.add(at, codeFormat, at.column()+" must not hold control, zero-width or direction characters")
			return value{}, false
		}
	case '{':
		return s.tidyObject(n, v, at, p)
	case '[':
		return s.tidyList(n, v, at, p)
	default:
	}
	return v, true
}

// takes reports whether the JSON type fits; the token of a number is judged after that.
func (n *node) takes(v value) bool {
	switch v.kind {
	case 'n':
		return n.types.has(typeNull)
	case 't':
		return n.types.has(typeBoolean)
	case '0':
		return n.types.has(typeInteger | typeNumber)
	case '"':
		return n.types.has(typeText)
	case '[':
		return n.types.has(typeList)
	case '{':
		return n.types.has(typeObject)
	default:
		return false
	}
}

func (s *schema) tidyObject(n *node, v value, at path, p *problems) (value, bool) {
	before := len(p.list)
	out := value{kind: '{'}
	for _, m := range v.members {
		child := n.property(m.name)
		switch {
		case child != nil:
			if tidied, ok := s.tidyMember(child, m.value, at.with(m.name), n.requires(m.name), p); ok {
				out.members = append(out.members, member{name: m.name, value: tidied})
			}
		case n.closed || !cleanText(m.name, false):
			p.unknown(at)
		case safe(m.value):
			out.members = append(out.members, m)
		default:
			p.add(at, codeFormat, at.column()+" holds a value that cannot be passed on")
		}
	}
	s.missing(n, out, at, p)
	return out, len(p.list) == before
}

func (s *schema) tidyList(n *node, v value, at path, p *problems) (value, bool) {
	before := len(p.list)
	out := value{kind: '['}
	for i, item := range v.items {
		if n.items == nil {
			if !safe(item) {
				p.add(at, codeFormat, at.column()+" holds a value that cannot be passed on")
			}
			out.items = append(out.items, item)
			continue
		}
		if len(p.list) > maxFields {
			break // a list of a thousand wrong items is one mistake
		}
		if tidied, ok := s.tidy(n.items, item, at.with(strconv.Itoa(i)), p); ok {
			out.items = append(out.items, tidied)
		}
	}
	return out, len(p.list) == before
}

// safe judges a value that the schema does not describe any further.
func safe(v value) bool {
	switch v.kind {
	case '0':
		return numberProblem(v.raw, false) == ""
	case '"':
		return cleanText(v.text, true)
	case '[':
		for _, item := range v.items {
			if !safe(item) {
				return false
			}
		}
	case '{':
		for _, m := range v.members {
			if !cleanText(m.name, false) || !safe(m.value) {
				return false
			}
		}
	default:
	}
	return true
}
