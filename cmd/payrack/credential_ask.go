package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/payrack/payrack/adapters/outbound/providers/form"
	"github.com/payrack/payrack/core/fault"
)

// person answers questions.
type person interface {
	// tell shows a line.
	tell(line string)
	// answer reads one line. A secret one is not shown while it is typed.
	answer(ctx context.Context, secret bool) (string, error)
}

// ask asks for the members that were not given, the optional ones too if everything is true. A wrong answer is told and
// asked for again.
func (q *questions) ask(ctx context.Context, p person, everything bool) error {
	var open []*setMember
	for i := range q.members {
		if m := &q.members[i]; !q.answered(m) && (m.required || everything) {
			open = append(open, m)
		}
	}
	if len(open) == 0 {
		return nil
	}
	title := q.title
	if title == "" {
		title = "Credential set of " + q.kind.Type
	}
	p.tell(title + " (" + q.kind.Type + ", " + q.kind.Provider + " " + q.kind.Version + ")")
	p.tell("Enter leaves out what is optional. Ctrl-C ends it, and nothing is stored.")
	for _, m := range open {
		p.tell("")
		p.tell(m.question())
		if err := q.askFor(ctx, p, m); err != nil {
			return err
		}
	}
	return nil
}

func (q *questions) answered(m *setMember) bool {
	for name := range q.answers {
		if m.called(name) {
			return true
		}
	}
	return false
}

func (q *questions) askFor(ctx context.Context, p person, m *setMember) error {
	for {
		text, err := p.answer(ctx, m.secret)
		if err != nil {
			return err
		}
		if path, file := strings.CutPrefix(text, "@"); file && m.long {
			if text, err = readValue(path); err != nil {
				p.tell(err.Error())
				continue
			}
		}
		switch {
		case text != "":
			wrong := q.try(m, text)
			if wrong == "" {
				return nil
			}
			p.tell(wrong)
		case !m.required:
			return nil // the platform uses the default by itself
		default:
			p.tell(m.name + " is required")
		}
	}
}

// try takes an answer, or says what is wrong with it.
func (q *questions) try(m *setMember, text string) string {
	value, err := m.value(text)
	if err != nil {
		return m.name + " " + err.Error()
	}
	q.answers[m.name] = value
	set, err := json.Marshal(q.answers)
	if err != nil {
		delete(q.answers, m.name)
		return m.name + " cannot be written"
	}
	_, err = q.check.Read(set)
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return ""
	}
	// Members that were not asked for yet are missing; only this one counts now.
	i := slices.IndexFunc(f.Fields, func(field fault.Field) bool {
		rest, mine := strings.CutPrefix(field.Pointer, form.CredentialPointer+"/"+m.name)
		return mine && (rest == "" || rest[0] == '/')
	})
	if i < 0 {
		return ""
	}
	delete(q.answers, m.name)
	detail := f.Fields[i].Detail
	if detail == "" {
		detail = f.Fields[i].Code
	}
	return m.name + ": " + detail
}

// question is what a person is asked.
func (m *setMember) question() string {
	text := m.name
	if m.title != "" {
		text += " (" + m.title + ")"
	}
	if m.description != "" {
		text += ": " + m.description
	}
	var notes []string
	if len(m.choices) > 0 {
		notes = append(notes, "one of "+strings.Join(m.choices, ", "))
	}
	if m.kind == "boolean" {
		notes = append(notes, "true or false")
	}
	if m.long {
		notes = append(notes, "@FILE takes what a file holds")
	}
	if m.secret {
		notes = append(notes, "secret: what you type is not shown")
	}
	switch {
	case m.fallback != "":
		notes = append(notes, "default "+m.fallback)
	case !m.required:
		notes = append(notes, "optional")
	}
	if len(notes) > 0 {
		text += " [" + strings.Join(notes, "; ") + "]"
	}
	return text
}
