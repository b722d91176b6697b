package outbound

import (
	"context"

	"github.com/payrack/payrack/core/release"
)

// Rehearser replays what was recorded between plugins and their providers.
type Rehearser interface {
	// Recorded returns the ids of the newest recorded exchanges of a provider, the newest first.
	Recorded(ctx context.Context, name string, last int) ([]string, error)

	// Rehearse starts a release apart from all that serves, without a way to the network, and gives it the exchanges with
	// dummy keys. It returns what became of each, in the order of the ids; one that is not kept any more is left out. The
	// second run of a release in a row may share its process. A refusal is fault.Invalid with one of the codes of
	// Runtime.Prepare or rehearsal_unsupported.
	Rehearse(ctx context.Context, r release.Release, exchanges []string) ([]release.Rehearsed, error)
}
