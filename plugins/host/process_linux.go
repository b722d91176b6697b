package host

import (
	"errors"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/payrack/payrack/plugins/host/shim"
)

const diesWithHost = shim.On

// attributes of a plugin process: its own process group, and SIGKILL when the thread that started it ends.
// Linux sends that signal for the thread, not the process, which is why the starter keeps its thread.
func attributes(g *group) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	a.UseCgroupFD, a.CgroupFD = g.place()
	return a
}

// reap blocks until the process has ended. The process is first seen as a zombie, so that its group is
// killed under a number that nobody else can have by then.
func (p *process) reap(cmd *exec.Cmd) {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, p.pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killGroup()
	_ = cmd.Wait()
	p.reaped = true
}
