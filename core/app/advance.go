package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
)

// Advance moves the channels on whose time has come.
func (a fleet) Advance(ctx context.Context) error {
	all, err := a.shelf().Channels(ctx)
	if err != nil {
		return err
	}
	return each(all, func(c release.Channel) error { return a.advance(ctx, c.Name) })
}

// advanceTries is how often a channel is looked at anew that another replica moved meanwhile.
const advanceTries = 4

// advance moves a channel on, as far as the reports allow, and follows it here.
func (a *App) advance(ctx context.Context, name string) error {
	for range advanceTries {
		c, err := a.channel(ctx, name)
		if err != nil || c.Generation == 0 {
			return err
		}
		e, evidence, err := a.due(ctx, c)
		if err != nil || e == nil {
			return err
		}
		_, err = a.save(ctx, c, e, evidence)
		switch fault.CodeOf(err) {
		case "generation_moved":
			continue // another replica was faster
		case "wrong_phase":
			return nil
		}
		if err != nil {
			return err
		}
		// This replica follows at once; what it cannot start, it reports.
		_ = a.tend(ctx, name, true)
		return nil
	}
	return nil
}

// due is what a channel's time has come for, nil for nothing.
func (a *App) due(ctx context.Context, c release.Channel) (e release.Event, evidence string, err error) {
	now := a.by(systemActor, "")
	until := now.At.Add(a.PrepareFor)
	rows, err := a.shelf().List(ctx, c.Name)
	if err != nil {
		return nil, "", err
	}
	for _, r := range rows {
		if r.Status == release.Revoked && slices.Contains([]string{c.Stable, c.Candidate, c.Previous}, r.Version) {
			now.Reason = "the release was revoked"
			return release.Revoke{By: now, Version: r.Version, Until: until}, "", nil
		}
	}
	if c.Phase == release.Idle || c.Phase == release.RolledBack {
		return nil, "", nil
	}
	reports, err := a.Replicas.Reports(ctx, "")
	if err != nil {
		return nil, "", err
	}
	live := muster(reports, c.Name)
	if breach, broken := a.fails(c, live); broken {
		breach = clip(breach)
		now.Reason = "a limit was broken: " + breach
		return release.Rollback{
			By: now, Automatic: true, Evidence: breach, Cold: cold(c, live), Until: until,
		}, "", nil
	}
	switch c.Phase {
	case release.Preparing, release.Promoting:
		return readiness(c, live, now, a.BakeFor)
	case release.Baking:
		return a.stood(c, live, now), "", nil
	case release.Idle, release.InCanary, release.RolledBack:
	}
	return nil, "", nil
}

// stood is what the end of a release's time of trial means, nil while it goes on. One that takes no calls on some replica has
// not stood it: the release before takes them there, and would be stopped now. A process that is just being started again has
// as long as a preparation to come back.
func (a *App) stood(c release.Channel, live []release.Report, now release.By) release.Event {
	if now.At.Before(c.Until) {
		return nil
	}
	for _, r := range live {
		why, no := r.Refused[c.Stable]
		if !no || !r.HasReady(c.Previous) {
			continue
		}
		if now.At.Before(c.Until.Add(a.PrepareFor)) {
			return nil
		}
		why = clip("replica " + r.Replica + " cannot use " + c.Stable + ": " + why)
		now.Reason = "the new release did not stand its time of trial: " + why
		return release.Rollback{By: now, Automatic: true, Evidence: why, Cold: cold(c, live), Until: now.At.Add(a.PrepareFor)}
	}
	now.Reason = "the new release stood its time of trial"
	return release.Baked{By: now}
}

// longestEvidence bounds what an event says.
const longestEvidence = 500

func clip(words string) string {
	if len(words) <= longestEvidence {
		return words
	}
	return strings.ToValidUTF8(words[:longestEvidence], "") + "…"
}

// readiness is what the replicas' reports mean for a preparation.
func readiness(c release.Channel, live []release.Report, now release.By, bake time.Duration) (release.Event, string, error) {
	var lacking []string
	for _, r := range live {
		if why, no := r.Refused[c.Candidate]; no && current(r, c) {
			now.Reason = "a replica refused it"
			return release.Refused{By: now, Version: c.Candidate, Why: "replica " + r.Replica + " says " + why}, "", nil
		}
		if !r.HasReady(c.Candidate) || !current(r, c) {
			lacking = append(lacking, r.Replica)
		}
	}
	switch {
	case len(lacking) == 0 && len(live) > 0:
		now.Reason = c.Reason
		if c.UpdatedBy != "" {
			now.Actor = c.UpdatedBy // it is this one's order that comes true
		}
		return release.Ready{By: now, Bake: bake}, "", nil
	case !now.At.Before(c.Until):
		now.Reason = "not every replica had it ready in time"
		return release.GivenUp{By: now}, "missing: " + strings.Join(lacking, ", "), nil
	}
	return nil, "", nil
}

