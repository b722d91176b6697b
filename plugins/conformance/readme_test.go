package conformance_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/payrack/payrack/plugins/conformance"
)

var update = flag.Bool("update", false, "write the list of checks into README.md")

const (
	listBegins = "<!-- checks: written by go test ./plugins/conformance -run TestREADME -update -->\n"
	listEnds   = "<!-- end of checks -->\n"
)

func list() string {
	var b strings.Builder
	last := ""
	for _, c := range conformance.Checks() {
		if c.Group != last {
			fmt.Fprintf(&b, "\n### %s\n\n| check | what a plugin that passes does | how it is found out |\n|---|---|---|\n", c.Group)
			last = c.Group
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.ID, c.Title, c.Proves)
	}
	return b.String()
}

func TestREADME(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, begins := strings.Cut(string(raw), listBegins)
	_, tail, ends := strings.Cut(rest, listEnds)
	if !begins || !ends {
		t.Fatal("README.md has no place for the list of checks")
	}
	want := head + listBegins + list() + "\n" + listEnds + tail
	if *update {
		if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(raw) != want {
		t.Error("the list of checks in README.md is out of date: go test ./plugins/conformance -run TestREADME -update")
	}
	if count := fmt.Sprintf("%d checks", len(conformance.Checks())); !strings.Contains(head, count) {
		t.Errorf("README.md does not say %q", count)
	}
}

func TestChecksAreWhole(t *testing.T) {
	t.Parallel()
	id := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)
	seen := map[string]bool{}
	for _, c := range conformance.Checks() {
		if !id.MatchString(c.ID) || seen[c.ID] {
			t.Errorf("the id %q is none, or is there twice", c.ID)
		}
		seen[c.ID] = true
		if c.Group == "" || c.Title == "" || c.Proves == "" || c.Why == "" {
			t.Errorf("%s does not say what it is for", c.ID)
		}
		if strings.ContainsAny(c.Title+c.Proves, "|\n") {
			t.Errorf("%s breaks the table", c.ID)
		}
	}
	if len(seen) < 60 {
		t.Errorf("there are %d checks", len(seen))
	}
}
