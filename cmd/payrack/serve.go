package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/payrack/payrack/adapters/outbound/artifacts"
	"github.com/payrack/payrack/configs"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
)

func (c *cli) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run an installation that payrack init prepared",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			log, err := newLog(c.log, loaded.Log.Level, loaded.Log.Format)
			if err != nil {
				return err
			}
			return interruptible(cmd.Context(), log, func(ctx context.Context, serving func()) error {
				return serve(ctx, loaded, log, serving)
			})
		},
	}
	configFlags(cmd)
	return cmd
}

func serve(ctx context.Context, c configs.Config, log *slog.Logger, serving func()) (err error) {
	settings, err := pluginSettings(c)
	if err != nil {
		return err
	}
	public, err := listen(ctx, "public plane", c.HTTP.Addr)
	if err != nil {
		return err
	}
	admin, err := listen(ctx, "admin plane", c.Admin.Addr)
	if err != nil {
		return errors.Join(err, public.Close())
	}
	p, err := Wire(ctx, Wiring{
		Config: c, Log: log, Settings: settings, Public: public, Admin: admin, Issuer: c.HTTP.PublicURL,
	})
	if err != nil {
		return errors.Join(err, ignoreClosed(public.Close()), ignoreClosed(admin.Close()))
	}
	defer func() { err = errors.Join(err, p.Close(context.WithoutCancel(ctx))) }()
	if err := p.installFirstSeen(ctx, c.Plugins.Dir, log); err != nil {
		return err
	}
	return p.Run(ctx, func() error {
		serving()
		log.InfoContext(ctx, "payrack serves", slog.String("http", public.Addr().String()),
			slog.String("admin", admin.Addr().String()), slog.String("environment", c.Environment))
		return nil
	})
}

func pluginSettings(c configs.Config) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	for name, section := range c.Plugins.Settings {
		text, err := json.Marshal(section)
		if err != nil {
			return nil, refusedf("plugins.settings.%s has no JSON form: %w", name, err)
		}
		all[name] = text
	}
	return all, nil
}

// pluginPrefix is how the file of a provider begins.
const pluginPrefix = "payrack-provider-"

// isCompanion reports whether a file lies beside a binary to tell of it.
func isCompanion(name string) bool {
	return strings.HasSuffix(name, reportSuffix) || strings.HasSuffix(name, artifacts.SignatureSuffix)
}

// pluginFiles are the provider binaries of a folder, sorted.
func pluginFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for plugins: %w", err)
	}
	var all []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), pluginPrefix) && !isCompanion(e.Name()) && !e.IsDir() {
			all = append(all, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(all)
	return all, nil
}

// installFirstSeen installs what lies in the folder. The first release of a provider is activated; a later
// one waits for the operator. Then everything that shall serve is started.
func (p *Platform) installFirstSeen(ctx context.Context, dir string, log *slog.Logger) error {
	files, err := pluginFiles(dir)
	if err != nil {
		return err
	}
	before, err := p.Core.Channels().Status(ctx)
	if err != nil {
		return fmt.Errorf("read the installed plugins: %w", err)
	}
	var bad []error
	for _, path := range files {
		r, err := p.install(ctx, path)
		if err == nil {
			err = p.activateFirst(ctx, r, "first seen in "+dir)
		}
		if err != nil {
			bad = append(bad, p.leaveOut(ctx, path, err))
		}
	}
	if len(files) > 0 && len(bad) == len(files) {
		return noneUsable(dir, bad)
	}
	if len(files) == 0 && len(before) == 0 {
		log.WarnContext(ctx, "no provider is installed and none lies in plugins.dir: every payment type is unknown",
			slog.String("dir", dir))
	}
	p.converge(ctx)
	return nil
}

// converge starts what the channels say. Once that was tried for every provider, the replica may take traffic.
func (p *Platform) converge(ctx context.Context) {
	if err := p.Core.Fleet().Converge(ctx); err != nil && ctx.Err() == nil {
		// The others serve; this one answers provider_unavailable until it can be started.
		p.log.ErrorContext(ctx, "a provider was not started; payrack plugin status shows it", slog.String("error", explain(err)))
	}
}

// How often, and how long apart, another replica that does the same is given way to.
const (
	giveWays  = 20
	giveWayOf = 250 * time.Millisecond
)

// activateFirst activates the first release of a provider. Replicas that start together all want to: one does, and the
// others find that it was done.
func (p *Platform) activateFirst(ctx context.Context, r release.Release, reason string) error {
	for n := 1; ; n++ {
		all, err := p.Core.Channels().Status(ctx)
		if err != nil {
			return fmt.Errorf("read the installed plugins: %w", err)
		}
		if slices.ContainsFunc(all, func(s inbound.PluginStatus) bool { return s.Name == r.Name && begun(s.Channel) }) {
			return nil
		}
		// Two that wait for each other's preparation while neither prepares the other's would both give up. So one order at
		// a time: what another replica has ordered is prepared here first.
		if slices.ContainsFunc(all, func(s inbound.PluginStatus) bool { return s.Channel.Phase == release.Preparing }) {
			p.converge(ctx)
			n = 0 // an order has an end of its own (plugins.prepare_for)
			if !waited(ctx, giveWayOf) {
				return ctx.Err()
			}
			continue
		}
		err = p.activate(ctx, r, reason)
		if err == nil || n == giveWays || !isCode(err, "generation_moved") && !isCode(err, "wrong_phase") {
			return err
		}
		if !waited(ctx, giveWayOf) {
			return err
		}
	}
}

// waited reports whether the time went by before the context ended.
func waited(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// begun reports whether a provider's first release was chosen. Where what served was revoked and nothing took its place, a
// start chooses nothing either: that is for an operator.
func begun(c release.Channel) bool { return c.Stable != "" || c.Candidate != "" || c.Since > 0 }

// leaveOut tells of a file that cannot be used; the others go on.
func (p *Platform) leaveOut(ctx context.Context, path string, err error) error {
	if ctx.Err() == nil {
		p.log.WarnContext(ctx, "a file of the plugins folder is left out", slog.String("path", path), slog.String("error", explain(err)))
	}
	return err
}

// noneUsable is the error of a folder in which every file was left out.
func noneUsable(dir string, bad []error) error {
	lines := make([]string, len(bad))
	for i, err := range bad {
		lines[i] = explain(err)
	}
	return refusedf("no provider binary in %s can be used:\n  %s", dir, strings.Join(lines, "\n  "))
}

// systemActor is who does what the program does by itself.
const systemActor = "system"

func (p *Platform) install(ctx context.Context, path string) (release.Release, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return release.Release{}, fmt.Errorf("find %s: %w", path, err)
	}
	report, err := reportBeside(absolute)
	if err != nil {
		return release.Release{}, err
	}
	r, err := p.Core.Releases().Install(ctx, inbound.InstallPlugin{Path: absolute, Actor: systemActor, Report: report})
	if isCode(err, "version_taken") {
		return r, refusedf("%s differs from the binary that was installed under its version: a release never changes; build it with another version (make plugins VERSION=x.y.z), or put the old file back", path)
	}
	if err != nil {
		return r, fmt.Errorf("install %s: %w", path, err)
	}
	return r, nil
}

func (p *Platform) activate(ctx context.Context, r release.Release, reason string) error {
	_, err := p.Core.Channels().Activate(ctx, inbound.ActivatePlugin{
		Name: r.Name, Version: r.Version, Actor: systemActor, Reason: reason,
	})
	if err != nil {
		return fmt.Errorf("activate %s %s: %w", r.Name, r.Version, err)
	}
	return nil
}
