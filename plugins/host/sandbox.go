package host

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/payrack/payrack/plugins/host/shim"
)

// Sandbox says what a plugin's process may do. The zero value is the strictest.
type Sandbox struct {
	// NoFiles and NoNetwork leave out the rules for the file system and for the network.
	NoFiles   bool
	NoNetwork bool
	// Require refuses to start a plugin where the kernel cannot enforce the rules that are wanted.
	Require bool
	// Ports are TCP ports that every plugin may connect to, beside 443, 53 for name servers, and those of the
	// http and https addresses in the provider's own settings.
	Ports []uint16
	// OpenFiles bounds a plugin's descriptors. Default 1024.
	OpenFiles int
	// Memory bounds a plugin's memory, in bytes. Default 512 MiB; below zero there is no limit.
	Memory int64
	// Interpreters may be executed by plugins in other languages than Go.
	Interpreters []Interpreter
}

// Interpreter is a file that an operator lets plugins execute.
type Interpreter struct {
	// Path is absolute.
	Path string
	// SHA256 of the file, lower case hex. A file that has another one is not allowed.
	SHA256 string
}

const (
	defaultOpenFiles = 1024
	defaultMemory    = 512 << 20
	// maxTasks bounds the processes and threads of one plugin where a control group can: some fifty are usual.
	maxTasks = 512
)

// memory is the limit in bytes, zero if there is none.
func (s Sandbox) memory() int64 {
	switch {
	case s.Memory < 0:
		return 0
	case s.Memory == 0:
		return defaultMemory
	}
	return s.Memory
}

func (s Sandbox) openFiles() uint64 {
	if s.OpenFiles <= 0 {
		return defaultOpenFiles
	}
	return uint64(s.OpenFiles)
}

// confinement is what one process is confined to.
type confinement struct {
	options *Options
	// work is the folder in which it runs, socket the one that holds its socket; empty if it has none.
	work, socket string
	// settings of the provider, for the ports in them.
	settings []byte
	// alone gives it no network at all.
	alone bool
}

// Names of the protections that the host itself sees to. The others are the shim's.
const (
	protectMemory      = "memory"
	protectProcesses   = "processes"
	protectGroup       = "process_group"
	protectLifeline    = "dies_with_host"
	protectImage       = "sealed_image"
	protectEnvironment = "environment"
)

// ownProtections are those of a process before the shim has reported.
func (c confinement) ownProtections(i *image) map[string]string {
	out := map[string]string{
		protectGroup: shim.On, protectEnvironment: shim.On, protectLifeline: diesWithHost,
		protectImage: shim.On,
	}
	if !i.sealed {
		out[protectImage] = shim.Off("memory files cannot be executed here (see vm.memfd_noexec); the file of the release is executed by its descriptor")
	}
	for _, name := range []string{
		shim.NoNewPrivs, shim.LandlockFiles, shim.LandlockNetwork, shim.SystemCalls, shim.Capabilities, shim.CoreDumps, shim.OpenFiles,
	} {
		out[name] = shim.Off("plugins are started without the sandbox")
	}
	return out
}

// policy is what the shim enforces.
func (c confinement) policy(ctx context.Context, i *image) shim.Policy {
	s := c.options.Sandbox
	p := shim.Policy{
		Parent: os.Getpid(), Files: !s.NoFiles, Network: shim.NetworkPorts, OpenFiles: s.openFiles(), Require: s.Require,
		Cookie: newCookie(), Devices: []string{"/dev/null"}, Read: readable(), Write: []string{c.work},
	}
	switch {
	case c.alone:
		p.Network = shim.NetworkNone
	case s.NoNetwork:
		p.Network = shim.NetworkOpen
	default:
		p.Ports = c.ports()
	}
	if c.socket != "" {
		p.Write = append(p.Write, c.socket)
	}
	p.Execute = c.interpreters(ctx, i)
	if len(p.Execute) > 0 {
		p.Read = append(p.Read, libraries()...)
	} else {
		p.DataBytes = dataLimit(s.memory())
	}
	return p
}

// dataLimit is a second net where no control group holds the memory: the kernel refuses more private writable memory at
// once, which the watch over the resident memory sees only later. It counts what was asked for and not what is used, so
// it leaves room. Zero is none.
func dataLimit(memory int64) uint64 {
	if memory == 0 {
		return 0
	}
	return 2*uint64(memory) + 1<<30 //nolint:gosec // never below zero
}

