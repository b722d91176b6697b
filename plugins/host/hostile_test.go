package host_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// A plugin without our SDK may answer anything. Nothing of it may read as paid or as not paid.
func TestUnreadableAnswersAreUnknown(t *testing.T) {
	t.Parallel()
	for _, behaviour := range []string{"raw", "raw-tunnel"} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			activate(t, h, role{Version: "1.0.0", Behaviour: behaviour}, "")
			unreadableAnswers(t, acquire(t, h))
		})
	}
}

func unreadableAnswers(t *testing.T, l *host.Lease) {
	t.Helper()
	for _, c := range []struct {
		order  string
		reason provider.Reason
	}{
		{"nil", provider.ReasonBadAnswer},
		{"empty", provider.ReasonBadAnswer},
		{"foreign-outcome", provider.ReasonBadAnswer},
		{"unspecified-effect", provider.ReasonUnspecified},
		{"foreign-effect", provider.ReasonUnspecified},
		{"no-object", provider.ReasonBadAnswer},
		{"half-object", provider.ReasonBadAnswer},
		{"two-objects", provider.ReasonBadAnswer},
		{"long-native", provider.ReasonBadAnswer},
		{"ten-megabytes", provider.ReasonInternal},
	} {
		a := l.Pay(withTime(t, 10*time.Second), payment(c.order))
		if a.Outcome() != provider.OutcomeUnknown || a.Failure() == nil || a.Failure().Effect != provider.EffectPossible ||
			a.Failure().Reason != c.reason || a.Native().Body != nil {
			t.Errorf("%s: outcome %d, %+v, native %q", c.order, a.Outcome(), a.Failure(), a.Native().Body)
		}
	}
	if a := l.Pay(withTime(t, 10*time.Second), payment("unspecified-outcome")); a.Outcome() != provider.OutcomeUnknown {
		t.Errorf("unspecified outcome: %+v", a)
	}
	// The same plugin with a good answer, so that the cases above are not unknown for another reason.
	a := l.Pay(withTime(t, 10*time.Second), payment("good"))
	if a.Outcome() != provider.OutcomeApproved || string(a.Native().Body) != ` {"a":1} ` {
		t.Errorf("good: %+v, native %q; the body is passed through as bytes", a.Failure(), a.Native().Body)
	}
	if n := len(l.Info().Types[0].Operations); n != 1 {
		t.Errorf("%d operations; the one of a newer contract is left out", n)
	}
}

func TestRefusedBeforeHandOver(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	activate(t, h, role{Version: "1.0.0"}, "")
	l := acquire(t, h)
	long := payment("x")
	long.Description = strings.Repeat("x", 1<<20)
	over := withTime(t, time.Nanosecond)
	<-over.Done()
	for name, a := range map[string]provider.Answer{
		"no deadline":      l.Pay(t.Context(), payment("x")),
		"time is up":       l.Pay(over, payment("x")),
		"too long":         l.Pay(withTime(t, 20*time.Second), long),
		"refused by SDK":   l.Pay(withTime(t, 20*time.Second), provider.PayRequest{}),
		"failure as it is": l.Pay(withTime(t, 20*time.Second), payment("failure")),
	} {
		if a.Failure() == nil || a.Failure().Effect != provider.EffectNone {
			t.Errorf("%s: %+v, want a failure without effect", name, a.Failure())
		}
	}
	for name, order := range map[string]string{"panic": "panic", "exit": "die", "too long an answer": "big"} {
		a := acquire(t, h).Pay(withTime(t, 5*time.Second), payment(order))
		if a.Failure() == nil || a.Failure().Effect != provider.EffectPossible || strings.Contains(a.Failure().Detail, "canary") {
			t.Errorf("%s: %+v, want unknown without the panic's text", name, a.Failure())
		}
	}
}

