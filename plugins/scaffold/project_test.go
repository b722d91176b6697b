package scaffold_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
			resolve(t, dir, root)
			run(t, dir, "go", "vet", "./...")
			run(t, dir, "go", "test", "-skip", "TestConformance", "./...")
		})
	}
}

// resolve writes down which modules a project stands on, as `go mod tidy` would with the net: those of the SDK. Without the list
// the go command asks for versions that the SDK's own build never needed, and a fresh machine does not have them.
func resolve(t *testing.T, dir, sdk string) {
	t.Helper()
	read := func(folder, name string) []byte {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	_, required, found := bytes.Cut(read(sdk, "go.mod"), []byte("\nrequire "))
	if !found {
		t.Fatal("go.mod of the SDK requires nothing")
	}
	for name, text := range map[string][]byte{
		"go.mod": slices.Concat(read(dir, "go.mod"), []byte("\nrequire "), required), "go.sum": read(sdk, "go.sum"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
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
