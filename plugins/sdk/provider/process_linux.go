package provider

import "syscall"

// Numbers of prctl(2) and getrlimit(2); package syscall does not name them.
const (
	prSetDumpable = 4
	rlimitCore    = 4
)

// harden keeps secrets of this process out of core dumps and away from other processes of the same user:
// no ptrace, no /proc/PID/mem.
func harden() error {
	if _, _, e := syscall.RawSyscall(syscall.SYS_PRCTL, prSetDumpable, 0, 0); e != 0 {
		return e
	}
	return syscall.Setrlimit(rlimitCore, &syscall.Rlimit{})
}
