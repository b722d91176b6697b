package inbound

import (
	"context"

	"github.com/payrack/payrack/core/release"
)

// Rehearsals compares releases before one of them may move money.
type Rehearsals interface {
	// Diff gives the last recorded exchanges of a provider to two installed releases and tells where they differ: in what
	// they would send, and in how they read what the provider answered. Nothing reaches the network. Without a recording it
	// is fault.Invalid code nothing_recorded; a release that is not installed is fault.NotFound, a revoked one
	// fault.Conflict code revoked, and one that cannot rehearse fault.Invalid with the code of the refusal, such as
	// rehearsal_unsupported or start_crashed. Only so many rehearsals run at once: fault.Unavailable code rehearsal_busy.
	Diff(ctx context.Context, c RehearsePlugin) (release.Rehearsal, error)
}

// RehearsePlugin compares two releases.
type RehearsePlugin struct {
	Name string
	// Old is compared with New.
	Old string
	New string
	// Last is how many of the newest exchanges are replayed, 1 to MaxRehearsed; 0 is DefaultRehearsed.
	Last  int
	Actor string
}

// How many exchanges a rehearsal replays.
const (
	DefaultRehearsed = 200
	MaxRehearsed     = 5000
)
