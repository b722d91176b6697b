package conformance

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// process is the plugin, started as the platform starts it.
type process struct {
	host *host.Host
	slot *host.Slot
	info host.Info
}

// stopTimeout is how long a plugin may take to end when it is told to.
const stopTimeout = 5 * time.Second

// hostOptions are those of a platform, with everything that comes out of the plugin kept.
func hostOptions(c *collected, dynamic bool, env ...string) host.Options {
	return host.Options{
		RunDir: runDir(),
		Log:    slog.New(logHandler{to: c}),
		Spans: func(_ host.Source, spans *coltracepb.ExportTraceServiceRequest) {
			c.add(fromSpan, spans.String())
		},
		TracerProvider: recordingTracers(c),
		Env:            append([]string{"GOTRACEBACK=all"}, env...),
		AllowDynamic:   dynamic,
		StopTimeout:    stopTimeout,
		// A busy machine is no fault of the plugin's.
		StartTimeout: 30 * time.Second, StepTimeout: 20 * time.Second, DescribeTimeout: 30 * time.Second, PingTimeout: 10 * time.Second,
		// A plugin that crashes is found by its crash, not by being kept away.
		CrashLimit: 1000, BackoffBase: 10 * time.Millisecond, RestartWait: 5 * time.Second,
	}
}

// runDir is empty, which is the host's own choice, unless the temporary folder's path is too long for
// sockets, as in some test runners: then it is the usual one.
func runDir() string {
	const longest = 35
	if len(os.TempDir()) <= longest {
		return ""
	}
	return fmt.Sprintf("/tmp/payrack-%d", os.Getuid())
}

// start runs one instance. Close it.
func (k *kit) start(ctx context.Context, settings []byte, env ...string) (*process, error) {
	h, err := host.New(hostOptions(k.out, k.options.AllowDynamic, env...))
	if err != nil {
		return nil, fmt.Errorf("start the plugin: %w", err)
	}
	p := &process{host: h, slot: h.Slot(k.info.Name)}
	a, err := p.slot.Activate(ctx, host.Release{Name: k.info.Name, Version: k.info.Version, Path: k.path, SHA256: k.digest}, settings)
	if err != nil {
		p.close(ctx)
		return nil, fmt.Errorf("start the plugin: %w", err)
	}
	p.info = a.Info
	return p, nil
}

func (p *process) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = p.host.Close(ctx) // open calls are cut off: nobody waits for them
}

// pid is the number of the process, or 0 if none runs.
func (p *process) pid() int {
	for _, in := range p.slot.Status().Instances {
		if in.State == host.StateServing {
			return in.PID
		}
	}
	return 0
}

// lease takes a reference for one call.
func (p *process) lease(ctx context.Context) (*host.Lease, error) {
	l, err := p.slot.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("the plugin takes no calls: %w", err)
	}
	return l, nil
}

// fromSpan is where the plugin's spans come from.
const fromSpan = "span"

// statusNumber reads a number of /proc/PID/status, in its own unit; false if there is none.
func statusNumber(pid int, member string) (int64, bool) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, false
	}
	for text := range strings.Lines(string(raw)) {
		rest, found := strings.CutPrefix(text, member+":")
		if !found {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// openFiles counts the open files of a process; false if that cannot be seen, which is usual for a
// hardened process.
func openFiles(pid int) (int, bool) {
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	return len(entries), err == nil
}

// word is what an answer says, for people and for comparing.
func word(a provider.Answer) string {
	switch a.Outcome() {
	case provider.OutcomeApproved:
		return "approved"
	case provider.OutcomeDeclined:
		return "declined"
	case provider.OutcomeRequiresAction:
		return "requires_action"
	case provider.OutcomeUnknown:
	}
	if f := a.Failure(); f != nil && f.Effect == provider.EffectNone {
		return "not_sent"
	}
	return "unknown"
}

// spell is an answer in words, for problems.
func spell(a provider.Answer) string {
	out := word(a)
	if r := a.Result(); r != nil && r.Code != "" {
		out += " (code " + r.Code + ")"
	}
	if f := a.Failure(); f != nil {
		out += fmt.Sprintf(" (%s %s: %s)", f.Reason, f.Code, f.Detail)
	}
	return out
}

// spellSearch is a search's answer in words.
func spellSearch(a provider.SearchAnswer) string {
	if a.Failure != nil {
		return fmt.Sprintf("failure (%s %s: %s)", a.Failure.Reason, a.Failure.Code, a.Failure.Detail)
	}
	if a.Findings == nil {
		return "nothing"
	}
	return findingWord(a.Findings.Finding)
}

func findingWord(f provider.Finding) string {
	switch f {
	case provider.FindingFound:
		return "found"
	case provider.FindingNotFound:
		return "not found"
	case provider.FindingInProgress:
		return "in progress"
	case provider.FindingAwaitingPayer:
		return "awaiting the payer"
	case provider.FindingPayerApproved:
		return "approved by the payer"
	case provider.FindingEnded:
		return "ended"
	default:
		return "an unknown finding"
	}
}
