package app

import (
	"context"
	"encoding/json"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
)

const (
	// drivePause is how long an order waits before it looks at the other replicas again, at first; driveSlow at most.
	drivePause = 20 * time.Millisecond
	driveSlow  = 250 * time.Millisecond
	// flipWait is how long an order waits until all live replicas route as the channel says.
	flipWait = 10 * time.Second
)

// drive goes with a channel until nothing is being prepared any more and all live replicas route as it says. Should this
// process die, any replica's Advance takes the channel on.
func (a *App) drive(ctx context.Context, name string) (release.Channel, error) {
	var until time.Time
	for pause := drivePause; ; pause = min(2*pause, driveSlow) {
		c, done, err := a.push(ctx, name, &until)
		if err != nil || done {
			return c, err
		}
		select {
		case <-ctx.Done():
			return c, fault.Wrap(fault.Unavailable, "still_preparing",
				"the order stands and goes on; payrack plugin wait tells when it is fulfilled", context.Cause(ctx))
		case <-a.closing:
			return c, fault.New(fault.Unavailable, "still_preparing", "the order stands, and another replica takes it on; this one ends")
		case <-time.After(pause):
		}
	}
}

// push does what can be done now for a channel on its way; done says that there is no more to wait for. until is when the
// other replicas are not waited for any more, once that wait has begun.
func (a *App) push(ctx context.Context, name string, until *time.Time) (c release.Channel, done bool, err error) {
	// What cannot be started here is reported, and the channel moves on by that.
	_ = a.tend(ctx, name, true)
	if err := a.advance(ctx, name); err != nil {
		return c, false, err
	}
	if c, err = a.channel(ctx, name); err != nil || c.Phase == release.Preparing || c.Phase == release.Promoting {
		return c, false, err
	}
	failed := a.tend(ctx, name, false)
	if until.IsZero() {
		*until = a.Clock.Now().Add(flipWait)
		if failed != nil {
			*until = a.Clock.Now() // this replica cannot; the others are not waited for
		}
	}
	all, err := a.everywhere(ctx, c)
	return c, all || !a.Clock.Now().Before(*until), err
}

// everywhere reports whether all live replicas route by this generation of a channel, or a later one.
func (a *App) everywhere(ctx context.Context, c release.Channel) (bool, error) {
	reports, err := a.Replicas.Reports(ctx, "")
	if err != nil {
		return false, err
	}
	for _, m := range muster(reports, c.Name) {
		if m.Generation < c.Generation {
			return false, nil
		}
	}
	return true, nil
}

// muster is the report of every live replica about a provider; one that has said nothing about it yet has an empty one.
func muster(reports []release.Report, name string) []release.Report {
	var all []release.Report
	at := map[string]int{}
	for _, r := range reports {
		if !r.Alive {
			continue
		}
		i, ok := at[r.Replica]
		if !ok {
			i = len(all)
			at[r.Replica] = i
			all = append(all, release.Report{Replica: r.Replica, Name: name})
		}
		if r.Name == name {
			all[i] = r
		}
	}
	return all
}

// failure says why an order was not fulfilled, as the channel's journal tells it.
func (a *App) failure(ctx context.Context, c release.Channel, version string, after int64) error {
	entries, err := a.Journal.Entries(ctx, c.Stream(), max(after-1, 0), 50)
	if err != nil {
		return err
	}
	for _, e := range entries {
		var told struct {
			Version  string `json:"version"`
			Why      string `json:"why"`
			Evidence string `json:"evidence"`
			Replicas string `json:"replicas"`
		}
		if json.Unmarshal(e.Body, &told) != nil {
			continue
		}
		switch e.Event {
		case "plugin.refused":
			if told.Version == version {
				return refusedWith(told.Why)
			}
		case "plugin.given_up":
			return fault.New(fault.Invalid, "start_timeout", "not every replica had "+version+" ready in time, and the traffic stays where it was: "+told.Replicas)
		case "plugin.cancelled":
			return fault.New(fault.Conflict, "wrong_phase", "somebody cancelled the preparation of "+version)
		case "plugin.rolled_back":
			return fault.New(fault.Conflict, "wrong_phase", version+" was rolled back: "+told.Evidence)
		}
	}
	return fault.New(fault.Conflict, "generation_moved", "another order was faster; payrack plugin events tells which")
}
