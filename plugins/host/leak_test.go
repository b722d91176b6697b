package host_test

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Fifty starts and stops leave nothing: no goroutine, no descriptor, no process, no file. The counting is
// done in a process of its own, where nothing else runs.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	if os.Getenv("PAYRACK_TEST_LEAK") == "" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestNothingLeaks$", "-test.v")
		cmd.Env = append(os.Environ(), "PAYRACK_TEST_LEAK=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	h := newHost(t)
	cycle := func(n int) {
		r := role{Version: "1.0.0"}
		if n%5 == 4 { // every fifth ends badly
			_, err := h.Slot(pluginName).Activate(t.Context(), release(t, role{Version: "1.0.0", Behaviour: "crash-at-start"}), nil)
			if err == nil {
				t.Fatal("a plugin that crashes was activated")
			}
		}
		activate(t, h, r, "")
		l, err := h.Slot(pluginName).Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if a := l.Pay(ctx, payment("x")); a.Outcome() != provider.OutcomeApproved {
			t.Fatalf("pay: %+v", a.Failure())
		}
		cancel()
		l.Close()
		if err := h.Slot(pluginName).Disable(withTime(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 5 {
		cycle(n)
	}
	goroutines, files := settled(h)
	for n := range cycles {
		cycle(n)
	}
	// What ends in the background may take its time on a machine that does other things too.
	eventually(t, "no descriptor is left", func() bool { return openFiles() <= files+1 })
	for end := time.Now().Add(eventuallyFor); time.Now().Before(end) && runtime.NumGoroutine() > goroutines+2; {
		time.Sleep(20 * time.Millisecond)
	}
	if after := runtime.NumGoroutine(); after > goroutines+2 {
		b := make([]byte, 1<<20)
		t.Errorf("%d goroutines, were %d\n%s", after, goroutines, b[:runtime.Stack(b, true)])
	}
	children, err := os.ReadFile("/proc/thread-self/children")
	if err == nil && len(children) > 0 {
		t.Errorf("children: %s", children)
	}
}

// settled counts goroutines and descriptors once they have stopped falling.
func settled(h *host.Host) (goroutines, files int) {
	for range 20 {
		time.Sleep(50 * time.Millisecond)
		runtime.GC()
		if len(h.Status()[0].Instances) == 0 && runtime.NumGoroutine() == goroutines {
			break
		}
		goroutines = runtime.NumGoroutine()
	}
	return goroutines, openFiles()
}
