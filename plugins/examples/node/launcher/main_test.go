package main

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// pack builds the launcher with a program behind it, as build.sh does.
func pack(t *testing.T, m manifest, program string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "packed")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, text)
	}
	f, err := os.OpenFile(out, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	archive := zip.NewWriter(f)
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"manifest.json": string(raw), "program": program} {
		w, err := archive.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

func shell(t *testing.T) manifest {
	t.Helper()
	path, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	return manifest{Interpreter: path, SHA256: hex.EncodeToString(sum[:]), Args: []string{"-e"}}
}

func TestRunsTheProgram(t *testing.T) {
	t.Parallel()
	packed := pack(t, shell(t), `echo "$1 $GREETING $$"; cat`)
	cmd := exec.CommandContext(t.Context(), packed, "--flag")
	cmd.Env = []string{"GREETING=hello"}
	cmd.Stdin = strings.NewReader("from standard input")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr, cmd.Dir = &out, os.Stderr, t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	first, rest, _ := strings.Cut(out.String(), "\n")
	words := strings.Fields(first)
	if len(words) != 3 || words[0] != "--flag" || words[1] != "hello" || rest != "from standard input" {
		t.Fatalf("got %q", out.String())
	}
	if words[2] != strconv.Itoa(pid) {
		t.Errorf("the program has the process id %s, and %d was started: whoever kills the one does not kill the other", words[2], pid)
	}
	left, err := os.ReadDir(cmd.Dir)
	if err != nil || len(left) != 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

func TestRefusesAnotherInterpreter(t *testing.T) {
	t.Parallel()
	m := shell(t)
	m.SHA256 = strings.Repeat("0", 64)
	out, err := exec.CommandContext(t.Context(), pack(t, m, "echo started")).CombinedOutput()
	if err == nil || strings.Contains(string(out), "started") || !strings.Contains(string(out), "this release was built for") {
		t.Errorf("got %v\n%s", err, out)
	}
	m.Interpreter = filepath.Join(t.TempDir(), "missing")
	out, err = exec.CommandContext(t.Context(), pack(t, m, "echo started")).CombinedOutput()
	if err == nil || strings.Contains(string(out), "started") || !strings.Contains(string(out), "open the interpreter") {
		t.Errorf("got %v\n%s", err, out)
	}
}

func TestNothingBehindIt(t *testing.T) {
	t.Parallel()
	if err := run([]string{"launcher"}); err == nil || !strings.Contains(err.Error(), "no program behind it") {
		t.Errorf("got %v", err)
	}
}
