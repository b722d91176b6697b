package scaffold_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/payrack/payrack/plugins/scaffold"
)

// gateways are the three ways to know a gateway.
func gateways(t testing.TB) map[string]scaffold.Gateway {
	t.Helper()
	read := func(name string, f func([]byte) (scaffold.Gateway, error)) scaffold.Gateway {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		g, err := f(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return g
	}
	return map[string]scaffold.Gateway{
		"example": scaffold.Example(),
		"openapi": read("rest.yaml", func(text []byte) (scaffold.Gateway, error) { return scaffold.FromOpenAPI(t.Context(), text, nil) }),
		"curl":    read("recorded.txt", func(text []byte) (scaffold.Gateway, error) { return scaffold.FromCurl(text, nil) }),
	}
}

// TestProjectsBuildAndPass builds each project outside this repository, with nothing from the net, and runs its own
// tests but the conformance kit, which `make sdk-test` runs.
func TestProjectsBuildAndPass(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for name, gateway := range gateways(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := scaffold.Project(scaffold.Options{Name: "acme-" + name, Module: "example.com/pay/" + name, SDK: root, Gateway: gateway})
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "project")
			if err := scaffold.Write(dir, files); err != nil {
				t.Fatal(err)
			}
			sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, dir, "go", "vet", "./...")
			run(t, dir, "go", "test", "-skip", "TestConformance", "./...")
		})
	}
}

func run(t *testing.T, dir string, words ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), words[0], words[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
}
