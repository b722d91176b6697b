// Package shim is the short life between the host and a plugin: the host starts its own binary again, which gives up
// every right that a plugin has no use for and then becomes the plugin.
//
//	host ── fork, exec /proc/self/exe ──▶ shim ── exec of the sealed image ──▶ plugin
//
// The process id, its parent, its pipes, its process group and its control group stay the same over both. What the
// plugin may do arrives on a pipe (a Policy), and what holds goes back on another one (a Report); both pipes and the
// image close by themselves when the plugin begins, so that it sees neither.
//
// Everything that links this package can be a shim: the diversion is part of this package's initialisation and not of
// main, because the packages of a server take a hundred milliseconds to initialise and this one depends on next to
// nothing. For the same reason it makes its system calls with package syscall alone.
package shim

// Argument is the first word of the command line that makes a process a shim.
const Argument = "__shim"

// The descriptors that the host leaves to the shim.
const (
	// ImageFile is the plugin's binary.
	ImageFile = 3
	// PolicyFile is a pipe with one Policy, as JSON.
	PolicyFile = 4
	// ReportFile is a pipe for Reports, one JSON object after the other; the last one counts.
	ReportFile = 5
)

// The exit statuses of a shim that did not become the plugin. It says why on standard error, too.
const (
	// ExitUsage: it was started by hand.
	ExitUsage = 2
	// ExitRefused: a protection that must hold does not.
	ExitRefused = 125
	// ExitExec: the image cannot be executed.
	ExitExec = 126
)

// The names of the protections in a Report.
const (
	NoNewPrivs      = "no_new_privs"
	LandlockFiles   = "landlock_files"
	LandlockNetwork = "landlock_network"
	SystemCalls     = "system_calls"
	Capabilities    = "capabilities"
	CoreDumps       = "core_dumps"
	OpenFiles       = "open_files"
)

// On is the word for a protection that holds.
const On = "on"

// Off is the word for a protection that does not hold, with the reason.
func Off(why string) string { return "off: " + why }

// Network is what a plugin may reach.
type Network string

// How far a plugin's sockets go.
const (
	// NetworkOpen has no rule.
	NetworkOpen Network = "open"
	// NetworkPorts lets it connect by TCP to the ports of the policy, ask name servers by UDP, and listen nowhere.
	NetworkPorts Network = "ports"
	// NetworkNone leaves it unix sockets.
	NetworkNone Network = "none"
)

// Policy says what a plugin may do.
type Policy struct {
	// Parent is the process id of the host: if it is another one by now, the host has died and nobody needs a plugin.
	Parent int `json:"parent"`
	// Files is false if the file system has no rule.
	Files bool `json:"files"`
	// Read are files and folders to read, Write folders to work in, Devices files to read and write. What is missing is
	// left out, except in Write.
	Read    []string `json:"read"`
	Write   []string `json:"write"`
	Devices []string `json:"devices"`
	// Execute are files that may be executed beside the image. With at least one the plugin may also execute its image
	// again; without any, nothing can be executed.
	Execute []File `json:"execute"`
	// Network and the TCP ports that may be connected to.
	Network Network  `json:"network"`
	Ports   []uint16 `json:"ports"`
	// OpenFiles bounds the descriptors; zero leaves the limit.
	OpenFiles uint64 `json:"open_files"`
	// DataBytes bounds private writable memory; zero leaves the limit.
	DataBytes uint64 `json:"data_bytes"`
	// Cookie is a random number, by which the filter of system calls knows the execution of the image.
	Cookie uint64 `json:"cookie"`
	// Require refuses to start the plugin where the kernel cannot enforce Files and Network.
	Require bool `json:"require"`
}

// File is a file that the host has looked at.
type File struct {
	Path string `json:"path"`
	// Device and Inode of what the host saw: if the path leads elsewhere by now, the file gets no right.
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
}

// Report says what became of a start.
type Report struct {
	// Refused says why the plugin was not started, for an operator; empty if it was.
	Refused string `json:"refused,omitempty"`
	// Protections by name: On, or what Off gives.
	Protections map[string]string `json:"protections,omitempty"`
}
