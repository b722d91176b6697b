package configs_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/payrack/payrack/configs"
)

// rooted are the defaults with the paths that they have in a file of the folder.
func rooted(t *testing.T, folder string) configs.Config {
	t.Helper()
	folder, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	c := configs.Default()
	for _, path := range []*string{&c.Database.URL, &c.Keys.Dir, &c.Plugins.Dir, &c.Plugins.StoreDir} {
		*path = filepath.Join(folder, *path)
	}
	return c
}

func TestWherePathsStart(t *testing.T) {
	t.Parallel()
	file := write(t, "database: {url: data/p.db}\nkeys: {dir: /etc/payrack/keys}\nplugins: {run_dir: run}\n")
	folder := filepath.Dir(file)
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	got, err := configs.Load(configs.Sources{File: file, Environ: []string{"PAYRACK_PLUGINS__STORE_DIR=releases"}})
	if err != nil && !strings.Contains(err.Error(), "run_dir: is longer") { // the test's own folder may be deep
		t.Fatal(err)
	}
	want := rooted(t, folder)
	want.Database.URL, want.Keys.Dir = filepath.Join(folder, "data/p.db"), "/etc/payrack/keys"
	want.Plugins.StoreDir, want.Plugins.RunDir = filepath.Join(here, "releases"), filepath.Join(folder, "run")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	configs.AddFlags(flags)
	if err := flags.Parse([]string{"--database-url", "other.db"}); err != nil {
		t.Fatal(err)
	}
	if got, _ = configs.Load(configs.Sources{File: file, Flags: flags}); got.Database.URL != filepath.Join(here, "other.db") {
		t.Errorf("a path of a flag became %s", got.Database.URL)
	}
}

func TestDatabaseAddressesKeepTheirForm(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"p.db":                      "/f/p.db",
		"/var/lib/p.db":             "/var/lib/p.db",
		"sqlite:data/p.db":          "sqlite:/f/data/p.db",
		"file:file":                 "file:/f/file",
		"file:p.db?mode=rwc":        "file:/f/p.db?mode=rwc",
		"file:///var/lib/p.db":      "file:///var/lib/p.db",
		"postgres://host/db":        "postgres://host/db",
		":memory:":                  ":memory:",
		"mysql://host/p":            "mysql://host/p",
		"sqlite://data/p.db":        "sqlite://data/p.db",
		"postgresql://u:p@h/db?x=y": "postgresql://u:p@h/db?x=y",
	} {
		if got := configs.Rooted(url, "/f"); got != want {
			t.Errorf("%s became %s, want %s", url, got, want)
		}
	}
}

func TestKubernetesServiceLinksAreNoMistakes(t *testing.T) {
	t.Parallel()
	links := []string{
		"PAYRACK_PORT=tcp://10.0.0.7:8080", "PAYRACK_PORT_8080_TCP=tcp://10.0.0.7:8080", "PAYRACK_PORT_8080_TCP_PROTO=tcp",
		"PAYRACK_PORT_8080_TCP_PORT=8080", "PAYRACK_PORT_8080_TCP_ADDR=10.0.0.7", "PAYRACK_SERVICE_HOST=10.0.0.7",
		"PAYRACK_SERVICE_PORT=8080", "PAYRACK_SERVICE_PORT_HTTP=8080",
		"PAYRACK_ADMIN_SERVICE_HOST=10.0.0.8", "PAYRACK_ADMIN_SERVICE_PORT=8081", "PAYRACK_ADMIN_PORT=tcp://10.0.0.8:8081",
		"PAYRACK_ADMIN_PORT_8081_TCP_ADDR=10.0.0.8",
	}
	if _, err := configs.Load(configs.Sources{Environ: links}); err != nil {
		t.Error(err)
	}
	for _, mistyped := range []string{"PAYRACK_HTTP_PORT=8080", "PAYRACK_SERVICES=1", "PAYRACK_ADMIN_PORT=8081"} {
		if _, err := configs.Load(configs.Sources{Environ: []string{mistyped}}); err == nil {
			t.Errorf("%s is no service link and was let through", mistyped)
		}
	}
}

func TestMistakesHaveAnOrder(t *testing.T) {
	t.Parallel()
	environ := []string{"PAYRACK_ZEBRA=1", "PAYRACK_HTTP_ADDR=:1", "PAYRACK_APPLE=1", "PAYRACK_LOG__LEVEL=loud", "PAYRACK_MANGO=1"}
	for range 20 {
		_, err := configs.Load(configs.Sources{Environ: environ, File: write(t, "zoo: 1\nbee: 1\nlimits: {burst: 0}\n")})
		lines := strings.Split(err.Error(), "\n")[1:]
		if len(lines) != 8 || !slices.IsSorted(lines) {
			t.Fatalf("the lines have no order:\n%v", err)
		}
	}
}
