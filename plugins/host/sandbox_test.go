package host_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/host/shim"
)

func TestPortsOfSettings(t *testing.T) {
	t.Parallel()
	settings := `{"endpoints":{"live":"https://api.example.com","test":"http://127.0.0.1:8082/v1"},"more":["https://h:8443",
		"http://plain.example","ftp://h:21","h:9999","https://h:0","https://h:99999","https://h:1:2"],"port":7000}`
	for name, c := range map[string]struct {
		settings string
		extra    []uint16
		want     []uint16
	}{
		"none":       {"", nil, []uint16{53, 443}},
		"no JSON":    {"{", nil, []uint16{53, 443}},
		"settings":   {settings, nil, []uint16{53, 80, 443, 8082, 8443}},
		"configured": {settings, []uint16{8443, 9000}, []uint16{53, 80, 443, 8082, 8443, 9000}},
	} {
		p := host.PolicyOf(t, host.Options{Sandbox: host.Sandbox{Ports: c.extra}}, []byte(c.settings), false)
		if diff := cmp.Diff(c.want, p.Ports); diff != "" || p.Network != shim.NetworkPorts {
			t.Errorf("%s: %s %s", name, p.Network, diff)
		}
	}
	if p := host.PolicyOf(t, host.Options{}, []byte(settings), true); p.Network != shim.NetworkNone || len(p.Ports) > 0 {
		t.Errorf("alone: %+v", p)
	}
	if p := host.PolicyOf(t, host.Options{Sandbox: host.Sandbox{NoNetwork: true}}, nil, true); p.Network != shim.NetworkNone {
		t.Errorf("alone, where the network has no rules: %+v", p)
	}
}

func TestSettingsThatNeedAnotherPort(t *testing.T) {
	t.Parallel()
	running := []byte(`{"url":"https://h:8443"}`)
	for settings, want := range map[string]string{
		`{"url":"https://h:8443"}`: "", `{"url":"https://h"}`: "", `{}`: "", `{"url":"https://h:9443"}`: "TCP port 9443",
	} {
		if got := host.Lacks(running, []byte(settings)); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", settings, got, want)
		}
	}
}

func TestInterpretersByDigest(t *testing.T) {
	t.Parallel()
	real := filepath.Join(t.TempDir(), "interpreter")
	link := filepath.Join(t.TempDir(), "link")
	write := func(text string) string {
		if err := os.WriteFile(real, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	digest := write("one")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	var logs logBuffer
	allow := func(digest string) []shim.File {
		o := host.Options{Log: logs.logger(), Sandbox: host.Sandbox{Interpreters: []host.Interpreter{{Path: link, SHA256: digest}}}}
		return host.PolicyOf(t, o, nil, false).Execute
	}
	if got := allow(strings.ToUpper(digest)); len(got) != 1 || got[0].Path != real || got[0].Inode == 0 {
		t.Errorf("allowed: %+v", got)
	}
	second := write("other bytes")
	if got := allow(digest); len(got) != 0 {
		t.Errorf("another file than the allowed one: %+v", got)
	}
	if !strings.Contains(logs.String(), "it has the SHA-256 "+second) {
		t.Errorf("the log does not say what the digest is: %s", logs.String())
	}
	if got := allow(second); len(got) != 1 {
		t.Errorf("allowed anew: %+v", got)
	}
	plain := host.PolicyOf(t, host.Options{}, nil, false)
	if len(plain.Execute) != 0 || plain.DataBytes == 0 || slices.Contains(plain.Read, "/usr/lib") {
		t.Errorf("without interpreters: %+v", plain)
	}
}

// Control groups need a machine that has them; what is read and written can be seen without.
func TestFindsItsControlGroup(t *testing.T) {
	t.Parallel()
	const mounts = `22 20 0:20 / /proc rw shared:1 - proc none rw
30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 none rw,nsdelegate
`
	const hybrid = `31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup none rw,memory
32 23 0:28 /part /sys/fs/cgroup/unified rw - cgroup2 none rw
`
	for _, c := range []struct {
		memberships, mounts, path string
		root                      bool
	}{
		{"0::/\n", mounts, "/sys/fs/cgroup", true},
		{"0::/system.slice/payrack.service\n", mounts, "/sys/fs/cgroup/system.slice/payrack.service", false},
		{"4:memory:/a\n0::/part/b\n", hybrid, "/sys/fs/cgroup/unified/b", false},
		{"4:memory:/a\n0::/elsewhere\n", hybrid, "", false},
		{"4:memory:/a\n", hybrid, "", false},
		{"0::/\n", "", "", false},
	} {
		path, root, err := host.FindGroup(c.memberships, c.mounts)
		if path != c.path || root != c.root || (err == nil) != (c.path != "") {
			t.Errorf("%q: %q, %v, %v; want %q, %v", c.memberships, path, root, err, c.path, c.root)
		}
	}
}

func TestControlGroupLimits(t *testing.T) {
	t.Parallel()
	// A folder that looks like a control group with the controllers for memory and processes.
	base := t.TempDir()
	for _, file := range []string{"memory.max", "memory.swap.max", "memory.oom.group", "pids.max"} {
		if err := os.WriteFile(filepath.Join(base, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	memory, tasks, why := host.LimitGroup(base, []string{"memory", "pids"}, 300<<20)
	if !memory || !tasks || why != "" {
		t.Errorf("limits: %v %v %q", memory, tasks, why)
	}
	for file, want := range map[string]string{"memory.max": "314572800", "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "512"} {
		if got, err := os.ReadFile(filepath.Join(base, file)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", file, got, err, want)
		}
	}
	if memory, tasks, why := host.LimitGroup(base, []string{"pids"}, 300<<20); memory || !tasks || why != "" {
		t.Errorf("without the controller for memory: %v %v %q", memory, tasks, why)
	}
	if err := os.Remove(filepath.Join(base, "memory.max")); err != nil {
		t.Fatal(err)
	}
	if memory, _, why := host.LimitGroup(base, []string{"memory", "pids"}, 300<<20); memory || !strings.Contains(why, "memory.max cannot be set") {
		t.Errorf("a limit that cannot be set: %v %q", memory, why)
	}
}

// A program that asks name servers reads their addresses again when the file changes, and a rule does not follow a name.
func TestReplacedResolverFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "resolv.conf")
	write := func(path string) {
		if err := os.WriteFile(path, []byte("nameserver 192.0.2.1\n"), 0o600); err != nil {
			t.Error(err)
		}
	}
	write(path)
	for name, c := range map[string]struct {
		change func()
		want   bool
	}{
		"unchanged": {func() {}, false},
		"rewritten": {func() { write(path) }, false},
		"replaced": {func() {
			write(path + ".new")
			if err := os.Rename(path+".new", path); err != nil {
				t.Error(err)
			}
		}, true},
		"removed": {func() { _ = os.Remove(path) }, false},
	} {
		write(path)
		if got := host.Outdated(t, path, c.change); (got != "") != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
