package configs

import (
	"encoding/hex"
	"fmt"
	"math"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"time"
)

// Bounds of what a plugin may use and of how its releases change. Beyond them it is a mistake of the unit.
const (
	// leastMemory is what a Go program of this kind needs to start and to serve.
	leastMemory = 64 << 20
	mostMemory  = 64 << 30
	// leastOpenFiles leaves room for connections to the provider beside the pipes and the socket to the platform.
	leastOpenFiles = 64
	mostOpenFiles  = 1 << 20
	mostExchanges  = 100_000
	leastExchanges = 1 << 20

	// leastShare is above zero: a gate that nothing passes rolls every release back.
	leastShare = 0.000_001
	mostTimes  = 100
	mostChecks = 100

	longestBake    = 7 * 24 * time.Hour
	longestPrepare = 15 * time.Minute
	longestKept    = 365 * 24 * time.Hour
	// longestFleetLook is well below the time after which a replica counts as dead: each look is its sign of life.
	longestFleetLook = 10 * time.Second
)

// SignaturesDemanded reports whether only signed binaries may be installed: always in production.
func (c Config) SignaturesDemanded() bool {
	return c.Environment == Production || c.Plugins.RequireSignature
}

// releases checks where releases come from, what they may use and how they change.
func (c Config) releases(ps *Errors) {
	add := func(key, wrong, do string) { *ps = append(*ps, Problem{key, wrong, do}) }
	p := c.Plugins
	if p.RequireSignature && len(p.SigningKeys) == 0 {
		add("plugins.signing_keys", "names no key, and plugins.require_signature demands signatures",
			"name the minisign public keys of those who release plugins (payrack plugin sign --new-key FILE makes a pair)")
	}
	for i, key := range p.SigningKeys {
		if key == "" {
			add(fmt.Sprintf("plugins.signing_keys.%d", i), "is empty", "name a file with a minisign public key")
		}
	}
	p.Registry.problems(add)
	p.Sandbox.problems(add)
	within(ps, "plugins.bake_for", p.BakeFor, time.Second, longestBake)
	within(ps, "plugins.prepare_for", p.PrepareFor, time.Second, longestPrepare)
	p.Gates.problems(ps)
	if p.Exchanges.Keep < 0 || p.Exchanges.Keep > mostExchanges {
		add("plugins.exchanges.keep", fmt.Sprintf("is not between 0 and %d", mostExchanges), "0 records none; plugin diff wants a few hundred")
	}
	within(ps, "plugins.exchanges.max_age", p.Exchanges.MaxAge, time.Minute, longestKept)
	if p.Exchanges.MaxBytes < leastExchanges || p.Exchanges.MaxBytes > mostMemory {
		add("plugins.exchanges.max_bytes", fmt.Sprintf("is not between %s and %s", Size(leastExchanges), Size(mostMemory)), "check the number and its unit")
	}
	within(ps, "plugins.fleet_interval", p.FleetInterval, 100*time.Millisecond, longestFleetLook)
}

func (g Gates) problems(ps *Errors) {
	share := func(key string, value, most float64) {
		if !(value >= leastShare && value <= most) { // also what is no number
			*ps = append(*ps, Problem{
				"plugins.gates." + key, fmt.Sprintf("is not between %v and %v", leastShare, most), "it is a share of the calls: 0.02 is 2 %",
			})
		}
	}
	share("false_alarm", g.FalseAlarm, 0.1)
	share("technical", g.Technical, 1)
	share("unknown", g.Unknown, 1)
	share("declined", g.Declined, 1)
	share("technical_max", g.TechnicalMax, 1)
	share("unknown_max", g.UnknownMax, 1)
	positive(ps, "plugins.gates.min_calls", g.MinCalls)
	within(ps, "plugins.gates.slower", g.Slower, time.Millisecond, time.Minute)
	within(ps, "plugins.gates.slower_least", g.SlowerLeast, time.Millisecond, time.Minute)
	for key, times := range map[string]float64{"slower_times": g.SlowerTimes, "memory_times": g.MemoryTimes} {
		if !(times > 1 && times <= mostTimes) {
			*ps = append(*ps, Problem{"plugins.gates." + key, fmt.Sprintf("is not between 1 and %d", mostTimes), "2 is twice as much as the release that serves"})
		}
	}
	if g.Checks < 0 || g.Checks > mostChecks {
		*ps = append(*ps, Problem{
			"plugins.gates.checks", fmt.Sprintf("is not between 0 and %d", mostChecks), "it is payments a second, each of which is one search more at the provider; 0 checks none",
		})
	}
	if g.MemoryMore < 1<<20 || g.MemoryMore > mostMemory {
		*ps = append(*ps, Problem{"plugins.gates.memory_more", fmt.Sprintf("is not between %s and %s", Size(1<<20), Size(mostMemory)), "check the number and its unit"})
	}
}

