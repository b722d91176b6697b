package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	chaos "github.com/payrack/payrack/deployments/chaos"
)

// Every planted bug fits the tree: a bug that was not planted proves nothing.
func TestMutantsFitTheTree(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("mutants/*.mutant")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d mutants, %v; at least three must turn a run red", len(files), err)
	}
	for _, path := range files {
		file, text, instead, err := chaos.ReadMutant(path)
		if err != nil {
			t.Error(err)
			continue
		}
		source, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil {
			t.Error(err)
			continue
		}
		if n := strings.Count(string(source), text); n != 1 || instead == text {
			t.Errorf("%s: the text stands in %s %d times, want once", path, file, n)
		}
	}
}
