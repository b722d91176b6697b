package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// StartPatience is how long any process may take until it serves, and EndPatience until it has ended.
const (
	StartPatience = 60 * time.Second
	EndPatience   = 30 * time.Second
)

// Starter starts processes from one thread that lives as long as the harness: the kernel kills them with the thread that
// started them, so that a killed harness leaves nothing behind.
type Starter struct{ work chan func() }

// NewStarter makes one.
func NewStarter() *Starter {
	s := &Starter{work: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for do := range s.work {
			do()
		}
	}()
	return s
}

func (s *Starter) start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// A group of its own: Ctrl-C at the terminal reaches the harness only, which ends all in order.
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	done := make(chan error)
	s.work <- func() { done <- cmd.Start() }
	return <-done
}

// Child is a process of ours.
type Child struct {
	name string
	cmd  *exec.Cmd
	// Ended is closed when it has been waited for.
	Ended chan struct{}
	said  *listener
}

// Spec says how a child is started.
type Spec struct {
	Name, Program string
	Args, Env     []string
	// Log takes what it says; it is appended to.
	Log string
	// Ready is in the line with which it says that it serves.
	Ready string
	Attr  *syscall.SysProcAttr
}

// Run starts a child and waits until it says that it serves.
func (s *Starter) Run(ctx context.Context, p Spec) (*Child, error) {
	file, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	c := &Child{name: p.Name, Ended: make(chan struct{}), said: &listener{to: file, word: []byte(p.Ready), heard: make(chan struct{})}}
	c.cmd = exec.Command(p.Program, p.Args...) //nolint:gosec,noctx // binaries that the caller named; they are ended in order
	c.cmd.Env = append(append(os.Environ(), "NO_COLOR=1"), p.Env...)
	c.cmd.Stdout, c.cmd.Stderr, c.cmd.SysProcAttr = c.said, c.said, p.Attr
	if err := s.start(c.cmd); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", p.Name, err), file.Close())
	}
	go func() {
		_ = c.cmd.Wait()
		_ = file.Close()
		close(c.Ended)
	}()
	if p.Ready == "" {
		return c, nil
	}
	patience := time.NewTimer(StartPatience)
	defer patience.Stop()
	select {
	case <-c.said.heard:
		return c, nil
	case <-c.Ended:
		return c, fmt.Errorf("%s ended before it served:\n%s", p.Name, Tail(p.Log))
	case <-ctx.Done():
		c.Kill()
		return c, ctx.Err()
	case <-patience.C:
		c.Kill()
		return c, fmt.Errorf("%s did not serve within %s:\n%s", p.Name, StartPatience, Tail(p.Log))
	}
}

// PID is its process id.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Alive reports whether it has not ended.
func (c *Child) Alive() bool {
	select {
	case <-c.Ended:
		return false
	default:
		return true
	}
}

// Signal fails where the process has ended.
func (c *Child) Signal(s syscall.Signal) error {
	if !c.Alive() {
		return os.ErrProcessDone
	}
	return c.cmd.Process.Signal(s)
}

// Kill is kill -9, waited for.
func (c *Child) Kill() {
	_ = c.Signal(syscall.SIGKILL)
	<-c.Ended
}

// Stop asks it to end; after the patience it is killed, which is an error.
func (c *Child) Stop() error {
	_ = c.Signal(syscall.SIGCONT)
	_ = c.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-c.Ended:
		return nil
	case <-time.After(EndPatience):
		c.Kill()
		return fmt.Errorf("%s did not end within %s", c.name, EndPatience)
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

// Tail is the end of a log, for an error that must be understood without it.
func Tail(path string) string {
	const most = 3000
	raw, err := os.ReadFile(path) //nolint:gosec // below the harness's own folder
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw[max(0, len(raw)-most):]))
}

// Version is what the program says of itself.
func Version(ctx context.Context, program string) string {
	out, err := exec.CommandContext(ctx, program, "version").Output()
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

// FreeAddr is an address on the loopback that was free a moment ago.
func FreeAddr(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
