package ipass_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// wireSettings are the members of wire that the settings schema describes, with their defaults.
func wireSettings(t *testing.T) map[string]struct {
	Default    any                       `json:"default"`
	Properties map[string]map[string]any `json:"properties"`
} {
	t.Helper()
	var doc struct {
		Properties struct {
			Wire struct {
				Properties map[string]struct {
					Default    any                       `json:"default"`
					Properties map[string]map[string]any `json:"properties"`
				} `json:"properties"`
			} `json:"wire"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(describe(t).Settings, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Properties.Wire.Properties
}

// The defaults that operators are shown are those of wire.json.
func TestSettingsSchemaShowsTheDefaults(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("wire.json")
	if err != nil {
		t.Fatal(err)
	}
	var defaults map[string]any
	if err := json.Unmarshal(raw, &defaults); err != nil {
		t.Fatal(err)
	}
	delete(defaults, "published") // no setting
	described := wireSettings(t)
	for name, value := range defaults {
		switch value := value.(type) {
		case string:
			if described[name].Default != value {
				t.Errorf("wire.%s: the schema says %v, wire.json %v", name, described[name].Default, value)
			}
		case map[string]any:
			for member, of := range described[name].Properties {
				if of["default"] != value[member] {
					t.Errorf("wire.%s.%s: the schema says %v, wire.json %v", name, member, of["default"], value[member])
				}
			}
		}
	}
	for name := range described {
		if defaults[name] == nil {
			t.Errorf("wire.%s has no default in wire.json", name)
		}
	}
}

// The pages name every setting and none that does not exist, in both languages, and answer all twenty questions.
func TestPages(t *testing.T) {
	t.Parallel()
	settings := wireSettings(t)
	named := regexp.MustCompile("`wire\\.([a-z_]+)")
	for _, page := range []string{"README.md", "README.zh-TW.md", "ADAPTING.md", "ADAPTING.zh-TW.md"} {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		text, found := string(raw), []string{}
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			found = append(found, m[1])
			if _, ok := settings[m[1]]; !ok && m[1] != "json" && m[1] != "go" {
				t.Errorf("%s names wire.%s, which does not exist", page, m[1])
			}
		}
		for name := range settings {
			if !slices.Contains(found, name) {
				t.Errorf("%s does not name wire.%s", page, name)
			}
		}
		if strings.HasPrefix(page, "ADAPTING") {
			rows := regexp.MustCompile(`(?m)^\| ([0-9]+) \|`).FindAllString(text, -1)
			if len(rows) != 20 {
				t.Errorf("%s has %d of 20 questions", page, len(rows))
			}
		}
	}
}
