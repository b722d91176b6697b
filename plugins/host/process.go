package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/payrack/payrack/plugins/host/shim"
)

// process is one started plugin binary. Its exit is seen by waiting for its pid, never by waiting for its
// pipes: a child of the plugin may hold those open for ever.
type process struct {
	pid    int
	stdout *os.File
	stderr *os.File
	// exited is closed when the process has ended and its group was killed.
	exited chan struct{}
	state  *os.ProcessState // valid once exited is closed
	// protections by name: on, or off and why.
	protections map[string]string
	// ports that it may connect to; limited is false if it may connect to all.
	ports   []uint16
	limited bool
	// granted are files whose successors it cannot read, see outdated.
	granted []shim.File

	group *group // nil if there is none
	eased bool   // it runs with a lower priority until hurry

	mu       sync.Mutex
	lifeline *os.File
	reaped   bool
	why      string // why it was killed, for people
}

// command says what to start.
type command struct {
	image   *image
	name    string // argv[0], for people who look at the process list
	args    []string
	env     []string
	dir     string
	confine confinement
	// beside says that another process serves meanwhile: the start must not take the processor from it.
	beside bool
}

// startProcess starts the binary in its own process group with three pipes, confined. When it returns, the plugin's own
// code runs, and not the shim's any more.
func startProcess(ctx context.Context, c command) (*process, error) {
	var files [3][2]*os.File // read end, write end
	for i := range files {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(files)
			return nil, fmt.Errorf("pipe: %w", err)
		}
		files[i] = [2]*os.File{r, w}
	}
	b, err := c.box(ctx)
	if err != nil {
		closeAll(files)
		return nil, err
	}
	p := &process{
		stdout: files[1][0], stderr: files[2][0], lifeline: files[0][1], exited: make(chan struct{}),
		group: b.group, ports: b.policy.Ports,
	}
	started := make(chan error, 1)
	held := c.image.retain()
	go func() {
		defer held.release()
		// The plugin dies with the thread that started it (see attributes), so this thread is kept until
		// the plugin has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		cmd, err := p.launch(b, files)
		for _, theirs := range []*os.File{files[0][0], files[1][1], files[2][1]} {
			_ = theirs.Close()
		}
		if err != nil {
			started <- err
			return
		}
		p.pid = cmd.Process.Pid
		if c.beside {
			p.ease()
		}
		started <- nil
		p.reap(cmd)
		p.state = cmd.ProcessState
		if p.group.outOfMemory() {
			p.blame("killed by the kernel: over its memory limit of " + mebibytes(b.memory))
		}
		p.closeLifeline()
		close(p.exited)
		p.group.remove()
	}()
	if err := <-started; err != nil {
		closeAll(files)
		b.abandon()
		p.group.remove()
		return nil, fmt.Errorf("start: %w", err)
	}
	if err := p.settle(ctx, b); err != nil {
		return nil, err
	}
	if b.memory > 0 && (p.group == nil || !p.group.memory) {
		go p.watchMemory(b.memory)
	}
	if ctx.Err() != nil {
		p.kill()
	}
	return p, nil
}

// launch starts the process, in its control group if the system can do that.
func (p *process) launch(b *box, files [3][2]*os.File) (*exec.Cmd, error) {
	make := func(g *group) *exec.Cmd {
		// Not exec.CommandContext: the end of the caller's context is no reason to kill a serving plugin.
		return &exec.Cmd{
			Path: b.path, Args: b.args, Env: b.env, Dir: b.dir, ExtraFiles: b.files,
			Stdin: files[0][0], Stdout: files[1][1], Stderr: files[2][1], SysProcAttr: attributes(g),
		}
	}
	cmd := make(p.group)
	err := cmd.Start()
	if err != nil && p.group != nil {
		// A container's own filter of system calls may refuse the call that places a new process.
		p.group.remove()
		p.group = nil
		b.ungrouped("the system does not place a new process in a control group: " + err.Error())
		cmd = make(nil)
		err = cmd.Start()
	}
	return cmd, err
}

// settle waits until the shim has become the plugin and keeps what it reported.
func (p *process) settle(ctx context.Context, b *box) error {
	limited, cancel := context.WithTimeout(ctx, b.patience)
	defer cancel()
	refused := b.await(limited, p.exited)
	p.protections = b.protections
	p.limited = b.limits()
	if refused == "" {
		if b.protections[shim.LandlockFiles] == shim.On {
			p.granted = resolverFiles()
		}
		return nil
	}
	p.kill()
	await(p.exited, killPatience)
	_ = p.stderr.SetReadDeadline(time.Now().Add(pipeGrace))
	words := make([]byte, 4096)
	n, _ := p.stderr.Read(words)
	_ = p.stdout.Close()
	_ = p.stderr.Close()
	if line := firstLine(words[:n]); refused == shimSilent && line != "" {
		refused += ": " + line
	}
	return fmt.Errorf("%s (%s)", refused, p.ending())
}

func closeAll(files [3][2]*os.File) {
	for _, pair := range files {
		for _, f := range pair {
			if f != nil {
				_ = f.Close()
			}
		}
	}
}

// closeLifeline tells the plugin to flush and end.
func (p *process) closeLifeline() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lifeline != nil {
		_ = p.lifeline.Close()
		p.lifeline = nil
	}
}

// kill ends the process and its group at once, stopped or not.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		p.killGroup()
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
	}
}

// killGroup ends whatever the plugin has started, as far as it can be found.
func (p *process) killGroup() {
	_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	p.group.kill()
}

// blame records why the process ended; the first reason stays.
func (p *process) blame(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.why == "" {
		p.why = why
	}
}

func (p *process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// ending describes how the process ended, for people.
func (p *process) ending() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.why != "" {
		return p.why
	}
	if p.state == nil {
		return "ended"
	}
	return p.state.String()
}

// watchEvery is how often the memory of a process is looked at where no control group holds it: often enough that a
// plugin that takes a gigabyte a second is found before the machine is in trouble.
const watchEvery = 250 * time.Millisecond

// watchMemory kills the process when it holds a quarter more than its limit: the runtime of Go, which knows the limit,
// goes over it a little when it must.
func (p *process) watchMemory(limit int64) {
	ticks := time.NewTicker(watchEvery)
	defer ticks.Stop()
	for {
		select {
		case <-p.exited:
			return
		case <-ticks.C:
		}
		size, ok := residentBytes(p.pid)
		if !ok {
			continue
		}
		if size > limit+limit/4 {
			p.blame(fmt.Sprintf("killed: over its memory limit (it held %s and may hold %s)", mebibytes(size), mebibytes(limit)))
			p.kill()
			return
		}
	}
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }
