package configs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/payrack/payrack/configs"
)

func write(t *testing.T, yaml string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "payrack.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaultIsValid(t *testing.T) {
	t.Parallel()
	if err := configs.Default().Validate(); err != nil {
		t.Fatal(err)
	}
	got, err := configs.Load(configs.Sources{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rooted(t, "."), got); diff != "" {
		t.Errorf("nothing was set, yet (-want +got):\n%s", diff)
	}
}

func TestExampleNamesEveryKeyWithItsDefault(t *testing.T) {
	t.Parallel()
	got, err := configs.Load(configs.Sources{File: "payrack.example.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rooted(t, "."), got); diff != "" {
		t.Errorf("the example differs from the defaults (-default +example):\n%s", diff)
	}
	text, err := os.ReadFile("payrack.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range configs.Keys() {
		if !names(string(text), key) {
			t.Errorf("the example does not name %s", key)
		}
	}
}

// names reports whether a YAML text holds the key, comments aside.
func names(text, key string) bool {
	var path []string
	for line := range strings.Lines(text) {
		name, _, ok := strings.Cut(line, ":")
		if !ok || strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		level := (len(name) - len(strings.TrimLeft(name, " "))) / 2
		if path = append(path[:min(level, len(path))], strings.TrimSpace(name)); strings.Join(path, ".") == key {
			return true
		}
	}
	return false
}

func TestOrderOfSources(t *testing.T) {
	t.Parallel()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	configs.AddFlags(flags)
	if err := flags.Parse([]string{"--log-level", "error"}); err != nil {
		t.Fatal(err)
	}
	file := write(t, "log: {level: debug, format: text}\nshutdown: {grace: 90s}\nlimits: {burst: 7}\n")
	got, err := configs.Load(configs.Sources{
		File: file,
		Environ: []string{
			"PAYRACK_LOG__LEVEL=warn", "PAYRACK_LIMITS__BURST=9", "PAYRACK_CONFIG=ignored",
			"PAYRACK_HTTP__TRUSTED_PROXIES=10.0.0.0/8, 192.168.0.0/16", "PAYRACK_ADMIN__PPROF=false",
			"PAYRACK_PLUGINS__SETTINGS__ACME__ENDPOINT=https://acme.example", "HOME=/nowhere",
		},
		Ignore: []string{"PAYRACK_CONFIG"},
		Flags:  flags,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := rooted(t, filepath.Dir(file))
	want.Log = configs.Log{Level: "error", Format: "text"}
	want.Shutdown.Grace = configs.Duration(90 * time.Second)
	want.Limits.Burst = 9
	want.HTTP.TrustedProxies = []string{"10.0.0.0/8", "192.168.0.0/16"}
	want.Admin.Pprof = false
	want.Plugins.Settings = map[string]any{"acme": map[string]any{"endpoint": "https://acme.example"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestEmptySections: a section whose keys are all commented out, as one does with the example file, changes nothing.
func TestEmptySections(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "payrack.yaml")
	text := "http:\nadmin: {}\nplugins:\n  registry:\n  sandbox: {}\n  # dir: plugins\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := configs.Load(configs.Sources{File: file}); err != nil {
		t.Error(err)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		yaml    string
		environ []string
		want    []string
	}{
		"unknown key names its neighbour": {
			yaml: "databse: {url: x}\n",
			want: []string{"databse.url: is not a key", "did you mean database.url?"},
		},
		"right name at the wrong level": {
			yaml: "grace: 30s\n",
			want: []string{"grace: is not a key", "did you mean shutdown.grace?"},
		},
		"unknown variable": {
			environ: []string{"PAYRACK_HTTP_ADDR=:1"},
			want:    []string{"http_addr: is not a key (PAYRACK_HTTP_ADDR)", "did you mean http.addr?"},
		},
		"variable of a whole section": {
			environ: []string{"PAYRACK_PLUGINS__SETTINGS={}"},
			want:    []string{"PAYRACK_PLUGINS__SETTINGS: stands for a whole section"},
		},
		"duration without unit": {
			yaml: "shutdown: {grace: 30}\n",
			want: []string{"shutdown.grace: has no unit", "write it as 30s"},
		},
		"duration that is none":  {yaml: "shutdown: {grace: soon}\n", want: []string{"shutdown.grace: is not a duration"}},
		"number that is none":    {yaml: "limits: {burst: many}\n", want: []string{"limits.burst: is not a whole number"}},
		"number with a fraction": {yaml: "limits: {burst: 2.5}\n", want: []string{"limits.burst: is 2.5"}},
		"switch that is none":    {yaml: "admin: {pprof: maybe}\n", want: []string{"admin.pprof: is not true or false"}},
		"value left empty":       {yaml: "http:\n  addr:\n", want: []string{"http.addr: is empty in "}},
		"section as a text":      {yaml: "http: yes\n", want: []string{"http: is not a key"}},
		"environment":            {yaml: "environment: live\n", want: []string{"environment: is neither production nor test"}},
		"address":                {yaml: "http: {addr: localhost}\n", want: []string{"http.addr: is no address"}},
		"port":                   {yaml: "admin: {addr: \"127.0.0.1:99999\"}\n", want: []string{"admin.addr: has no usable port"}},
		"one address for both planes": {
			yaml: "admin: {addr: \"127.0.0.1:8080\"}\n", want: []string{"admin.addr: is the address of the public plane"},
		},
		"public address":       {yaml: "http: {public_url: pay.example.com}\n", want: []string{"http.public_url: is no http"}},
		"public address slash": {yaml: "http: {public_url: \"https://pay.example.com/\"}\n", want: []string{"http.public_url: has more than"}},
		"query secrets":        {yaml: "http: {query_secrets: maybe}\n", want: []string{"http.query_secrets: is neither"}},
		"proxies":              {yaml: "http: {trusted_proxies: [10.0.0.1]}\n", want: []string{"http.trusted_proxies.0: is no network"}},
		"database":             {yaml: "database: {url: \"mysql://x\"}\n", want: []string{"database.url: is neither a file nor postgres://"}},
		"database on a host":   {yaml: "database: {url: \"file://host/x.db\"}\n", want: []string{"database.url: is neither a file nor postgres://"}},
		"log":                  {yaml: "log: {level: loud, format: xml}\n", want: []string{"log.level: is not a level", "log.format: is not a format"}},
		"limits":               {yaml: "limits: {burst: 0}\n", want: []string{"limits.burst: is less than 1"}},
		"token life":           {yaml: "tokens: {lifetime: 1s}\n", want: []string{"tokens.lifetime: is not between 1m and 24h"}},
		"plugin settings":      {yaml: "plugins: {settings: {acme: 1}}\n", want: []string{"plugins.settings.acme: is not a section"}},
		"size without unit":    {yaml: "plugins: {sandbox: {memory: 536870912}}\n", want: []string{"plugins.sandbox.memory: has no unit in ", "write it as 512MiB"}},
		"size that is none":    {yaml: "plugins: {sandbox: {memory: much}}\n", want: []string{"plugins.sandbox.memory: is not a size such as 512MiB"}},
		"run folder":           {yaml: "plugins: {run_dir: /" + strings.Repeat("x", 70) + "}\n", want: []string{"plugins.run_dir: is longer"}},
		"production without TLS": {
			yaml: "environment: production\n", want: []string{"http.public_url: is not https, and this is production"},
		},
		"messages to this machine in production": {
			yaml: "environment: production\nhttp: {public_url: \"https://pay.example.com\"}\nwebhooks: {loopback: true}\n",
			want: []string{"webhooks.loopback: is true, and this is production"},
		},
		"keys beside the data in production": {
			yaml: "environment: production\nhttp: {public_url: \"https://pay.example.com\"}\nkeys: {dir: payrack-data/x/../keys}\n",
			want: []string{"keys.dir: lies inside the folder of the database"},
		},
		"all at once": {
			yaml: "environment: live\nlog: {level: loud}\nnonsense: 1\n",
			want: []string{"3 mistake(s)", "environment:", "log.level:", "nonsense:"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := configs.Load(configs.Sources{File: write(t, c.yaml), Environ: c.environ})
			if _, ok := errors.AsType[configs.Errors](err); !ok {
				t.Fatalf("got %v, want problems", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in:\n%v", want, err)
				}
			}
		})
	}
}

func TestOneReportForOneKey(t *testing.T) {
	t.Parallel()
	_, err := configs.Load(configs.Sources{File: write(t, "shutdown: {grace: soon}\n")})
	if problems, ok := errors.AsType[configs.Errors](err); !ok || len(problems) != 1 {
		t.Errorf("got %v, want one problem", err)
	}
}

func TestUnreadableFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ path, want string }{
		"missing":    {filepath.Join(t.TempDir(), "none.yaml"), "there is no configuration file"},
		"not YAML":   {write(t, "http: [\n"), "is not YAML"},
		"twice":      {write(t, "log: {level: info}\nlog: {level: warn}\n"), "already defined"},
		"not a file": {t.TempDir(), "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := configs.Load(configs.Sources{File: c.path}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestPrintHidesSecretsAndReadsBack(t *testing.T) {
	t.Parallel()
	c := configs.Default()
	c.Database.URL = "postgres://payrack:canary-1@db.example/payrack?password=canary-2&sslmode=require"
	c.Plugins.Settings = map[string]any{
		"acme": map[string]any{
			"endpoint": "https://user:canary-3@acme.example",
			"api_key":  "canary-4",
			"list":     []any{map[string]any{"client_secret": "canary-5"}},
		},
	}
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	object, err := c.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{string(text), string(object)} {
		if strings.Contains(out, "canary") {
			t.Errorf("a secret is in the output:\n%s", out)
		}
		if !strings.Contains(out, "acme.example") {
			t.Errorf("what is no secret is gone:\n%s", out)
		}
	}
	file := write(t, string(text))
	got, err := configs.Load(configs.Sources{File: file})
	if err != nil {
		t.Fatalf("the printed configuration does not load: %v\n%s", err, text)
	}
	want := rooted(t, filepath.Dir(file))
	want.Database.URL, want.Plugins.Settings = got.Database.URL, got.Plugins.Settings
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDurationText(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 90 * time.Second: "90s", time.Minute: "1m", 24 * time.Hour: "24h",
		1500 * time.Millisecond: "1.5s",
	} {
		got := configs.Duration(d).String()
		if got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
		var back configs.Duration
		if err := back.UnmarshalText([]byte(got)); err != nil || back.Std() != d {
			t.Errorf("%s reads back as %v, %v", got, back, err)
		}
	}
}

func TestDataDir(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"data/payrack.db":               "data",
		"file:/var/lib/p/p.db?mode=rwc": "/var/lib/p",
		"file:///var/lib/p/p.db":        "/var/lib/p",
		"sqlite:data/payrack.db":        "data",
		"sqlite:///var/lib/p/p.db":      "/var/lib/p",
		"postgres://host/db":            "",
		"postgresql://host/db":          "",
	} {
		c := configs.Default()
		c.Database.URL = url
		if got := c.DataDir(); got != want {
			t.Errorf("%s: got %q, want %q", url, got, want)
		}
	}
}