func (r Registry) problems(add func(key, wrong, do string)) {
	if r.Host != "" && (strings.ContainsAny(r.Host, "/@ ") || strings.Contains(r.Host, "://")) {
		add("plugins.registry.host", "is no host", "write it as registry.example.com or registry.example.com:5000")
	}
	if (r.Username != "" || r.PasswordFile != "") && r.Host == "" {
		add("plugins.registry.host", "is empty, and there is a user", "name the one registry that may see the password")
	}
	if (r.Username == "") != (r.PasswordFile == "") {
		add("plugins.registry.username", "and plugins.registry.password_file are not both there",
			"give both, or neither and log in with the docker configuration of this user")
	}
	if r.PlainHTTP && r.Host != "" && !thisMachine(r.Host) {
		add("plugins.registry.plain_http", "is true, and plugins.registry.host is another machine", "set it to false: what runs with everybody's payments is not fetched without TLS")
	}
}

// thisMachine reports whether a host, with or without a port, can only be this machine.
func thisMachine(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || (err == nil && addr.IsLoopback())
}

func (s Sandbox) problems(add func(key, wrong, do string)) {
	if s.Memory < leastMemory || s.Memory > mostMemory {
		add("plugins.sandbox.memory", fmt.Sprintf("is not between %s and %s", Size(leastMemory), Size(mostMemory)), "check the number and its unit")
	}
	if s.OpenFiles < leastOpenFiles || s.OpenFiles > mostOpenFiles {
		add("plugins.sandbox.open_files", fmt.Sprintf("is not between %d and %d", leastOpenFiles, mostOpenFiles), "1024 is enough for most providers")
	}
	for i, port := range s.Ports {
		if port < 1 || port > math.MaxUint16 {
			add(fmt.Sprintf("plugins.sandbox.ports.%d", i), "is no port", "use a number from 1 to 65535")
		}
	}
	for i, text := range s.Interpreters {
		if _, ok := readInterpreter(text); !ok {
			add(fmt.Sprintf("plugins.sandbox.interpreters.%d", i), "does not name a file with its digest",
				"write it as /usr/bin/node@sha256:… with what sha256sum prints")
		}
	}
	if s.Require && !s.Files && !s.Network {
		add("plugins.sandbox.require", "is true, and neither files nor network is wanted", "switch on what is required")
	}
}

// Interpreter is a program that a release may execute.
type Interpreter struct {
	// Path of the file, absolute, and its SHA256 in lower-case hex.
	Path, SHA256 string
}

// Allowed reads the interpreters. Those of a configuration that was loaded are all good.
func (s Sandbox) Allowed() []Interpreter {
	var all []Interpreter
	for _, text := range s.Interpreters {
		if one, ok := readInterpreter(text); ok {
			all = append(all, one)
		}
	}
	return all
}

// readInterpreter reads PATH@sha256:DIGEST.
func readInterpreter(text string) (Interpreter, bool) {
	path, digest, found := strings.Cut(text, "@sha256:")
	sum, err := hex.DecodeString(digest)
	return Interpreter{path, digest}, found && filepath.IsAbs(path) && err == nil && len(sum) == 32 && digest == strings.ToLower(digest)
}
