package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/payrack/payrack/configs"
)

// devOptions are the flags of dev.
type devOptions struct {
	data, http, admin, sandbox, plugins, database string
	config                                        string
	gateways                                      []string
	sandboxProcess                                bool
	log                                           logFlags
}

func (c *cli) devCommand() *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run everything on this machine: platform, plugins, sandbox, a company to try it with",
		Long: "Run everything on this machine: the platform on SQLite, the provider plugins, the sandbox that plays the\n" +
			"providers, a company with two stores and an OAuth client. When all of it serves, DIR/dev.json says where and\n" +
			"with what. Ctrl-C stops all of it; the data stays, and the next start goes on with it.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := o.log.logger(c.log)
			if err != nil {
				return err
			}
			return interruptible(cmd.Context(), log, func(ctx context.Context, serving func()) error {
				return c.dev(ctx, o, log, serving)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.data, "data", "./payrack-data", "folder of everything that is kept")
	f.StringVar(&o.http, "http", "127.0.0.1:8080", "address of the public plane; port 0 takes a free one")
	f.StringVar(&o.admin, "admin", "127.0.0.1:8081", "address of the admin plane; port 0 takes a free one")
	f.StringVar(&o.sandbox, "sandbox", "127.0.0.1:8082", "address of the sandbox; port 0 takes a free one")
	f.StringVar(&o.plugins, "plugins", "", "folder of the payrack-provider-* binaries (default bin/plugins)")
	f.StringVar(&o.database, "database-url", "", "postgres://… instead of SQLite in the data folder")
	f.StringVar(&o.config, "config", "", "configuration file for what dev leaves open: limits, recovery, plugins.limits, plugins.settings (default none)")
	f.StringArrayVar(&o.gateways, "gateway", nil, "NAME=URL: let a plugin use another gateway than the sandbox, or any gateway if the sandbox does not play it (repeatable)")
	f.BoolVar(&o.sandboxProcess, "sandbox-process", false, "run the sandbox as a process of its own that survives a killed core")
	o.log.add(cmd, "info")
	return cmd
}

// dev runs until the context ends, and leaves nothing running.
func (c *cli) dev(ctx context.Context, o devOptions, log *slog.Logger, serving func()) (err error) {
	gateways, err := readGateways(o.gateways)
	if err != nil {
		return err
	}
	base, err := devBase(o.config)
	if err != nil {
		return err
	}
	if o.data, err = filepath.Abs(o.data); err != nil {
		return fmt.Errorf("find --data: %w", err)
	}
	if err := makeFolder(o.data); err != nil {
		return err
	}
	lock, err := lockFile(filepath.Join(o.data, "dev.lock"), o.data)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // the lock ends with the process in any case
	// First of all: whoever waits for the file must not read that of an earlier start.
	if err := removeFile(filepath.Join(o.data, devFileName)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeFile(filepath.Join(o.data, devFileName))) }()
	plugins, err := devPlugins(o.plugins)
	if err != nil {
		return err
	}

	public, admin, err := listenPlanes(ctx, o.http, o.admin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ignoreClosed(public.Close()), ignoreClosed(admin.Close())) }()
	box, err := openDevSandbox(ctx, o, log)
	if err != nil {
		return err
	}
	// Stopped after the plugins, so that no call of theirs ends in a closed door.
	defer func() { err = errors.Join(err, box.stop(context.WithoutCancel(ctx))) }()
	settings, err := devSettings(box.url, gateways)
	if err != nil {
		return err
	}
	for _, name := range unplayed(gateways) {
		log.InfoContext(ctx, "the sandbox does not play this provider: its live and test endpoints are what --gateway says",
			slog.String("provider", name), slog.String("gateway", gateways[name]))
	}
	if settings, err = overlay(base, settings); err != nil {
		return err
	}

	p, err := Wire(ctx, Wiring{
		Config: devConfig(base, o, public.Addr(), plugins), Log: log, Settings: settings, Public: public, Admin: admin,
		Issuer: devIssuer, Create: true, Migrate: true,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close(context.WithoutCancel(ctx))) }()
	if err := p.activateAll(ctx, plugins); err != nil {
		return err
	}
	told, err := p.furnish(ctx, o.data, box.url)
	if err != nil {
		return err
	}
	told.HTTPURL, told.AdminURL, told.SandboxURL = "http://"+public.Addr().String(), "http://"+admin.Addr().String(), box.url
	told.TokenURL = told.HTTPURL + "/oauth/v1/token"
	told.DatabaseURL, told.PID, told.SandboxPID = p.config.Database.URL, os.Getpid(), box.pid
	return p.Run(ctx, func() error {
		serving()
		if err := told.write(o.data); err != nil {
			return err
		}
		return c.greet(told, o.data)
	})
}

// devIssuer stays the same whatever port a start gets, so that tokens outlive a restart.
const devIssuer = "payrack-dev"

// devBase is what dev starts from: the defaults, or a file that was named. It reads no environment, so that two starts
// on one folder are the same, and a variable that leads to a real installation's file leads nothing here.
func devBase(file string) (configs.Config, error) {
	if file == "" {
		return configs.Default(), nil
	}
	c, err := configs.Load(configs.Sources{File: file})
	if err != nil {
		return c, refusedf("%w", err)
	}
	if c.Environment != configs.Test {
		return c, refusedf("--config %s is of environment %s: dev is for tests only", file, c.Environment)
	}
	return c, nil
}

