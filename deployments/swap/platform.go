package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/payrack/payrack/deployments/internal/rig"
)

// limits are the times that plugins are told, for some providers: short, as those of a provider that answers within a moment,
// so that what is in doubt is settled, and the check by the other release is due, within the run.
func limits(providers ...string) map[string]any {
	all := map[string]any{}
	for _, name := range providers {
		all[name] = map[string]any{"max_duration": "5s", "landing_max": "2s", "search_lag_max": "1s"}
	}
	return all
}

// platform is one installation under test.
type platform struct {
	settings

	starter *rig.Starter
	// dir keeps everything; short is for the sockets, whose paths must not be long.
	dir, short string
	dev        devFile
	token      string // for the admin plane
	key        string // signs releases
	bearer     string
	sandbox    *rig.Child // nil if the platform started it itself
	box        *rig.Sandbox
	postgres   *rig.Postgres // nil on SQLite
	replicas   []*replica
	http       *rig.Caller
	// wire is for the payments, many at a time.
	wire *rig.Caller
}

// devFile is what payrack dev tells about an installation, as far as the harness reads it.
type devFile struct {
	HTTPURL      string `json:"http_url"`
	AdminURL     string `json:"admin_url"`
	SandboxURL   string `json:"sandbox_url"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	AdminToken   string `json:"admin_token"`
	StoreID      string `json:"store_id"`
	DatabaseURL  string `json:"database_url"`
}

// replica is one process of the core.
type replica struct {
	number        int
	config, log   string
	public, admin string // URLs
	child         *rig.Child
	// down is true from just before a kill until it serves again.
	down atomic.Bool
}

func (p *platform) home() string { return filepath.Join(p.dir, "home") }

// openPlatform starts an installation in an empty folder.
func openPlatform(ctx context.Context, s settings, dir string, plugins map[string]any) (p *platform, err error) {
	p = &platform{settings: s, starter: rig.NewStarter(), dir: dir, http: rig.NewCaller(), wire: rig.NewKeepingCaller(256)}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if err := os.RemoveAll(dir); err != nil {
		return p, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the database's own user must get through
		return p, err
	}
	if p.short, err = os.MkdirTemp("", "swap-"); err != nil {
		return p, err
	}
	if s.replicas > 1 {
		if p.postgres, err = rig.StartPostgres(ctx, p.starter, filepath.Join(dir, "postgres"), filepath.Join(s.root, "deployments/ci")); err != nil {
			return p, err
		}
	}
	if err := p.startDev(ctx, plugins); err != nil {
		return p, err
	}
	p.box = &rig.Sandbox{Caller: p.http, Base: p.dev.SandboxURL}
	if s.replicas > 1 {
		if err := p.spread(ctx, plugins); err != nil {
			return p, err
		}
	}
	return p, p.authorize(ctx)
}

// common is the configuration that one process and many have.
func common(plugins map[string]any) map[string]any {
	section := maps.Clone(plugins)
	return map[string]any{
		"environment": "test", "plugins": section,
		"recovery": map[string]any{"interval": "500ms", "send_margin": "2s", "final_margin": "2s", "decision_after": "20s"},
	}
}

// startDev starts payrack dev with a sandbox in a process of its own.
func (p *platform) startDev(ctx context.Context, plugins map[string]any) error {
	config := filepath.Join(p.dir, "dev.yaml")
	text, err := json.MarshalIndent(common(plugins), "", "  ") // JSON is YAML too
	if err != nil {
		return err
	}
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return err
	}
	sandbox, err := rig.FreeAddr(ctx)
	if err != nil {
		return err
	}
	args := []string{
		"dev", "--data", p.home(), "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--sandbox", sandbox,
		"--plugins", p.plugins, "--config", config, "--log-format", "json", "--log-level", "warn",
	}
	if p.postgres != nil {
		args = append(args, "--database-url", p.postgres.URL(p.postgres.Addr))
	} else {
		args = append(args, "--sandbox-process")
	}
	r := &replica{log: filepath.Join(p.dir, "dev.log")}
	if r.child, err = p.starter.Run(ctx, rig.Spec{Name: "payrack dev", Program: p.payrack, Args: args, Log: r.log}); err != nil {
		return err
	}
	p.replicas = []*replica{r}
	path := filepath.Join(p.home(), "dev.json")
	for end := time.Now().Add(rig.StartPatience); ; time.Sleep(20 * time.Millisecond) {
		raw, err := os.ReadFile(path) //nolint:gosec // below the harness's own folder
		if err == nil {
			if err := json.Unmarshal(raw, &p.dev); err != nil {
				return err
			}
			break
		}
		if !r.child.Alive() || time.Now().After(end) || ctx.Err() != nil {
			r.child.Kill()
			return fmt.Errorf("payrack dev did not serve:\n%s", rig.Tail(r.log))
		}
	}
	r.public, r.admin, p.token = p.dev.HTTPURL, p.dev.AdminURL, p.dev.AdminToken
	return nil
}

// spread ends the development start, which furnished the database, and runs replicas on it.
func (p *platform) spread(ctx context.Context, plugins map[string]any) error {
	if err := p.replicas[0].child.Stop(); err != nil {
		return err
	}
	p.replicas = nil
	u, err := url.Parse(p.dev.SandboxURL)
	if err != nil {
		return err
	}
	p.sandbox, err = p.starter.Run(ctx, rig.Spec{
		Name: "sandbox", Program: p.payrack, Ready: "the sandbox plays", Log: filepath.Join(p.dir, "sandbox.log"),
		Args: []string{"sandbox", "--data", filepath.Join(p.home(), "sandbox"), "--addr", u.Host},
	})
	if err != nil {
		return err
	}
	for n := range p.settings.replicas {
		r, err := p.newReplica(ctx, n, plugins)
		if err != nil {
			return err
		}
		p.replicas = append(p.replicas, r)
		if err := p.startReplica(ctx, r); err != nil {
			return err
		}
	}
	out, err := exec.CommandContext(ctx, p.payrack, "token", "--admin", "--config", p.replicas[0].config, "--life", "24h").Output() //nolint:gosec // the binary that the caller named
	if err != nil {
		return fmt.Errorf("get a token for the admin plane: %w", err)
	}
	p.token = strings.TrimSpace(string(out))
	return nil
}

func (p *platform) newReplica(ctx context.Context, n int, plugins map[string]any) (*replica, error) {
	r := &replica{
		number: n, config: filepath.Join(p.dir, fmt.Sprintf("replica-%d.yaml", n)), log: filepath.Join(p.dir, fmt.Sprintf("replica-%d.log", n)),
	}
	public, err := rig.FreeAddr(ctx)
	if err != nil {
		return nil, err
	}
	admin, err := rig.FreeAddr(ctx)
	if err != nil {
		return nil, err
	}
	r.public, r.admin = "http://"+public, "http://"+admin
	issuer := r.public
	if len(p.replicas) > 0 {
		issuer = p.replicas[0].public
	}
	endpoints := func(path string) map[string]any {
		at := p.dev.SandboxURL + path
		return map[string]any{"endpoints": map[string]any{"live": at, "test": at}}
	}
	config := common(plugins)
	section, _ := config["plugins"].(map[string]any)
	section["dir"], section["store_dir"] = filepath.Join(p.dir, "none"), filepath.Join(p.home(), "releases")
	section["run_dir"] = filepath.Join(p.short, fmt.Sprint(n))
	section["settings"] = map[string]any{provider: endpoints(""), other: endpoints("/" + other)}
	config["http"] = map[string]any{"addr": public, "public_url": issuer}
	config["admin"] = map[string]any{"addr": admin}
	config["database"] = map[string]any{"url": p.postgres.URL(p.postgres.Addr)}
	config["keys"] = map[string]any{"dir": filepath.Join(p.home(), "keys")}
	config["log"] = map[string]any{"level": "warn"}
	config["shutdown"] = map[string]any{"drain_delay": "0s", "grace": "10s"}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return nil, err
	}
	return r, os.WriteFile(r.config, text, 0o600)
}

// startReplica starts a replica and waits until it is ready to serve.
func (p *platform) startReplica(ctx context.Context, r *replica) error {
	child, err := p.starter.Run(ctx, rig.Spec{
		Name: fmt.Sprintf("replica %d", r.number), Program: p.payrack, Args: []string{"serve", "--config", r.config}, Log: r.log,
	})
	if err != nil {
		return err
	}
	r.child = child
	for end := time.Now().Add(rig.StartPatience); time.Now().Before(end) && child.Alive(); pause(ctx, 20*time.Millisecond) {
		a, err := p.http.Do(ctx, rig.Call{Method: "GET", URL: r.public + "/readyz"})
		if err == nil && a.Status == 200 {
			r.down.Store(false)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return fmt.Errorf("replica %d does not get ready:\n%s", r.number, rig.Tail(r.log))
}

// authorize gets a token for the clients.
func (p *platform) authorize(ctx context.Context) error {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {p.dev.ClientID}, "client_secret": {p.dev.ClientSecret}}
	a, err := p.http.Do(ctx, rig.Call{
		Method: "POST", URL: p.replicas[0].public + "/oauth/v1/token", Body: []byte(form.Encode()), Media: "application/x-www-form-urlencoded",
	})
	if err != nil || a.Status != 200 {
		return fmt.Errorf("get a token: %d %s, %w", a.Status, a.Body, err)
	}
	p.bearer = a.Member("access_token")
	return nil
}

func (p *platform) database() (*sql.DB, error) {
	if p.postgres != nil {
		return rig.OpenDatabase(p.postgres.URL(p.postgres.Addr))
	}
	return rig.OpenDatabase(filepath.Join(p.home(), "payrack.db"))
}

// close ends everything that was started.
func (p *platform) close() error {
	var all []error
	for _, r := range p.replicas {
		if r.child != nil {
			all = append(all, r.child.Stop())
		}
	}
	if p.sandbox != nil {
		all = append(all, p.sandbox.Stop())
	}
	if p.postgres != nil {
		all = append(all, p.postgres.Stop())
	}
	if p.short != "" {
		all = append(all, os.RemoveAll(p.short)) //nolint:gosec // the temporary folder that was made above
	}
	return errors.Join(all...)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
