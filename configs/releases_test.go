package configs_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/configs"
	"github.com/payrack/payrack/core/release"
)

func TestReleaseMistakes(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]string{
		"require_signature: true":                                "plugins.signing_keys: names no key, and plugins.require_signature demands signatures",
		"signing_keys: [\"\"]":                                   "plugins.signing_keys.0: is empty",
		"registry: {host: \"https://registry.example\"}":         "plugins.registry.host: is no host",
		"registry: {username: u, password_file: p}":              "plugins.registry.host: is empty, and there is a user",
		"registry: {host: r.example, username: u}":               "plugins.registry.username: and plugins.registry.password_file are not both there",
		"registry: {host: r.example, plain_http: true}":          "plugins.registry.plain_http: is true, and plugins.registry.host is another machine",
		"sandbox: {memory: 1MiB}":                                "plugins.sandbox.memory: is not between 64MiB and 64GiB",
		"sandbox: {memory: -1MiB}":                               "plugins.sandbox.memory: is not a size",
		"sandbox: {open_files: 3}":                               "plugins.sandbox.open_files: is not between 64 and",
		"sandbox: {files: false, network: false, require: true}": "plugins.sandbox.require: is true, and neither",
		"bake_for: 0s":                                           "plugins.bake_for: is not between 1s and 168h",
		"prepare_for: 1h":                                        "plugins.prepare_for: is not between 1s and 15m",
		"exchanges: {keep: -1}":                                  "plugins.exchanges.keep: is not between 0 and 100000",
		"exchanges: {max_age: 1s}":                               "plugins.exchanges.max_age: is not between 1m and 8760h",
		"exchanges: {max_bytes: 1B}":                             "plugins.exchanges.max_bytes: is not between 1MiB and 64GiB",
		"sandbox: {ports: [0]}":                                  "plugins.sandbox.ports.0: is no port",
		"sandbox: {ports: [443, https]}":                         "plugins.sandbox.ports: is not a list",
		"sandbox: {interpreters: [/usr/bin/node]}":               "plugins.sandbox.interpreters.0: does not name a file with its digest",
		"sandbox: {interpreters: [\"node@sha256:" + strings.Repeat("ab", 32) + "\"]}": "plugins.sandbox.interpreters.0: does not name a file with its digest",
		"gates: {technical: 0}":               "plugins.gates.technical: is not between 1e-06 and 1",
		"gates: {declined: 8}":                "plugins.gates.declined: is not between 1e-06 and 1; it is a share of the calls",
		"gates: {unknown: .nan}":              "plugins.gates.unknown: is not between",
		"gates: {unknown: much}":              "plugins.gates.unknown: is not a number",
		"gates: {slower_times: 1}":            "plugins.gates.slower_times: is not between 1 and 100",
		"gates: {slower: 300}":                "plugins.gates.slower: has no unit",
		"gates: {min_calls: 0}":               "plugins.gates.min_calls: is less than 1",
		"gates: {checks: -1}":                 "plugins.gates.checks: is not between 0 and 100",
		"gates: {checks: 101}":                "plugins.gates.checks: is not between 0 and 100",
		"gates: {memory_more: 1KiB}":          "plugins.gates.memory_more: is not between 1MiB and 64GiB",
		"fleet_interval: 11s":                 "plugins.fleet_interval: is not between 100ms and 10s",
		"limits: {linepay: {breaker: maybe}}": "plugins.limits: has a breaker under linepay that is neither true nor false",
	} {
		_, err := configs.Load(configs.Sources{File: write(t, "plugins: {"+yaml+"}")})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", yaml, err, want)
		}
	}
}

// A replica that looks seldom counts as dead in between, and then nobody waits until it has a release ready. A look may come
// a fifth later than the interval says.
func TestAReplicaNeverLooksDead(t *testing.T) {
	t.Parallel()
	seldom := release.LiveFor * 5 / 6
	if _, err := configs.Load(configs.Sources{File: write(t, "plugins: {fleet_interval: "+seldom.String()+"}")}); err == nil {
		t.Errorf("%s between two signs of life is allowed, and a replica is dead after %s", seldom, release.LiveFor)
	}
}

func TestReleaseMistakesAreAllTold(t *testing.T) {
	t.Parallel()
	_, err := configs.Load(configs.Sources{File: write(t, "plugins: {bake_for: 0s, require_signature: true, sandbox: {memory: 1MiB}}")})
	if err == nil || !strings.Contains(err.Error(), "3 mistake(s)") {
		t.Errorf("got %v", err)
	}
}

