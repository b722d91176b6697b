package host_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/payrack/payrack/plugins/host"
)

// nices are the priorities of all threads of a process, by the number of the thread.
func nices(t *testing.T, pid int) map[string]int {
	t.Helper()
	all := map[string]int{}
	files, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		_, rest, _ := strings.Cut(string(raw), ") ")
		if fields := strings.Fields(rest); len(fields) > 16 { // the 19th of proc(5), the third being the first after the name
			all[file], _ = strconv.Atoi(fields[16])
		}
	}
	return all
}

// What is started beside a release that serves does not take the processor from it, and serves as fast as the other afterwards.
func TestAStartBesideCallsIsGentle(t *testing.T) {
	t.Parallel()
	nice, may := host.OwnNice()
	if !may {
		t.Skip("this user may not raise priorities, and so none is lowered")
	}
	if raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err != nil || 20-raw != nice {
		t.Fatalf("own priority %d, known %d: %v", 20-raw, nice, err)
	}
	h := newHost(t)
	one, two := role{Version: "1.0.0"}, role{Version: "2.0.0"}
	first := prepare(t, h, one)
	route(t, h, one)
	second := prepare(t, h, two)
	for name, pid := range map[string]int{"the first": first.PID, "the one beside it": second.PID} {
		all := nices(t, pid)
		if len(all) == 0 {
			t.Errorf("%s has no threads", name)
		}
		for thread, n := range all {
			if n != nice {
				t.Errorf("%s: %s has priority %d when it is ready, want %d", name, thread, n, nice)
			}
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = h.Slot(pluginName).Prepare(ctx, release(t, role{Version: "3.0.0", Behaviour: "mute"}), nil) // it never gets ready
	}()
	eventually(t, "a process that is being started has a lower priority", func() bool {
		for _, in := range h.Status()[0].Instances {
			if in.PID == first.PID || in.PID == second.PID {
				continue
			}
			for _, n := range nices(t, in.PID) {
				if n > nice {
					return true
				}
			}
		}
		return false
	})
	cancel()
	<-done
}