func TestLogLinesCannotHurt(t *testing.T) {
	t.Parallel()
	var logs logBuffer
	h := newHost(t, func(o *host.Options) { o.Log = logs.logger() })
	activate(t, h, role{Version: "1.0.0", Behaviour: "bad-log"}, "")
	l := acquire(t, h)
	if a := l.Pay(withTime(t, 5*time.Second), payment("print")); a.Outcome() != provider.OutcomeApproved {
		t.Fatalf("printing: %+v", a.Failure())
	}
	if a := l.Pay(withTime(t, 5*time.Second), payment("log")); a.Outcome() != provider.OutcomeApproved {
		t.Fatalf("logging: %+v", a.Failure())
	}
	l.Pay(withTime(t, 5*time.Second), payment("panic"))
	for _, want := range []string{`"line":"{\"@message\":1}"`, `log-canary`, `"text":"from the plugin"`, `?[31m??`, `plugin call panicked`, `"text":"plugin printed"`} {
		eventually(t, want, func() bool { return strings.Contains(logs.String(), want) })
	}
	if strings.Contains(logs.String(), "secret-canary") {
		t.Error("the text of a panic is in the log")
	}
	for line := range strings.SplitSeq(strings.TrimSpace(logs.String()), "\n") {
		if !json.Valid([]byte(line)) {
			t.Fatalf("no JSON: %q", line)
		}
	}
}

func TestLogFloodIsBounded(t *testing.T) {
	t.Parallel()
	var logs logBuffer
	h := newHost(t, func(o *host.Options) { o.Log = logs.logger() })
	activate(t, h, role{Version: "1.0.0", Behaviour: "log-flood"}, "") // 50 MB before its handshake
	if a := acquire(t, h).Pay(withTime(t, 5*time.Second), payment("log")); a.Outcome() != provider.OutcomeApproved {
		t.Fatalf("after the flood: %+v", a.Failure())
	}
	eventually(t, "the lost lines are counted", func() bool { return strings.Contains(logs.String(), "plugin log lines dropped") })
	if n := len(logs.String()); n > 20<<20 {
		t.Errorf("%d bytes of 50 MB were logged", n)
	}
}

func TestCrashReport(t *testing.T) {
	t.Parallel()
	var logs logBuffer
	h := newHost(t, func(o *host.Options) { o.Log = logs.logger() })
	activate(t, h, role{Version: "1.0.0"}, "")
	if a := acquire(t, h).Pay(withTime(t, 10*time.Second), payment("crash")); a.Failure() == nil || a.Failure().Effect != provider.EffectPossible {
		t.Errorf("crash: %+v", a)
	}
	eventually(t, "the report", func() bool {
		return strings.Contains(logs.String(), `"crash_report":"panic: crash-canary`) && strings.Contains(logs.String(), `"status":"exit status 2"`)
	})
}

// A refusal says what the plugin said, and no more of it than people read and a database takes.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for behaviour, says := range map[string]string{
		"raw-ill": "not ready: at first?; and on", "raw-picky": "refused its settings: at first?; and on", "raw-failing": "at first",
	} {
		_, err := h.Slot(pluginName).Prepare(t.Context(), release(t, role{Version: "1.0.0", Behaviour: behaviour}), []byte("{}"))
		refused, ok := errors.AsType[*host.Refused](err)
		if !ok || !strings.Contains(refused.Message, says) || len(refused.Message) > 1200 || strings.ContainsAny(refused.Message, "\x00\n") {
			t.Errorf("%s: %d bytes: %.200q", behaviour, len(err.Error()), err)
		}
	}
}

// A plugin that prints what looks like its end and lives on keeps its log, and its real end is reported.
func TestAPluginThatOnlySaysPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logs logBuffer
		r, w := io.Pipe()
		report := make(chan string, 1)
		go func() { report <- host.LogReader(t.Context(), r, logs.logger()) }()
		write := func(text string) {
			if _, err := io.WriteString(w, text); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		write("panic: the gateway is mad\nit is only a till\n")
		if strings.Contains(logs.String(), "only a till") {
			t.Error("what may be last words was logged at once")
		}
		time.Sleep(time.Minute)
		write("a plain line\n")
		for _, want := range []string{`panic: the gateway is mad\nit is only a till`, `"line":"a plain line"`} {
			if !strings.Contains(logs.String(), want) {
				t.Errorf("%s is not in the log: %s", want, logs.String())
			}
		}
		write("panic: this is the end\n\ngoroutine 1 [running]:\n")
		_ = w.Close()
		if got := <-report; got != "panic: this is the end\ngoroutine 1 [running]:\n" {
			t.Errorf("the report is %q", got)
		}
	})
}

