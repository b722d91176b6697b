package outbound

import (
	"context"

	"github.com/payrack/payrack/core/release"
)

// Releases keeps release rows and channels. Implementations pass outboundtest.Releases.
type Releases interface {
	// Add keeps a new release. The same name, version and digest again is no error; another digest under
	// the same name and version is fault.Conflict code version_taken.
	Add(ctx context.Context, r release.Release) error

	// Get returns one release, fault.NotFound if there is none.
	Get(ctx context.Context, name, version string) (release.Release, error)

	// List returns the releases of a provider, or of all with an empty name, oldest first.
	List(ctx context.Context, name string) ([]release.Release, error)

	// Channels returns all channels, by name.
	Channels(ctx context.Context) ([]release.Channel, error)

	// SaveChannel stores a channel whose stored generation is c.Generation-1 (0 for a new one), else
	// fault.Conflict code generation_moved.
	SaveChannel(ctx context.Context, c release.Channel) error
}

// Reports judges the conformance report that came with a release. The report is text that a stranger may have written.
type Reports interface {
	// Judge reports whether a report that can be relied on says that the release was tested and passed. A nil report is
	// fault.Invalid code report_missing where one is demanded, else no error and no proof. A report that cannot be
	// relied on is fault.Invalid code report_invalid, demanded or not. Both say how to make a good one.
	Judge(ctx context.Context, r release.Release, report []byte) (proven bool, err error)
}

// Runtime runs releases in this process.
type Runtime interface {
	// Describe reads what a binary says about itself: name, version, digest and size. fault.Invalid if it
	// is no provider plugin.
	Describe(ctx context.Context, path string) (release.Release, error)

	// Keep copies the binary into the store of releases and returns the row with its new path. The copy
	// has the digest of r, or it fails with fault.Invalid code digest_mismatch.
	Keep(ctx context.Context, r release.Release) (release.Release, error)

	// Activate starts the release beside the serving one and moves the traffic. A refusal is
	// fault.Invalid with one of the codes digest_mismatch, binary_missing, binary_damaged,
	// protocol_unsupported, start_crashed, start_timeout, info_mismatch, capability_missing, unhealthy; the
	// old release goes on.
	Activate(ctx context.Context, r release.Release) error

	// Instances returns the running processes of a provider.
	Instances(name string) []release.Instance
}
