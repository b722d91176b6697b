package host_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// envCycles is how often TestStartsAndStops starts and stops a plugin; CI sets 1000.
const envCycles = "PAYRACK_CYCLES"

// footprint is what a process holds that a leak would make grow.
type footprint struct {
	heap       uint64
	goroutines int
	files      int
	sockets    int
	processes  int
}

// A thousand starts and stops leave nothing: no memory, no goroutine, no descriptor, no socket or file in the run directory, no
// process. The counting is done in a process of its own, where nothing else runs.
func TestStartsAndStops(t *testing.T) {
	t.Parallel()
	if os.Getenv("PAYRACK_TEST_CYCLES") == "" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestStartsAndStops$", "-test.v")
		cmd.Env = append(os.Environ(), "PAYRACK_TEST_CYCLES=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "cycles:") {
				t.Log(strings.TrimSpace(line))
			}
		}
		return
	}
	times := 2 * cycles
	if n, err := strconv.Atoi(os.Getenv(envCycles)); err == nil && n > 0 {
		times = n
	}
	var dir string
	h := newHost(t, func(o *host.Options) { dir = o.RunDir })
	r := release(t, role{Version: "1.0.0"})
	// No helper that registers something with the test: that would be kept for every cycle.
	cycle := func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := h.Slot(pluginName).Activate(ctx, r, nil); err != nil {
			t.Fatal(err)
		}
		l, err := h.Slot(pluginName).Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if a := l.Pay(ctx, payment("x")); a.Outcome() != provider.OutcomeApproved {
			t.Fatalf("pay: %+v", a.Failure())
		}
		l.Close()
		if err := h.Slot(pluginName).Disable(ctx); err != nil {
			t.Fatal(err)
		}
	}
	// What is made once and kept, such as pools and type tables, is made by then.
	for range max(5, times/20) {
		cycle()
	}
	before := holds(t, h, dir)
	for range times {
		cycle()
	}
	var after footprint
	for end := time.Now().Add(eventuallyFor); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if after = holds(t, h, dir); !grown(before, after) {
			break
		}
	}
	t.Logf("cycles: %d; heap %d KiB, were %d; goroutines %d, were %d; descriptors %d, were %d; files in the run directory %d, were %d; processes %d, were %d",
		times, after.heap>>10, before.heap>>10, after.goroutines, before.goroutines, after.files, before.files,
		after.sockets, before.sockets, after.processes, before.processes)
	if grown(before, after) {
		t.Error("something of it stays")
	}
}

// heapMore is what the heap may differ by, whatever the number of cycles: a kilobyte that each of a thousand left would show.
const heapMore = 768 << 10

func grown(before, after footprint) bool {
	return after.heap > before.heap+heapMore || after.goroutines > before.goroutines+1 || after.files > before.files ||
		after.sockets > before.sockets || after.processes > before.processes
}

// holds counts what this process holds once it has come to rest.
func holds(t *testing.T, h *host.Host, dir string) footprint {
	t.Helper()
	now := footprint{}
	now.goroutines, now.files = settled(h)
	var m runtime.MemStats
	runtime.GC() // twice: what a finalizer held goes with the second
	runtime.GC()
	runtime.ReadMemStats(&m)
	now.heap = m.HeapAlloc
	err := filepath.WalkDir(dir, func(_ string, _ os.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // what the last process left is being removed at this moment
		}
		now.sockets++
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range tasks {
		if text, err := os.ReadFile(path); err == nil {
			now.processes += len(strings.Fields(string(text)))
		}
	}
	return now
}
