package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

func text(t *testing.T, a provider.Answer) string {
	t.Helper()
	var body struct {
		Text string `json:"text"`
	}
	if a.Outcome() != provider.OutcomeApproved {
		t.Fatalf("not approved: %+v", a.Failure())
	}
	if err := json.Unmarshal(a.Native().Body, &body); err != nil {
		t.Fatal(err)
	}
	return body.Text
}

func TestActivateAndStatus(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	_, err := h.Slot(pluginName).Acquire(t.Context())
	var unavailable *host.Unavailable
	if !errors.As(err, &unavailable) || unavailable.Why != host.WhyNotActive {
		t.Fatalf("before the first activation: %v", err)
	}
	first := activate(t, h, role{Version: "1.0.0"}, `{"label":"one"}`)
	if first.Previous != "" || first.Version != "1.0.0" || !alive(first.PID) {
		t.Errorf("activation: %+v", first)
	}
	l := acquire(t, h)
	status := h.Status()
	if len(status) != 1 || status[0].Phase != "serving" || len(status[0].Instances) != 1 {
		t.Fatalf("status: %+v", status)
	}
	got := status[0].Instances[0]
	if got.PID != first.PID || got.State != host.StateServing || got.Inflight != 1 || got.SHA256 != first.SHA256 {
		t.Errorf("instance: %+v", got)
	}
	second := activate(t, h, role{Version: "2.0.0"}, `{"label":"two"}`)
	if second.Previous != "1.0.0" || second.PID == first.PID {
		t.Errorf("second activation: %+v", second)
	}
	// The old lease still reaches the old release, a new one the new release.
	if got := text(t, l.Pay(withTime(t, 5*time.Second), payment("label"))); got != "one" {
		t.Errorf("old lease answered by %q", got)
	}
	if got := text(t, acquire(t, h).Pay(withTime(t, 5*time.Second), payment("label"))); got != "two" {
		t.Errorf("new lease answered by %q", got)
	}
	if states := statesOf(h); states["1.0.0"] != host.StateDraining || states["2.0.0"] != host.StateServing {
		t.Errorf("while the old one drains: %v", states)
	}
	l.Close()
	l.Close() // twice is once
	eventually(t, "the old process ends", func() bool { return !alive(first.PID) && len(statesOf(h)) == 1 })
}

func statesOf(h *host.Host) map[string]host.State {
	out := map[string]host.State{}
	for _, s := range h.Status() {
		for _, in := range s.Instances {
			out[in.Version] = in.State
		}
	}
	return out
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	serving := activate(t, h, role{Version: "1.0.0"}, `{"label":"kept"}`)
	good := release(t, role{Version: "2.0.0"})
	changed := good
	changed.SHA256 = strings.Repeat("0", 64)
	missing := good
	missing.Path = filepath.Join(t.TempDir(), "missing")
	otherVersion := release(t, role{Version: "2.0.1"})
	otherVersion.Version = "3.0.0"
	cases := []struct {
		name     string
		release  host.Release
		settings string
		code     host.Code
		says     string
	}{
		{"digest", changed, "", host.CodeDigestMismatch, "install it again"},
		{"missing file", missing, "", host.CodeBinaryMissing, "there is no file"},
		{"crash at start", release(t, role{Version: "2.0.0", Behaviour: "crash-at-start"}), "", host.CodeStartCrashed, "exit status 3: panic: cannot go on"},
		{"endless first line", release(t, role{Version: "2.0.0", Behaviour: "endless-line"}), "", host.CodeProtocolUnsupported, "too long"},
		{"garbage", release(t, role{Version: "2.0.0", Behaviour: "garbage"}), "", host.CodeProtocolUnsupported, "no handshake"},
		{"other contract", release(t, role{Version: "2.0.0", Behaviour: "old-contract"}), "", host.CodeProtocolUnsupported, `"7"`},
		{"foreign socket", release(t, role{Version: "2.0.0", Behaviour: "foreign-socket"}), "", host.CodeProtocolUnsupported, "socket"},
		{"other version", otherVersion, "", host.CodeInfoMismatch, "2.0.1"},
		{"other name", release(t, role{Version: "2.0.0", Behaviour: "other-name"}), "", host.CodeInfoMismatch, "otherpay"},
		{"unknown setting", good, `{"lable":"x"}`, host.CodeUnhealthy, `"lable"`},
		{"wrong type of setting", good, `{"label":7}`, host.CodeUnhealthy, "label"},
		{"settings refused", good, `{"reject":true}`, host.CodeUnhealthy, "not to my liking"},
		{"ill", good, `{"ill":true}`, host.CodeUnhealthy, "a fever"},
	}
	for _, c := range cases {
		_, err := h.Slot(pluginName).Activate(t.Context(), c.release, []byte(c.settings))
		var refused *host.Refused
		switch {
		case !errors.As(err, &refused):
			t.Errorf("%s: %v is no refusal", c.name, err)
		case refused.Code != c.code || !strings.Contains(refused.Message, c.says):
			t.Errorf("%s: %v; want code %s and %q", c.name, refused, c.code, c.says)
		}
		if got := text(t, acquire(t, h).Pay(withTime(t, 5*time.Second), payment("label"))); got != "kept" {
			t.Errorf("%s: afterwards %q serves", c.name, got)
		}
	}
	if st := h.Status()[0]; len(st.Instances) != 1 || st.Instances[0].PID != serving.PID {
		t.Errorf("refused releases left processes: %+v", st)
	}
}

