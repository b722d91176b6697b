package shim

import (
	"encoding/json"
	"io"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// Numbers that package syscall does not name, the same on all architectures.
const (
	prSetPdeathsig  = 1
	prSetSeccomp    = 22
	prCapbsetDrop   = 24
	prSetNoNewPrivs = 38
	prCapAmbient    = 47
	capAmbientClear = 4
	rlimitData      = 2
	rlimitCore      = 4
	rlimitNoFile    = 7
	atEmptyPath     = 0x1000
)

// maxPolicy bounds what the host may say; it has about two kilobytes.
const maxPolicy = 64 << 10

// become applies the policy and executes the image with the arguments. It returns only if that fails. It runs on the
// process's first thread, as all package initialisation does, and every right is a thread's own: the thread that
// executes takes them along.
func become(args []string) int {
	for fd := ImageFile; fd <= ReportFile; fd++ {
		syscall.CloseOnExec(fd)
	}
	var p Policy
	if raw, err := readAll(PolicyFile); err != nil || json.Unmarshal(raw, &p) != nil {
		say("payrack starts it for its plugins; it is no command for people")
		return ExitUsage
	}
	// An orphan's parent is another one. The signal is set again because whoever dies between fork and here is seen by
	// nobody else.
	if e := prctl(prSetPdeathsig, uintptr(syscall.SIGKILL), 0); e != 0 || os.Getppid() != p.Parent {
		return ExitRefused
	}
	held, refused := confine(&p)
	if refused != "" {
		report(Report{Refused: refused})
		say(refused)
		return ExitRefused
	}
	held[SystemCalls] = outcome(filterCalls(&p), "there is no seccomp filter")
	report(Report{Protections: held})
	e := execute(args, os.Environ(), p.Cookie)
	refused = "the image cannot be executed: " + e.Error()
	report(Report{Refused: refused})
	say(refused)
	return ExitExec
}

// confine applies everything but the filter of system calls, which would be in its way.
func confine(p *Policy) (held map[string]string, refused string) {
	held = map[string]string{}
	held[CoreDumps] = outcome(limit(rlimitCore, 0), "the limit cannot be set")
	held[OpenFiles] = Off("not limited")
	if p.OpenFiles > 0 {
		held[OpenFiles] = outcome(limit(rlimitNoFile, p.OpenFiles), "the limit cannot be set")
	}
	if p.DataBytes > 0 {
		_ = limit(rlimitData, p.DataBytes) // a second net, see the host's memory limit
	}
	e := prctl(prSetNoNewPrivs, 1, 0)
	held[NoNewPrivs] = outcome(e, "the kernel refuses it")
	if refused := restrict(p, held); refused != "" {
		return nil, refused
	}
	held[Capabilities] = outcome(dropCapabilities(), "they cannot be dropped")
	return held, ""
}

func outcome(e syscall.Errno, why string) string {
	if e == 0 {
		return On
	}
	return Off(why + ": " + e.Error())
}

// limit lowers a resource limit, for good. One that is lower already stays.
func limit(resource int, to uint64) syscall.Errno {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(resource, &now); err == nil && now.Max < to {
		to = now.Max
	}
	if err := syscall.Setrlimit(resource, &syscall.Rlimit{Cur: to, Max: to}); err != nil {
		return errno(err)
	}
	return 0
}

// dropCapabilities matters where the host runs as root, as in most containers. A plugin never needs one, and under
// no_new_privs the execution gives none back.
func dropCapabilities() syscall.Errno {
	for c := range uintptr(64) {
		if prctl(prCapbsetDrop, c, 0) != 0 {
			break // there are no more, or there is no right to drop them, which is none to gain them either
		}
	}
	_ = prctl(prCapAmbient, capAmbientClear, 0)
	header := struct {
		version uint32
		pid     int32
	}{version: 0x20080522}
	var none [2]struct{ effective, permitted, inheritable uint32 }
	_, _, e := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)), 0) //nolint:gosec // a structure of the kernel's
	return e
}

// execute replaces the process by the image. The last argument means nothing to execveat: it is the cookie by which the
// filter of system calls knows this one execution.
func execute(args, env []string, cookie uint64) syscall.Errno {
	if sysExecveat == 0 {
		return errno(syscall.Exec("/proc/self/fd/"+number(ImageFile), args, env)) //nolint:gosec // that is what it is for
	}
	argv, err := syscall.SlicePtrFromStrings(args)
	if err != nil {
		return errno(err)
	}
	envv, err := syscall.SlicePtrFromStrings(env)
	if err != nil {
		return errno(err)
	}
	empty, err := syscall.BytePtrFromString("")
	if err != nil {
		return errno(err)
	}
	_, _, e := syscall.RawSyscall6(sysExecveat, ImageFile, uintptr(unsafe.Pointer(empty)), //nolint:gosec // texts for the kernel
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&envv[0])), atEmptyPath, uintptr(cookie)) //nolint:gosec // see above
	return e
}

func prctl(option, a, b uintptr) syscall.Errno {
	_, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, option, a, b, 0, 0, 0)
	return e
}

func readAll(fd uintptr) ([]byte, error) {
	f := os.NewFile(fd, "policy")
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxPolicy))
}

// report tells the host. A host that is gone does not listen, and then nobody does.
func report(r Report) {
	raw, err := json.Marshal(r)
	if err == nil {
		_, _ = syscall.Write(ReportFile, raw)
	}
}

func say(what string) { _, _ = os.Stderr.WriteString("payrack shim: " + what + "\n") }

func errno(err error) syscall.Errno {
	if e, ok := err.(syscall.Errno); ok { //nolint:errorlint // package syscall returns it bare, and package errors costs a start nothing but words
		return e
	}
	return syscall.EINVAL
}

func number(n int) string { return strconv.Itoa(n) }
