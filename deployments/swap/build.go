package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The provider that is swapped, and the one beside it.
const (
	provider = "linepay"
	other    = "ipass"
)

// build is a release with a planted bug: a file *.mutant in the form of deployments/ci/mutants, with the head members bug and,
// for a release that must be refused, code. The tree is not touched: the compiler sees the changed files as an overlay.
type build struct {
	name, bug, code string
	hunks           []hunk
}

type hunk struct{ file, before, after string }

var errForm = errors.New("it does not read as a planted bug")

// readBuilds reads a folder, in the order of the names.
func readBuilds(folder string) ([]build, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.mutant"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%w: %s has no *.mutant", errUsage, folder)
	}
	var all []build
	for _, path := range paths {
		b, err := readBuild(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		all = append(all, b)
	}
	return all, nil
}

func readBuild(path string) (build, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // a file of the project
	if err != nil {
		return build{}, err
	}
	b := build{name: strings.TrimSuffix(filepath.Base(path), ".mutant")}
	head, rest, _ := strings.Cut(string(raw), "file: ")
	for line := range strings.Lines(head) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "bug":
			b.bug = value
		case "code":
			b.code = value
		}
	}
	for text := range strings.SplitSeq("\n"+rest, "\nfile: ") {
		file, rest, opened := strings.Cut(strings.TrimPrefix(text, "\n"), "\n<<<<\n")
		before, rest, turned := strings.Cut(rest, "\n====\n")
		after, _, closed := strings.Cut(rest, "\n>>>>")
		if !opened || !turned || !closed || before == "" {
			return build{}, errForm
		}
		b.hunks = append(b.hunks, hunk{file, before, after})
	}
	if b.bug == "" {
		return build{}, errForm
	}
	return b, nil
}

// changed are the files of the tree as the build has them, by their paths.
func (b build) changed(root string) (map[string]string, error) {
	files := map[string]string{}
	for _, h := range b.hunks {
		path := filepath.Join(root, "plugins/providers", provider, h.file)
		text, seen := files[path]
		if !seen {
			raw, err := os.ReadFile(path) //nolint:gosec // a file of the project
			if err != nil {
				return nil, err
			}
			text = string(raw)
		}
		if n := strings.Count(text, h.before); n != 1 {
			return nil, fmt.Errorf("%s: the text to change stands %d times in %s, not once: bring the bug up to date", b.name, n, h.file)
		}
		files[path] = strings.Replace(text, h.before, h.after, 1)
	}
	return files, nil
}

// make compiles the provider with the bug, as a release of a version.
func (b build) make(ctx context.Context, s settings, version, out string) error {
	dir, err := os.MkdirTemp("", "payrack-build-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := b.overlay(s.root, dir)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, s.goTool, "build", "-trimpath", "-buildvcs=false", "-overlay", overlay, //nolint:gosec // the Go tool that the operator chose
		"-ldflags", "-s -w -X github.com/payrack/payrack/plugins/sdk/provider.Version="+version,
		"-o", out, "./plugins/providers/"+provider+"/cmd/payrack-provider-"+provider)
	cmd.Dir = s.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s does not compile: %w\n%s", b.name, err, text)
	}
	return nil
}

// overlay writes the changed files into a folder, and what tells the compiler of them.
func (b build) overlay(root, dir string) (string, error) {
	files, err := b.changed(root)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for path, text := range files {
		changed := filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[path] = changed
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, list, 0o600)
}
