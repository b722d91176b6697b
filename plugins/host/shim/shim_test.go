//go:build linux && (amd64 || arm64)

package shim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/payrack/payrack/plugins/host/shim"
)

// The tables of numbers were written down by hand, because this package may not import the one that knows them.
func TestNumbersOfSystemCalls(t *testing.T) {
	t.Parallel()
	forbidden := []uint32{
		unix.SYS_PTRACE, unix.SYS_SYSLOG, unix.SYS_VHANGUP, unix.SYS_PIVOT_ROOT, unix.SYS_ADJTIMEX, unix.SYS_CHROOT, unix.SYS_ACCT,
		unix.SYS_SETTIMEOFDAY, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_REBOOT,
		unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_INIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_QUOTACTL,
		unix.SYS_CLOCK_SETTIME, unix.SYS_KEXEC_LOAD, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL, unix.SYS_UNSHARE,
		unix.SYS_PERF_EVENT_OPEN, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_CLOCK_ADJTIME, unix.SYS_SETNS,
		unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_KCMP, unix.SYS_FINIT_MODULE, unix.SYS_KEXEC_FILE_LOAD,
		unix.SYS_BPF, unix.SYS_USERFAULTFD, unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG,
		unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_PIDFD_GETFD, unix.SYS_MOUNT_SETATTR,
	}
	forbidden = append(forbidden, ofThisArchitecture...)
	got := slices.Sorted(slices.Values(shim.Forbidden))
	if want := slices.Sorted(slices.Values(forbidden)); !slices.Equal(got, want) {
		t.Errorf("forbidden are %v, want %v", got, want)
	}
	special := []uint32{
		unix.SYS_SOCKET, unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_CLONE, unix.SYS_EXECVE, unix.SYS_SENDMMSG, unix.SYS_EXECVEAT,
		unix.SYS_CLONE3, unix.SYS_IO_URING_SETUP,
	}
	if !slices.Equal(shim.Special, special) {
		t.Errorf("special are %v, want %v", shim.Special, special)
	}
}

func TestWhatAKernelCanEnforce(t *testing.T) {
	t.Parallel()
	full := shim.Policy{Files: true, Network: shim.NetworkPorts}
	for abi, want := range map[int][2]string{0: {"no Landlock", "no rules for the network"}, 1: {"", "no rules for the network"}, 4: {}, 7: {}} {
		files, network := shim.Possible(&full, abi)
		for i, got := range []string{files, network} {
			if want[i] == "" && got != shim.On || want[i] != "" && (!strings.HasPrefix(got, "off: ") || !strings.Contains(got, want[i])) {
				t.Errorf("version %d: %q, want %q", abi, got, want[i])
			}
		}
	}
	files, network := shim.Possible(&shim.Policy{Network: shim.NetworkOpen}, 7)
	if files != "off: plugins.sandbox.files is false" || network != "off: plugins.sandbox.network is false" {
		t.Errorf("switched off: %q, %q", files, network)
	}
}

// become starts this test as a shim for the image with that policy, and returns what it reported.
func become(t *testing.T, image string, p shim.Policy, args ...string) (r shim.Report, out string, exit int) {
	t.Helper()
	file, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	policy, policyTo, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	report, reportTo, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", append([]string{shim.Argument}, args...)...)
	cmd.ExtraFiles = []*os.File{file, policy, reportTo}
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = policy.Close(), reportTo.Close()
	if err := json.NewEncoder(policyTo).Encode(p); err != nil {
		t.Fatal(err)
	}
	_ = policyTo.Close()
	raw, err := io.ReadAll(report)
	if err != nil {
		t.Fatal(err)
	}
	for reports := json.NewDecoder(bytes.NewReader(raw)); reports.More(); {
		r = shim.Report{}
		if err := reports.Decode(&r); err != nil {
			t.Fatalf("%v: %s", err, raw)
		}
	}
	err = cmd.Wait()
	if stopped, ok := errors.AsType[*exec.ExitError](err); ok {
		exit = stopped.ExitCode()
	}
	return r, both.String(), exit
}

func TestBecomesTheImage(t *testing.T) {
	t.Parallel()
	r, out, exit := become(t, "/bin/echo", shim.Policy{Parent: os.Getpid(), Network: shim.NetworkOpen, OpenFiles: 99}, "name", "said")
	if exit != 0 || out != "said\n" || r.Refused != "" || r.Protections[shim.NoNewPrivs] != shim.On || r.Protections[shim.OpenFiles] != shim.On {
		t.Errorf("exit %d, %q, %+v", exit, out, r)
	}
}

func TestDoesNotBecomeTheImage(t *testing.T) {
	t.Parallel()
	text := t.TempDir() + "/text"
	if err := os.WriteFile(text, []byte("no program"), 0o700); err != nil {
		t.Fatal(err)
	}
	open := shim.Policy{Parent: os.Getpid(), Network: shim.NetworkOpen}
	r, out, exit := become(t, text, open, "name")
	if exit != shim.ExitExec || !strings.Contains(r.Refused, "the image cannot be executed: exec format error") || !strings.HasPrefix(out, "payrack shim: ") {
		t.Errorf("no program: exit %d, %+v, %q", exit, r, out)
	}
	orphan := open
	orphan.Parent = 1 << 30
	if r, _, exit := become(t, "/bin/echo", orphan, "name", "said"); exit != shim.ExitRefused || r.Protections != nil {
		t.Errorf("an orphan: exit %d, %+v", exit, r)
	}
	confined := shim.Policy{Parent: os.Getpid(), Files: true, Network: shim.NetworkOpen, Write: []string{"/nowhere"}}
	if r, _, exit := become(t, "/bin/echo", confined, "name", "said"); exit != shim.ExitRefused || !strings.Contains(r.Refused, "allow the work folder /nowhere") {
		t.Errorf("no work folder: exit %d, %+v", exit, r)
	}
	moved := shim.Policy{Parent: os.Getpid(), Files: true, Network: shim.NetworkOpen, Execute: []shim.File{{Path: "/bin/sh", Inode: 1}}}
	if r, _, exit := become(t, "/bin/echo", moved, "name", "said"); exit != shim.ExitRefused || !strings.Contains(r.Refused, "allow /bin/sh to be executed") {
		t.Errorf("another file at an interpreter's path: exit %d, %+v", exit, r)
	}
}

// Without a host there is nothing to become, and nobody is kept waiting.
func TestStartedByHand(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", shim.Argument, "anything")
	out, err := cmd.CombinedOutput()
	stopped, ok := errors.AsType[*exec.ExitError](err)
	if !ok || stopped.ExitCode() != shim.ExitUsage || !strings.Contains(string(out), "no command for people") {
		t.Errorf("%v: %s", err, out)
	}
}
