package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
)

// channels implements inbound.Channels.
type channels struct{ *App }

// Activate moves the traffic of a provider to a release.
func (a channels) Activate(ctx context.Context, c inbound.ActivatePlugin) (release.Activation, error) {
	return a.order(ctx, order{
		name: c.Name, version: c.Version, goal: release.ToServe, actor: c.Actor, reason: c.Reason, force: c.Force,
	})
}

// Canary gives a release a share of the payments, or changes the share that it has.
func (a channels) Canary(ctx context.Context, c inbound.CanaryPlugin) (release.Activation, error) {
	return a.order(ctx, order{
		name: c.Name, version: c.Version, goal: release.ToCanary, weight: c.Weight, stores: c.Stores,
		actor: c.Actor, reason: c.Reason, force: c.Force,
	})
}

// Promote makes the candidate stable.
func (a channels) Promote(ctx context.Context, c inbound.PluginOrder) (release.Activation, error) {
	channel, err := a.installed(ctx, c.Name)
	if err != nil {
		return release.Activation{}, err
	}
	now := a.by(c.Actor, c.Reason)
	return a.fulfil(ctx, channel, release.Promote{By: now, Until: now.At.Add(a.PrepareFor)}, channel.Candidate)
}

// Rollback takes the candidate's share away, or brings the release before the stable one back.
func (a channels) Rollback(ctx context.Context, c inbound.PluginOrder) (release.Activation, error) {
	channel, err := a.installed(ctx, c.Name)
	if err != nil {
		return release.Activation{}, err
	}
	reports, err := a.Replicas.Reports(ctx, "")
	if err != nil {
		return release.Activation{}, err
	}
	now := a.by(c.Actor, c.Reason)
	return a.fulfil(ctx, channel, release.Rollback{
		By: now, Cold: cold(channel, muster(reports, c.Name)), Until: now.At.Add(a.PrepareFor),
	}, "")
}

// SetEnabled stops or takes up new payments.
func (a channels) SetEnabled(ctx context.Context, c inbound.PluginOrder, enabled bool) (release.Channel, error) {
	channel, err := a.installed(ctx, c.Name)
	if err != nil {
		return release.Channel{}, err
	}
	if channel, err = a.save(ctx, channel, release.SetEnabled{By: a.by(c.Actor, c.Reason), Enabled: enabled}, ""); err != nil {
		return release.Channel{}, err
	}
	if _, err := a.drive(ctx, c.Name); err != nil {
		return release.Channel{}, err
	}
	return channel, nil
}

