package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/host/shim"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// sandboxed starts plugins as payrack does: this binary is its own shim.
func sandboxed(o *host.Options) { o.Shim = []string{"/proc/self/exe", shim.Argument} }

// bystander pays with another provider of the same host until the test ends. Every call must succeed, and each time the
// function that is returned is called, at least one more whole call does.
func bystander(t *testing.T, h *host.Host) (goesOn func()) {
	t.Helper()
	r := release(t, role{Version: "1.0.0", Behaviour: "bystander"})
	r.Name = otherName
	s := h.Slot(otherName)
	if _, err := s.Activate(t.Context(), r, nil); err != nil {
		t.Fatal(err)
	}
	var paid atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			call, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			l, err := s.Acquire(call)
			if err != nil {
				t.Errorf("the other provider: %v", err)
				cancel()
				return
			}
			p := payment("ok")
			p.Capture = true
			a := l.Pay(call, p)
			l.Close()
			cancel()
			if a.Outcome() != provider.OutcomeApproved {
				t.Errorf("the other provider: %+v", a.Failure())
				return
			}
			paid.Add(1)
			time.Sleep(time.Millisecond)
		}
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return func() {
		t.Helper()
		before := paid.Load()
		eventually(t, "the other provider goes on", func() bool { return paid.Load() >= before+2 })
	}
}

// attack is one attempt. Where harmless is true a plugin may do it, so that a denial of everything is no success.
type attack struct {
	name, argument string
	harmless       bool
	// anyway is true for what fails without the sandbox, too.
	anyway bool
}

// perform lets the plugin try, and returns what came of each.
func perform(t *testing.T, l *host.Lease, attacks []attack) []tried {
	t.Helper()
	lines := make([]string, len(attacks))
	for i, a := range attacks {
		lines[i] = a.name + " " + a.argument
	}
	p := payment("try")
	p.Description = strings.Join(lines, "\n")
	answer := l.Pay(withTime(t, time.Minute), p)
	var out struct {
		Tried []tried `json:"tried"`
	}
	if err := json.Unmarshal(answer.Native().Body, &out); err != nil || len(out.Tried) != len(attacks) {
		t.Fatalf("%v: %+v %s", err, answer.Failure(), answer.Native().Body)
	}
	return out.Tried
}

