package host_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/host/shim"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// playHost is a host process that will be killed: it starts plugins and tells their pids.
func playHost() {
	var plan struct {
		RunDir   string         `json:"run_dir"`
		Releases []host.Release `json:"releases"`
		Shim     []string       `json:"shim"`
	}
	if err := json.Unmarshal([]byte(os.Getenv("PAYRACK_TEST_HOST")), &plan); err != nil {
		panic(err)
	}
	h, err := host.New(host.Options{
		RunDir: plan.RunDir, AllowDynamic: true, Shim: plan.Shim, RestartWait: 20 * time.Second, // as newHost
		PingTimeout: 10 * time.Second, StartTimeout: time.Minute, StepTimeout: 30 * time.Second,
	})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for n, r := range plan.Releases {
		s := h.Slot(r.Name)
		if n > 0 { // a slot holds one provider: the second plugin drains a call of the first
			l, err := s.Acquire(ctx)
			if err != nil {
				panic(err)
			}
			go l.Pay(ctx, payment("sleep:60s"))
			time.Sleep(100 * time.Millisecond)
		}
		a, err := s.Activate(ctx, r, nil)
		if err != nil {
			panic(err)
		}
		_, _ = fmt.Println(a.PID)
	}
	_, _ = fmt.Println("ready")
	<-ctx.Done()
}

// A killed host leaves no plugin: neither one in the middle of a call, nor one that is stopped and could
// not end by itself, nor one that ignores everything.
func TestKilledHostLeavesNoPlugin(t *testing.T) {
	t.Parallel()
	// With the shim the process that was started executes another image once more before it is the plugin.
	for name, words := range map[string][]string{"plain": nil, "sandboxed": {"/proc/self/exe", shim.Argument}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killedHost(t, words)
		})
	}
}

func killedHost(t *testing.T, words []string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "pro") //nolint:usetesting // a socket path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	plan, err := json.Marshal(map[string]any{"run_dir": dir, "shim": words, "releases": []host.Release{
		release(t, role{Version: "1.0.0"}), release(t, role{Version: "1.1.0", Behaviour: "deaf"}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), "PAYRACK_TEST_HOST="+string(plan))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		var pid int
		if _, err := fmt.Sscan(lines.Text(), &pid); err == nil {
			pids = append(pids, pid)
		}
	}
	if len(pids) != 2 || !alive(pids[0]) || !alive(pids[1]) {
		t.Fatalf("the host did not start two plugins: %v", pids)
	}
	// The first is in the middle of a call; the second is deaf and stopped.
	if err := syscall.Kill(pids[1], syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	killed := time.Now()
	// One that is stopped would stay for ever.
	for alive(pids[0]) || alive(pids[1]) {
		if time.Since(killed) > 20*time.Second {
			t.Fatalf("twenty seconds after the host was killed a plugin lives: %v %v", alive(pids[0]), alive(pids[1]))
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Logf("the plugins were gone after %v", time.Since(killed))
	// The next host on the same directory sweeps what the killed one left.
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("the killed host left %v, %v; want its one directory", entries, err)
	}
	time.Sleep(time.Until(killed.Add(1500 * time.Millisecond))) // young directories are left alone
	h, err := host.New(host.Options{RunDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	entries, err = os.ReadDir(dir)
	if err != nil || len(entries) != 1 || !strings.HasPrefix(entries[0].Name(), "h") {
		t.Errorf("after the sweep: %v, %v; want the new host's directory only", entries, err)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// The directory of a living host is not swept.
func TestLivingHostIsNotSwept(t *testing.T) {
	t.Parallel()
	var dir string
	first := newHost(t, func(o *host.Options) { dir = o.RunDir })
	activate(t, first, role{Version: "1.0.0"}, "")
	time.Sleep(1100 * time.Millisecond)
	second, err := host.New(host.Options{RunDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if a := acquire(t, first).Pay(withTime(t, 5*time.Second), payment("x")); a.Outcome() != provider.OutcomeApproved {
		t.Errorf("after another host swept: %+v", a.Failure())
	}
}
