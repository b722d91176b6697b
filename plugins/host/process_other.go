//go:build unix && !linux

package host

import (
	"os/exec"
	"syscall"
)

const diesWithHost = "off: this system ends a plugin with its lifeline only"

func attributes(*group) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// reap blocks until the process has ended.
func (p *process) reap(cmd *exec.Cmd) {
	_ = cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reaped = true
	p.killGroup()
}