func TestStartHasDeadlines(t *testing.T) {
	t.Parallel()
	for behaviour, change := range map[string]func(*host.Options){
		"silent": func(o *host.Options) { o.StartTimeout = 300 * time.Millisecond },
		"mute":   func(o *host.Options) { o.StepTimeout = 300 * time.Millisecond },
	} {
		h := newHost(t, change)
		_, err := h.Slot(pluginName).Activate(t.Context(), release(t, role{Version: "2.0.0", Behaviour: behaviour}), nil)
		if refused, ok := errors.AsType[*host.Refused](err); !ok || refused.Code != host.CodeStartTimeout {
			t.Errorf("%s: %v", behaviour, err)
		}
		if n := len(h.Status()[0].Instances); n != 0 {
			t.Errorf("%s: %d processes are left", behaviour, n)
		}
	}
	h := newHost(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := h.Slot(pluginName).Activate(ctx, release(t, role{Version: "2.0.0", Behaviour: "silent"}), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the order's own end: %v", err)
	}
}

// 64 callers while the release is swapped again and again: no call fails, and each sees one release.
func TestSwapUnderLoad(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	roles := []role{{Version: "1.0.0"}, {Version: "2.0.0"}}
	activate(t, h, roles[0], `{"label":"1.0.0"}`)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var calls, failed atomic.Int64
	var byVersion [2]atomic.Int64
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			for ctx.Err() == nil {
				l, err := h.Slot(pluginName).Acquire(context.WithoutCancel(ctx))
				if err != nil {
					t.Errorf("acquire: %v", err)
					failed.Add(1)
					return
				}
				call, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
				a := l.Pay(call, payment("sleep:5ms"))
				cancel()
				if a.Outcome() != provider.OutcomeApproved {
					t.Errorf("call: %+v", a.Failure())
					failed.Add(1)
				}
				if l.Info().Version == "1.0.0" {
					byVersion[0].Add(1)
				} else {
					byVersion[1].Add(1)
				}
				calls.Add(1)
				l.Close()
			}
		})
	}
	for n := range 8 {
		r := roles[(n+1)%2]
		activate(t, h, r, `{"label":"`+r.Version+`"}`)
		before := calls.Load()
		eventually(t, "calls go on", func() bool { return calls.Load() > before+200 || failed.Load() > 0 })
	}
	stop()
	callers.Wait()
	if failed.Load() != 0 || byVersion[0].Load() < 200 || byVersion[1].Load() < 200 {
		t.Errorf("%d calls, %d failed, %d and %d by version", calls.Load(), failed.Load(), byVersion[0].Load(), byVersion[1].Load())
	}
	eventually(t, "one instance is left", func() bool { return len(h.Status()[0].Instances) == 1 })
}

