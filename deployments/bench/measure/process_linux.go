package measure

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of /proc/PID/stat: USER_HZ is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// File systems that live in memory, where an fsync costs nothing (statfs(2)).
const (
	tmpfsMagic = 0x01021994
	ramfsMagic = 0x858458f6
)

// errStat says that a line of /proc is not what this package knows.
var errStat = errors.New("/proc/PID/stat has another shape than expected")

// CPU is the processor time that a process used so far, in user and system mode, threads that ended included. Its
// resolution is 10 ms.
func CPU(pid int) (time.Duration, error) {
	fields, err := stat(pid)
	if err != nil {
		return 0, err
	}
	// Fields 14 and 15 of proc(5); the list begins at field 3.
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	return time.Duration(user+system) * tick, nil
}

// Children are the processes whose parent is pid, with their command's base name.
func Children(pid int) (map[int]string, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	found := map[int]string{}
	for _, entry := range entries {
		child, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// A process may end between the two reads; it is no child then.
		fields, err := stat(child)
		if err != nil || fields[1] != strconv.Itoa(pid) {
			continue
		}
		raw, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		if err != nil {
			continue
		}
		command, _, _ := bytes.Cut(raw, []byte{0})
		found[child] = filepath.Base(string(command))
	}
	return found, nil
}

// stat reads the fields of /proc/PID/stat from the third on (state, ppid, …).
func stat(pid int) ([]string, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	// The second field is the command in parentheses and may hold anything, parentheses too.
	end := strings.LastIndexByte(string(raw), ')')
	if end < 0 {
		return nil, errStat
	}
	fields := strings.Fields(string(raw[end+1:]))
	if len(fields) < 13 {
		return nil, errStat
	}
	return fields, nil
}

// OnDisk fails if the folder lies on a file system in memory, where durability costs nothing and a comparison of
// durable writes says nothing.
func OnDisk(dir string) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return fmt.Errorf("statfs %s: %w", dir, err)
	}
	if magic := uint32(s.Type); magic == tmpfsMagic || magic == ramfsMagic { //nolint:gosec // a magic number: its lower 32 bits are compared
		return fmt.Errorf("%s is in memory; name a folder on a disk", dir)
	}
	return nil
}
