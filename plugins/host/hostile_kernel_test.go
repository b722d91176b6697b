package host_test

import (
	"debug/elf"
	"os"
	"syscall"
	"testing"
)

// interpreted is true for builds of this test that need a dynamic loader, such as those of the race detector.
var interpreted = func() bool {
	f, err := elf.Open("/proc/self/exe")
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	return f.Section(".interp") != nil
}()

// needLandlock skips where the kernel cannot do what the test is about.
func needLandlock(t *testing.T, abi uintptr) {
	t.Helper()
	const createRuleset, version = 444, 1
	have, _, e := syscall.Syscall(createRuleset, 0, 0, version)
	if e != 0 || have < abi {
		t.Skipf("this kernel has Landlock %d (%v) and the test needs %d", have, e, abi)
	}
	if _, err := os.Stat("/proc/self"); err != nil {
		t.Skip("there is no /proc")
	}
}