func TestKilledPluginMeansUnknownAndComesBack(t *testing.T) {
	t.Parallel()
	var logs logBuffer
	h := newHost(t, logging(&logs))
	a := activate(t, h, role{Version: "1.0.0"}, `{"label":"kept"}`)
	l := acquire(t, h)
	answers := make(chan provider.Answer, 1)
	go func() { answers <- l.Pay(withTime(t, 20*time.Second), payment("sleep:20s")) }()
	asleep(t, &logs)
	if err := syscall.Kill(a.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	got := <-answers
	if got.Outcome() != provider.OutcomeUnknown || got.Failure() == nil || got.Failure().Effect != provider.EffectPossible {
		t.Errorf("a call that lost its plugin: %+v, want unknown with a possible effect", got)
	}
	// The lease is on a dead instance: nothing can be handed over any more, and that is known.
	if after := l.Pay(withTime(t, 10*time.Second), payment("x")); after.Failure() == nil || after.Failure().Effect != provider.EffectNone {
		t.Errorf("a call on a dead instance: %+v, want not sent", after)
	}
	// The next payment waits for the restart, which is immediate, and succeeds.
	if got := text(t, acquire(t, h).Pay(withTime(t, 10*time.Second), payment("label"))); got != "kept" {
		t.Errorf("the restarted plugin has the settings of %q", got)
	}
}

func TestStoppedPluginIsFoundAndKilled(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(o *host.Options) {
		o.PingEvery, o.PingTimeout = 200*time.Millisecond, time.Second
	})
	a := activate(t, h, role{Version: "1.0.0"}, "")
	if err := syscall.Kill(a.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stopped process is killed", func() bool { return !alive(a.PID) })
	restarted(t, h, a.PID)
	l := acquire(t, h)
	if got := l.Pay(withTime(t, 5*time.Second), payment("x")); got.Outcome() != provider.OutcomeApproved {
		t.Errorf("after the hang: %+v", got.Failure())
	}
}

// A process that hangs is replaced before it is killed: whoever comes then waits for nothing of it, although its calls hold
// every place. What it holds becomes unknown, and it counts as a crash.
func TestHangingPluginIsRelieved(t *testing.T) {
	t.Parallel()
	for name, places := range map[string]int{"idle": 0, "all places taken": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var logs logBuffer
			var facts factList
			h := newHost(t, func(o *host.Options) {
				o.PingEvery, o.PingTimeout, o.RestartWait = 100*time.Millisecond, 2*time.Second, 10*time.Second
				o.MaxInflight, o.Facts, o.Log = 2, facts.add, logs.logger()
			})
			a := activate(t, h, role{Version: "1.0.0"}, "")
			answers := make(chan provider.Answer, places)
			for range places {
				l := acquire(t, h)
				go func() { answers <- l.Pay(withTime(t, time.Minute), payment("sleep:60s")); l.Close() }()
			}
			if places > 0 {
				asleep(t, &logs)
			}
			if err := syscall.Kill(a.PID, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			restarted(t, h, a.PID)
			l := acquire(t, h)
			if got := l.Pay(withTime(t, 10*time.Second), payment("x")); got.Outcome() != provider.OutcomeApproved {
				t.Errorf("beside the one that hangs: %+v", got.Failure())
			}
			l.Close()
			if places > 0 && !alive(a.PID) {
				t.Error("the one that hangs was killed before another one served: nothing was shown")
			}
			for range places {
				if got := <-answers; got.Outcome() != provider.OutcomeUnknown || got.Failure().Effect != provider.EffectPossible {
					t.Errorf("a call of the one that hangs: %+v, want unknown", got)
				}
			}
			eventually(t, "one process is left and the hang is told", func() bool {
				return !alive(a.PID) && len(h.Status()[0].Instances) == 1 && facts.count(host.FactWedged, "1.0.0") == 1
			})
			if n := facts.count(host.FactRestarted, "1.0.0"); n != 1 || facts.count(host.FactCrashed, "1.0.0") != 0 {
				t.Errorf("%d restarts were told, want 1: %+v", n, facts.all)
			}
			both := []*host.Lease{acquire(t, h), acquire(t, h)} // as many places as before, and no more
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := h.Slot(pluginName).Acquire(ctx); whyOf(err) != host.WhyOverloaded {
				t.Errorf("the third of two places: %v", err)
			}
			for _, l := range both {
				l.Close()
			}
		})
	}
}

// handOver makes a call that the plugin has taken when it returns.
func handOver(t *testing.T, h *host.Host, logs *logBuffer, what string) <-chan provider.Answer {
	t.Helper()
	l := acquire(t, h)
	answers := make(chan provider.Answer, 1)
	go func() { answers <- l.Pay(withTime(t, time.Minute), payment(what)); l.Close() }()
	asleep(t, logs)
	return answers
}

// A process that answers again, before or after another one was put in its place, loses no call and is no crash.
func TestRevivedPluginLosesNothing(t *testing.T) {
	t.Parallel()
	for name, waits := range map[string]string{
		"while another one starts":             "another plugin process is started",
		"when another one serves in its place": "plugin process was replaced",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var logs logBuffer
			var facts factList
			h := newHost(t, func(o *host.Options) {
				o.PingEvery, o.PingTimeout, o.Facts, o.Log = 100*time.Millisecond, 2*time.Second, facts.add, logs.logger()
				o.StopTimeout = 20 * time.Second // with the race detector a program takes a second to end
			})
			a := activate(t, h, role{Version: "1.0.0"}, "") // its longest call takes 5 s
			answers := handOver(t, h, &logs, "sleep:100ms")
			if err := syscall.Kill(a.PID, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			eventually(t, waits, func() bool { return strings.Contains(logs.String(), waits) })
			if err := syscall.Kill(a.PID, syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			if got := <-answers; got.Outcome() != provider.OutcomeApproved {
				t.Errorf("the call that it held: %+v", got.Failure())
			}
			eventually(t, "one process serves", func() bool {
				in := h.Status()[0].Instances
				return len(in) == 1 && in[0].State == host.StateServing
			})
			if n := facts.count(host.FactWedged, "1.0.0") + facts.count(host.FactCrashed, "1.0.0"); n != 0 {
				t.Errorf("%d crashes were told: %+v", n, facts.all)
			}
		})
	}
}

