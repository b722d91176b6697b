package host

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// groupPrefix begins the names of all control groups that payrack makes.
const groupPrefix = "payrack."

// group is the control group of one plugin process.
type group struct {
	path string
	dir  *os.File
	// memory and tasks are true if the kernel holds those limits.
	memory, tasks bool
}

// delegation is where this process may make control groups.
type delegation struct {
	// base is the folder for the groups of this process, empty if there is none.
	base        string
	controllers []string
	// why there is no base or a controller is missing.
	why string
}

// delegated finds out once. Control groups belong to the process and not to a Host: they are where the process is.
var delegated = sync.OnceValue(func() delegation {
	own, root, err := ownGroup()
	if err != nil {
		return delegation{why: err.Error()}
	}
	return delegate(own, root, os.Getpid())
})

const notDelegated = "no control group is delegated to payrack (Delegate=yes in its unit does that)"

// ownGroup is the folder of the control group that this process is in, by the second version of control groups.
func ownGroup() (path string, root bool, err error) {
	memberships, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", false, fmt.Errorf("this system has no control groups")
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", false, fmt.Errorf("the mounts of this system cannot be read")
	}
	return findGroup(string(memberships), string(mounts))
}

// findGroup reads the two files of /proc.
func findGroup(memberships, mounts string) (path string, root bool, err error) {
	name := ""
	for line := range strings.Lines(memberships) {
		if rest, found := strings.CutPrefix(line, "0::"); found {
			name = strings.TrimSpace(rest)
		}
	}
	for line := range strings.Lines(mounts) {
		before, after, found := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if !found || !strings.HasPrefix(after, "cgroup2 ") || len(fields) < 5 || name == "" {
			continue
		}
		// The mount may show a part of the tree only.
		below, err := filepath.Rel(fields[3], name)
		if err != nil || below == ".." || strings.HasPrefix(below, "../") {
			continue
		}
		return filepath.Join(fields[4], below), name == "/", nil
	}
	return "", false, errors.New("this system has no control groups of the second version")
}

// delegate makes the folder for the groups of this process below own and hands it the controllers that there are.
func delegate(own string, root bool, pid int) delegation {
	// Root may write everywhere, and may not do it in what the system's own manager looks after.
	if os.Geteuid() == 0 && !root && !marked(own) {
		return delegation{why: notDelegated}
	}
	base := filepath.Join(own, groupPrefix+strconv.Itoa(pid)+"."+randomHex())
	sweepGroups(own)
	if err := os.Mkdir(base, 0o750); err != nil {
		return delegation{why: notDelegated}
	}
	_ = unix.Rmdir(base) // it is made when it is needed, and goes with the last plugin
	d := delegation{base: base}
	want := wanted(own)
	if !handDown(own, want) && !makeRoom(own, pid, want) {
		d.why = "the controllers memory and pids are not delegated to payrack's control group, or other processes share it"
	} else {
		d.controllers = want
		if !slices.Contains(want, "memory") || !slices.Contains(want, "pids") {
			d.why = "the controllers memory and pids are not delegated to payrack's control group"
		}
	}
	return d
}

// marked reports that systemd has delegated the group.
func marked(path string) bool {
	value := make([]byte, 8)
	for _, name := range []string{"trusted.delegate", "user.delegate"} {
		if n, err := unix.Getxattr(path, name, value); err == nil && string(value[:n]) == "1" {
			return true
		}
	}
	return false
}

// wanted are those of our controllers that the group has.
func wanted(path string) []string {
	raw, _ := os.ReadFile(filepath.Join(path, "cgroup.controllers")) //nolint:gosec // the kernel's file
	return slices.DeleteFunc(strings.Fields(string(raw)), func(c string) bool {
		return c != "memory" && c != "pids" && c != "cpu"
	})
}

// handDown gives the controllers to the groups below.
func handDown(path string, controllers []string) bool {
	have, err := os.ReadFile(filepath.Join(path, "cgroup.subtree_control")) //nolint:gosec // the kernel's file
	if err != nil {
		return false
	}
	for _, c := range controllers {
		if !slices.Contains(strings.Fields(string(have)), c) && writeGroup(path, "cgroup.subtree_control", "+"+c) != nil {
			return false
		}
	}
	return true
}

