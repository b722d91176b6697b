package conformance

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/sandbox"
)

// Plugin is what an author's test hands to Run.
type Plugin struct {
	// Package is the main package to build, "." or a path such as "./cmd/payrack-provider-acme". It is
	// built with CGO_ENABLED=0, as a release is.
	Package string
	// Path is a ready binary, in the place of Package.
	Path string
	// Config is the file that describes the plugin. Default conformance.json.
	Config string
	// Subject describes the plugin in the place of a file.
	Subject *Subject
	// Gateway makes a gateway of the author's own, in the place of the subject's.
	Gateway func() (Gateway, error)
	// Dialects are what a subject with a sandbox gateway chooses from.
	Dialects []sandbox.Dialect
	// Only runs the named checks; empty runs all.
	Only []string
}

// Run proves a plugin: one subtest for each check and payment type. Checks that are not applicable are
// skipped with the reason.
func Run(t *testing.T, p Plugin) {
	t.Helper()
	if p.Path == "" {
		p.Path = build(t, p.Package)
	}
	subject := p.Subject
	if subject == nil {
		config := p.Config
		if config == "" {
			config = "conformance.json"
		}
		s, err := LoadSubject(config)
		if err != nil {
			t.Fatal(err)
		}
		subject = &s
	}
	report, err := Verify(t.Context(), p.Path, *subject, Options{
		Gateway: p.Gateway, Dialects: p.Dialects, Only: p.Only,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		t.Run(r.name(), func(t *testing.T) {
			switch r.Status {
			case StatusFailed:
				t.Errorf("%s\n%s\nwhy it matters: %s", r.Title, r.problems(), r.Why)
			case StatusNotApplicable, StatusWaived:
				t.Skipf("%s: %s", r.Status, r.Reason)
			case StatusPassed:
			}
		})
	}
}

// buildMax is long enough for a first build on a slow machine.
const buildMax = 5 * time.Minute

func build(t *testing.T, pkg string) string {
	t.Helper()
	if pkg == "" {
		pkg = "."
	}
	out := filepath.Join(t.TempDir(), "plugin")
	ctx, cancel := context.WithTimeout(t.Context(), buildMax)
	defer cancel()
	// The flags of a release, so that both share one build cache.
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", out, pkg) //nolint:gosec // the author's own package
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, text)
	}
	return out
}
