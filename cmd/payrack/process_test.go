package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLockOfAnotherUser: a folder that belongs to another user is told with who asks and what to do.
func TestLockOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may use every file")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	_, err := lockFile(filepath.Join(dir, "payrack.db.lock"), "payrack.db")
	if err == nil || !strings.Contains(err.Error(), "may not use payrack.db: run payrack as the user that owns it") {
		t.Errorf("got %v", err)
	}
}