// Who hangs until something else ends it, the kernel for want of memory perhaps, has crashed, also where another one serves already.
func TestHangingPluginThatEndsHasCrashed(t *testing.T) {
	t.Parallel()
	var logs logBuffer
	var facts factList
	h := newHost(t, func(o *host.Options) {
		o.PingEvery, o.PingTimeout, o.Facts, o.Log = 100*time.Millisecond, 2*time.Second, facts.add, logs.logger()
	})
	a := activate(t, h, role{Version: "1.0.0"}, "") // its longest call takes 5 s
	answers := handOver(t, h, &logs, "sleep:60s")
	if err := syscall.Kill(a.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another one has its place", func() bool { return strings.Contains(logs.String(), "plugin process was replaced") })
	if err := syscall.Kill(a.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := <-answers; got.Outcome() != provider.OutcomeUnknown {
		t.Errorf("the call that it held: %+v", got)
	}
	eventually(t, "the crash is told", func() bool {
		return facts.count(host.FactCrashed, "1.0.0")+facts.count(host.FactWedged, "1.0.0") == 1 && strings.Contains(logs.String(), "plugin crashed")
	})
	if in := h.Status()[0].Instances; len(in) != 1 || in[0].State != host.StateServing {
		t.Errorf("afterwards: %+v", in)
	}
}

// A restart that waits for its time is over when another process serves: a quarantine that follows must not be lifted by it.
func TestQuarantineOutlastsAnOlderRestart(t *testing.T) {
	t.Parallel()
	var logs logBuffer
	h := newHost(t, func(o *host.Options) {
		o.PingEvery, o.PingTimeout, o.BackoffBase, o.CrashLimit, o.Log = 100*time.Millisecond, 2*time.Second, time.Second, 3, logs.logger()
	})
	serving := func() (pid int) {
		eventually(t, "one serves", func() bool {
			pid = servingPID(h, "1.0.0")
			return pid != 0
		})
		return pid
	}
	first := activate(t, h, role{Version: "1.0.0"}, "").PID
	_ = syscall.Kill(first, syscall.SIGKILL) // so that the next restart waits
	restarted(t, h, first)
	second := serving()
	_ = syscall.Kill(second, syscall.SIGSTOP)
	eventually(t, "another one is started beside it", func() bool { return strings.Contains(logs.String(), "another plugin process is started") })
	_ = syscall.Kill(second, syscall.SIGKILL)
	restarted(t, h, second)
	_ = syscall.Kill(serving(), syscall.SIGKILL)
	eventually(t, "quarantine", func() bool { return h.Status()[0].Phase == "quarantined" })
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if s := h.Status()[0]; s.Phase != "quarantined" || len(s.Instances) != 0 {
			t.Fatalf("after the quarantine: %+v", s)
		}
	}
}

func TestQuarantineEndsByActivation(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(o *host.Options) {
		o.BackoffBase, o.CrashLimit = time.Millisecond, 3
	})
	activate(t, h, role{Version: "1.0.0"}, "")
	for range 3 {
		eventually(t, "it serves", func() bool { return h.Status()[0].Phase == "serving" })
		pid := h.Status()[0].Instances[0].PID
		_ = syscall.Kill(pid, syscall.SIGKILL)
		eventually(t, "the crash is seen", func() bool {
			in := h.Status()[0].Instances
			return len(in) == 0 || in[0].PID != pid
		})
	}
	eventually(t, "quarantine", func() bool { return h.Status()[0].Phase == "quarantined" })
	_, err := h.Slot(pluginName).Acquire(t.Context())
	var unavailable *host.Unavailable
	if !errors.As(err, &unavailable) || unavailable.Why != host.WhyQuarantined || !strings.Contains(unavailable.Detail, "killed") {
		t.Errorf("in quarantine: %v", err)
	}
	activate(t, h, role{Version: "1.0.0"}, "")
	if a := acquire(t, h).Pay(withTime(t, 5*time.Second), payment("x")); a.Outcome() != provider.OutcomeApproved {
		t.Errorf("after activation: %+v", a.Failure())
	}
}

