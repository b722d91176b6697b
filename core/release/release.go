// Package release is the domain of provider releases: immutable rows pinned by SHA-256, the channel that says which
// release of a provider serves which payment, and the rules by which that changes. Everything here is pure: no clock, no
// goroutine, no process.
package release

import "time"

// Status of a release.
type Status string

// The statuses. A revoked digest is never started again.
const (
	Installed  Status = "installed"
	Verified   Status = "verified"
	Deprecated Status = "deprecated"
	Revoked    Status = "revoked"
)

// Release is one installed version of a provider. Everything but the status is immutable.
type Release struct {
	Name    string
	Version string
	// SHA256 of the binary, lower-case hex.
	SHA256 string
	// Path of the stored binary on this machine.
	Path   string
	Size   int64
	Status Status
	// Source is where the binary came from: a path, "upload", or the OCI reference with its digest.
	Source string
	// SignedBy names the operator's key whose signature of the binary was good, empty if there is none.
	SignedBy string
	// ReportedBy names the key of the conformance report that was relied on, empty if there is none.
	ReportedBy  string
	InstalledAt time.Time
	InstalledBy string
}

// Instance is one running process of a release.
type Instance struct {
	ID        string
	Version   string
	SHA256    string
	PID       int
	State     string
	Inflight  int
	StartedAt time.Time
	// Protections are the limits that hold for the process, by name: "on", "off" or "off: why".
	Protections map[string]string
}

// Activation is a finished activation.
type Activation struct {
	Name       string
	Version    string
	Previous   string
	Generation int64
	// Took is from the order to the first possible call of the new release, on all live replicas.
	Took time.Duration
}
