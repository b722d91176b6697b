package e2e_test

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestUndurableDatabase starts on a PostgreSQL that may forget what it confirmed: production refuses, a test is warned.
// SQLite cannot be set up like that: the program sets what it needs on its own connections.
func TestUndurableDatabase(t *testing.T) {
	t.Parallel()
	if os.Getenv("PAYRACK_TEST_POSTGRES") == "" && os.Getenv("PAYRACK_REQUIRE_POSTGRES") == "" {
		t.Skip("PAYRACK_TEST_POSTGRES names no server")
	}
	t.Run("synchronous_commit of the role", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		p := start(t, dir, nil)
		p.stop()
		// As a careless administrator does it: for the role, in this database.
		admin(t, p.DatabaseURL, `DO $$ BEGIN EXECUTE format('ALTER ROLE %I IN DATABASE %I SET synchronous_commit = off', current_user, current_database()); END $$`)
		undurable(t, p, dir, "synchronous_commit is off")
	})
	t.Run("fsync of the server", func(t *testing.T) {
		t.Parallel()
		server := ownServer(t, "-c fsync=off")
		admin(t, server, "CREATE DATABASE payrack")
		dir := t.TempDir()
		p := start(t, dir, nil, "--database-url", withDatabase(t, server, "payrack"))
		p.stop()
		undurable(t, p, dir, "fsync is off")
	})
}

// undurable expects of a furnished folder that production refuses to start on its database, and a test start warns.
func undurable(t *testing.T, furnished *platform, dir, problem string) {
	t.Helper()
	public, control := freeAddress(t), freeAddress(t)
	serve := func(environment string) *platform {
		p := &platform{devFile: furnished.devFile, t: t, dir: dir, output: &lockedBuffer{}, exited: make(chan struct{}), client: newClient()}
		p.HTTPURL = "http://" + public
		p.run("serve", "--config", configFile(t, dir, environment, jsonObject{
			"environment": environment,
			"http":        jsonObject{"addr": public, "public_url": "https://pay.example.com", "query_secrets": "refuse"},
			"admin":       jsonObject{"addr": control},
			"database":    jsonObject{"url": furnished.DatabaseURL}, "keys": jsonObject{"dir": filepath.Join(dir, "keys")},
			"plugins":  jsonObject{"dir": filepath.Join(dir, "none"), "store_dir": filepath.Join(dir, "releases")},
			"shutdown": jsonObject{"drain_delay": "0s"},
		}))
		return p
	}
	refused := serve("production")
	refused.waitFor("the refusal", refused.ended)
	if code := refused.cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(refused.output.String(), problem) ||
		!strings.Contains(refused.output.String(), "the database may forget a confirmed payment, and this is production") {
		t.Errorf("production ended with %d:\n%s", code, refused.output)
	}
	warned := serve("test")
	warned.waitFor("payrack serve", func() bool {
		if warned.ended() {
			t.Fatalf("a test start ended:\n%s", warned.output)
		}
		return strings.Contains(warned.output.String(), `"payrack serves"`)
	})
	for line := range strings.Lines(warned.output.String()) {
		if strings.Contains(line, problem) && strings.Contains(line, `"level":"WARN"`) && strings.Contains(line, "production refuses to start like this") {
			return
		}
	}
	t.Errorf("nobody is warned:\n%s", warned.output)
}

// ownServer is a PostgreSQL server of this test's own, started again with options that spoil it.
func ownServer(t *testing.T, options string) string {
	t.Helper()
	// t.TempDir lies below a folder that is closed to the user as whom the server runs where this test is root.
	above, err := os.MkdirTemp("", "payrack-undurable-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(above) })
	if err := os.Chmod(above, 0o755); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(above, "server")
	script, err := filepath.Abs("../../../deployments/ci/postgres.sh")
	if err != nil {
		t.Fatal(err)
	}
	run := func(command ...string) string {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), command[0], command[1:]...)
		cmd.Env, cmd.Dir = append(os.Environ(), "PAYRACK_POSTGRES_DIR="+dir), above
		output, err := os.CreateTemp(t.TempDir(), "output") // a pipe would stay open as long as the server
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = output.Close() }()
		cmd.Stdout = output
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %v", command, err)
		}
		text, err := os.ReadFile(output.Name())
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	run(script, "start")
	t.Cleanup(func() { run(script, "stop") })
	server := run(script, "url")
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	controls, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_ctl")
	if err != nil || len(controls) == 0 {
		controls = []string{"pg_ctl"}
	}
	restart := []string{
		controls[len(controls)-1], "-D", filepath.Join(dir, "data"), "-w", "-l", filepath.Join(dir, "server.log"), "-o",
		"-p " + u.Port() + " -c listen_addresses=127.0.0.1 -c unix_socket_directories=" + filepath.Join(dir, "run") + " " + options, "restart",
	}
	if os.Getuid() == 0 { // as the script does it
		restart = append([]string{"setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"}, restart...)
	}
	run(restart...)
	return server
}
