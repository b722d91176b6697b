package outbound

import (
	"context"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
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

	// SetStatus changes the status of a release, or removes the row with an empty one; fault.NotFound if there is none. A
	// revoked release keeps that status and its row, so that its digest stays known: fault.Conflict code revoked. The
	// status that it has already is no error.
	SetStatus(ctx context.Context, name, version string, s release.Status) error

	// Channels returns all channels, by name.
	Channels(ctx context.Context) ([]release.Channel, error)

	// SaveChannel stores a channel whose stored generation is c.Generation-1 (0 for a new one), else fault.Conflict code
	// generation_moved, together with its journal entry, in one commit: the entry's stream is "plugin/<name>", its N is
	// c.Events, one more than before, its Prev the chain of the channel before, and its Hash c.Chain. What does not fit
	// is fault.Internal code change_malformed (see CheckChannel). Every replica is told (Replicas.Changes).
	SaveChannel(ctx context.Context, c release.Channel, e journal.Entry) error
}

// CheckChannel reports as fault.Internal, code "change_malformed", that a channel and its journal entry do not fit each
// other. That is a mistake of the program: every implementation of Releases checks it before anything is stored.
func CheckChannel(c release.Channel, e journal.Entry) error {
	if c.Name != "" && e.Stream == c.Stream() && e.N == c.Events && e.Hash == c.Chain && e.Verify() {
		return nil
	}
	return fault.New(fault.Internal, "change_malformed",
		"a change of a channel is malformed: the journal entry is not that of the change; nothing was stored")
}

// Replicas is how the processes of a fleet know of each other. Implementations pass outboundtest.Replicas.
type Replicas interface {
	// Report keeps what this replica says about a provider; it is its sign of life. One without a provider's name is that
	// and nothing else; without a replica's name it is fault.Invalid. Where one process owns the store, its first word
	// ends what processes before it said.
	Report(ctx context.Context, r release.Report) error

	// Reports returns the last report of every replica about a provider, or about all with an empty name, by provider
	// and replica. Reports that are older than an hour are left out.
	Reports(ctx context.Context, name string) ([]release.Report, error)

	// Leave removes all reports of a replica that ends.
	Leave(ctx context.Context, replica string) error

	// Changes gets a value, soon, when a channel was saved by any replica. It is a hint: some may be lost, so whoever
	// listens also looks from time to time. It is closed when the context ends.
	Changes(ctx context.Context) <-chan struct{}
}

// Reports judges the conformance report that came with a release. The report is text that a stranger may have written.
type Reports interface {
	// Judge returns the name of the key whose signed report says that the release was tested and passed. A nil report is
	// fault.Invalid code report_missing where one is demanded, else no error and an empty name. A report that cannot be
	// relied on is fault.Invalid code report_invalid, demanded or not. Both say how to make a good one.
	Judge(ctx context.Context, r release.Release, report []byte) (key string, err error)
}

// Source says where the binary of a release is.
type Source struct {
	// Path of a file on this machine, with its signature beside it (<path>.minisig), or
	Path string
	// Reference of an OCI artifact by digest, such as registry.example/payrack/acme@sha256:…, or a tag, which is resolved once.
	Reference string
	// Content of an upload is in Path already; Signature is what came with it, nil if nothing did.
	Signature []byte
}

// Artifact is a binary on this machine.
type Artifact struct {
	Path string
	// SHA256 of the binary as it was fetched, lower-case hex: what is verified before the binary is run for the first time.
	SHA256    string
	Signature []byte
	// Report is the signed conformance report that came with the binary, nil if none did.
	Report []byte
	// Source as it is kept in the release row.
	Source string
	// Discard removes what was fetched; it may be called at any time, and never removes an operator's own file.
	Discard func()
}

// Artifacts brings binaries to this machine and checks who signed them.
type Artifacts interface {
	// Fetch brings the binary. fault.Invalid code artifact_invalid or artifact_unreachable say what to do.
	Fetch(ctx context.Context, s Source) (Artifact, error)

	// Signer returns the name of the operator's key that signed the binary, offline. No signature is fault.Invalid code
	// signature_invalid where one is required, else an empty name; a wrong one is signature_invalid always. It is asked
	// before the binary is run, so also before it says its name.
	Signer(ctx context.Context, a Artifact, sha256 string) (key string, err error)
}

// Runtime runs releases in this process. Several releases of a provider may be ready at once; Route says which of them
// serve.
type Runtime interface {
	// Describe reads what a binary says about itself: name, version, digest and size. fault.Invalid if it
	// is no provider plugin. Bytes with another digest than sha256 are not run: fault.Invalid code digest_mismatch. An empty
	// sha256 is any.
	Describe(ctx context.Context, path, sha256 string) (release.Release, error)

	// Keep copies the binary into the store of releases and returns the row with its new path. The copy
	// has the digest of r, or it fails with fault.Invalid code digest_mismatch.
	Keep(ctx context.Context, r release.Release) (release.Release, error)

	// Types is what a kept release offers; its process is not needed.
	Types(ctx context.Context, r release.Release) ([]catalogue.Type, error)

	// Prepare starts a release beside the others and proves it, up to ready; it takes no traffic. A release that is ready
	// already is no error. A refusal is fault.Invalid with one of the codes digest_mismatch, binary_missing, binary_damaged,
	// protocol_unsupported, start_crashed, start_timeout, info_mismatch, unhealthy; nothing of it is left then.
	Prepare(ctx context.Context, r release.Release) error

	// Route lets traffic go as the channel says, by one pointer store; nothing of a call in flight changes. The releases
	// are those of the channel's Wanted versions. fault.Conflict code not_ready if the stable or a serving candidate is not
	// ready, and the traffic before goes on. What is ready and no longer wanted is drained and stopped in the background.
	Route(ctx context.Context, c release.Channel, releases []release.Release) error

	// Instances returns the running processes of a provider.
	Instances(name string) []release.Instance
}
