package form

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/payrack/payrack/core/fault"
)

// The codes of wrong columns.
const (
	codeMissing     = "missing_field"
	codeType        = "invalid_type"
	codeFormat      = "invalid_format"
	codeLong        = "too_long"
	codeShort       = "too_short"
	codeRange       = "out_of_range"
	codeUnknown     = "unknown_member"
	codeConflicting = "conflicting_members"
	codeCredentials = "credentials_incomplete"
)

// maxFields bounds the list of wrong columns in one answer.
const maxFields = 20

// path leads to a value: declared names and list positions only, so that it can be shown.
type path []string

func (p path) with(step string) path { return append(slices.Clip(p), step) }

// column is how a person names it: packages[0].id.
func (p path) column() string {
	var b strings.Builder
	for i, step := range p {
		switch _, err := strconv.Atoi(step); {
		case err == nil:
			b.WriteString("[" + step + "]")
		case i > 0:
			b.WriteString("." + step)
		default:
			b.WriteString(step)
		}
	}
	return b.String()
}

func (p path) pointer(base string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	for _, step := range p {
		base += "/" + escape.Replace(step)
	}
	return base
}

// The order in which problems are told.
const (
	rankMissing = iota
	rankColumn
	rankUnknown
	rankCredential
)

type problem struct {
	rank, order int
	code        string
	path        path
	detail      string
}

// problems collects what is wrong with one request.
type problems struct {
	root *node
	base string
	list []problem
	seen map[string]bool
}

// add keeps the first problem of a place.
func (p *problems) add(at path, code, detail string) {
	rank, order := rankColumn, 0
	if len(at) > 0 {
		if n := p.root.property(at[0]); n != nil {
			order = n.order
		}
	}
	switch {
	case code == codeMissing && len(at) == 1:
		rank = rankMissing
		if i := slices.Index(p.root.required, at[0]); i >= 0 {
			order = i
		} else {
			order += len(p.root.required)
		}
	case code == codeUnknown:
		rank = rankUnknown
	case code == codeCredentials:
		rank = rankCredential
	}
	pointer := at.pointer(p.base)
	if p.saw(pointer) {
		return
	}
	p.list = append(p.list, problem{rank: rank, order: order, code: code, path: at, detail: detail})
}

// saw reports whether a mark was seen before, and remembers it. Most requests have no problem and no map.
func (p *problems) saw(mark string) bool {
	if p.seen[mark] {
		return true
	}
	if p.seen == nil {
		p.seen = map[string]bool{}
	}
	p.seen[mark] = true
	return false
}

func (p *problems) missing(at path) { p.add(at, codeMissing, at.column()+" 不可為空") }

func (p *problems) unknown(parent path) {
	name := parent.column()
	if name == "" {
		name = strings.TrimPrefix(p.base, "/")
	}
	// Beside what is wrong with the parent itself, hence the extra mark.
	mark := parent.pointer(p.base) + " unknown"
	if p.saw(mark) {
		return
	}
	p.list = append(p.list, problem{rank: rankUnknown, code: codeUnknown, path: parent, detail: name + " has a member that is not described"})
}

// within reports whether something at or inside a place is wrong.
func (p *problems) within(at path) bool {
	return slices.ContainsFunc(p.list, func(x problem) bool {
		return len(x.path) >= len(at) && slices.Equal(x.path[:len(at)], at)
	})
}

// fault is the answer for everything that was collected, nil for nothing.
func (p *problems) fault() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.order, b.order))
	})
	first := p.list[0]
	f := fault.New(fault.Invalid, first.code, first.detail)
	for _, x := range p.list[:min(len(p.list), maxFields)] {
		f.Fields = append(f.Fields, fault.Field{Pointer: x.path.pointer(p.base), Code: x.code, Detail: x.detail})
	}
	return f
}

// unreadable is the answer to text that is not one strict JSON object. The parser's own words quote the
// input, so they are dropped.
func unreadable(base, code, what string) error {
	name := strings.TrimPrefix(base, "/")
	f := fault.New(fault.Invalid, code, fmt.Sprintf("%s %s", name, what))
	f.Fields = []fault.Field{{Pointer: base, Code: code, Detail: f.Message}}
	return f
}
