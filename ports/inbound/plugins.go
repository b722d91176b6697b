package inbound

import (
	"context"

	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/release"
)

// Releases keeps the installed binaries of providers.
type Releases interface {
	// Install brings a binary here, checks who signed it, asks it who it is, and stores and pins it by digest. It takes no
	// traffic. A missing or bad signature or conformance report is fault.Invalid code signature_invalid, report_missing or
	// report_invalid where the operator demands one, and nothing of it is kept; another digest under an installed version
	// is fault.Conflict code version_taken.
	Install(ctx context.Context, c InstallPlugin) (release.Release, error)
	// Revoke takes a release out of service on every replica and never lets it start again. What it served goes on with the
	// release before, if there is one; without one the provider answers 503.
	Revoke(ctx context.Context, c ReleaseOrder) (release.Release, error)
	// Remove forgets a release that no channel needs; else fault.Conflict code release_in_use, which names what needs it.
	Remove(ctx context.Context, c ReleaseOrder) error
}

// Channels says which release of a provider serves. Every order is an event of the channel with actor and reason. An
// order that does not fit the channel's phase is fault.Conflict code wrong_phase, and one that lost against another
// order is fault.Conflict code generation_moved.
type Channels interface {
	// Activate moves the whole traffic of a provider to a release, on all live replicas; the old one goes on if it is
	// refused. It answers when the new release serves.
	Activate(ctx context.Context, c ActivatePlugin) (release.Activation, error)
	// Canary gives a release a share of the payments, or changes the share that it has.
	Canary(ctx context.Context, c CanaryPlugin) (release.Activation, error)
	// Promote makes the candidate stable.
	Promote(ctx context.Context, c PluginOrder) (release.Activation, error)
	// Rollback takes the candidate's share away, or brings the release before the stable one back. It is never refused
	// because of what a release can do.
	Rollback(ctx context.Context, c PluginOrder) (release.Activation, error)
	// SetEnabled stops or takes up new payments; open ones are followed up all the same.
	SetEnabled(ctx context.Context, c PluginOrder, enabled bool) (release.Channel, error)
	// Status of all providers.
	Status(ctx context.Context) ([]PluginStatus, error)
	// Events of a provider, oldest first, starting after number after.
	Events(ctx context.Context, name string, after int64, limit int) ([]journal.Entry, error)
}

// Fleet brings this process to what the channels say, and the channels on as the replicas get there.
type Fleet interface {
	// Converge does on this process what the channels say, reports what runs, and returns what could not be started; it
	// goes on with the others. While the channels cannot be read, what serves goes on serving.
	Converge(ctx context.Context) error
	// Advance moves channels on whose time has come: prepared everywhere, refused somewhere, given up, baked, or to be
	// rolled back by a gate. Any replica may do it at any time: one wins.
	Advance(ctx context.Context) error
	// Busy reports whether, when this process looked last, some channel was preparing, in canary, promoting or baking: then
	// it is worth looking more often.
	Busy() bool
	// Observe takes a fact about a process of this replica. It does not block.
	Observe(f release.Fact)
	// Leave says that this replica ends.
	Leave(ctx context.Context) error
}

// InstallPlugin installs a binary.
type InstallPlugin struct {
	// Path of a file on the server, or Reference of an OCI artifact. An upload has a path of the server's own.
	Path      string
	Reference string
	// Upload says that Path is a temporary file that a client sent; the source is told as "upload".
	Upload bool
	Actor  string
	Reason string
	// Signature of the binary by minisign, nil to look beside the binary.
	Signature []byte
	// Report is the signed conformance report file of the binary, nil if none came with it.
	Report []byte
}

// ReleaseOrder is an order about one release.
type ReleaseOrder struct {
	Name    string
	Version string
	Actor   string
	Reason  string
}

// ActivatePlugin activates an installed release.
type ActivatePlugin struct {
	Name    string
	Version string
	Actor   string
	Reason  string
	// Force activates a release that can do less than the stable one; it needs a reason.
	Force bool
}

// CanaryPlugin gives a release a share.
type CanaryPlugin struct {
	Name    string
	Version string
	// Weight in percent, 0 to 100, and Stores whose payments all go to it.
	Weight int
	Stores []string
	Actor  string
	Reason string
	Force  bool
}

// PluginOrder is an order about a provider.
type PluginOrder struct {
	Name   string
	Actor  string
	Reason string
}

// PluginStatus is one provider.
type PluginStatus struct {
	Name     string
	Channel  release.Channel
	Releases []release.Release
	// Instances are those of the replica that is asked.
	Instances []release.Instance
	Types     []string
	// Replicas are the last reports of all replicas about the provider.
	Replicas []release.Report
}
