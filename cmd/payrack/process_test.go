package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLockOfAnotherUser: a folder that belongs to another user is told with who asks and what to do.
func TestLockOfAnotherUser(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	var err error
	unprivileged(t, func() { _, err = lockFile(filepath.Join(dir, "payrack.db.lock"), "payrack.db") })
	if err == nil || !strings.Contains(err.Error(), "may not use payrack.db: run payrack as the user that owns it") {
		t.Errorf("got %v", err)
	}
}

// unprivileged runs do without root's right to use every file. It is a thread that loses it, and it ends with do.
func unprivileged(t *testing.T, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked, so that nothing else runs on it
		if os.Getuid() == 0 {
			const nobody = 65534
			if _, err := unix.SetfsuidRetUid(nobody); err != nil {
				t.Errorf("setfsuid: %v", err)
			}
		}
		do()
	}()
	<-done
}
