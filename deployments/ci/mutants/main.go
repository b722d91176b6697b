// Command mutants proves the conformance kit: it plants one bug after the other into a provider and expects
// the kit to find it. A bug is a file beside this one, NN-name.mutant:
//
//	provider: acme
//	bug: what is wrong, in words
//	file: pay.go
//	<<<<
//	text that stands in the file exactly once
//	====
//	what stands there instead
//	>>>>
//
// The files of the tree are not touched: the changed ones lie in a temporary folder and reach the compiler
// as an overlay. A text that is not there, or there twice, is an error: a bug that was not planted proves
// nothing. So is a mutant that does not compile.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/payrack/payrack/plugins/conformance" //nolint:depguard // this program proves the kit
	"github.com/payrack/payrack/plugins/sandbox/dialects"
)

func main() {
	root := flag.String("root", ".", "the checkout")
	least := flag.Int("least", 24, "how many bugs must be found")
	only := flag.String("only", "", "a part of the name of the mutants to run")
	everything := flag.Bool("all", false, "name all the checks that find a bug, and not the first alone")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt) //nolint:forbidigo // the program's own
	defer stop()
	if err := run(ctx, *root, *only, *least, *everything); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// mutant is one seeded bug.
type mutant struct {
	name, provider, bug string
	hunks               []hunk
}

type hunk struct{ file, before, after string }

func run(ctx context.Context, root, only string, least int, everything bool) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	paths, err := filepath.Glob(filepath.Join(root, "deployments/ci/mutants", "*.mutant"))
	if err != nil {
		return err
	}
	var all []mutant
	for _, path := range paths {
		m, err := read(path)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		if strings.Contains(m.name, only) {
			all = append(all, m)
		}
	}
	// All are planted before any runs: a stale one is found at once and not after minutes.
	for _, m := range all {
		if _, err := m.planted(root); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	found := 0
	tell("%-28s %-9s %-58s %s\n", "MUTANT", "PROVIDER", "BUG", "FOUND BY")
	for _, m := range all {
		checks, err := m.try(ctx, root, everything)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		verdict := "NOT FOUND"
		if len(checks) > 0 {
			found++
			verdict = strings.Join(checks, ", ")
		}
		tell("%-28s %-9s %-58.58s %s\n", m.name, m.provider, m.bug, verdict)
	}
	tell("%d of %d seeded bugs found\n", found, len(all))
	if only == "" && found < least {
		return fmt.Errorf("at least %d have to be found", least)
	}
	return nil
}

// tell writes a line of the table.
func tell(format string, args ...any) { _, _ = fmt.Fprintf(os.Stdout, format, args...) }

var errForm = errors.New("it does not read as a mutant: see the comment in main.go")

func read(path string) (mutant, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // it is of this repository
	if err != nil {
		return mutant{}, err
	}
	m := mutant{name: strings.TrimSuffix(filepath.Base(path), ".mutant")}
	head, rest, _ := strings.Cut(string(raw), "file: ")
	for line := range strings.Lines(head) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "provider":
			m.provider = value
		case "bug":
			m.bug = value
		}
	}
	for text := range strings.SplitSeq("\n"+rest, "\nfile: ") {
		h, err := readHunk(strings.TrimPrefix(text, "\n"))
		if err != nil {
			return mutant{}, err
		}
		m.hunks = append(m.hunks, h)
	}
	if m.provider == "" || m.bug == "" {
		return mutant{}, errForm
	}
	return m, nil
}

func readHunk(text string) (hunk, error) {
	file, rest, opened := strings.Cut(text, "\n<<<<\n")
	before, rest, turned := strings.Cut(rest, "\n====\n")
	after, _, closed := strings.Cut(rest, "\n>>>>")
	if !opened || !turned || !closed || before == "" {
		return hunk{}, errForm
	}
	return hunk{file, before, after}, nil
}

// planted returns the changed files by their paths.
func (m mutant) planted(root string) (map[string]string, error) {
	files := map[string]string{}
	for _, h := range m.hunks {
		path := filepath.Join(root, "plugins/providers", m.provider, h.file)
		text, changed := files[path]
		if !changed {
			raw, err := os.ReadFile(path) //nolint:gosec // it is of this repository
			if err != nil {
				return nil, err
			}
			text = string(raw)
		}
		if n := strings.Count(text, h.before); n != 1 {
			return nil, fmt.Errorf("the text to change stands %d times in %s, not once: bring the mutant up to date", n, h.file)
		}
		files[path] = strings.Replace(text, h.before, h.after, 1)
	}
	return files, nil
}

// tryMax bounds one mutant; a mutant may hang.
const tryMax = 5 * time.Minute

// try builds the provider with the bug, lets the kit run, and returns the checks that failed: the first,
// or all of them.
func (m mutant) try(ctx context.Context, root string, everything bool) ([]string, error) {
	dir, err := os.MkdirTemp("", "payrack-mutant-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	files, err := m.planted(root)
	if err != nil {
		return nil, err
	}
	overlay := struct {
		Replace map[string]string `json:"Replace"` //nolint:tagliatelle // the Go tool spells it so
	}{map[string]string{}}
	for path, text := range files {
		changed := filepath.Join(dir, fmt.Sprintf("%d%s", len(overlay.Replace), filepath.Ext(path)))
		if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
			return nil, err
		}
		overlay.Replace[path] = changed
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		return nil, err
	}
	overlayPath := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayPath, list, 0o600); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, tryMax)
	defer cancel()
	binary := filepath.Join(dir, "plugin")
	if err := build(ctx, root, overlayPath, binary, "./plugins/providers/"+m.provider+"/cmd/payrack-provider-"+m.provider); err != nil {
		return nil, err
	}
	subject, err := conformance.LoadSubject(filepath.Join(root, "plugins/providers", m.provider, "conformance.json"))
	if err != nil {
		return nil, err
	}
	report, err := conformance.Verify(ctx, binary, subject, conformance.Options{Dialects: dialects.All(), FailFast: !everything})
	if err != nil {
		return nil, fmt.Errorf("the kit did not run to its end: %w", err)
	}
	var checks []string
	for _, r := range report.Results {
		if r.Status == conformance.StatusFailed {
			checks = append(checks, strings.Trim(r.Check+" "+r.Type, " "))
		}
	}
	return checks, nil
}

func build(ctx context.Context, root, overlay, binary, pkg string) error {
	goTool := os.Getenv("GO")
	if goTool == "" {
		goTool = "go"
	}
	cmd := exec.CommandContext(ctx, goTool, "build", "-trimpath", "-buildvcs=false", "-overlay", overlay, "-o", binary, pkg) //nolint:gosec // the Go tool that the operator chose
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the mutant does not compile: %w\n%s", err, out)
	}
	return nil
}
