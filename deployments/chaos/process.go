package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// startPatience is how long any process may take until it serves, and endPatience until it has ended.
const (
	startPatience = 60 * time.Second
	endPatience   = 30 * time.Second
)

// starter starts processes from one thread that lives as long as the harness: the kernel kills them with the thread that
// started them, so that a killed harness leaves nothing behind.
type starter struct{ work chan func() }

func newStarter() *starter {
	s := &starter{work: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for do := range s.work {
			do()
		}
	}()
	return s
}

func (s *starter) start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// A group of its own: Ctrl-C at the terminal reaches the harness only, which ends all in order.
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	done := make(chan error)
	s.work <- func() { done <- cmd.Start() }
	return <-done
}

// child is a process of ours.
type child struct {
	name string
	cmd  *exec.Cmd
	// ended is closed when it has been waited for.
	ended chan struct{}
	said  *listener
}

// spec says how a child is started.
type spec struct {
	name, program string
	args, env     []string
	// log takes what it says; it is appended to.
	log string
	// ready is in the line with which it says that it serves.
	ready string
	attr  *syscall.SysProcAttr
}

// run starts a child and waits until it says that it serves.
func (s *starter) run(ctx context.Context, p spec) (*child, error) {
	file, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	c := &child{name: p.name, ended: make(chan struct{}), said: &listener{to: file, word: []byte(p.ready), heard: make(chan struct{})}}
	c.cmd = exec.Command(p.program, p.args...) //nolint:gosec,noctx // binaries that the caller named; they are ended in order
	c.cmd.Env = append(append(os.Environ(), "NO_COLOR=1"), p.env...)
	c.cmd.Stdout, c.cmd.Stderr, c.cmd.SysProcAttr = c.said, c.said, p.attr
	if err := s.start(c.cmd); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", p.name, err), file.Close())
	}
	go func() {
		_ = c.cmd.Wait()
		_ = file.Close()
		close(c.ended)
	}()
	if p.ready == "" {
		return c, nil
	}
	patience := time.NewTimer(startPatience)
	defer patience.Stop()
	select {
	case <-c.said.heard:
		return c, nil
	case <-c.ended:
		return c, fmt.Errorf("%s ended before it served:\n%s", p.name, tail(p.log))
	case <-ctx.Done():
		c.kill()
		return c, ctx.Err()
	case <-patience.C:
		c.kill()
		return c, fmt.Errorf("%s did not serve within %s:\n%s", p.name, startPatience, tail(p.log))
	}
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// alive reports whether it has not ended.
func (c *child) alive() bool {
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// signal fails where the process has ended.
func (c *child) signal(s syscall.Signal) error {
	if !c.alive() {
		return os.ErrProcessDone
	}
	return c.cmd.Process.Signal(s)
}

// kill is kill -9, waited for.
func (c *child) kill() {
	_ = c.signal(syscall.SIGKILL)
	<-c.ended
}

// stop asks it to end; after the patience it is killed, which is an error.
func (c *child) stop() error {
	_ = c.signal(syscall.SIGCONT)
	_ = c.signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-c.ended:
		return nil
	case <-time.After(endPatience):
		c.kill()
		return fmt.Errorf("%s did not end within %s", c.name, endPatience)
	}
}

// listener writes what a process says to its log and notes a word.
type listener struct {
	mu    sync.Mutex
	to    io.Writer
	word  []byte
	rest  []byte
	once  sync.Once
	heard chan struct{}
}

func (l *listener) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.word) > 0 {
		l.rest = append(l.rest, b...)
		if bytes.Contains(l.rest, l.word) {
			l.once.Do(func() { close(l.heard) })
			l.word, l.rest = nil, nil
		} else if len(l.rest) > len(l.word) {
			l.rest = append([]byte(nil), l.rest[len(l.rest)-len(l.word):]...)
		}
	}
	return l.to.Write(b)
}

// tail is the end of a log, for an error that must be understood without it.
func tail(path string) string {
	const most = 3000
	raw, err := os.ReadFile(path) //nolint:gosec // below the harness's own folder
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw[max(0, len(raw)-most):]))
}

// version is what the program says of itself.
func version(ctx context.Context, program string) string {
	out, err := exec.CommandContext(ctx, program, "version").Output() //nolint:gosec // the binary that the caller named
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}
