package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/payrack/payrack/deployments/bench/measure"
	"github.com/payrack/payrack/deployments/chaos/record"
	"github.com/payrack/payrack/deployments/internal/rig"
)

// The times of a run: what the plugins are told, and what the sandbox keeps to. They are short, so that a truth that needs
// all of them is found within half a minute.
const (
	maxDuration   = 5 * time.Second
	landingMax    = 2 * time.Second
	searchLagMax  = time.Second
	sendMargin    = 2 * time.Second
	finalMargin   = 2 * time.Second
	decisionAfter = 20 * time.Second
	recoveryEvery = 500 * time.Millisecond
)

// cluster is one installation under test: replicas of the core on one database, the sandbox as their providers' gateway, and
// the proxies through which they reach both.
type cluster struct {
	settings

	*rig.Starter

	// dir keeps everything; short is for the sockets, whose paths must not be long.
	dir, short string
	dev        devFile
	token      string // for the admin plane
	bearer     string
	// mandate is a stored approval that clients charge, regKey what LINE Pay calls it: a secret.
	mandate, regKey string
	sandbox         *rig.Child
	box             *rig.Sandbox
	gateway         *proxy
	postgres        *rig.Postgres // nil on SQLite
	replicas        []*replica
	shop            *shop
	http            *rig.Caller
}

