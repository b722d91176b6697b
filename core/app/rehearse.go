package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// rehearsals compares releases over what was recorded.
type rehearsals struct {
	releases  outbound.Releases
	rehearser outbound.Rehearser
	// turn is held by the rehearsal that runs: three processes at a time are enough beside those that take payments.
	turn chan struct{}
}

// NewRehearsals makes the inbound port of rehearsals. It needs nothing of the core's other parts, and moves no money.
func NewRehearsals(releases outbound.Releases, rehearser outbound.Rehearser) (inbound.Rehearsals, error) {
	if releases == nil || rehearser == nil {
		return nil, errors.New("app: rehearsals need the releases and a rehearser")
	}
	return &rehearsals{releases: releases, rehearser: rehearser, turn: make(chan struct{}, 1)}, nil
}

// Diff runs the old version twice and the new one once.
func (r *rehearsals) Diff(ctx context.Context, c inbound.RehearsePlugin) (release.Rehearsal, error) {
	if c.Last == 0 {
		c.Last = inbound.DefaultRehearsed
	}
	if c.Last < 1 || c.Last > inbound.MaxRehearsed {
		return release.Rehearsal{}, fault.New(fault.Invalid, "invalid_request", fmt.Sprintf("last must be 1 to %d", inbound.MaxRehearsed))
	}
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	default:
		return release.Rehearsal{}, fault.New(fault.Unavailable, "rehearsal_busy", "another rehearsal runs; try again when it has ended")
	}
	old, err := r.release(ctx, c.Name, c.Old)
	if err != nil {
		return release.Rehearsal{}, err
	}
	next, err := r.release(ctx, c.Name, c.New)
	if err != nil {
		return release.Rehearsal{}, err
	}
	exchanges, err := r.rehearser.Recorded(ctx, c.Name, c.Last)
	if err != nil {
		return release.Rehearsal{}, err
	}
	if len(exchanges) == 0 {
		return release.Rehearsal{}, fault.New(fault.Invalid, "nothing_recorded",
			"nothing is recorded of provider "+c.Name+" on this server: exchanges are kept while it serves payments, if plugins.exchanges.keep is more than 0")
	}
	var runs [3][]release.Rehearsed
	for i, version := range []release.Release{old, old, next} {
		if runs[i], err = r.rehearser.Rehearse(ctx, version, exchanges); err != nil {
			return release.Rehearsal{}, err
		}
	}
	out := release.Compare(runs[0], runs[1], runs[2])
	out.Name, out.Old, out.New = c.Name, c.Old, c.New
	return out, nil
}

// release is an installed one that may be started.
func (r *rehearsals) release(ctx context.Context, name, version string) (release.Release, error) {
	found, err := r.releases.Get(ctx, name, version)
	if err != nil {
		return release.Release{}, err
	}
	if found.Status == release.Revoked {
		return release.Release{}, fault.New(fault.Conflict, "revoked", "release "+version+" of "+name+" was revoked and is never started again")
	}
	return found, nil
}
