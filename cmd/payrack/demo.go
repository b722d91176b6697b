package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

const (
	// demoStart is how long a platform may take to serve, on a busy machine.
	demoStart = 60 * time.Second
	// demoStop is how long it may take to end.
	demoStop = 30 * time.Second
)

func (c *cli) demoCommand() *cobra.Command {
	var plugins string
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show payments through real plugin processes, step by step, and check each answer",
		Long: "Show payments through real plugin processes: starts payrack dev on free ports in a temporary folder, asks its\n" +
			"public HTTP API as a till would, prints each request and answer and checks it, shows one payment as a trace\n" +
			"over all processes and the ledger of the sandbox, and stops everything. A wrong answer is exit code 1.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.demo(cmd.Context(), plugins, keep)
		},
	}
	cmd.Flags().StringVar(&plugins, "plugins", "", "folder of the payrack-provider-* binaries (default bin/plugins)")
	cmd.Flags().BoolVar(&keep, "keep", false, "keep the temporary folder, with the log of the platform")
	return cmd
}

func (c *cli) demo(ctx context.Context, plugins string, keep bool) (err error) {
	folder, err := os.MkdirTemp("", "payrack-demo-")
	if err != nil {
		return fmt.Errorf("make a temporary folder: %w", err)
	}
	defer func() {
		if keep || err != nil {
			c.say("\nthe folder with data and log is %s", folder)
			return
		}
		err = os.RemoveAll(folder)
	}()
	spans, err := openSpanReceiver(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, spans.close()) }()

	c.say("payrack demo: a payment platform whose providers are processes of their own.\n")
	began := time.Now()
	child, err := startDemoPlatform(ctx, folder, plugins, spans.url)
	if err != nil {
		return err
	}
	// Whatever happens, nothing is left behind.
	defer func() { err = errors.Join(err, child.abandon()) }()
	dev, err := child.serving(ctx, folder)
	if err != nil {
		return err
	}
	c.say("The platform serves after %s: core, two provider plugins, sandbox. Nothing else is installed or running.",
		time.Since(began).Round(10*time.Millisecond))

	d := &demo{out: c.out, dev: dev, public: &caller{base: dev.HTTPURL}, sandbox: &caller{base: dev.SandboxURL}, spans: spans}
	if err := d.run(ctx); err != nil {
		return fmt.Errorf("the demo failed: %w", err)
	}
	if err := d.stop(ctx, child); err != nil {
		return fmt.Errorf("the demo failed: %w", err)
	}
	c.say("\nEverything was checked: %d requests, %d checks.", d.requests, d.checks)
	return nil
}

// demoPlatform is the platform of a demo.
type demoPlatform struct {
	command *exec.Cmd
	life    process
	log     string
	ended   chan error
	over    bool
}

func startDemoPlatform(ctx context.Context, folder, plugins, collector string) (*demoPlatform, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	args := []string{
		"dev", "--data", filepath.Join(folder, "data"), "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0",
		"--sandbox", "127.0.0.1:0", "--log-format", "json",
	}
	if plugins != "" {
		args = append(args, "--plugins", plugins)
	}
	p := &demoPlatform{log: filepath.Join(folder, "payrack.log"), ended: make(chan error, 1)}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("open the log of the platform: %w", err)
	}
	defer func() { _ = log.Close() }()                                         // the child has its own
	p.command = exec.CommandContext(context.WithoutCancel(ctx), self, args...) //nolint:gosec // ourselves
	p.command.Stdout, p.command.Stderr = log, log
	p.command.Env = append(os.Environ(),
		"OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
		"OTEL_EXPORTER_OTLP_ENDPOINT="+collector, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=",
		"OTEL_TRACES_SAMPLER=parentbased_always_on", "OTEL_BSP_SCHEDULE_DELAY=100",
	)
	// A group of its own: Ctrl-C reaches the demo, which then stops the platform in order.
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start the platform: %w", err)
	}
	go func() { p.ended <- p.command.Wait() }()
	if p.life, err = lifeOf(p.command.Process.Pid); err != nil {
		return nil, errors.Join(p.why("the platform ended at once"), err)
	}
	return p, nil
}