// targets prepares what a hostile plugin is after, and the attacks on it.
func targets(t *testing.T, h *host.Host, run string) (attacks []attack, settings string) {
	t.Helper()
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.Mkdir(keys, 0o700); err != nil {
		t.Fatal(err)
	}
	master := filepath.Join(keys, "master.key")
	if err := os.WriteFile(master, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	var gates [2]string
	for i := range gates {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		gates[i] = l.Addr().String()
	}
	var other int
	for _, s := range h.Status() {
		if s.Name == otherName {
			other = s.Instances[0].PID
		}
	}
	sockets, _ := filepath.Glob(filepath.Join(run, "*", "*", "plugin*"))
	if other == 0 || len(sockets) == 0 {
		t.Fatalf("no other plugin: %d, %v", other, sockets)
	}
	ours, theirs := "/proc/"+itoa(os.Getpid()), "/proc/"+itoa(other)
	attacks = []attack{
		{name: "read", argument: ours + "/environ"},
		{name: "read", argument: ours + "/cmdline"},
		{name: "read", argument: theirs + "/environ"},
		{name: "list", argument: ours + "/fd"},
		{name: "read", argument: "/etc/passwd"},
		{name: "read", argument: master},
		{name: "write", argument: master},
		{name: "take", argument: master},
		{name: "list", argument: keys},
		{name: "create", argument: filepath.Join(keys, "new")},
		{name: "mkdir", argument: filepath.Join(keys, "folder")},
		{name: "link", argument: filepath.Join(keys, "link")},
		{name: "remove", argument: master},
		{name: "list", argument: run},
		{name: "list", argument: filepath.Dir(sockets[0])},
		{name: "create", argument: filepath.Join(filepath.Dir(sockets[0]), "w", "new")},
		{name: "run", argument: "/bin/sh"},
		{name: "run", argument: "/proc/self/exe"},
		{name: "run-memory"},
		{name: "dial", argument: gates[1]},
		{name: "listen"},
		{name: "socket", argument: "2,1,262"}, // MPTCP, which the kernel's rules for TCP do not see
		{name: "socket", argument: "17,3,0"},  // packets
		{name: "socket", argument: "40,1,0"},  // the machine's own host
		{name: "socket", argument: "16,3,9"},  // the audit log of the kernel
		{name: "signal", argument: itoa(os.Getpid())},
		{name: "signal", argument: itoa(other)},
		{name: "trace", argument: itoa(other)},
		{name: "namespace"},
		{name: "keyring"},
		{name: "ring"},
		{name: "files"},
	}
	for _, s := range sockets {
		attacks = append(attacks, attack{name: "knock", argument: s, anyway: true})
	}
	attacks = append(attacks,
		attack{name: "dial", argument: gates[0], harmless: true},
		attack{name: "create", argument: "own", harmless: true},
		attack{name: "mkdir", argument: "folder", harmless: true},
		attack{name: "read", argument: "own", harmless: true},
		attack{name: "remove", argument: "own", harmless: true},
		attack{name: "remove", argument: "folder", harmless: true},
		attack{name: "read", argument: "/etc/hosts", harmless: true},
		attack{name: "write", argument: "/dev/null", harmless: true},
		attack{name: "read", argument: "/proc/self/cgroup", harmless: true},
		attack{name: "socket", argument: "2,1,6", harmless: true},
		attack{name: "socket", argument: "10,2,17", harmless: true},
	)
	return attacks, fmt.Sprintf(`{"label":"http://%s/pay"}`, gates[0])
}

// A plugin that means harm gets at nothing but its own, and the other provider goes on all the while.
func TestHostilePluginIsConfined(t *testing.T) {
	t.Parallel()
	needLandlock(t, 6)
	var run string
	h := newHost(t, sandboxed, func(o *host.Options) { run = o.RunDir })
	goesOn := bystander(t, h)
	attacks, settings := targets(t, h, run)
	activate(t, h, role{Version: "1.0.0"}, settings)
	l := acquire(t, h)
	for i, got := range perform(t, l, attacks) {
		a := attacks[i]
		switch {
		case interpreted && (strings.HasPrefix(a.name, "run") || a.name == "keyring"):
			// This build of the test needs a dynamic loader, and may execute it.
		case got.Done != a.harmless:
			t.Errorf("%s %s: done %v (%s), want %v", a.name, a.argument, got.Done, got.Error, a.harmless)
		}
		if strings.Contains(got.Error, "unknown attempt") {
			t.Errorf("%s: %s", a.name, got.Error)
		}
	}
	goesOn()
	if a := l.Pay(withTime(t, 10*time.Second), payment("ok")); a.Outcome() != provider.OutcomeApproved {
		t.Errorf("after its attempts the plugin serves no more: %+v", a.Failure())
	}
}

// The same attempts without the sandbox do succeed: it is the sandbox that stops them.
func TestWithoutTheSandboxTheyWouldSucceed(t *testing.T) {
	t.Parallel()
	var run string
	h := newHost(t, func(o *host.Options) { run = o.RunDir })
	bystander(t, h)
	attacks, settings := targets(t, h, run)
	activate(t, h, role{Version: "1.0.0"}, settings)
	done := 0
	for i, got := range perform(t, acquire(t, h), attacks) {
		a := attacks[i]
		if got.Done {
			done++
		}
		// Some depend on the rights of the user and on what the kernel has; these do not.
		switch {
		case a.anyway && got.Done:
			t.Errorf("%s %s: a stranger was let in", a.name, a.argument)
		case a.harmless || a.name == "write" || a.name == "create" || a.name == "run" || a.name == "dial" || a.name == "listen" ||
			a.name == "link" || a.name == "list" && !strings.HasPrefix(a.argument, "/proc/"):
			if !got.Done {
				t.Errorf("%s %s: %s", a.name, a.argument, got.Error)
			}
		}
	}
	if done < 20 {
		t.Errorf("only %d attempts succeed without the sandbox: they are no attempts", done)
	}
}

func TestProtectionsAreReported(t *testing.T) {
	t.Parallel()
	needLandlock(t, 4)
	h := newHost(t, sandboxed)
	pid := activate(t, h, role{Version: "1.0.0"}, "").PID
	held := h.Status()[0].Instances[0].Protections
	for _, name := range []string{
		shim.NoNewPrivs, shim.LandlockFiles, shim.LandlockNetwork, shim.SystemCalls, shim.Capabilities, shim.CoreDumps, shim.OpenFiles,
		"process_group", "dies_with_host", "sealed_image", "environment",
	} {
		if held[name] != shim.On {
			t.Errorf("%s: %q", name, held[name])
		}
	}
	for _, name := range []string{"memory", "processes"} { // a matter of the machine
		if what := held[name]; what != shim.On && (!strings.HasPrefix(what, "off: ") || len(what) < 20) {
			t.Errorf("%s: %q", name, what)
		}
	}
	// What the kernel says of the process, and not what we say.
	status, err := os.ReadFile("/proc/" + itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	limits, err := os.ReadFile("/proc/" + itoa(pid) + "/limits")
	if err != nil {
		t.Fatal(err)
	}
	seen := strings.Join(strings.Fields(string(status)+string(limits)), " ")
	for _, want := range []string{
		"NoNewPrivs: 1", "Seccomp: 2", "CapPrm: 0000000000000000 CapEff: 0000000000000000", "Max core file size 0 0", "Max open files 1024 1024",
	} {
		if !strings.Contains(seen, want) {
			t.Errorf("the kernel does not say %q", want)
		}
	}
	plain := newHost(t)
	activate(t, plain, role{Version: "1.0.0"}, "")
	if got := plain.Status()[0].Instances[0].Protections[shim.LandlockFiles]; got != "off: plugins are started without the sandbox" {
		t.Errorf("without the sandbox: %q", got)
	}
}

// What an operator switches off is off, and said to be.
func TestSandboxSettings(t *testing.T) {
	t.Parallel()
	needLandlock(t, 4)
	h := newHost(t, sandboxed, func(o *host.Options) {
		o.Sandbox = host.Sandbox{NoFiles: true, NoNetwork: true, OpenFiles: 321, Memory: -1}
	})
	pid := activate(t, h, role{Version: "1.0.0"}, "").PID
	held := h.Status()[0].Instances[0].Protections
	for name, want := range map[string]string{
		shim.LandlockFiles: "off: plugins.sandbox.files is false", shim.LandlockNetwork: "off: plugins.sandbox.network is false",
		"memory": "off: no limit is configured", shim.NoNewPrivs: shim.On,
	} {
		if held[name] != want {
			t.Errorf("%s: %q, want %q", name, held[name], want)
		}
	}
	limits, err := os.ReadFile("/proc/" + itoa(pid) + "/limits")
	if err != nil || !strings.Contains(strings.Join(strings.Fields(string(limits)), " "), "Max open files 321 321") {
		t.Errorf("%v\n%s", err, limits)
	}
	for _, got := range perform(t, acquire(t, h), []attack{{name: "read", argument: "/etc/passwd"}, {name: "listen"}}) {
		if !got.Done {
			t.Errorf("switched off, and denied: %s", got.Error)
		}
	}
}

// A plugin is installed by running it once. That run is confined, too, and reaches no network at all.
func TestDescribeIsConfined(t *testing.T) {
	t.Parallel()
	h := newHost(t, sandboxed)
	info, _, err := h.Describe(t.Context(), release(t, role{Version: "1.0.0"}).Path)
	if err != nil || info.Name != pluginName {
		t.Errorf("%v, %q", err, info.Name)
	}
	broken := newHost(t, func(o *host.Options) { o.Shim = []string{"/bin/false", shim.Argument} })
	if _, _, err := broken.Describe(t.Context(), release(t, role{Version: "1.0.0"}).Path); err == nil ||
		!strings.Contains(err.Error(), "the sandbox ended before the plugin began (exit status 1)") {
		t.Errorf("a shim that does nothing: %v", err)
	}
}

// A plugin in another language executes its interpreter, if the operator allows exactly that file.
func TestInterpreterIsAllowedByDigest(t *testing.T) {
	t.Parallel()
	needLandlock(t, 1)
	interpreter := release(t, role{Version: "1.0.0"}) // what the launcher becomes is a plugin
	wrong := strings.Repeat("0", 64)
	for digest, says := range map[string]string{interpreter.SHA256: "", wrong: "permission denied", "": "permission denied"} {
		var logs logBuffer
		h := newHost(t, sandboxed, func(o *host.Options) {
			o.Env = []string{"PAYRACK_TEST_INTERPRETER=" + interpreter.Path}
			o.Log = logs.logger()
			if digest != "" {
				o.Sandbox.Interpreters = []host.Interpreter{{Path: interpreter.Path, SHA256: digest}}
			}
		})
		_, err := h.Slot(pluginName).Activate(t.Context(), release(t, role{Version: "1.0.0", Behaviour: "launcher"}), nil)
		if says == "" {
			if err != nil {
				t.Errorf("allowed: %v", err)
				continue
			}
			l := acquire(t, h)
			got := perform(t, l, []attack{{name: "run", argument: "/bin/sh"}, {name: "read", argument: "/etc/passwd"}, {name: "create", argument: "own"}})
			if got[0].Done || got[1].Done || !got[2].Done {
				t.Errorf("the interpreter is confined like any plugin: %+v", got)
			}
			l.Close()
			continue
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", digest, err, says)
		}
		if digest == wrong && !strings.Contains(logs.String(), interpreter.SHA256) {
			t.Errorf("the log does not say what the digest is: %s", logs.String())
		}
	}
}
