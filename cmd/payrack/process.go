package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one life of a process: its id and when it began, because ids are used again.
type process struct {
	PID     int    `json:"pid"`
	Started string `json:"started"`
}

// lifeOf returns the life of the process that has the id now.
func lifeOf(pid int) (process, error) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	fields := statFields(stat)
	if len(fields) < startTimeField {
		return process{}, fmt.Errorf("look at process %d: its state has an unknown form", pid)
	}
	return process{pid, fields[startTimeField-1]}, nil
}

// startTimeField is the place of the start time in /proc/PID/stat behind the name, see proc(5).
const startTimeField = 20

// statFields are the fields behind the name of the program, which may hold spaces and brackets.
func statFields(stat []byte) []string {
	end := bytes.LastIndexByte(stat, ')')
	return strings.Fields(string(stat[end+1:]))
}

// alive reports whether this life goes on. A process that ended and was not yet waited for has ended.
func (p process) alive() bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID), "stat"))
	if err != nil {
		return false
	}
	fields := statFields(stat)
	return len(fields) >= startTimeField && fields[startTimeField-1] == p.Started && fields[0] != "Z" && fields[0] != "X"
}

// end asks the process to stop and waits until it has; after the patience it is killed.
func (p process) end(patience time.Duration) error {
	if !p.alive() {
		return nil
	}
	if err := syscall.Kill(p.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop process %d: %w", p.PID, err)
	}
	if p.gone(patience) {
		return nil
	}
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill process %d: %w", p.PID, err)
	}
	if !p.gone(patience) {
		return fmt.Errorf("process %d does not end", p.PID)
	}
	return nil
}

// gone waits for the end of the process.
func (p process) gone(patience time.Duration) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if !p.alive() {
			return true
		}
	}
	return !p.alive()
}

// descendants are the processes that a process started, and those that these started.
func descendants(of int) ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	children := map[int][]process{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // it ended meanwhile
		}
		fields := statFields(stat)
		if len(fields) < startTimeField {
			continue
		}
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			children[parent] = append(children[parent], process{pid, fields[startTimeField-1]})
		}
	}
	var all []process
	for queue := children[of]; len(queue) > 0; queue = queue[1:] {
		all = append(all, queue[0])
		queue = append(queue, children[queue[0].PID]...)
	}
	return all, nil
}

// replaceFile writes a file in one rename, readable for its owner only, so that nobody ever reads half of it.
func replaceFile(path string, data []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // gone already if all went well
	_, err = temporary.Write(data)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(temporary.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// removeFile removes a file that may not be there.
func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}

// lockFile keeps a second process off what the lock file stands for; the lock ends with the process. The file holds
// the id of the process that has it, and stays: removing it would let two processes lock two files of one name.
func lockFile(path, what string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names the folder
	if errors.Is(err, fs.ErrPermission) {
		return nil, refusedf("user %d may not use %s: run payrack as the user that owns it, or give the file and its folder to this one (chown)", os.Getuid(), what)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", what, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(file, 32)) // empty if it has just been locked
		_ = file.Close()                                  // nothing was written
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", what, err)
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(holder))); err == nil {
			return nil, refusedf("another payrack uses %s (pid %d): stop it first", what, pid)
		}
		return nil, refusedf("another payrack uses %s: stop it first", what)
	}
	if err := errors.Join(file.Truncate(0), writeAt(file, strconv.Itoa(os.Getpid())+"\n")); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", what, err)
	}
	return file, nil
}

func writeAt(file *os.File, text string) error {
	_, err := file.WriteAt([]byte(text), 0)
	return err
}
