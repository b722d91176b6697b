//go:build unix && !linux

package host

import (
	"os/exec"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// reap blocks until the process has ended.
func (p *process) reap(cmd *exec.Cmd) {
	_ = cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reaped = true
	_ = syscall.Kill(-p.pid, syscall.SIGKILL) // whatever the plugin started
}
