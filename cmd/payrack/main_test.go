package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { testscript.Main(tidy{m}, map[string]func(){"payrack": main}) }

// tidy removes what the tests built; testscript leaves by os.Exit.
type tidy struct{ m *testing.M }

// Run runs the tests.
func (t tidy) Run() int {
	code := t.m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	return code
}

// built is the folder that plugins made, empty if it did not have to.
var built string

// plugins is the folder of the provider binaries: the one that make built, or our own.
var plugins = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("PAYRACK_PLUGINS"); dir != "" {
		return dir, nil
	}
	dir, err := os.MkdirTemp("", "payrack-plugins-")
	if err != nil {
		return "", err
	}
	built = dir
	mains, err := filepath.Glob(filepath.Join("..", "..", "plugins", "providers", "*", "cmd", pluginPrefix+"*"))
	if err != nil || len(mains) == 0 {
		return "", fmt.Errorf("find the providers: %w", err)
	}
	for _, main := range mains {
		if err := buildProvider("./"+main, filepath.Join(dir, filepath.Base(main)), ""); err != nil {
			return "", err
		}
	}
	return dir, nil
})

// buildProvider builds a provider under a version, or without one.
func buildProvider(source, to, version string) error {
	args := []string{"build", "-trimpath", "-o", to}
	if version != "" {
		args = append(args, "-ldflags", "-s -w -X github.com/payrack/payrack/plugins/sdk/provider.Version="+version)
	}
	build := exec.Command("go", append(args, source)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", source, err, out)
	}
	return nil
}

// release NAME VERSION FILE builds a provider of this repository under a version.
func buildRelease(ts *testscript.TestScript, _ bool, args []string) {
	source := filepath.Join("..", "..", "plugins", "providers", args[0], "cmd", pluginPrefix+args[0])
	ts.Check(buildProvider("./"+source, ts.MkAbs(args[2]), args[1]))
}

// TestScripts runs testdata/*.txtar, each a session of an operator.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			dir, err := plugins()
			if err != nil {
				return err
			}
			// The run folder must have a short path.
			run, err := os.MkdirTemp("", "pr-") //nolint:usetesting // t.TempDir is too long for a socket
			if err != nil {
				return err
			}
			e.Defer(func() { _ = os.RemoveAll(run) })
			e.Defer(func() { endSandbox(filepath.Join(e.WorkDir, "d", "sandbox")) })
			e.Setenv("PLUGINS", dir)
			e.Setenv("RUN", run)
			for _, name := range []string{"PUBLIC", "ADMIN"} {
				addr, err := freeAddress()
				if err != nil {
					return err
				}
				e.Setenv(name, addr)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "await": await, "seen": seen, "member": member, "awaithttp": awaitHTTP, "hides": hides, "mode": mode, "signal": signalPID,
			"nochildren": noChildren, "release": buildRelease,
		},
	})
}

// endSandbox ends a sandbox that a script which failed has left.
func endSandbox(dir string) {
	text, err := os.ReadFile(filepath.Join(dir, sandboxState))
	if err != nil {
		return
	}
	var left sandboxProcess
	if json.Unmarshal(text, &left) == nil {
		_ = left.end(sandboxPatience)
	}
}

// givenPorts are those that freeAddress has handed out.
var givenPorts sync.Map

// freeAddress is an address of this machine that was free a moment ago. Its port lies below those that the system gives to
// connections, or one of these could take it before the program does.
func freeAddress() (string, error) {
	for range 1000 {
		port := 10_000 + rand.IntN(20_000)
		if _, given := givenPorts.LoadOrStore(port, true); given {
			continue
		}
		if l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); err == nil {
			return l.Addr().String(), l.Close()
		}
	}
	return "", errors.New("no port is free")
}

// exits CODE PATTERN ARGS... runs payrack and compares its exit code, and its stderr with the pattern.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: exits CODE PATTERN ARGS...")
	}
	var program string
	for dir := range strings.SplitSeq(ts.Getenv("PATH"), string(os.PathListSeparator)) {
		if _, err := os.Stat(filepath.Join(dir, "payrack")); err == nil {
			program = filepath.Join(dir, "payrack")
			break
		}
	}
	command := exec.Command(program, args[2:]...)
	command.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "PAYRACK_HTTP_ADDR", "PAYRACK_ADMIN_TOKEN", "PAYRACK_CLIENT_SECRET", "PAYRACK_CONFIG"} {
		if value := ts.Getenv(name); value != "" {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	var out, errOut bytes.Buffer
	command.Stdout, command.Stderr = &out, &errOut
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	if got := strconv.Itoa(command.ProcessState.ExitCode()); got != args[0] {
		ts.Fatalf("exit code %s, want %s\nstdout:\n%s\nstderr:\n%s", got, args[0], out.String(), errOut.String())
	}
	if !regexp.MustCompile(args[1]).MatchString(errOut.String()) {
		ts.Fatalf("stderr does not match %q:\n%s", args[1], errOut.String())
	}
	_, _ = ts.Stdout().Write(out.Bytes())
}

// await FILE waits until the file is there.
func await(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
	}
	ts.Fatalf("%s does not appear", args[0])
}

// seen FILE TEXT waits until the file holds the text.
func seen(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if text, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && strings.Contains(string(text), args[1]) {
			return
		}
	}
	ts.Fatalf("%s does not say %s:\n%s", args[0], args[1], ts.ReadFile(args[0]))
}

// awaithttp URL waits until the address answers 200.
func awaitHTTP(ts *testscript.TestScript, _ bool, args []string) {
	client := &http.Client{Timeout: time.Second}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if r, err := client.Get(args[0]); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
	}
	ts.Fatalf("%s does not answer", args[0])
}

// member VAR FILE NAME sets a variable from a member of a JSON object in a file, or in stdout.
func member(ts *testscript.TestScript, _ bool, args []string) {
	value := strings.Trim(string(rawMembers([]byte(ts.ReadFile(args[1])))[args[2]]), `"`)
	if value == "" {
		ts.Fatalf("%s has no member %s", args[1], args[2])
	}
	ts.Setenv(args[0], value)
}

// hides FILE TEXT fails if the file holds the text.
func hides(ts *testscript.TestScript, _ bool, args []string) {
	if strings.Contains(ts.ReadFile(args[0]), args[1]) {
		ts.Fatalf("%s holds %s", args[0], args[1])
	}
}

// mode FILE OCTAL compares the permissions of a file.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

// signal NAME PID sends INT or KILL to a process and waits until it is gone.
func signalPID(ts *testscript.TestScript, _ bool, args []string) {
	pid, err := strconv.Atoi(args[1])
	ts.Check(err)
	life, err := lifeOf(pid)
	ts.Check(err)
	found, err := os.FindProcess(pid)
	ts.Check(err)
	signals := map[string]os.Signal{"INT": os.Interrupt, "KILL": os.Kill}
	ts.Check(found.Signal(signals[args[0]]))
	if !life.gone(30 * time.Second) {
		ts.Fatalf("process %d does not end", pid)
	}
}

// nochildren PIDS... fails if one of the processes is still there after twenty seconds. None of them would end by itself.
func noChildren(ts *testscript.TestScript, _ bool, args []string) {
	began := time.Now()
	for _, arg := range args {
		pid, err := strconv.Atoi(arg)
		ts.Check(err)
		if life, err := lifeOf(pid); err == nil && !life.gone(20*time.Second) {
			ts.Fatalf("process %d is still there", pid)
		}
	}
	ts.Logf("they were gone after %v", time.Since(began))
}
