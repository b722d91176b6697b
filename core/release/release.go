// Package release holds what is known of provider releases: immutable rows pinned by SHA-256, and the
// channel that says which release of a provider serves.
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
	// Path of the stored binary.
	Path        string
	Size        int64
	Status      Status
	InstalledAt time.Time
	InstalledBy string
}

// Channel says which release of a provider serves.
type Channel struct {
	Name       string
	Stable     string
	Previous   string
	Enabled    bool
	Generation int64
	UpdatedAt  time.Time
	UpdatedBy  string
	Reason     string
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
}

// Activation is a finished activation.
type Activation struct {
	Name       string
	Version    string
	Previous   string
	Generation int64
	Took       time.Duration
}
