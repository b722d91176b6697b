package sqlstore_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ownServer starts a PostgreSQL server for one test, whose settings are no other test's. It returns its URL.
func ownServer(t *testing.T) string {
	t.Helper()
	postgresServer(t) // the others are skipped, too, where nobody asked for PostgreSQL
	installed, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if _, missing := exec.LookPath("initdb"); err != nil || len(installed) == 0 && missing != nil {
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
	return script("url")
}
