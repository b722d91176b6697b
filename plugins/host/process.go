package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
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

	mu       sync.Mutex
	lifeline *os.File
	reaped   bool
}

// command says what to start.
type command struct {
	image *image
	name  string // argv[0], for people who look at the process list
	args  []string
	env   []string
	dir   string
}

// startProcess starts the binary in its own process group with three pipes.
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
	// Not exec.CommandContext: the end of the caller's context is no reason to kill a serving plugin.
	cmd := &exec.Cmd{
		Path: c.image.path, Args: append([]string{c.name}, c.args...), Env: c.env, Dir: c.dir,
		Stdin: files[0][0], Stdout: files[1][1], Stderr: files[2][1], SysProcAttr: attributes(),
	}
	p := &process{stdout: files[1][0], stderr: files[2][0], lifeline: files[0][1], exited: make(chan struct{})}
	started := make(chan error, 1)
	held := c.image.retain()
	go func() {
		defer held.release()
		// The plugin dies with the thread that started it (see attributes), so this thread is kept until
		// the plugin has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		for _, theirs := range []*os.File{files[0][0], files[1][1], files[2][1]} {
			_ = theirs.Close()
		}
		if err != nil {
			started <- err
			return
		}
		p.pid = cmd.Process.Pid
		started <- nil
		p.reap(cmd)
		p.state = cmd.ProcessState
		p.closeLifeline()
		close(p.exited)
	}()
	if err := <-started; err != nil {
		closeAll(files)
		return nil, fmt.Errorf("start: %w", err)
	}
	if ctx.Err() != nil {
		p.kill()
	}
	return p, nil
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
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
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
	if p.state == nil {
		return "ended"
	}
	return p.state.String()
}
