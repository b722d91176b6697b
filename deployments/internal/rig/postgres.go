package rig

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Postgres is a PostgreSQL server of the run's own.
type Postgres struct {
	*Starter

	dir, ci string
	// Addr is where it listens.
	Addr string
	// command is how the server was started, as it wrote it down itself.
	command []string
	owner   *syscall.Credential
	// Child is the server's first process.
	Child *Child
}

// StartPostgres makes a cluster with the script that the tests use, and then runs the server itself, so that it can be
// killed and started again on the same files.
func StartPostgres(ctx context.Context, s *Starter, dir, ci string) (*Postgres, error) {
	p := &Postgres{Starter: s, dir: dir, ci: ci}
	if err := p.script(ctx, "start"); err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, "url")) //nolint:gosec // below the harness's own folder
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(strings.TrimSpace(string(raw)))
	if err != nil {
		return nil, err
	}
	p.Addr = u.Host
	opts, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.opts")) //nolint:gosec // below the harness's own folder
	if err != nil {
		return nil, err
	}
	for word := range strings.FieldsSeq(string(opts)) {
		p.command = append(p.command, strings.Trim(word, `"`))
	}
	if err := p.findOwner(); err != nil {
		return nil, err
	}
	// The server of the script is not a child of ours. It ends in order, and ours begins.
	first, err := p.mainPID()
	if err != nil {
		return nil, err
	}
	if err := syscall.Kill(first, syscall.SIGINT); err != nil {
		return nil, err
	}
	if err := gone(first); err != nil {
		return nil, err
	}
	return p, p.Start(ctx)
}

// findOwner looks whose the files are: the server refuses to run as root.
func (p *Postgres) findOwner() error {
	info, err := os.Stat(filepath.Join(p.dir, "data"))
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("the owner of the database's files is not known")
	}
	if int(stat.Uid) != os.Getuid() {
		p.owner = &syscall.Credential{Uid: stat.Uid, Gid: stat.Gid}
	}
	return nil
}

func (p *Postgres) mainPID() (int, error) {
	raw, err := os.ReadFile(filepath.Join(p.dir, "data", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	return strconv.Atoi(strings.TrimSpace(line))
}

// URL of the database through an address.
func (p *Postgres) URL(addr string) string {
	return "postgres://payrack@" + addr + "/postgres?sslmode=disable"
}

// Start runs the server until it takes connections.
func (p *Postgres) Start(ctx context.Context) (err error) {
	p.Child, err = p.Run(ctx, Spec{
		Name: "postgres", Program: p.command[0], Args: p.command[1:], Log: filepath.Join(p.dir, "..", "postgres.log"),
		Ready: "ready to accept connections", Attr: &syscall.SysProcAttr{Credential: p.owner},
	})
	return err
}

// Kill is kill -9 of the server with all its processes. Each has a group of its own, so they are looked for.
func (p *Postgres) Kill() error {
	_ = p.Child.Signal(syscall.SIGSTOP) // no new ones meanwhile
	all := ChildrenOf(p.Child.PID())
	for _, pid := range all {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	p.Child.Kill()
	for _, pid := range all {
		if err := gone(pid); err != nil {
			return err
		}
	}
	return nil
}

// Signal reaches the server with all its processes.
func (p *Postgres) Signal(s syscall.Signal) error {
	err := p.Child.Signal(s)
	for _, pid := range ChildrenOf(p.Child.PID()) {
		_ = syscall.Kill(pid, s)
	}
	return err
}

// Stop ends it in order.
func (p *Postgres) Stop() error {
	if p.Child == nil || !p.Child.Alive() {
		return nil
	}
	_ = p.Signal(syscall.SIGCONT)
	_ = p.Child.Signal(syscall.SIGINT) // fast: connections are closed
	select {
	case <-p.Child.Ended:
		return nil
	case <-time.After(EndPatience):
		return p.Kill()
	}
}

func (p *Postgres) script(ctx context.Context, word string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(p.ci, "postgres.sh"), word) //nolint:gosec // the script of the project
	cmd.Env = append(os.Environ(), "PAYRACK_POSTGRES_DIR="+p.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("postgres.sh %s: %w\n%s", word, err, out)
	}
	return nil
}

// ChildrenOf are the processes that a process started.
func ChildrenOf(pid int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var all []int
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if parentOf(child) == pid {
			all = append(all, child)
		}
	}
	return all
}

// parentOf is 0 where the process has ended.
func parentOf(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, ok := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

// gone waits until a process has ended.
func gone(pid int) error {
	for end := time.Now().Add(EndPatience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) || zombie(pid) {
			return nil
		}
	}
	return fmt.Errorf("process %d does not end", pid)
}

func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	return err != nil || strings.HasPrefix(rest, "Z")
}
