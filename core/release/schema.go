package release

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// tightened names where a schema of requests refuses what the one before it took. It knows how the keywords of the columns
// loosen; any other change of a keyword counts as tightened: an operator who knows better forces it.
func tightened(was, now []byte) []string {
	if bytes.Equal(was, now) || len(now) == 0 {
		return nil // no schema takes everything
	}
	if len(was) == 0 {
		return []string{"there is a schema where there was none"}
	}
	a, errA := decoded(was)
	b, errB := decoded(now)
	if errA != nil || errB != nil {
		return []string{"a schema that is no JSON"}
	}
	return stricter("", a, b)
}

func decoded(schema []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(schema))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// stricter compares two schemas at a place in the request.
func stricter(at string, was, now any) []string {
	if yes, ok := now.(bool); ok && yes || reflect.DeepEqual(was, now) {
		return nil
	}
	a, okA := object(was)
	b, okB := object(now)
	if !okA || !okB {
		return []string{where(at) + " takes nothing any more"}
	}
	keys := slices.Concat(slices.Collect(maps.Keys(a)), slices.Collect(maps.Keys(b)))
	slices.Sort(keys)
	var all []string
	for _, key := range slices.Compact(keys) {
		all = append(all, keyword(at, key, a, b)...)
	}
	return all
}

// object is a schema as its keywords; true is the one without any.
func object(v any) (map[string]any, bool) {
	if yes, ok := v.(bool); ok && yes {
		return map[string]any{}, true
	}
	m, ok := v.(map[string]any)
	return m, ok
}

// keyword compares one keyword of two schemas.
func keyword(at, key string, a, b map[string]any) []string {
	was, had := a[key]
	now, has := b[key]
	if reflect.DeepEqual(was, now) || saysNothing(key) {
		return nil
	}
	switch key {
	case "properties":
		return properties(at, a, b)
	case "items", "additionalProperties", "contains", "propertyNames":
		return below(at, key, was, now, had, has)
	case "$defs":
		return definitions(at, was, now)
	case "required":
		return required(at, was, now)
	case "anyOf", "oneOf":
		// More ways are looser, of which each old one must still be there.
		if more := key == "anyOf" && had && contains(now, was); has && !more {
			return []string{where(at) + " demands " + key + " of other kinds"}
		}
		return nil
	case "x-payrack-alias":
		if had && !contains(now, was) {
			return []string{where(at) + " loses an alias"}
		}
		return nil
	}
	if !has && !ours(key) {
		return nil // a demand less
	}
	if had && has && looser(key, was, now) {
		return nil
	}
	return []string{fmt.Sprintf("%s: %s is %s, was %s", where(at), key, text(now), text(was))}
}

// saysNothing are keywords that refuse nothing.
func saysNothing(key string) bool {
	return slices.Contains([]string{
		"title", "description", "examples", "default", "$comment", "$schema", "$id", "deprecated", "readOnly", "writeOnly",
		"x-payrack-text", "x-payrack-secret",
	}, key)
}

// ours are keywords that say what a member means: without one of them it means something else.
func ours(key string) bool { return len(key) > 2 && key[:2] == "x-" }

// looser reports whether a keyword's new value takes all that the old one took.
func looser(key string, was, now any) bool {
	switch key {
	case "enum", "type":
		return contains(list(now), list(was)) || key == "type" && widened(list(was), list(now))
	case "maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties":
		return number(now) >= number(was)
	case "minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties":
		return number(now) <= number(was)
	case "uniqueItems":
		return now == false
	}
	return false
}

// widened reports whether integers became numbers.
func widened(was, now []any) bool {
	for _, t := range was {
		still := slices.Contains(now, t) || t == "integer" && slices.Contains(now, any("number"))
		if !still {
			return false
		}
	}
	return true
}

// properties compares the members of an object. A member that is gone is refused where others are, and not read otherwise; a
// new one takes what nothing took before, unless others were taken unread.
func properties(at string, a, b map[string]any) []string {
	was, now := members(a["properties"]), members(b["properties"])
	var all []string
	for _, name := range slices.Sorted(maps.Keys(was)) {
		next, ok := now[name]
		if !ok {
			all = append(all, where(at+"/"+name)+" is gone")
			continue
		}
		all = append(all, stricter(at+"/"+name, was[name], next)...)
	}
	if a["additionalProperties"] == false {
		return all
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, ok := was[name]; !ok {
			all = append(all, stricter(at+"/"+name, true, now[name])...)
		}
	}
	return all
}

// below compares keywords that hold a schema.
func below(at, key string, was, now any, had, has bool) []string {
	switch {
	case !has:
		return nil
	case !had:
		was = true
	}
	if was == false {
		return nil // nothing was taken: anything is looser
	}
	return stricter(at+"/"+key, was, now)
}

// definitions compares schemas that others name.
func definitions(at string, was, now any) []string {
	old, next := members(was), members(now)
	var all []string
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if s, ok := next[name]; ok {
			all = append(all, stricter(at+"/$defs/"+name, old[name], s)...)
		}
	}
	return all
}

// required names members that must be there from now on.
func required(at string, was, now any) []string {
	var all []string
	for _, name := range list(now) {
		if !slices.Contains(list(was), name) {
			all = append(all, fmt.Sprintf("%s is required", where(at+"/"+fmt.Sprint(name))))
		}
	}
	return all
}

func members(v any) map[string]any {
	m, ok := v.(map[string]any)
	if !ok {
		return map[string]any{}
	}
	return m
}

// list is a value as a list; one that is none is the only element of one.
func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// contains reports whether every element of the second list is in the first.
func contains(all, some any) bool {
	for _, want := range list(some) {
		if !slices.ContainsFunc(list(all), func(x any) bool { return reflect.DeepEqual(x, want) }) {
			return false
		}
	}
	return true
}

func number(v any) ratio {
	n, ok := v.(json.Number)
	if !ok {
		return 0
	}
	f, err := n.Float64()
	if err != nil {
		return 0
	}
	return f
}

func text(v any) string {
	if v == nil {
		return "nothing"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "unreadable"
	}
	return string(b)
}

// where names a member by its pointer.
func where(at string) string {
	if at == "" {
		return "the request"
	}
	return at
}