func TestReleaseKeysAreRead(t *testing.T) {
	t.Parallel()
	file := write(t, `plugins:
  signing_keys: [keys/release.pub, /etc/payrack/other.pub]
  registry: {host: "[::1]:5000", username: pull, password_file: keys/registry, plain_http: true}
  sandbox: {memory: 1GiB, network: false}
  exchanges: {keep: 0}
  gates: {technical: 0.1, slower_times: 3}
`)
	c, err := configs.Load(configs.Sources{File: file, Environ: []string{
		"PAYRACK_PLUGINS__SANDBOX__OPEN_FILES=4096", "PAYRACK_PLUGINS__SANDBOX__PORTS=8443, 9443",
		"PAYRACK_PLUGINS__SANDBOX__INTERPRETERS=/usr/bin/node@sha256:" + strings.Repeat("0a", 32), "PAYRACK_PLUGINS__BAKE_FOR=2m", "PAYRACK_PLUGINS__LIMITS__ACME__BREAKER=false",
	}})
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(file)
	want := rooted(t, folder).Plugins
	want.SigningKeys = []string{filepath.Join(folder, "keys/release.pub"), "/etc/payrack/other.pub"}
	want.Registry = configs.Registry{Host: "[::1]:5000", Username: "pull", PasswordFile: filepath.Join(folder, "keys/registry"), PlainHTTP: true}
	want.Sandbox.Memory, want.Sandbox.Network, want.Sandbox.OpenFiles = 1<<30, false, 4096
	want.Sandbox.Ports, want.Sandbox.Interpreters = []int{8443, 9443}, []string{"/usr/bin/node@sha256:" + strings.Repeat("0a", 32)}
	want.Gates.Technical, want.Gates.SlowerTimes = 0.1, 3
	want.Exchanges.Keep, want.BakeFor = 0, 120e9
	want.Limits = map[string]any{"acme": map[string]any{"breaker": "false"}}
	if diff := cmp.Diff(want, c.Plugins); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c.Plugins.Breaker("acme") || !c.Plugins.Breaker("linepay") {
		t.Error("the breaker of acme alone is off")
	}
	if diff := cmp.Diff([]configs.Interpreter{{Path: "/usr/bin/node", SHA256: strings.Repeat("0a", 32)}}, c.Plugins.Sandbox.Allowed()); diff != "" {
		t.Error(diff)
	}
	printed, err := c.YAML()
	if err != nil || !strings.Contains(string(printed), "memory: 1GiB") {
		t.Errorf("got %v:\n%s", err, printed)
	}
}

// The limits are written down twice, because the configuration knows nothing of the core.
func TestGatesAreTheCoresOwn(t *testing.T) {
	t.Parallel()
	g := configs.Default().Plugins.Gates
	got := release.Gates{
		Off: !g.Enabled, FalseAlarm: g.FalseAlarm, Technical: g.Technical, Unknown: g.Unknown, Declined: g.Declined,
		TechnicalMax: g.TechnicalMax, UnknownMax: g.UnknownMax, MinCalls: int64(g.MinCalls), Slower: g.Slower.Std(),
		SlowerTimes: g.SlowerTimes, SlowerLeast: g.SlowerLeast.Std(), MemoryTimes: g.MemoryTimes, MemoryMore: g.MemoryMore.Bytes(),
		Checks: g.Checks,
	}
	if diff := cmp.Diff(release.Gates{}.WithDefaults(), got); diff != "" {
		t.Errorf("(-core +configuration):\n%s", diff)
	}
}

func TestSignaturesAreDemandedInProduction(t *testing.T) {
	t.Parallel()
	c := configs.Default()
	if c.SignaturesDemanded() {
		t.Error("a test installation demands signatures")
	}
	c.Plugins.RequireSignature = true
	if !c.SignaturesDemanded() {
		t.Error("require_signature is not heard")
	}
	c.Plugins.RequireSignature, c.Environment = false, configs.Production
	if !c.SignaturesDemanded() {
		t.Error("production takes unsigned binaries")
	}
}

func TestSizeText(t *testing.T) {
	t.Parallel()
	for s, want := range map[configs.Size]string{0: "0B", 1: "1B", 1536: "1536B", 1 << 10: "1KiB", 512 << 20: "512MiB", 1536 << 20: "1536MiB", 4 << 30: "4GiB"} {
		var back configs.Size
		if got := s.String(); got != want {
			t.Errorf("%d: got %s, want %s", s, got, want)
		} else if err := back.UnmarshalText([]byte(got)); err != nil || back != s {
			t.Errorf("%s reads back as %d, %v", got, back, err)
		}
	}
	for _, wrong := range []string{"", "12", "MiB", "-1MiB", "1.5GiB", "9999999999GiB", "512MB"} {
		var s configs.Size
		if err := s.UnmarshalText([]byte(wrong)); err == nil {
			t.Errorf("%q is read as %d", wrong, s)
		}
	}
}
