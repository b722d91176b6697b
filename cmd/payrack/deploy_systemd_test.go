package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/configs"
)

// unitFile is what a file of systemd says, by section and key. A key that stands twice has both values.
type unitFile map[string]map[string][]string

func readUnit(t *testing.T, path string) unitFile {
	t.Helper()
	unit, section := unitFile{}, ""
	for _, line := range settingsOf(t, path) {
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSuffix(name, "]")
			unit[section] = map[string][]string{}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || section == "" {
			t.Fatalf("%s: %q is no setting", path, line)
		}
		unit[section][key] = append(unit[section][key], value)
	}
	return unit
}

// settingsOf are the lines of a file that are neither empty nor comments.
func settingsOf(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

func (u unitFile) service(key string) string { return strings.Join(u["Service"][key], " ") }

func systemdFile(name string) string {
	return filepath.Join("..", "..", "deployments", "systemd", name)
}

// longestStop is what a stop takes if every step of it uses up its time.
func longestStop(s configs.Shutdown) time.Duration {
	drain := s.DrainDelay.Std() + s.Grace.Std() + cutPatience
	planes, database := 2*closePatience, closePatience
	return drain + planes + finishPatience + pluginPatience + database + spansPatience
}

// machine is the configuration of the unit.
func machine(t *testing.T, environ ...string) configs.Config {
	t.Helper()
	c, err := configs.Load(configs.Sources{File: systemdFile("payrack.yaml"), Environ: environ, Ignore: programVariables()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestUnitStartsWhatTheProgramHas(t *testing.T) {
	t.Parallel()
	words := strings.Fields(readUnit(t, systemdFile("payrack.service")).service("ExecStart"))
	root := (&cli{out: io.Discard, errOut: io.Discard, log: newLogBuffer(io.Discard)}).root()
	command, rest, err := root.Find(words[1:])
	if err != nil || command.Name() != "serve" {
		t.Fatalf("%v leads to %v, %v", words, command, err)
	}
	if err := command.ParseFlags(rest); err != nil || command.Flags().NArg() > 0 {
		t.Errorf("%v: %v, %d words are left", words, err, command.Flags().NArg())
	}
}

func TestUnitGivesAStopItsTime(t *testing.T) {
	t.Parallel()
	unit := readUnit(t, systemdFile("payrack.service"))
	given, err := time.ParseDuration(strings.Replace(unit.service("TimeoutStopSec"), "min", "m", 1))
	if err != nil {
		t.Fatal(err)
	}
	if longest := longestStop(machine(t).Shutdown); given <= longest {
		t.Errorf("TimeoutStopSec is %s, and a stop may take %s", given, longest)
	}
}

// What payrack does under the unit's protections was found by running it under systemd; these are the settings without
// which something silently does not work.
func TestUnitLeavesPayrackWhatItNeeds(t *testing.T) {
	t.Parallel()
	unit := readUnit(t, systemdFile("payrack.service"))
	for key, want := range map[string]string{
		"KillMode":  "mixed",    // or a plugin in another language ends in the middle of a charge
		"Delegate":  "yes",      // or no plugin has its own limits
		"OOMPolicy": "continue", // or one plugin's memory ends all of it
		"LimitNICE": "+0",       // or a new process takes time from those with calls
		// These make a file system of the control groups that cannot be written, a clone3 that is not there, and an interpreter that
		// may not compile.
		"ProtectControlGroups": "", "RestrictNamespaces": "", "MemoryDenyWriteExecute": "",
		"NoNewPrivileges": "yes", "ProtectSystem": "strict", "CapabilityBoundingSet": "",
	} {
		if got := unit.service(key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	for _, call := range []string{"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"} {
		if !slices.Contains(strings.Fields(unit.service("SystemCallFilter")), call) {
			t.Errorf("the filter of system calls takes %s away, and with it the fence around plugins", call)
		}
	}
	if user := unit.service("User"); user == "root" || !slices.ContainsFunc(settingsOf(t, systemdFile("payrack.sysusers")),
		func(line string) bool { return strings.HasPrefix(line, "u "+user+" ") }) {
		t.Errorf("it runs as %q, which payrack.sysusers does not make", user)
	}
}

// All that the configuration writes lies where the unit lets it write, and payrack init finds the same folders.
func TestUnitsFoldersAreThoseOfItsConfiguration(t *testing.T) {
	t.Parallel()
	unit, c := readUnit(t, systemdFile("payrack.service")), machine(t)
	made := map[string]bool{}
	for _, line := range settingsOf(t, systemdFile("payrack.tmpfiles")) {
		made[strings.Fields(line)[1]] = true
	}
	var writable []string
	for name := range strings.FieldsSeq(unit.service("StateDirectory")) {
		writable = append(writable, "/var/lib/"+name)
		if !made["/var/lib/"+name] {
			t.Errorf("payrack.tmpfiles does not make /var/lib/%s", name)
		}
	}
	writable = append(writable, "/run/"+unit.service("RuntimeDirectory"))
	for _, path := range []string{c.SQLitePath(), c.Keys.Dir, c.Plugins.StoreDir, c.Plugins.RunDir} {
		if !slices.ContainsFunc(writable, func(dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }) {
			t.Errorf("%s cannot be written: the unit opens %v only", path, writable)
		}
	}
	words := strings.Fields(unit.service("ExecStart"))
	if config := words[len(words)-1]; !made[filepath.Dir(config)] {
		t.Errorf("payrack.tmpfiles does not make the folder of %s", config)
	}
}

// The example's lines are commented out; each is one that payrack knows, or none of payrack's.
func TestUnitsEnvironmentIsKnown(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(systemdFile("payrack.env.example"))
	if err != nil {
		t.Fatal(err)
	}
	var environ []string
	for line := range strings.Lines(string(text)) {
		if pair, ok := strings.CutPrefix(line, "#"); ok && !strings.HasPrefix(pair, " ") {
			environ = append(environ, strings.TrimSpace(pair))
		}
	}
	if c := machine(t, environ...); !c.Postgres() {
		t.Errorf("of %v nothing is read", environ)
	}
}

// systemd's own opinion, where it is installed.
func TestUnitIsGoodForSystemd(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	text, err := os.ReadFile(systemdFile("payrack.service"))
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "payrack.service")
	// It wants to see the program, which is not installed on the machine of a test.
	here := strings.Replace(string(text), "ExecStart=/usr/local/bin/payrack", "ExecStart=/bin/true", 1)
	if err := os.WriteFile(unit, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