// ports are the TCP ports that this process may connect to, in order.
func (c confinement) ports() []uint16 {
	out := append([]uint16{53, 443}, c.options.Sandbox.Ports...)
	out = append(out, portsIn(c.settings)...)
	slices.Sort(out)
	return slices.Compact(out)
}

// portsIn finds the ports of all http and https addresses in settings. The operator writes these; what a company or a
// client sends never gets there.
func portsIn(settings []byte) []uint16 {
	var value any
	if json.Unmarshal(settings, &value) != nil {
		return nil
	}
	var out []uint16
	var look func(any)
	look = func(value any) {
		switch v := value.(type) {
		case map[string]any:
			for _, member := range v {
				look(member)
			}
		case []any:
			for _, member := range v {
				look(member)
			}
		case string:
			if port, ok := portOf(v); ok {
				out = append(out, port)
			}
		}
	}
	look(value)
	return out
}

func portOf(address string) (port uint16, ok bool) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return 0, false
	}
	switch {
	case u.Port() != "":
		n, err := strconv.ParseUint(u.Port(), 10, 16)
		return uint16(n), err == nil && n > 0
	case u.Scheme == "http":
		return 80, true
	}
	return 443, true
}

// interpreters are the files that the process may execute: those that the operator allows and, where dynamic binaries are
// accepted, the loaders of such files.
func (c confinement) interpreters(ctx context.Context, i *image) []shim.File {
	var out []shim.File
	add := func(path string) {
		if f, err := identify(path); err == nil {
			out = append(out, f)
		}
	}
	if i.loader != "" {
		add(i.loader)
	}
	for _, allowed := range c.options.Sandbox.Interpreters {
		f, loader, err := vouched(allowed)
		if err != nil {
			c.options.Log.LogAttrs(ctx, slog.LevelWarn, "plugins may not execute an allowed interpreter",
				slog.String("path", allowed.Path), slog.String("reason", err.Error()))
			continue
		}
		out = append(out, f)
		if loader != "" {
			add(loader)
		}
	}
	return out
}

// readable are the files and folders that a program reads which resolves names, checks certificates and tells the time.
// What is missing on this machine is left out by the shim.
func readable() []string {
	out := []string{
		"/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/services", "/etc/protocols", "/etc/gai.conf", resolverPath(),
		"/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/locale/TZ", "/etc/zoneinfo",
		"/dev/urandom", "/dev/random", "/dev/zero",
		// By these a runtime learns how much memory and processor time it has.
		"/proc/self", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/sys/net/core/somaxconn", "/proc/sys/vm/overcommit_memory",
		"/sys/devices/system/cpu", "/sys/fs/cgroup", "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size",
	}
	if zone := strings.TrimPrefix(os.Getenv("TZ"), ":"); filepath.IsAbs(zone) {
		out = append(out, zone)
	}
	return append(out, certificates()...)
}

// certificates are the places where a program looks for the authorities that it trusts. The environment wins, as it does
// for the plugin, which gets the same variables.
func certificates() []string {
	var out []string
	if file := os.Getenv("SSL_CERT_FILE"); file != "" {
		out = append(out, file)
	} else {
		out = append(out, "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem", "/etc/pki/tls/cert.pem")
	}
	if folders := os.Getenv("SSL_CERT_DIR"); folders != "" {
		return append(out, filepath.SplitList(folders)...)
	}
	return append(out,
		"/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted", "/etc/ca-certificates",
		"/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/share/pki", "/var/lib/ca-certificates")
}

// libraries are what a dynamic interpreter reads at its start.
func libraries() []string {
	return []string{
		"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/local/lib", "/usr/share/nodejs",
		"/etc/ld.so.cache", "/etc/ssl/openssl.cnf", "/etc/pki/tls/openssl.cnf",
	}
}

const resolverConfig = "/etc/resolv.conf"

// resolverPath is the file with the name servers or, where a service of the system keeps it in a folder of its own, that
// folder: such a service writes a new file for each change, and a rule belongs to the file and not to its name.
func resolverPath() string {
	real, err := filepath.EvalSymlinks(resolverConfig)
	if err != nil {
		return resolverConfig
	}
	folder := filepath.Dir(real)
	if strings.Count(folder, "/") >= 2 && (strings.HasPrefix(folder, "/run/") || strings.HasPrefix(folder, "/var/run/")) {
		return folder
	}
	return real
}