// Status of all providers.
func (a channels) Status(ctx context.Context) ([]inbound.PluginStatus, error) {
	all, err := a.shelf().Channels(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := a.shelf().List(ctx, "")
	if err != nil {
		return nil, err
	}
	reports, err := a.Replicas.Reports(ctx, "")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range rows {
		names = append(names, r.Name)
	}
	for _, c := range all {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	told := make([]inbound.PluginStatus, 0, len(names))
	for _, name := range names {
		told = append(told, a.status(name, all, rows, reports))
	}
	return told, nil
}

// status of one provider.
func (a channels) status(
	name string, all []release.Channel, rows []release.Release, reports []release.Report,
) inbound.PluginStatus {
	s := inbound.PluginStatus{
		Name: name, Channel: release.Channel{Name: name, Phase: release.Idle, Enabled: true}, Instances: a.Runtime.Instances(name),
	}
	for _, c := range all {
		if c.Name == name {
			s.Channel = c
		}
	}
	for _, r := range rows {
		if r.Name == name {
			s.Releases = append(s.Releases, r)
		}
	}
	for _, r := range reports {
		if r.Name == name {
			s.Replicas = append(s.Replicas, r)
		}
	}
	for _, t := range a.Providers.Types() {
		if t.Provider == name {
			s.Types = append(s.Types, t.Name)
		}
	}
	return s
}

// Events of a provider, oldest first.
func (a channels) Events(ctx context.Context, name string, after int64, limit int) ([]journal.Entry, error) {
	if _, err := a.installed(ctx, name); err != nil {
		return nil, err
	}
	return a.Journal.Entries(ctx, release.Channel{Name: name}.Stream(), after, limit)
}

// installed is the channel of a provider that is known.
func (a *App) installed(ctx context.Context, name string) (release.Channel, error) {
	c, err := a.channel(ctx, name)
	if err != nil || c.Generation > 0 {
		return c, err
	}
	rows, err := a.shelf().List(ctx, name)
	if err == nil && (len(rows) == 0 || name == "") {
		err = fault.New(fault.NotFound, "plugin_not_found", "no release of this provider is installed; payrack plugin list shows what is")
	}
	return c, err
}

// order is an order to prepare a release.
type order struct {
	name, version string
	goal          release.Goal
	weight        int
	stores        []string
	actor, reason string
	force         bool
}

// order prepares a release here, then on all live replicas, and lets it serve.
func (a channels) order(ctx context.Context, o order) (release.Activation, error) {
	if o.force && strings.TrimSpace(o.reason) == "" {
		return release.Activation{}, fault.New(fault.Invalid, "reason_required", "say why: a release that can do less than the one that serves needs a reason")
	}
	r, err := a.shelf().Get(ctx, o.name, o.version)
	if err != nil {
		return release.Activation{}, err
	}
	if r.Status == release.Revoked {
		return release.Activation{}, revokedRelease(r)
	}
	c, err := a.channel(ctx, o.name)
	if err != nil {
		return release.Activation{}, err
	}
	e := a.event(c, o)
	next, err := release.Apply(c, e)
	if err != nil {
		return release.Activation{}, err
	}
	if prepare, ok := e.(release.Prepare); ok && next.Generation != c.Generation {
		return a.prepare(ctx, c, r, prepare, o)
	}
	if o.goal == release.ToServe && c.Stable == r.Version {
		// It serves already, or it should: one that is down here is tried now, and the order is no success while it stays down.
		if err := a.startNow(ctx, a.fleet.line(o.name), r); err != nil {
			return release.Activation{}, err
		}
	}
	return a.fulfil(ctx, c, e, o.version)
}

// event is what an order means for the channel as it is: the candidate of a canary is promoted, or gets another share.
func (a channels) event(c release.Channel, o order) release.Event {
	now := a.by(o.actor, o.reason)
	switch {
	case c.Shares() && c.Candidate == o.version && o.goal == release.ToServe:
		return release.Promote{By: now, Until: now.At.Add(a.PrepareFor)}
	case c.Shares() && c.Candidate == o.version:
		return release.Weigh{By: now, Weight: o.weight, Stores: o.stores}
	}
	return release.Prepare{
		By: now, Version: o.version, Goal: o.goal, Weight: o.weight, Stores: o.stores, Until: now.At.Add(a.PrepareFor),
	}
}

// prepare proves a release on this replica before anybody else hears of it. A refusal is told and noted.
func (a channels) prepare(
	ctx context.Context, c release.Channel, r release.Release, e release.Prepare, o order,
) (release.Activation, error) {
	l := a.fleet.line(o.name)
	l.ordering.Lock()
	defer l.ordering.Unlock()
	began := a.Clock.Now()
	err := a.capable(ctx, c, r, o.force)
	if err == nil {
		l.wish(r.Version)
		defer l.wish("")
		err = a.startNow(ctx, l, r)
	}
	if err != nil {
		if fault.KindOf(err) == fault.Invalid {
			why := refusalText(err)
			if noteErr := a.note(ctx, o.name, release.Refused{By: a.by(o.actor, o.reason), Version: r.Version, Why: why}); noteErr != nil {
				return release.Activation{}, noteErr
			}
		}
		return release.Activation{}, err
	}
	done, err := a.fulfil(ctx, c, e, o.version)
	done.Took = a.Clock.Now().Sub(began)
	return done, err
}

// capable refuses a release that can do less than the stable one: open payments may need what is missing.
func (a channels) capable(ctx context.Context, c release.Channel, r release.Release, force bool) error {
	if c.Stable == "" || force {
		return nil
	}
	stable, err := a.shelf().Get(ctx, c.Name, c.Stable)
	if err != nil {
		return err
	}
	old, err := a.Runtime.Types(ctx, stable)
	if err != nil {
		return nil //nolint:nilerr // a stable release that cannot be read must not keep its successor out
	}
	offered, err := a.Runtime.Types(ctx, r)
	if err != nil {
		return err
	}
	missing := release.Compatible(old, offered)
	if len(missing) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "capability_missing", fmt.Sprintf(
		"%s %s can do less than %s, which serves: %s; build a release that can, or force it with a reason",
		r.Name, r.Version, stable.Version, strings.Join(missing, "; ")))
}

// fulfil saves an order and answers when it has come true on all live replicas, or says why it has not. version is what shall
// serve then, empty for whatever does.
func (a *App) fulfil(ctx context.Context, c release.Channel, e release.Event, version string) (release.Activation, error) {
	began := a.Clock.Now()
	saved, err := a.save(ctx, c, e, "")
	if err != nil {
		return release.Activation{}, err
	}
	now, err := a.drive(ctx, c.Name)
	if err != nil {
		return release.Activation{}, err
	}
	done := release.Activation{
		Name: c.Name, Version: version, Previous: now.Previous, Generation: now.Generation, Took: a.Clock.Now().Sub(began),
	}
	if done.Version == "" {
		done.Version = now.Stable
	}
	if version != "" && !slices.Contains(now.Serving(), version) {
		return release.Activation{}, a.failure(ctx, now, version, saved.Events)
	}
	if err := a.fleet.line(c.Name).lags(now); err != nil {
		return release.Activation{}, err
	}
	return done, nil
}
