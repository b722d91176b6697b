package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/payrack/payrack/plugins/host/shim"
)

// box is how one process is started: the plugin itself or the shim that becomes it, with its limits.
type box struct {
	path string
	args []string
	env  []string
	dir  string
	// files are the descriptors from 3 on, ours of the pipes are policyTo and report.
	files    []*os.File
	policyTo *os.File
	report   *os.File

	policy      shim.Policy
	group       *group
	patience    time.Duration // for the shim to become the plugin
	memory      int64
	protections map[string]string
}

// box prepares a start. The caller starts the process and calls await, or else abandon.
func (c command) box(ctx context.Context) (*box, error) {
	b := &box{path: c.image.path, args: append([]string{c.name}, c.args...), env: c.env, dir: c.dir}
	b.protections = c.confine.ownProtections(c.image)
	b.memory, b.patience = c.confine.options.Sandbox.memory(), c.confine.options.StartTimeout
	if b.memory > 0 && !slices.ContainsFunc(c.env, func(e string) bool { return strings.HasPrefix(e, "GOMEMLIMIT=") }) {
		// Below the limit, so that the runtime collects before the kernel kills.
		b.env = append(slices.Clone(c.env), fmt.Sprintf("GOMEMLIMIT=%d", b.memory/10*9))
	}
	var why string
	b.group, why = delegated().newGroup(groupLimits{memory: b.memory, tasks: maxTasks})
	b.held(why)
	words := c.confine.options.Shim
	if len(words) == 0 || runtime.GOOS != "linux" {
		return b, nil
	}
	b.policy = c.confine.policy(ctx, c.image)
	b.path, b.args = words[0], append(slices.Clone(words), b.args...)
	policyFrom, policyTo, err := os.Pipe()
	if err != nil {
		b.group.remove()
		return nil, fmt.Errorf("pipe: %w", err)
	}
	report, reportTo, err := os.Pipe()
	if err != nil {
		_, _ = policyFrom.Close(), policyTo.Close()
		b.group.remove()
		return nil, fmt.Errorf("pipe: %w", err)
	}
	b.files = []*os.File{c.image.file, policyFrom, reportTo}
	b.policyTo, b.report = policyTo, report
	return b, nil
}

// held says which limits the control group holds.
func (b *box) held(why string) {
	b.protections[protectMemory], b.protections[protectProcesses] = shim.On, shim.On
	if b.group == nil || !b.group.memory {
		b.protections[protectMemory] = shim.Off(why + "; the plugin's own limit and the host's watch hold it at about " + mebibytes(b.memory+b.memory/4))
	}
	if b.memory == 0 {
		b.protections[protectMemory] = shim.Off("no limit is configured")
	}
	if b.group == nil || !b.group.tasks {
		b.protections[protectProcesses] = shim.Off(why)
	}
}

func (b *box) ungrouped(why string) {
	b.group = nil
	b.held(why)
}

// abandon closes what a start left behind that failed.
func (b *box) abandon() {
	if b.report == nil {
		return
	}
	b.closeTheirs()
	_ = b.policyTo.Close()
	_ = b.report.Close()
}

// closeTheirs closes the shim's ends. The image stays open: it belongs to the release.
func (b *box) closeTheirs() {
	for _, f := range b.files[1:] {
		_ = f.Close()
	}
}

// limits reports that the process may connect to the ports of its policy only.
func (b *box) limits() bool { return b.protections[shim.LandlockNetwork] == shim.On }

// shimSilent is what to say about a shim that did not say anything.
const shimSilent = "the sandbox ended before the plugin began"

// maxReport bounds what a shim may say; it has about a kilobyte.
const maxReport = 64 << 10

// await hands the shim its policy and waits until it has become the plugin, which closes its end of the report. A text
// says why it has not.
func (b *box) await(ctx context.Context, exited <-chan struct{}) (refused string) {
	if b.report == nil {
		return ""
	}
	b.closeTheirs()
	raw, err := json.Marshal(b.policy)
	if err != nil {
		b.abandon()
		return "the sandbox's policy cannot be written: " + err.Error()
	}
	go func() {
		_, _ = b.policyTo.Write(raw) // a shim that has died does not read it
		_ = b.policyTo.Close()
	}()
	done := make(chan shim.Report, 1)
	go func() {
		defer func() { _ = b.report.Close() }()
		done <- lastReport(io.LimitReader(b.report, maxReport))
	}()
	var got shim.Report
	select {
	case got = <-done:
	case <-exited: // whatever it said is there
		got = <-done
	case <-ctx.Done():
		return "the sandbox did not become the plugin in time: " + ctx.Err().Error()
	}
	switch {
	case got.Refused != "":
		return got.Refused
	case got.Protections == nil:
		return shimSilent
	}
	maps.Copy(b.protections, got.Protections)
	return ""
}

// lastReport reads to the end.
func lastReport(r io.Reader) shim.Report {
	var last shim.Report
	reports := json.NewDecoder(r)
	for {
		var next shim.Report
		if err := reports.Decode(&next); err != nil {
			if !errors.Is(err, io.EOF) {
				return shim.Report{}
			}
			return last
		}
		last = next
	}
}

// lacks says why a running process cannot use these settings, or nothing: it may connect to the ports of the settings
// that it was started with, and nobody can give it more.
func (p *process) lacks(settings []byte) string {
	if !p.limited {
		return ""
	}
	for _, port := range portsIn(settings) {
		if !slices.Contains(p.ports, port) {
			return fmt.Sprintf("the running plugin may not connect to TCP port %d, which its settings name now: it has to be started anew", port)
		}
	}
	return ""
}