func TestDeafPluginIsStopped(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(o *host.Options) { o.StopTimeout = 200 * time.Millisecond })
	a := activate(t, h, role{Version: "1.0.0", Behaviour: "deaf"}, "")
	if err := syscall.Kill(a.PID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := acquire(t, h).Pay(withTime(t, 5*time.Second), payment("sleep:100ms")); got.Outcome() != provider.OutcomeApproved {
		t.Errorf("a plugin ignores SIGTERM while its host lives: %+v", got.Failure())
	}
	if err := h.Slot(pluginName).Disable(withTime(t, 10*time.Second)); err == nil && alive(a.PID) {
		t.Error("the process lives")
	}
	eventually(t, "it is killed", func() bool { return !alive(a.PID) })
}

func TestSignalsDoNotEndAPlugin(t *testing.T) {
	t.Parallel()
	var logs logBuffer
	h := newHost(t, logging(&logs))
	a := activate(t, h, role{Version: "1.0.0"}, "")
	l := acquire(t, h)
	answers := make(chan provider.Answer, 1)
	go func() { answers <- l.Pay(withTime(t, 10*time.Second), payment("sleep:300ms")) }()
	asleep(t, &logs)
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		_ = syscall.Kill(a.PID, s)
	}
	if got := <-answers; got.Outcome() != provider.OutcomeApproved {
		t.Errorf("a call during signals: %+v", got.Failure())
	}
}

// Children of a plugin neither hide its end nor survive it.
func TestChildrenOfAPlugin(t *testing.T) {
	t.Parallel()
	note := filepath.Join(t.TempDir(), "child")
	h := newHost(t, func(o *host.Options) { o.Env = []string{"PAYRACK_TEST_CHILD=" + note} })
	a := activate(t, h, role{Version: "1.0.0", Behaviour: "child"}, "")
	child := childOf(t, note)
	_ = syscall.Kill(a.PID, syscall.SIGKILL)
	eventually(t, "the child is gone with its plugin", func() bool { return !alive(child) })
	acquire(t, h)
}

func childOf(t *testing.T, note string) int {
	t.Helper()
	b, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(string(b))
	if err != nil || !alive(child) {
		t.Fatalf("no child: %v", err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(child, syscall.SIGKILL)
		if b, err := os.ReadFile(note); err == nil { // the restarted plugin has one, too
			if child, err := strconv.Atoi(string(b)); err == nil {
				_ = syscall.Kill(child, syscall.SIGKILL)
			}
		}
	})
	return child
}

func TestPluginSeesOnlyItsOwn(t *testing.T) {
	if err := os.Setenv("PAYRACK_DATABASE__URL", "host-canary"); err != nil { //nolint:usetesting // t.Setenv forbids parallel tests of the package
		t.Fatal(err)
	}
	t.Parallel()
	h := newHost(t, func(o *host.Options) { o.Env = []string{"GOMEMLIMIT=100MiB"} })
	activate(t, h, role{Version: "1.0.0"}, `{"secret":"settings-canary"}`)
	var saw struct {
		Env   []string `json:"env"`
		Cwd   string   `json:"cwd"`
		Files []string `json:"files"`
		Fds   []string `json:"fds"`
	}
	a := acquire(t, h).Pay(withTime(t, 5*time.Second), payment("env"))
	if err := json.Unmarshal(a.Native().Body, &saw); err != nil {
		t.Fatal(err, a.Failure())
	}
	allowed := []string{
		"GOMEMLIMIT", "PAYRACK_LOG_LEVEL", "PAYRACK_PROVIDER_PLUGIN", "PLUGIN_CLIENT_CERT", "PLUGIN_MAX_PORT", "PLUGIN_MIN_PORT",
		"PLUGIN_PROTOCOL_VERSIONS", "PLUGIN_UNIX_SOCKET_DIR", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ",
	}
	for _, e := range saw.Env {
		name, value, _ := strings.Cut(e, "=")
		if !slices.Contains(allowed, name) || strings.Contains(value, "canary") || strings.Contains(value, "PRIVATE KEY") {
			t.Errorf("the plugin sees %s", e)
		}
	}
	if len(saw.Env) < 6 || len(saw.Files) != 0 || filepath.Base(saw.Cwd) != "w" {
		t.Errorf("environment %v, directory %s with %v", saw.Env, saw.Cwd, saw.Files)
	}
	for _, fd := range saw.Fds {
		if strings.Contains(fd, "memfd") || (strings.HasPrefix(fd, "/") && !strings.HasPrefix(fd, "/proc/") && !strings.HasPrefix(fd, "/dev/") &&
			!strings.HasPrefix(fd, "/sys/fs/cgroup/")) {
			t.Errorf("the plugin inherited %s", fd)
		}
	}
}

