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

	"github.com/payrack/payrack/deployments/chaos/record"
	"github.com/payrack/payrack/deployments/chaos/verify"
)

// A mutant is a bug that is planted in the production code. Its file names the bug, the file of the tree, a text that stands
// there exactly once, and what stands there instead. The tree is not touched: the compiler sees the changed file as an
// overlay. A mutant that does not turn the run red shows a hole in the harness.
type mutant struct{ name, bug, file, text, instead string }

// mutantPayments are enough for every planted bug, and mutantRepeats for every crash point.
const (
	mutantPayments = 150
	mutantRepeats  = 2
)

// mutants plants the bugs of a folder one after the other, and expects each run to turn red because an invariant broke.
func mutants(ctx context.Context, s settings, folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.mutant"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%w: %s has no *.mutant", errUsage, folder)
	}
	// Without a planted bug the same short run must be green, or what turns it red is not the planted bug.
	why, err := short(ctx, s, filepath.Join(s.data, "mutant"))
	if err != nil {
		return err
	}
	if len(why) > 0 {
		return fmt.Errorf("%w without any planted bug: %s", errRed, strings.Join(why, "; "))
	}
	var missed []string
	for _, path := range files {
		m, err := readMutant(path)
		if err != nil {
			return err
		}
		why, err := m.run(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if len(why) == 0 {
			missed = append(missed, m.name)
			fmt.Printf("MISSED  %s: %s\n", m.name, m.bug)
			continue
		}
		fmt.Printf("caught  %s: %s\n        %d broken, such as %s\n", m.name, m.bug, len(why), why[0])
	}
	if len(missed) > 0 {
		return fmt.Errorf("%w: %s did not turn the run red", errRed, strings.Join(missed, ", "))
	}
	fmt.Printf("%d of %d planted bugs turned the run red\n", len(files), len(files))
	return nil
}

func readMutant(path string) (mutant, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // a file of the project
	if err != nil {
		return mutant{}, err
	}
	head, rest, ok := strings.Cut(string(raw), "<<<<\n")
	text, rest, ok2 := strings.Cut(rest, "====\n")
	instead, _, ok3 := strings.Cut(rest, ">>>>\n")
	m := mutant{name: strings.TrimSuffix(filepath.Base(path), ".mutant"), text: strings.TrimSuffix(text, "\n"), instead: strings.TrimSuffix(instead, "\n")}
	for line := range strings.Lines(head) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "bug":
			m.bug = value
		case "file":
			m.file = value
		}
	}
	if !ok || !ok2 || !ok3 || m.file == "" || m.bug == "" {
		return m, fmt.Errorf("%s is no mutant", path)
	}
	return m, nil
}

// run builds the programs with the bug and lets them run; it returns what broke.
func (m mutant) run(ctx context.Context, s settings) ([]string, error) {
	dir := filepath.Join(s.data, "mutant")
	if err := fresh(dir); err != nil {
		return nil, err
	}
	overlay, err := m.overlay(dir)
	if err != nil {
		return nil, err
	}
	s.payrack, s.failing = filepath.Join(dir, "payrack"), filepath.Join(dir, "payrack-failpoint")
	for program, tags := range map[string]string{s.payrack: "", s.failing: "failpoint"} {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", tags, "-overlay", overlay, "-o", program, "./cmd/payrack") //nolint:gosec // our own tree
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("it does not compile: %w\n%s", err, out)
		}
	}
	return short(ctx, s, dir)
}

// short is a run that is long enough for every planted bug: crash points first, and load if nothing broke there.
func short(ctx context.Context, s settings, dir string) ([]string, error) {
	s.payments, s.kills, s.repeats, s.points = mutantPayments, (mutantPayments+19)/20, mutantRepeats, "adfgi"
	for _, part := range []func(context.Context, string) error{
		func(ctx context.Context, dir string) error { return crashPoints(ctx, s, dir) },
		func(ctx context.Context, dir string) error { return storm(ctx, s, layoutSQLite, 1, dir) },
	} {
		at := filepath.Join(dir, "run")
		if err := fresh(at); err != nil {
			return nil, err
		}
		if err := part(ctx, at); err != nil {
			return nil, err
		}
		r, err := record.Open(filepath.Join(at, "report"))
		if err != nil {
			return nil, err
		}
		if v := verify.Judge(r); len(v.Broken) > 0 {
			return v.Broken, nil
		}
	}
	return nil, nil
}

// overlay writes the changed file and tells the compiler of it.
func (m mutant) overlay(dir string) (string, error) {
	original, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	raw, err := os.ReadFile(original) //nolint:gosec // a file of the project
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(raw), m.text); n != 1 {
		return "", fmt.Errorf("the text to change stands in %s %d times", m.file, n)
	}
	// Not called .go: a run that is killed leaves it behind, and no package of the tree may grow out of it.
	changed := filepath.Join(dir, "changed.planted")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, errors.Join(
		//nolint:gosec // below the folder that the caller named
		os.WriteFile(changed, []byte(strings.Replace(string(raw), m.text, m.instead, 1)), 0o600), os.WriteFile(path, list, 0o600),
	)
}
