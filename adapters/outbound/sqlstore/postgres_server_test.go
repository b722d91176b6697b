package sqlstore_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// server is a PostgreSQL server of one test.
type server struct{ url, dir string }

// ownServer starts a PostgreSQL server for one test, whose settings are no other test's.
func ownServer(t *testing.T) server {
	t.Helper()
	postgresServer(t) // the others are skipped, too, where nobody asked for PostgreSQL
	installed, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	_, missing := exec.LookPath("initdb")
	if required := os.Getenv("PAYRACK_REQUIRE_POSTGRES") != ""; err != nil || len(installed) == 0 && missing != nil && !required {
		t.Skip("there are no programs of a PostgreSQL server here, only one that runs elsewhere")
	}
	dir, err := os.MkdirTemp("", "payrack-own-server-") //nolint:usetesting // the server's own user cannot look into t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	script := func(what string) string {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "../../../deployments/ci/postgres.sh", what)
		cmd.Env = append(os.Environ(), "PAYRACK_POSTGRES_DIR="+dir)
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("postgres.sh %s: %v\n%s", what, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	t.Cleanup(func() { script("stop") })
	script("start")
	return server{url: script("url"), dir: dir}
}

// demote starts the server again as a standby.
func (s server) demote(t *testing.T) {
	t.Helper()
	data := filepath.Join(s.dir, "data")
	owner, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	signal := filepath.Join(data, "standby.signal")
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if who, ok := owner.Sys().(*syscall.Stat_t); ok {
		if err := os.Chown(signal, int(who.Uid), int(who.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	db := rawPostgres(t, s.url)
	var pid int
	if err := db.QueryRowContext(t.Context(), "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	// After the end of such a process the server starts all others anew, as after a crash, and looks for the signal.
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for standby := false; !standby; time.Sleep(20 * time.Millisecond) {
		if err := db.QueryRowContext(t.Context(), "SELECT pg_is_in_recovery()").Scan(&standby); err != nil {
			standby = false
		}
		if t.Context().Err() != nil {
			t.Fatal("the server did not become a standby")
		}
	}
}
