package configs

import (
	"reflect"
	"slices"
	"strings"
)

// key is one leaf of Config.
type key struct {
	path string
	kind reflect.Type
	// open is true for a map whose members are not ours to name.
	open bool
}

// Keys lists every key in the order of the struct.
func Keys() []string {
	all := leaves()
	paths := make([]string, len(all))
	for i, k := range all {
		paths[i] = k.path
	}
	return paths
}

func leaves() []key { return walk(nil, "", reflect.TypeFor[Config]()) }

func walk(all []key, prefix string, t reflect.Type) []key {
	for f := range t.Fields() {
		path := prefix + f.Tag.Get("koanf")
		if f.Type.Kind() == reflect.Struct {
			all = walk(all, path+".", f.Type)
			continue
		}
		all = append(all, key{path: path, kind: f.Type, open: f.Type.Kind() == reflect.Map})
	}
	return all
}

// isSection reports whether a path names a part of the file that holds keys.
func isSection(path string) bool {
	return slices.ContainsFunc(leaves(), func(k key) bool { return strings.HasPrefix(k.path, path+".") })
}

// find returns the leaf that a path names; a path below an open map counts as the map.
func find(path string) (key, bool) {
	for _, k := range leaves() {
		if k.path == path || (k.open && strings.HasPrefix(path, k.path+".")) {
			return k, true
		}
	}
	return key{}, false
}

// nearest is the known key that looks most like the unknown one, or "" if none looks like it.
func nearest(unknown string) string {
	best, distance := "", len(unknown)/2+1
	for _, k := range Keys() {
		if d := edits(unknown, k); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return best
	}
	// A right name at the wrong level: url for database.url.
	last := unknown[strings.LastIndexByte(unknown, '.')+1:]
	i := slices.IndexFunc(Keys(), func(k string) bool { return strings.HasSuffix(k, "."+last) })
	if i < 0 {
		return ""
	}
	return Keys()[i]
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