func TestPathMayChangeAfterTheHash(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	made := release(t, role{Version: "5.0.0"})
	path := filepath.Join(t.TempDir(), "plugin")
	b, err := os.ReadFile(made.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	made.Path = path
	a, err := h.Slot(pluginName).Activate(t.Context(), made, nil)
	if err != nil {
		t.Fatal(err)
	}
	// The file is replaced, and the plugin crashes: the bytes that were hashed are started again.
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexit 9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(a.PID, syscall.SIGKILL)
	restarted(t, h, a.PID)
	l := acquire(t, h)
	if l.Info().Version != "5.0.0" {
		t.Errorf("version %s", l.Info().Version)
	}
	var refused *host.Refused
	if _, err := h.Slot(pluginName).Activate(t.Context(), made, nil); !errors.As(err, &refused) {
		t.Errorf("the replaced file was activated: %v", err)
	}
}

func TestScriptsAndDynamicBinariesAreRefused(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho '{}'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	h := newHost(t, func(o *host.Options) { o.AllowDynamic = false })
	for path, says := range map[string]string{script: "no ELF", "/bin/sh": "dynamic loader", "/": "regular file", "/nowhere": "there is no file /nowhere"} {
		_, _, err := h.Describe(t.Context(), path)
		var refused *host.Refused
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", path, err, says)
		}
	}
}

func TestDescribeOfStrangers(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	hasty := newHost(t, func(o *host.Options) { o.DescribeTimeout = 500 * time.Millisecond })
	for behaviour, code := range map[string]host.Code{
		"crash-at-start": host.CodeStartCrashed,
		"silent":         host.CodeStartTimeout,
		"endless-line":   host.CodeStartTimeout,
	} {
		h := h
		if code == host.CodeStartTimeout {
			h = hasty
		}
		_, _, err := h.Describe(t.Context(), release(t, role{Version: "2.0.0", Behaviour: behaviour}).Path)
		var refused *host.Refused
		if !errors.As(err, &refused) || refused.Code != code {
			t.Errorf("%s: %v, want %s", behaviour, err, code)
		}
	}
	if _, _, err := h.Describe(t.Context(), "/bin/true"); err == nil {
		t.Error("/bin/true was described")
	}
}

// Bytes that nobody vouched for are not run, not even to ask them who they are.
func TestOtherBytesAreNotRun(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(o *host.Options) { o.DescribeTimeout = 10 * time.Second })
	silent := release(t, role{Version: "2.0.0", Behaviour: "silent"}) // whoever runs it waits for ever
	_, _, err := h.DescribeOnly(t.Context(), silent.Path, strings.Repeat("0", 64))
	var refused *host.Refused
	if !errors.As(err, &refused) || refused.Code != host.CodeDigestMismatch || !strings.Contains(err.Error(), silent.SHA256) {
		t.Errorf("%v", err)
	}
	good := release(t, role{Version: "2.0.0"})
	if _, digest, err := h.DescribeOnly(t.Context(), good.Path, good.SHA256); err != nil || digest != good.SHA256 {
		t.Errorf("%s, %v", digest, err)
	}
}