// current reports whether a replica speaks about this generation of a channel. One whose stable release does not start cannot
// route by it, and yet its word about the candidate counts: that may be the cure.
func current(r release.Report, c release.Channel) bool {
	if r.Generation >= c.Generation {
		return true
	}
	_, lame := r.Refused[c.Stable]
	return lame && c.Stable != ""
}

// cold reports whether the release before the stable one has yet to be prepared on some live replica. One that cannot start
// it holds the others up no longer: there the traffic stays where it is until it can.
func cold(c release.Channel, live []release.Report) bool {
	return c.Bakes() && slices.ContainsFunc(live, func(r release.Report) bool {
		_, refused := r.Refused[c.Previous]
		return !r.HasReady(c.Previous) && !refused
	})
}

// fails says why the trial of a release has to end, if it has to. What is being brought back already is only waited for: the
// calls that ended the trial are still in the reports then.
func (a *App) fails(c release.Channel, live []release.Report) (string, bool) {
	if c.Goal == release.ToRollBack {
		return "", false
	}
	if why := barred(c, live); why != "" {
		return why, true
	}
	return a.onTrial(c, live)
}

// barred says that a replica cannot start the release on trial and has never routed to it, as one that started anew: it
// goes without any release, and the other one stands ready there.
func barred(c release.Channel, live []release.Report) string {
	watched, against := trial(c)
	if watched == "" || c.Phase == release.Preparing {
		return ""
	}
	for _, r := range live {
		if why, no := r.Refused[watched]; no && r.Generation < c.Since && r.HasReady(against) {
			return "replica " + r.Replica + " cannot start " + watched + ": " + why
		}
	}
	return ""
}

// onTrial holds the release on trial against the other one, with what all live replicas counted.
func (a *App) onTrial(c release.Channel, live []release.Report) (string, bool) {
	watched, against := trial(c)
	if watched == "" {
		return "", false
	}
	candidate, stable := release.Tally{Version: watched}, release.Tally{Version: against}
	for _, r := range live {
		if r.Since != c.Since {
			continue
		}
		for _, t := range r.Tallies {
			switch t.Version {
			case watched:
				candidate = candidate.Plus(t)
			case against:
				stable = stable.Plus(t)
			}
		}
	}
	gates := a.Gates
	if c.Bakes() {
		gates = gates.Alone()
	}
	return release.Judge(stable, candidate, gates)
}

const (
	// minderPause is the shortest time between two looks at one provider's trial.
	minderPause = 100 * time.Millisecond
	// minderTime bounds one look.
	minderTime = 15 * time.Second
)

// watchTrials starts the minder of this process: it reports what releases on trial do, and rolls back what breaks a limit,
// without waiting for the next regular look.
func (a *App) watchTrials(ctx context.Context) {
	a.fleet.once.Do(func() {
		ctx := context.WithoutCancel(ctx)
		a.background.Go(func() {
			for {
				select {
				case <-a.ending:
					return
				case <-a.fleet.wake:
				}
				a.fleet.all.Range(func(_, value any) bool {
					if l, ok := value.(*line); ok && l.hurried() {
						a.background.Go(func() { a.glance(ctx, l) })
					}
					return true
				})
				select {
				case <-a.ending:
					return
				case <-time.After(minderPause):
				}
			}
		})
	})
}

// hurried reports, once, whether a line wants to be looked at. While one look goes on, the next one waits for it.
func (l *line) hurried() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.urgent || l.glancing {
		return false
	}
	l.urgent, l.glancing = false, true
	return true
}

// glance reports a provider and moves its channel on.
func (a *App) glance(ctx context.Context, l *line) {
	ctx, cancel := context.WithTimeout(ctx, minderTime)
	defer cancel()
	if a.report(ctx, l) == nil {
		_ = a.advance(ctx, l.name) // the regular look finds what this one could not do
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.glancing = false; l.urgent {
		a.fleet.nudge()
	}
}
