package provider

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// minEcho is how long a value must be to be recognised in an answer.
const minEcho = 8

// listen compares a request with the recorded one. Where a plugin makes an id up, the recorded answer repeats the id of
// that day; a gateway would repeat today's.
func (s *scripted) listen(t *traffic) {
	now := t.body
	if t.sealed {
		now = t.clear
	}
	before, after := messageTexts(s.recorded.GetBody()), messageTexts(now)
	var pairs []string
	for place, old := range before {
		if made, ok := after[place]; ok && made != old && len(old) >= minEcho && !slices.Contains(pairs, old) {
			pairs = append(pairs, old, made)
		}
	}
	if len(pairs) > 0 {
		s.echo = strings.NewReplacer(pairs...)
	}
}

func (s *scripted) echoed(answer []byte) []byte {
	if s.echo == nil {
		return bytes.Clone(answer)
	}
	return []byte(s.echo.Replace(string(answer)))
}

// messageTexts are the texts of a request by their place in it. Only those that stand in JSON as they are: ids are.
func messageTexts(body []byte) map[string]string {
	out := map[string]string{}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch x := v.(type) {
		case map[string]any:
			for name, value := range x {
				walk(at+"/"+name, value)
			}
		case []any:
			for _, value := range x {
				walk(at+"/", value)
			}
		case string:
			if !strings.ContainsAny(x, "\"\\/<>&") {
				out[at] = x
			}
		}
	}
	var v any
	if json.Unmarshal(body, &v) == nil {
		walk("", v)
		return out
	}
	if form, err := url.ParseQuery(string(body)); err == nil {
		for name, values := range form {
			walk("/"+name, strings.Join(values, ","))
		}
	}
	return out
}
