package host_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/host"
)

// A hundred swaps under load, some of them refused and some back to a release that is warm, leave no process, no
// descriptor and no goroutine, and fail no call. The counting is done in a process of its own.
func TestSwapsLeaveNothing(t *testing.T) {
	t.Parallel()
	if os.Getenv("PAYRACK_TEST_SWAPS") == "" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestSwapsLeaveNothing$", "-test.v")
		cmd.Env = append(os.Environ(), "PAYRACK_TEST_SWAPS=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	h := newHost(t)
	roles := []role{{Version: "1.0.0"}, {Version: "2.0.0"}}
	prepare(t, h, roles[0])
	route(t, h, roles[0])
	load := startLoad(t, h, 64, "sleep:2ms")
	swap := func(n int) {
		next, before := roles[(n+1)%2], roles[n%2]
		prepare(t, h, next)
		route(t, h, next)
		load.more(t, 20)
		switch n % 5 {
		case 3: // back to the one that is still warm, and on again
			route(t, h, before)
			load.more(t, 20)
			route(t, h, next)
		case 4:
			_, err := h.Slot(pluginName).Prepare(t.Context(), release(t, role{Version: "3.0.0", Behaviour: "crash-at-start"}), nil)
			if _, refused := errors.AsType[*host.Refused](err); !refused {
				t.Errorf("a release that crashes: %v", err)
			}
		}
		keep(t, h, next)
	}
	for n := range 4 {
		swap(n)
	}
	eventually(t, "one process is left", func() bool { return len(h.Status()[0].Instances) == 1 })
	files := openFiles()
	for n := range swaps {
		swap(n)
	}
	load.stop(t)
	if load.served("1.0.0") < swaps || load.served("2.0.0") < swaps {
		t.Errorf("%d and %d calls", load.served("1.0.0"), load.served("2.0.0"))
	}
	eventually(t, "one process is left", func() bool { return len(h.Status()[0].Instances) == 1 })
	eventually(t, "no descriptor is left", func() bool { return openFiles() <= files })
	ctx, cancel := context.WithTimeout(t.Context(), eventuallyFor)
	defer cancel()
	if err := h.Close(ctx); err != nil {
		t.Error(err)
	}
	// What is left is the test itself.
	for end := time.Now().Add(eventuallyFor); time.Now().Before(end) && runtime.NumGoroutine() > 4; {
		time.Sleep(20 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > 4 {
		b := make([]byte, 1<<20)
		t.Errorf("%d goroutines\n%s", n, b[:runtime.Stack(b, true)])
	}
	if children, err := os.ReadFile("/proc/thread-self/children"); err == nil && len(children) > 0 {
		t.Errorf("children: %s", children)
	}
}

func openFiles() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}