// serving waits until the platform tells where it serves.
func (p *demoPlatform) serving(ctx context.Context, folder string) (devFile, error) {
	timeout := time.NewTimer(demoStart)
	defer timeout.Stop()
	for {
		if d, err := readDevFile(filepath.Join(folder, "data")); err == nil {
			return d, nil
		}
		select {
		case err := <-p.ended:
			p.over = true
			return devFile{}, p.why(fmt.Sprintf("the platform did not start (%v)", err))
		case <-timeout.C:
			return devFile{}, p.why(fmt.Sprintf("the platform does not serve after %s", demoStart))
		case <-ctx.Done():
			return devFile{}, fmt.Errorf("the demo was interrupted: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// why adds the end of the platform's log, where it says why.
func (p *demoPlatform) why(what string) error {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return fmt.Errorf("%s, and its log cannot be read: %w", what, err)
	}
	const tail = 2000
	return fmt.Errorf("%s; its log ends with:\n%s", what, text[max(0, len(text)-tail):])
}

// interrupt is Ctrl-C: it waits for the end and returns the exit code.
func (p *demoPlatform) interrupt() (int, error) {
	if err := p.command.Process.Signal(os.Interrupt); err != nil {
		return 0, fmt.Errorf("stop the platform: %w", err)
	}
	select {
	case err := <-p.ended:
		p.over = true
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return 0, fmt.Errorf("wait for the platform: %w", err)
		}
		return p.command.ProcessState.ExitCode(), nil
	case <-time.After(demoStop):
		return 0, p.why(fmt.Sprintf("the platform does not end within %s", demoStop))
	}
}

// abandon makes sure that the platform is gone.
func (p *demoPlatform) abandon() error {
	if p.over {
		return nil
	}
	if _, err := p.interrupt(); err == nil {
		return nil
	}
	return p.life.end(demoStop)
}

// demo is a till that checks what it is told.
type demo struct {
	out              io.Writer
	dev              devFile
	public, sandbox  *caller
	spans            *spanReceiver
	step             int
	requests, checks int
}

// stop ends the platform as Ctrl-C does and looks for what is left.
func (d *demo) stop(ctx context.Context, p *demoPlatform) error {
	d.title("Stop", "Ctrl-C: the platform drains and stops its plugins.")
	children, err := descendants(p.command.Process.Pid)
	if err != nil {
		return err
	}
	if err := d.check(len(children) >= 2, "there are %d plugin processes, want one for each of the two providers", len(children)); err != nil {
		return err
	}
	code, err := p.interrupt()
	if err != nil {
		return err
	}
	if err := d.check(code == 0, "the platform ended with exit code %d", code); err != nil {
		return err
	}
	for _, child := range append(children, p.life) {
		if err := d.check(child.gone(2*time.Second), "process %d is still there", child.PID); err != nil {
			return err
		}
	}
	_, err = d.sandbox.send(ctx, call{method: http.MethodGet, path: "/_sandbox/healthz"})
	if err := d.check(err != nil, "the sandbox still answers"); err != nil {
		return err
	}
	_, err = os.Stat(filepath.Join(filepath.Dir(p.log), "data", devFileName))
	if err := d.check(errors.Is(err, os.ErrNotExist), "%s is still there", devFileName); err != nil {
		return err
	}
	d.say("   exit code 0; %d processes ended, none is left", len(children)+1)
	return nil
}

func (d *demo) title(what, why string) {
	d.step++
	d.say("\n%s %s\n   %s", strconv.Itoa(d.step)+".", what, why)
}

func (d *demo) say(format string, args ...any) { _, _ = fmt.Fprintf(d.out, format+"\n", args...) }

// check fails the demo unless it holds.
func (d *demo) check(holds bool, format string, args ...any) error {
	d.checks++
	if holds {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// rawMembers reads an object as raw tokens, so that a 19-digit id is compared as it was written.
func rawMembers(text []byte) map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil
	}
	return all
}
