package host_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// attempt is what a plugin tries that it should not be able to do. It returns nil if it could.
type attempt func(argument string) error

// attempts by name. Each would succeed, for this user, in a process without the sandbox, unless it says otherwise.
var attempts = map[string]attempt{
	"read": func(path string) error {
		_, err := os.ReadFile(path)
		return err
	},
	"list": func(path string) error {
		_, err := os.ReadDir(path)
		return err
	},
	"write": func(path string) error {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		return f.Close()
	},
	"create": func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) },
	"mkdir":  func(path string) error { return os.Mkdir(path, 0o700) },
	"remove": os.Remove,
	"link":   func(path string) error { return os.Symlink("/etc/shadow", path) },
	"take":   func(path string) error { return os.Rename(path, filepath.Join(os.TempDir(), "taken")) },
	"run": func(path string) error {
		arguments := []string{"-test.run=^$"}
		if path == "/bin/sh" {
			arguments = []string{"-c", "true"}
		}
		return exec.Command(path, arguments...).Run()
	},
	"run-memory": func(string) error {
		fd, err := unix.MemfdCreate("stranger", 0)
		if err != nil {
			return err
		}
		shell, err := os.ReadFile("/bin/true")
		if err != nil { // it may not be read either: its own image then
			if shell, err = os.ReadFile("/proc/self/exe"); err != nil {
				return err
			}
		}
		if _, err := unix.Write(fd, shell); err != nil {
			return err
		}
		return exec.Command("/proc/self/fd/"+itoa(fd), "-test.run=^$").Run()
	},
	"dial": func(address string) error {
		c, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	},
	"listen": func(string) error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		return l.Close()
	},
	"socket": func(words string) error {
		var family, kind, protocol int
		if _, err := fmt.Sscanf(words, "%d,%d,%d", &family, &kind, &protocol); err != nil {
			return err
		}
		fd, err := unix.Socket(family, kind, protocol)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	},
	// A plugin's socket is open to everybody of the same user; what keeps strangers out is the certificate that the host
	// gave to nobody else.
	"knock": func(path string) error {
		c, err := net.DialTimeout("unix", path, 5*time.Second)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		t := tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err := t.Handshake(); err != nil {
			return err
		}
		if _, err := t.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")); err != nil {
			return err
		}
		_, err = t.Read(make([]byte, 1))
		return err
	},
	"signal": func(pid string) error {
		n, err := strconv.Atoi(pid)
		if err != nil {
			return err
		}
		return syscall.Kill(n, 0)
	},
	"trace": func(pid string) error {
		n, err := strconv.Atoi(pid)
		if err != nil {
			return err
		}
		return syscall.PtraceAttach(n)
	},
	"namespace": func(string) error { return unix.Unshare(unix.CLONE_NEWUSER) },
	"keyring": func(string) error {
		_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true)
		return err
	},
	"ring": func(string) error {
		var parameters [120]byte
		const setup = 425
		_, _, e := unix.Syscall(setup, 4, uintptr(unsafe.Pointer(&parameters)), 0)
		if e != 0 {
			return e
		}
		return nil
	},
	// 5000 files. The limit of the machine that runs the test may be lower, too.
	"files": func(string) error {
		var all []*os.File
		defer func() {
			for _, f := range all {
				_ = f.Close()
			}
		}()
		for range 5000 {
			f, err := os.Open("/dev/null")
			if err != nil {
				return err
			}
			all = append(all, f)
		}
		return nil
	},
}

// tried is what a plugin says about its attempts.
type tried struct {
	Done  bool   `json:"done"`
	Error string `json:"error"`
}

// try runs attempts, given as lines of "name argument", and answers what came of each.
func try(lines string) provider.Answer {
	var out []tried
	for line := range strings.SplitSeq(lines, "\n") {
		name, argument, _ := strings.Cut(line, " ")
		err := errors.New("unknown attempt")
		if a, ok := attempts[name]; ok {
			err = a(argument)
		}
		one := tried{Done: err == nil}
		if err != nil {
			one.Error = err.Error()
		}
		out = append(out, one)
	}
	body, _ := json.Marshal(map[string]any{"tried": out})
	return provider.Approved(provider.Result{}, provider.Native{Body: body})
}

// hoard takes memory and uses it, until somebody ends it.
func hoard() {
	var all [][]byte
	for {
		b := make([]byte, 8<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		all = append(all, b)
		if len(all) > 4096 { // 32 GiB: nobody holds it back
			os.Exit(9)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// terabyte asks for more than any machine has.
func terabyte() {
	b := make([]byte, 1<<40)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
}

// playHostile is the main of plugins that mean harm from their first moment on; false for any other behaviour.
func playHostile(r role) bool {
	switch r.Behaviour {
	case "hundred-megabytes":
		line := strings.Repeat("z", 999) + "\n"
		stderr := os.Stderr // go-plugin puts another in its place
		go func() {
			for range 100_000 {
				_, _ = stderr.WriteString(line)
			}
		}()
	case "forever-starting":
		for {
			_, _ = os.Stderr.WriteString(`{"@message":1}` + "\n")
			time.Sleep(time.Millisecond)
		}
	case "launcher":
		// As the launcher of a plugin in another language does: it becomes its interpreter.
		err := syscall.Exec(os.Getenv("PAYRACK_TEST_INTERPRETER"), os.Args, os.Environ())
		_, _ = fmt.Fprintln(os.Stderr, "launcher:", err)
		os.Exit(1)
	case "bystander":
		provider.Serve(otherName, func(_ context.Context, s settings, h provider.Host) (provider.Provider, error) {
			return &neighbour{testProvider{settings: s, host: h}}, nil
		})
	default:
		return false
	}
	return true
}

// otherName is the provider beside the hostile one.
const otherName = "otherpay"

// neighbour is the test provider under its other name, without routes of its own.
type neighbour struct{ inner testProvider }

func (n *neighbour) Describe() provider.Description {
	d := n.inner.Describe()
	d.Types = slices.Clone(d.Types)
	d.Types[0].Operations = []provider.Operation{{
		Kind: provider.KindPay, Columns: json.RawMessage(`{"type":"object"}`), MovesMoney: true, MaxDuration: 5 * time.Second,
	}}
	return d
}

func (n *neighbour) Pay(ctx context.Context, r provider.PayRequest) provider.Answer {
	return n.inner.Pay(ctx, r)
}
