package main_test

import (
	"os"
	"os/exec"
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

// What a planted bug leaves behind is no package of the tree, or `go test ./...` would trip over it; and it compiles.
func TestAPlantedBugIsNoPackage(t *testing.T) {
	path, err := filepath.Abs("mutants/1-unknown-is-failed.mutant")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join("..", ".."))
	dir := t.TempDir()
	overlay, err := chaos.Plant(path, dir)
	if err != nil {
		t.Fatal(err)
	}
	file, _, _, err := chaos.ReadMutant(path)
	if err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-overlay", overlay, "./"+filepath.Dir(file))
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("the planted bug does not compile: %v\n%s", err, out)
	}
	if sources, err := filepath.Glob(filepath.Join(dir, "*.go")); err != nil || len(sources) > 0 {
		t.Errorf("a Go file is left behind: %v, %v", sources, err)
	}
}