// devFile is what payrack dev tells about an installation, as far as the harness reads it.
type devFile struct {
	SandboxURL   string `json:"sandbox_url"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	CompanyID    string `json:"company_id"`
	StoreID      string `json:"store_id"`
	DatabaseURL  string `json:"database_url"`
	LinePay      struct {
		ChannelSecret string `json:"channel_secret"`
	} `json:"linepay"`
	IPass struct {
		Key string `json:"key"`
	} `json:"ipass"`
}

// replica is one `payrack serve`.
type replica struct {
	number        int
	config, log   string
	public, admin string
	database      *proxy // nil on SQLite
	child         *rig.Child
	flying        inFlight
	// point is the failpoint of the next start: the process dies there.
	point string
}

func (c *cluster) home() string { return filepath.Join(c.dir, "home") }

// open makes an installation and starts it.
func openCluster(ctx context.Context, s settings, replicas int, dir string) (c *cluster, err error) {
	c = &cluster{settings: s, Starter: rig.NewStarter(), dir: dir, http: rig.NewCaller()}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if c.short, err = os.MkdirTemp("", "chaos-"); err != nil {
		return c, err
	}
	if c.shop, err = openShop(ctx); err != nil {
		return c, err
	}
	if replicas > 1 {
		if c.postgres, err = rig.StartPostgres(ctx, c.Starter, filepath.Join(dir, "postgres"), s.ci); err != nil {
			return c, err
		}
	}
	if err := c.furnish(ctx); err != nil {
		return c, err
	}
	if err := c.startSandbox(ctx); err != nil {
		return c, err
	}
	for n := range replicas {
		r, err := c.newReplica(ctx, n)
		if err != nil {
			return c, err
		}
		c.replicas = append(c.replicas, r)
	}
	if err := c.startAll(ctx); err != nil {
		return c, err
	}
	if err := c.authorize(ctx); err != nil {
		return c, err
	}
	if err := c.register(ctx); err != nil {
		return c, err
	}
	return c, c.approveOnce(ctx)
}

// furnish lets a development start make keys, company, store, credentials and client, and ends it.
func (c *cluster) furnish(ctx context.Context) error {
	sandbox, err := rig.FreeAddr(ctx)
	if err != nil {
		return err
	}
	args := []string{
		"dev", "--data", c.home(), "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--sandbox", sandbox, "--plugins", c.plugins, "--log-format", "json",
	}
	if c.postgres != nil {
		args = append(args, "--database-url", c.postgres.URL(c.postgres.Addr))
	}
	dev, err := c.Run(ctx, rig.Spec{Name: "payrack dev", Program: c.payrack, Args: args, Log: filepath.Join(c.dir, "dev.log")})
	if err != nil {
		return err
	}
	path := filepath.Join(c.home(), "dev.json")
	for end := time.Now().Add(rig.StartPatience); ; time.Sleep(20 * time.Millisecond) {
		raw, err := os.ReadFile(path) //nolint:gosec // below the harness's own folder
		if err == nil {
			if err := json.Unmarshal(raw, &c.dev); err != nil {
				return err
			}
			break
		}
		if !dev.Alive() || time.Now().After(end) || ctx.Err() != nil {
			dev.Kill()
			return fmt.Errorf("payrack dev did not serve:\n%s", rig.Tail(filepath.Join(c.dir, "dev.log")))
		}
	}
	return dev.Stop()
}

// startSandbox starts the gateway, with the bounds that the plugins were told, and the proxy in front of it.
func (c *cluster) startSandbox(ctx context.Context) error {
	u, err := url.Parse(c.dev.SandboxURL)
	if err != nil {
		return err
	}
	c.sandbox, err = c.Run(ctx, rig.Spec{
		Name: "sandbox", Program: c.payrack, Ready: "the sandbox plays", Log: filepath.Join(c.dir, "sandbox.log"),
		Args: []string{
			"sandbox", "--data", filepath.Join(c.home(), "sandbox"), "--addr", u.Host,
			"--landing-max", landingMax.String(), "--search-lag-max", searchLagMax.String(),
		},
	})
	if err != nil {
		return err
	}
	c.box = &rig.Sandbox{Caller: c.http, Base: c.dev.SandboxURL}
	c.gateway, err = newProxy(ctx, u.Host)
	return err
}

func (c *cluster) newReplica(ctx context.Context, n int) (*replica, error) {
	r := &replica{
		number: n, config: filepath.Join(c.dir, fmt.Sprintf("replica-%d.yaml", n)), log: filepath.Join(c.dir, fmt.Sprintf("replica-%d.log", n)),
	}
	var err error
	if r.public, err = rig.FreeAddr(ctx); err != nil {
		return nil, err
	}
	if r.admin, err = rig.FreeAddr(ctx); err != nil {
		return nil, err
	}
	issuer, database := r.public, filepath.Join(c.home(), "payrack.db")
	if len(c.replicas) > 0 {
		issuer = c.replicas[0].public
	}
	if c.postgres != nil {
		if r.database, err = newProxy(ctx, c.postgres.Addr); err != nil {
			return nil, err
		}
		database = c.postgres.URL(r.database.addr())
	}
	type object = map[string]any
	endpoints := func(path string) object {
		at := "http://" + c.gateway.addr() + path
		return object{"endpoints": object{"live": at, "test": at}}
	}
	limits := object{"max_duration": maxDuration.String(), "landing_max": landingMax.String(), "search_lag_max": searchLagMax.String()}
	// JSON is YAML too.
	text, err := json.MarshalIndent(object{
		"environment": "test",
		"http":        object{"addr": r.public, "public_url": "http://" + issuer},
		"admin":       object{"addr": r.admin},
		"database":    object{"url": database},
		"keys":        object{"dir": filepath.Join(c.home(), "keys")},
		"plugins": object{
			"dir": filepath.Join(c.dir, "none"), "store_dir": filepath.Join(c.home(), "releases"),
			"run_dir":  filepath.Join(c.short, fmt.Sprint(n)),
			"settings": object{"linepay": endpoints(""), "ipass": endpoints("/ipass")},
			"limits":   object{"linepay": limits, "ipass": limits},
		},
		"recovery": object{
			"interval": recoveryEvery.String(), "send_margin": sendMargin.String(), "final_margin": finalMargin.String(),
			"decision_after": decisionAfter.String(),
		},
		"webhooks": object{"loopback": true},
		"shutdown": object{"drain_delay": "0s", "grace": "10s"},
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	return r, os.WriteFile(r.config, text, 0o600)
}

// startAll starts every replica that does not run.
func (c *cluster) startAll(ctx context.Context) error {
	for _, r := range c.replicas {
		if err := c.startReplica(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// startReplica starts a replica, unless it runs.
func (c *cluster) startReplica(ctx context.Context, r *replica) error {
	if r.child != nil && r.child.Alive() {
		return nil
	}
	p := rig.Spec{
		Name: fmt.Sprintf("replica %d", r.number), Program: c.payrack, Args: []string{"serve", "--config", r.config},
		Log: r.log, Ready: "payrack serves",
	}
	if r.point != "" {
		p.Program, p.Env = c.failing, []string{"PAYRACK_FAILPOINT=" + r.point}
	}
	child, err := c.Run(ctx, p)
	if child != nil {
		r.child = child
	}
	return err
}

// plugins are the processes of a replica's providers.
func (r *replica) plugins() []int {
	children, err := measure.Children(r.child.PID())
	if err != nil {
		return nil
	}
	var all []int
	for pid := range children {
		all = append(all, pid)
	}
	return all
}

// authorize gets a token for the clients and one for the admin plane. Both outlive every replica.
func (c *cluster) authorize(ctx context.Context) error {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.dev.ClientID}, "client_secret": {c.dev.ClientSecret}}
	a, err := c.http.Do(ctx, rig.Call{
		Method: "POST", URL: "http://" + c.replicas[0].public + "/oauth/v1/token", Body: []byte(form.Encode()), Media: "application/x-www-form-urlencoded",
	})
	if err != nil || a.Status != 200 {
		return fmt.Errorf("get a token: %d %s, %w", a.Status, a.Body, err)
	}
	c.bearer = a.Member("access_token")
	out, err := exec.CommandContext(ctx, c.payrack, "token", "--admin", "--config", c.replicas[0].config, "--life", "24h").Output() //nolint:gosec // the binary that the caller named
	if err != nil {
		return fmt.Errorf("get a token for the admin plane: %w", err)
	}
	c.token = strings.TrimSpace(string(out))
	return nil
}

// close ends everything that was started.
func (c *cluster) close() error {
	var all []error
	for _, r := range c.replicas {
		if r.child != nil {
			all = append(all, r.child.Stop())
		}
		if r.database != nil {
			r.database.close()
		}
	}
	if c.gateway != nil {
		c.gateway.close()
	}
	if c.sandbox != nil {
		all = append(all, c.sandbox.Stop())
	}
	if c.postgres != nil {
		all = append(all, c.postgres.Stop())
	}
	if c.shop != nil {
		all = append(all, c.shop.server.Close())
	}
	if c.short != "" {
		all = append(all, os.RemoveAll(c.short)) //nolint:gosec // the temporary folder that was made above
	}
	return errors.Join(all...)
}

// collect reads what the verifier needs. The replicas have ended by then.
func (c *cluster) collect(ctx context.Context, r *record.Report) error {
	db, err := c.database()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return rig.Collect(ctx, c.box, db, r)
}

// database opens what the replicas write to, past every proxy.
func (c *cluster) database() (*sql.DB, error) {
	if c.postgres != nil {
		return rig.OpenDatabase(c.postgres.URL(c.postgres.Addr))
	}
	return rig.OpenDatabase(filepath.Join(c.home(), "payrack.db"))
}