// makeRoom moves this process into a group of its own, because a group with processes hands no controllers down. If that
// does not help, because others are there too, it moves back.
func makeRoom(own string, pid int, controllers []string) bool {
	ours := filepath.Join(own, groupPrefix+"host")
	if err := os.Mkdir(ours, 0o750); err != nil && !errors.Is(err, os.ErrExist) {
		return false
	}
	if writeGroup(ours, "cgroup.procs", strconv.Itoa(pid)) == nil && handDown(own, controllers) {
		return true
	}
	_ = writeGroup(own, "cgroup.procs", strconv.Itoa(pid))
	_ = os.Remove(ours)
	return false
}

// sweepGroups removes what hosts left behind that were killed; a group with processes cannot be removed.
func sweepGroups(own string) {
	left, _ := filepath.Glob(filepath.Join(own, groupPrefix+"*.*"))
	for _, base := range left {
		text, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(base), groupPrefix), ".")
		if pid, err := strconv.Atoi(text); err != nil || unix.Kill(pid, 0) == nil || errors.Is(unix.Kill(pid, 0), unix.EPERM) {
			continue
		}
		groups, _ := filepath.Glob(filepath.Join(base, "*", "cgroup.procs"))
		for _, g := range groups {
			_ = unix.Rmdir(filepath.Dir(g))
		}
		_ = unix.Rmdir(base)
	}
}

// newGroup makes a group with limits for one process. Nil means that there is none, and why says why a limit is missing.
func (d delegation) newGroup(l groupLimits) (g *group, why string) {
	if d.base == "" {
		return nil, d.why
	}
	path, err := d.make()
	if err != nil {
		return nil, "a control group cannot be made: " + err.Error()
	}
	g = &group{path: path}
	g.memory, g.tasks, why = g.limit(l, d)
	dir, err := os.Open(path) //nolint:gosec // just made
	if err != nil {
		g.remove()
		return nil, "a control group cannot be opened: " + err.Error()
	}
	g.dir = dir
	return g, why
}

// make makes the folder of a group. The one around it may go at any moment, with the last group before.
func (d delegation) make() (path string, err error) {
	for range 3 {
		path = filepath.Join(d.base, randomHex())
		if err = os.Mkdir(d.base, 0o750); err == nil {
			handDown(d.base, d.controllers)
		}
		if err = os.Mkdir(path, 0o750); err == nil {
			return path, nil
		}
	}
	return "", err
}

func (g *group) limit(l groupLimits, d delegation) (memory, tasks bool, why string) {
	why = d.why
	held := map[string]bool{}
	for _, s := range l.settings() {
		if !slices.Contains(d.controllers, s.controller) {
			continue
		}
		if err := writeGroup(g.path, s.file, s.value); err == nil {
			held[s.file] = true
		} else if s.needed {
			why = s.file + " cannot be set: " + err.Error()
		}
	}
	return held["memory.max"], held["pids.max"], why
}

// kill ends every process in the group, also those that left the process group.
func (g *group) kill() {
	if g != nil {
		_ = writeGroup(g.path, "cgroup.kill", "1")
	}
}

// outOfMemory reports that the kernel ended a process of the group because of its limit.
func (g *group) outOfMemory() bool {
	if g == nil || !g.memory {
		return false
	}
	raw, _ := os.ReadFile(filepath.Join(g.path, "memory.events"))
	for line := range strings.Lines(string(raw)) {
		if count, found := strings.CutPrefix(line, "oom_kill "); found {
			return strings.TrimSpace(count) != "0"
		}
	}
	return false
}

// remove takes the group away once its last process is gone, which takes the kernel a moment.
func (g *group) remove() {
	if g == nil {
		return
	}
	if g.dir != nil {
		_ = g.dir.Close()
	}
	for wait := time.Millisecond; wait < time.Second; wait *= 2 {
		if err := unix.Rmdir(g.path); err == nil || errors.Is(err, unix.ENOENT) {
			break
		}
		time.Sleep(wait)
	}
	_ = unix.Rmdir(filepath.Dir(g.path)) // not while another group is in it
}

// place tells how the group is given to a new process.
func (g *group) place() (use bool, fd int) {
	if g == nil {
		return false, 0
	}
	return true, int(g.dir.Fd())
}

func writeGroup(path, file, value string) error {
	f, err := os.OpenFile(filepath.Join(path, file), os.O_WRONLY, 0) //nolint:gosec // the kernel's file
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

func randomHex() string {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
