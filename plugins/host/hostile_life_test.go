package host_test

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// A plugin that writes 100 MB of log while it serves is served on, what is too much of it is dropped, and nobody else
// notices. What the host keeps of a log is bounded by the lines that it lets through.
func TestHundredMegabytesOfLog(t *testing.T) {
	t.Parallel()
	var logs logBuffer
	h := newHost(t, sandboxed, func(o *host.Options) { o.Log = logs.logger() })
	goesOn := bystander(t, h)
	activate(t, h, role{Version: "1.0.0", Behaviour: "hundred-megabytes"}, "")
	goesOn()
	if a := acquire(t, h).Pay(withTime(t, 30*time.Second), payment("ok")); a.Outcome() != provider.OutcomeApproved {
		t.Errorf("in the flood: %+v", a.Failure())
	}
	eventually(t, "lines are dropped", func() bool { return strings.Contains(logs.String(), "plugin log lines dropped") })
	if n := len(logs.String()); n > 40<<20 {
		t.Errorf("%d bytes of 100 MB were logged", n)
	}
	goesOn()
}

// A plugin that never says that it serves, or stops in the middle, is given up; nothing waits for it.
func TestNeverEndingStart(t *testing.T) {
	t.Parallel()
	for behaviour, c := range map[string]struct {
		code     host.Code
		patience time.Duration
	}{
		// The time is the bystander's, too, and its start must not be a matter of luck.
		"forever-starting": {host.CodeStartTimeout, 15 * time.Second},
		"silent":           {host.CodeStartTimeout, 15 * time.Second},
		"endless-line":     {host.CodeProtocolUnsupported, 30 * time.Second}, // what it says ends it, and not the time
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, sandboxed, func(o *host.Options) { o.StartTimeout = c.patience })
			goesOn := bystander(t, h)
			bad := release(t, role{Version: "1.0.0", Behaviour: behaviour})
			refused := make(chan error, 1)
			go func() {
				_, err := h.Slot(pluginName).Activate(t.Context(), bad, nil)
				refused <- err
			}()
			goesOn()
			if r, ok := errors.AsType[*host.Refused](<-refused); !ok || r.Code != c.code {
				t.Errorf("%v, want %s", r, c.code)
			}
			for _, s := range h.Status() {
				if s.Name == pluginName && len(s.Instances) > 0 {
					t.Errorf("left: %+v", s.Instances)
				}
			}
		})
	}
}

// A plugin that takes more memory than it may is ended, with the reason, and started anew.
func TestTooMuchMemory(t *testing.T) {
	t.Parallel()
	if interpreted {
		t.Skip("the race detector reserves terabytes for itself")
	}
	for _, c := range []struct{ order, says string }{
		{"hoard", "over its memory limit"},
		{"terabyte", "out of memory"}, // the kernel says no, and the Go runtime ends the process with these words
	} {
		t.Run(c.order, func(t *testing.T) {
			t.Parallel()
			var logs logBuffer
			h := newHost(t, sandboxed, func(o *host.Options) {
				o.Log = logs.logger()
				o.Sandbox.Memory = 128 << 20
			})
			goesOn := bystander(t, h)
			pid := activate(t, h, role{Version: "1.0.0"}, "").PID
			a := acquire(t, h).Pay(withTime(t, time.Minute), payment(c.order))
			if a.Failure() == nil || a.Failure().Effect != provider.EffectPossible {
				t.Errorf("the call in the middle of it: %+v", a)
			}
			goesOn()
			eventually(t, "the log says why", func() bool { return strings.Contains(logs.String(), c.says) })
			eventually(t, "it serves again", func() bool {
				l, err := h.Slot(pluginName).Acquire(t.Context())
				if err != nil {
					return false
				}
				defer l.Close()
				return l.Pay(withTime(t, 10*time.Second), payment("ok")).Outcome() == provider.OutcomeApproved
			})
			if alive(pid) {
				t.Error("the process lives")
			}
		})
	}
}

// A plugin that neither ends with its lifeline nor by a signal is killed, also in the sandbox.
func TestDeafPluginInTheSandbox(t *testing.T) {
	t.Parallel()
	h := newHost(t, sandboxed, func(o *host.Options) { o.StopTimeout = 200 * time.Millisecond })
	goesOn := bystander(t, h)
	pid := activate(t, h, role{Version: "1.0.0", Behaviour: "deaf"}, "").PID
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := h.Slot(pluginName).Disable(withTime(t, 20*time.Second)); err != nil {
		t.Error(err)
	}
	goesOn()
	eventually(t, "it is killed", func() bool { return !alive(pid) })
}

// A plugin that is stopped does not keep the other from its calls.
func TestStoppedPluginBesideAnother(t *testing.T) {
	t.Parallel()
	h := newHost(t, sandboxed, func(o *host.Options) { o.PingEvery, o.PingTimeout = 200*time.Millisecond, time.Second })
	goesOn := bystander(t, h)
	pid := activate(t, h, role{Version: "1.0.0"}, "").PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	goesOn()
	eventually(t, "it is found and killed", func() bool { return !alive(pid) })
	goesOn()
}

// A child of a plugin that left its process group holds the pipes: the plugin's end is seen all the same. Where there are
// control groups the child does not survive, either.
func TestEscapedChildDoesNotHideTheEnd(t *testing.T) {
	t.Parallel()
	note := filepath.Join(t.TempDir(), "child")
	h := newHost(t, func(o *host.Options) { o.Env = []string{"PAYRACK_TEST_CHILD=" + note} })
	a := activate(t, h, role{Version: "1.0.0", Behaviour: "escaped-child"}, "")
	child := childOf(t, note)
	_ = syscall.Kill(a.PID, syscall.SIGKILL)
	acquire(t, h).Close()
	eventually(t, "the old one is gone", func() bool {
		in := h.Status()[0].Instances
		return len(in) == 1 && in[0].PID != a.PID
	})
	if host.ControlGroups() {
		eventually(t, "the child is gone, too", func() bool { return !alive(child) })
	} else if !alive(child) {
		t.Error("the child has ended: nothing was shown")
	}
}
