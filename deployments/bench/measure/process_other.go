//go:build !linux

package measure

import (
	"errors"
	"time"
)

// errLinux says that processes are measured on Linux only.
var errLinux = errors.New("the benchmark reads /proc and needs Linux")

// CPU needs Linux.
func CPU(int) (time.Duration, error) { return 0, errLinux }

// Children needs Linux.
func Children(int) (map[int]string, error) { return nil, errLinux }

// OnDisk needs Linux.
func OnDisk(string) error { return errLinux }
