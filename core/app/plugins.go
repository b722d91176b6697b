package app

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
)

// plugins implements inbound.Plugins.
type plugins struct{ *App }

// Install describes, stores and pins a binary by digest.
func (a plugins) Install(ctx context.Context, c inbound.InstallPlugin) (release.Release, error) {
	described, err := a.Runtime.Describe(ctx, c.Path)
	if err != nil {
		return release.Release{}, err
	}
	stored, err := a.App.Options.Releases.Get(ctx, described.Name, described.Version)
	switch {
	case err == nil && stored.SHA256 != described.SHA256:
		return release.Release{}, fault.New(fault.Conflict, "version_taken", described.Name+" "+described.Version+
			" is installed with another digest; a release never changes: build this one under a new version")
	case err == nil && stored.Status == release.Revoked:
		return release.Release{}, revoked(stored)
	case err != nil && fault.KindOf(err) != fault.NotFound:
		return release.Release{}, err
	}
	status, err := a.judged(ctx, described, c.Report, err == nil)
	if err != nil {
		return release.Release{}, err
	}
	kept, err := a.Runtime.Keep(ctx, described)
	if err != nil {
		return release.Release{}, err
	}
	kept.Status, kept.InstalledAt, kept.InstalledBy = status, a.Clock.Now(), c.Actor
	if err := a.App.Options.Releases.Add(ctx, kept); err != nil {
		return release.Release{}, err
	}
	return a.App.Options.Releases.Get(ctx, kept.Name, kept.Version)
}

// judged is the status that a release gets by its conformance report. One that is installed already came in under the
// rules of its day: a demand that was made since does not take it away.
func (a plugins) judged(ctx context.Context, r release.Release, report []byte, known bool) (release.Status, error) {
	if a.Reports == nil || known && report == nil {
		return release.Installed, nil
	}
	proven, err := a.Reports.Judge(ctx, r, report)
	if err != nil {
		return "", err
	}
	if proven {
		return release.Verified, nil
	}
	return release.Installed, nil
}

// Activate moves the traffic of a provider to a release.
func (a plugins) Activate(ctx context.Context, c inbound.ActivatePlugin) (release.Activation, error) {
	r, err := a.App.Options.Releases.Get(ctx, c.Name, c.Version)
	if err != nil {
		return release.Activation{}, err
	}
	if r.Status == release.Revoked {
		return release.Activation{}, revoked(r)
	}
	channel, err := a.channel(ctx, c.Name)
	if err != nil {
		return release.Activation{}, err
	}
	began := a.Clock.Now()
	if err := a.Runtime.Activate(ctx, r); err != nil {
		return release.Activation{}, err
	}
	took := a.Clock.Now().Sub(began)
	if channel.Stable != r.Version {
		channel.Previous, channel.Stable = channel.Stable, r.Version
	}
	channel.Name, channel.Enabled = c.Name, true
	channel.Generation++
	channel.UpdatedAt, channel.UpdatedBy, channel.Reason = a.Clock.Now(), c.Actor, c.Reason
	if err := a.App.Options.Releases.SaveChannel(ctx, channel); err != nil {
		// What runs must be what the database says: back to that.
		if stored, again := a.channel(ctx, c.Name); again == nil && stored.Enabled {
			_ = a.converge(ctx, stored)
		}
		return release.Activation{}, err
	}
	return release.Activation{
		Name: c.Name, Version: r.Version, Previous: channel.Previous, Generation: channel.Generation, Took: took,
	}, nil
}

func (a plugins) channel(ctx context.Context, name string) (release.Channel, error) {
	all, err := a.App.Options.Releases.Channels(ctx)
	if err != nil {
		return release.Channel{}, err
	}
	if i := slices.IndexFunc(all, func(c release.Channel) bool { return c.Name == name }); i >= 0 {
		return all[i], nil
	}
	return release.Channel{}, nil
}

// Status of all providers.
func (a plugins) Status(ctx context.Context) ([]inbound.PluginStatus, error) {
	channels, err := a.App.Options.Releases.Channels(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := a.App.Options.Releases.List(ctx, "")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range rows {
		if !slices.Contains(names, r.Name) {
			names = append(names, r.Name)
		}
	}
	slices.Sort(names)
	all := make([]inbound.PluginStatus, 0, len(names))
	for _, name := range names {
		all = append(all, a.status(name, channels, rows))
	}
	return all, nil
}

// status of one provider.
func (a plugins) status(name string, channels []release.Channel, rows []release.Release) inbound.PluginStatus {
	s := inbound.PluginStatus{Name: name, Channel: release.Channel{Name: name}, Instances: a.Runtime.Instances(name)}
	for _, c := range channels {
		if c.Name == name {
			s.Channel = c
		}
	}
	for _, r := range rows {
		if r.Name == name {
			s.Releases = append(s.Releases, r)
		}
	}
	for _, t := range a.Providers.Types() {
		if t.Provider == name {
			s.Types = append(s.Types, t.Name)
		}
	}
	return s
}

// Converge starts what the channels say, all providers at once.
func (a plugins) Converge(ctx context.Context) error {
	channels, err := a.App.Options.Releases.Channels(ctx)
	if err != nil {
		return err
	}
	var (
		wait sync.WaitGroup
		mu   sync.Mutex
		all  []error
	)
	for _, c := range channels {
		if !c.Enabled {
			continue
		}
		wait.Go(func() {
			if err := a.converge(ctx, c); err != nil {
				mu.Lock()
				all = append(all, err)
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return errors.Join(all...)
}

func (a plugins) converge(ctx context.Context, c release.Channel) error {
	r, err := a.App.Options.Releases.Get(ctx, c.Name, c.Stable)
	if err != nil {
		return err
	}
	if r.Status == release.Revoked {
		return revoked(r)
	}
	serves := func(i release.Instance) bool { return i.SHA256 == r.SHA256 && i.State == "serving" }
	if slices.ContainsFunc(a.Runtime.Instances(c.Name), serves) {
		return nil
	}
	return a.Runtime.Activate(ctx, r)
}

func revoked(r release.Release) error {
	return fault.New(fault.Conflict, "revoked",
		r.Name+" "+r.Version+" was revoked and is never started again; activate another version")
}