// overlay puts dev's own settings of plugins, which lead to the sandbox, over those of the file.
func overlay(c configs.Config, own map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	all, err := pluginSettings(c)
	if err != nil {
		return nil, err
	}
	for name, section := range own {
		merged := map[string]json.RawMessage{}
		for _, layer := range []json.RawMessage{all[name], section} {
			if len(layer) == 0 {
				continue
			}
			if err := json.Unmarshal(layer, &merged); err != nil {
				return nil, refusedf("plugins.settings.%s is no section: %w", name, err)
			}
		}
		if all[name], err = json.Marshal(merged); err != nil {
			return nil, fmt.Errorf("write the settings of %s: %w", name, err)
		}
	}
	return all, nil
}

// devConfig is the configuration that dev stands for: where everything lies and listens is dev's own, whatever the file
// says.
func devConfig(c configs.Config, o devOptions, public net.Addr, plugins string) configs.Config {
	c.HTTP.PublicURL = "http://" + public.String()
	c.Database.URL = o.database
	if c.Database.URL == "" {
		c.Database.URL = filepath.Join(o.data, "payrack.db")
	}
	// In a real installation the keys lie outside the data folder; here one folder shall hold all.
	c.Keys.Dir = filepath.Join(o.data, "keys")
	c.Plugins.Dir, c.Plugins.StoreDir = plugins, filepath.Join(o.data, "releases")
	// Nobody balances load here: Ctrl-C ends at once.
	c.Shutdown.DrainDelay = 0
	return c
}

// providerName is what stands behind payrack-provider-.
var providerName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

func readGateways(flags []string) (map[string]string, error) {
	all := map[string]string{}
	for _, f := range flags {
		name, address, ok := strings.Cut(f, "=")
		u, err := url.Parse(address)
		if !ok || !providerName.MatchString(name) || err != nil || u.Host == "" {
			return nil, usagef("--gateway %q: write it as name=http://127.0.0.1:9000", f)
		}
		if _, twice := all[name]; twice {
			return nil, usagef("--gateway names %s twice", name)
		}
		all[name] = address
	}
	return all, nil
}

func listenPlanes(ctx context.Context, publicAddr, adminAddr string) (public, admin net.Listener, err error) {
	if public, err = listen(ctx, "public plane", publicAddr); err != nil {
		return nil, nil, err
	}
	if admin, err = listen(ctx, "admin plane", adminAddr); err != nil {
		return nil, nil, errors.Join(err, public.Close())
	}
	return public, admin, nil
}

// devPlugins is the folder of the provider binaries: the flag, else bin/plugins beside this binary, else
// bin/plugins where we stand.
func devPlugins(flag string) (string, error) {
	folders := []string{flag}
	if flag == "" {
		folders = nil
		if self, err := os.Executable(); err == nil {
			folders = append(folders, filepath.Join(filepath.Dir(self), "plugins"))
		}
		folders = append(folders, filepath.Join("bin", "plugins"))
	}
	for _, dir := range folders {
		files, err := pluginFiles(dir)
		if err != nil {
			return "", err
		}
		if len(files) > 0 {
			return filepath.Abs(dir)
		}
	}
	for i, dir := range folders {
		if absolute, err := filepath.Abs(dir); err == nil {
			folders[i] = absolute
		}
	}
	return "", refusedf("there is no payrack-provider-* in %s: run make plugins, or name a folder with --plugins", strings.Join(folders, " or "))
}

// activateAll installs every provider binary of the folder, starts what changed beside what serves, all at
// once, and starts what did not change.
func (p *Platform) activateAll(ctx context.Context, dir string) error {
	files, err := pluginFiles(dir)
	if err != nil {
		return err
	}
	status, err := p.Core.Channels().Status(ctx)
	if err != nil {
		return fmt.Errorf("read the installed plugins: %w", err)
	}
	stable := map[string]string{}
	for _, s := range status {
		stable[s.Name] = s.Channel.Stable
	}
	bad := make([]error, len(files))
	var work sync.WaitGroup
	for i, path := range files {
		work.Go(func() {
			r, err := p.install(ctx, path)
			if err == nil && stable[r.Name] != r.Version {
				err = p.activate(ctx, r, "development start")
			}
			if err != nil {
				bad[i] = p.leaveOut(ctx, path, err)
			}
		})
	}
	work.Wait()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("start the plugins: %w", err)
	}
	if bad = slices.DeleteFunc(bad, func(err error) bool { return err == nil }); len(bad) == len(files) {
		return noneUsable(dir, bad)
	}
	p.converge(ctx)
	return nil
}

// devSandbox is the sandbox of a dev, in this process or in one of its own.
type devSandbox struct {
	url  string
	pid  int
	stop func(context.Context) error
}

func openDevSandbox(ctx context.Context, o devOptions, log *slog.Logger) (devSandbox, error) {
	dir := filepath.Join(o.data, "sandbox")
	// An earlier start may have left its sandbox running on the folder.
	found, running := findSandbox(ctx, dir)
	switch {
	case o.sandboxProcess:
		started, err := startSandbox(ctx, dir, o.sandbox)
		if err != nil {
			return devSandbox{}, err
		}
		return devSandbox{started.URL, started.PID, func(context.Context) error { return started.end(sandboxPatience) }}, nil
	case running:
		if err := found.end(sandboxPatience); err != nil {
			return devSandbox{}, err
		}
	}
	box, err := openSandbox(ctx, dir, o.sandbox, sandboxBounds{}, log)
	if err != nil {
		return devSandbox{}, err
	}
	return devSandbox{box.url, os.Getpid(), box.close}, nil
}

// greet prints what to do next.
func (c *cli) greet(d devFile, dir string) error {
	if c.output == "json" {
		return c.print(d, table{})
	}
	return greeting(c.out, d, dir)
}