func TestReconfigure(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	a := activate(t, h, role{Version: "1.0.0"}, `{"label":"one"}`)
	slot := h.Slot(pluginName)
	label := func() string { return text(t, acquire(t, h).Pay(withTime(t, 5*time.Second), payment("label"))) }
	var refused *host.Refused
	if err := slot.Reconfigure(t.Context(), []byte(`{"reject":true}`)); !errors.As(err, &refused) || label() != "one" {
		t.Errorf("refused settings: %v, then %q serves", err, label())
	}
	if err := slot.Reconfigure(t.Context(), []byte(`{"label":"two"}`)); err != nil || label() != "two" {
		t.Errorf("new settings: %v, then %q serves", err, label())
	}
	// They survive a restart.
	_ = syscall.Kill(a.PID, syscall.SIGKILL)
	restarted(t, h, a.PID)
	if got := label(); got != "two" {
		t.Errorf("after the restart %q serves", got)
	}
}

func TestDisable(t *testing.T) {
	t.Parallel()
	var logs logBuffer
	h := newHost(t, logging(&logs))
	a := activate(t, h, role{Version: "1.0.0"}, "")
	l := acquire(t, h)
	answers := make(chan provider.Answer, 1)
	go func() { answers <- l.Pay(withTime(t, 10*time.Second), payment("sleep:300ms")); l.Close() }()
	asleep(t, &logs)
	if err := h.Slot(pluginName).Disable(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-answers; got.Outcome() != provider.OutcomeApproved {
		t.Errorf("the open call: %+v", got.Failure())
	}
	if alive(a.PID) {
		t.Error("the process lives")
	}
	var unavailable *host.Unavailable
	if _, err := h.Slot(pluginName).Acquire(t.Context()); !errors.As(err, &unavailable) || unavailable.Why != host.WhyDisabled {
		t.Errorf("when disabled: %v", err)
	}
	activate(t, h, role{Version: "1.0.0"}, "")
	acquire(t, h)
}

// A lease that nobody returns does not keep a process for ever: the drain has a deadline, and what is
// open then reads as unknown.
func TestDrainDeadline(t *testing.T) {
	t.Parallel()
	var logs logBuffer
	h := newHost(t, func(o *host.Options) { o.Log, o.DrainExtra = logs.logger(), time.Nanosecond })
	a := activate(t, h, role{Version: "1.0.0"}, "") // its longest call takes 5 s
	l := acquire(t, h)
	answers := make(chan provider.Answer, 1)
	go func() { answers <- l.Pay(withTime(t, 30*time.Second), payment("sleep:30s")) }()
	asleep(t, &logs)
	activate(t, h, role{Version: "2.0.0"}, "")
	got := <-answers
	if got.Failure() == nil || got.Failure().Effect != provider.EffectPossible {
		t.Errorf("a call that was cut off: %+v", got)
	}
	eventually(t, "the process ends", func() bool { return !alive(a.PID) })
	if !strings.Contains(logs.String(), "plugin drain deadline exceeded") {
		t.Error("the log does not tell it")
	}
}

func TestCloseCutsOffWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	var logs logBuffer
	h := newHost(t, logging(&logs))
	a := activate(t, h, role{Version: "1.0.0"}, "")
	l := acquire(t, h)
	answers := make(chan provider.Answer, 1)
	go func() { answers <- l.Pay(withTime(t, 30*time.Second), payment("sleep:30s")) }()
	asleep(t, &logs)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := h.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close: %v", err)
	}
	if alive(a.PID) {
		t.Error("the process lives after Close")
	}
	if got := <-answers; got.Failure() == nil || got.Failure().Effect != provider.EffectPossible {
		t.Errorf("the open call: %+v", got)
	}
	var unavailable *host.Unavailable
	if _, err := h.Slot("another").Acquire(t.Context()); !errors.As(err, &unavailable) || unavailable.Why != host.WhyClosed {
		t.Errorf("after Close: %v", err)
	}
}

func TestBulkhead(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(o *host.Options) { o.MaxInflight, o.RestartWait = 2, 100*time.Millisecond })
	activate(t, h, role{Version: "1.0.0"}, "")
	first, second := acquire(t, h), acquire(t, h)
	var unavailable *host.Unavailable
	if _, err := h.Slot(pluginName).Acquire(t.Context()); !errors.As(err, &unavailable) || unavailable.Why != host.WhyOverloaded {
		t.Errorf("the third lease: %v", err)
	}
	first.Close()
	third := acquire(t, h)
	third.Close()
	second.Close()
}
