package provider

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// collect hides the values that a schema hides. Documents that are no JSON hide nothing: checked looks at the rest.
func (h *hider) collect(raw []byte, s *hiding) {
	if len(raw) == 0 || s == nil || !json.Valid(raw) {
		return
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) == nil {
		h.collectValue(v, s)
	}
}

func (h *hider) collectValue(v any, s *hiding) {
	if s == nil {
		return
	}
	switch x := v.(type) {
	case map[string]any:
		for name, value := range x {
			below := s.of(name)
			if s.hidden {
				below = s
			}
			h.collectValue(value, below)
		}
	case []any:
		for _, value := range x {
			h.collectValue(value, s.item())
		}
	case string:
		if s.hidden {
			h.hide(x, s.secret)
		}
	case json.Number:
		if s.hidden {
			h.hide(x.String(), s.secret)
		}
	}
}

// rewrite copies a JSON text with hidden values replaced; order, numbers and doubled members stay. answer says that it
// came from the provider.
func (h *hider) rewrite(raw []byte, s *hiding, answer bool) []byte {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var out bytes.Buffer
	w := rewriter{h: h, d: d, out: &out, answer: answer}
	if w.value(s) != nil {
		return []byte("null")
	}
	return out.Bytes()
}

type rewriter struct {
	h      *hider
	d      *json.Decoder
	out    *bytes.Buffer
	answer bool
}

func (w rewriter) value(s *hiding) error {
	token, err := w.d.Token()
	if err != nil {
		return err
	}
	switch v := token.(type) {
	case json.Delim:
		return w.inside(v, s)
	case string:
		w.write(w.text(v, s))
	case json.Number:
		w.out.WriteString(w.number(v.String(), s))
	case bool, nil:
		w.write(v)
	}
	return nil
}

func (w rewriter) inside(open json.Delim, s *hiding) error {
	w.out.WriteString(open.String())
	for first := true; w.d.More(); first = false {
		if !first {
			w.out.WriteByte(',')
		}
		below := s.item()
		if open == '{' {
			token, err := w.d.Token()
			if err != nil {
				return err
			}
			name, _ := token.(string)
			w.write(w.h.text(name))
			w.out.WriteByte(':')
			if below = s.of(name); s != nil && s.hidden {
				below = s
			}
		}
		if err := w.value(below); err != nil {
			return err
		}
	}
	end, err := w.d.Token()
	if err != nil {
		return err
	}
	if delim, ok := end.(json.Delim); ok {
		w.out.WriteString(delim.String())
	}
	return nil
}

func (w rewriter) write(v any) {
	if text, err := writeJSON(v); err == nil {
		w.out.Write(text)
	}
}

func (w rewriter) text(v string, s *hiding) string {
	if s != nil && s.hidden {
		return dummyOf(w.h.key, v)
	}
	clean := w.h.text(v)
	if clean != v || v == "" {
		return clean
	}
	if strings.ContainsRune(v, '@') || w.answer && !w.h.isPlain(v) {
		return dummyOf(w.h.key, v)
	}
	return v
}

// isPlain reports whether a text of an answer may be kept. What is not known to be harmless is a dummy: a gateway may
// answer with a name, an address or the carrier of an invoice, and two releases are compared all the same.
func (h *hider) isPlain(v string) bool {
	return h.plain[v] || plainWord.MatchString(v) || !h.sensitive && oneWord.MatchString(v)
}

// oneWord may be a person's name where an answer is sensitive, and else is a state or a method.
var oneWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,31}$`)

// plainWord is what tells nothing about a person: a code, a short number, a time.
var plainWord = regexp.MustCompile(`^([A-Z][A-Z0-9_]{0,31}|[+-]?[0-9]{1,6}|[0-9]{1,9}\.[0-9]{1,4}|[0-9]{14}|[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}([ T][0-9:.]{4,16}(Z|[+-][0-9:]{4,6})?)?|payrack-sealed-[0-9]+)$`)

// number hides a number if a schema says so, or if it is a hidden value of some length: short ones are found anywhere.
func (w rewriter) number(v string, s *hiding) string {
	hidden := s != nil && s.hidden
	if _, known := w.h.dummies[v]; known && len(v) >= minInside {
		hidden = true
	}
	if !hidden {
		return v
	}
	dummy := dummyOf(w.h.key, v)
	if json.Valid([]byte(dummy)) {
		return dummy
	}
	return "0"
}
