package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/payrack/payrack/adapters/inbound/adminapi"
	"github.com/payrack/payrack/adapters/inbound/configstore"
	"github.com/payrack/payrack/adapters/inbound/httpapi"
	"github.com/payrack/payrack/adapters/inbound/jobs"
	"github.com/payrack/payrack/adapters/outbound/providers"
	"github.com/payrack/payrack/adapters/outbound/seals"
	"github.com/payrack/payrack/adapters/outbound/secrets"
	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/adapters/outbound/system"
	"github.com/payrack/payrack/adapters/outbound/tokens"
	"github.com/payrack/payrack/adapters/telemetry"
	"github.com/payrack/payrack/configs"
	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// Wiring is what Wire needs beside the configuration.
type Wiring struct {
	Config configs.Config
	Log    *slog.Logger
	// Settings of plugins by name, as JSON.
	Settings map[string]json.RawMessage
	// Public and Admin are where the planes listen. The platform closes them.
	Public, Admin net.Listener
	// Issuer of access tokens.
	Issuer string
	// Create makes missing keys, and Migrate brings the schema up to date: a development start. Without
	// them an installation must have been prepared.
	Create, Migrate bool
}

// Platform is payrack, wired. Its parts stand in the order in which they were made.
type Platform struct {
	Core      *app.App
	Telemetry *telemetry.Telemetry
	Store     *database
	Host      *host.Host
	Keys      keys

	config configs.Config
	log    *slog.Logger
	// exchanges are what plugin diff replays.
	exchanges  *providers.Exchanges
	rehearsals inbound.Rehearsals
	// boot names this replica.
	boot string
	// fleet measures what serves; core is Core for those who may ask before it is there.
	fleet   *telemetry.Fleet
	core    atomic.Pointer[app.App]
	watcher *configstore.Watcher
	// fleetWatcher keeps this replica where the channels are.
	fleetWatcher *configstore.FleetWatcher
	// recovery drives what has no caller.
	recovery *jobs.Recovery
	// notifier tells companies of their payments, driven by deliveries; audit below reads the evidence.
	notifier   *app.Notifier
	deliveries *jobs.Deliveries
	// retention forgets what was promised for a time only.
	retention *jobs.Retention
	audit     *app.Audit
	planes    []plane
	ready     readiness
	traffic   traffic
	// leave is when shutdown.grace is over; zero before the end began.
	leave  time.Time
	closed atomic.Bool
}

// plane is a server and where it listens.
type plane struct {
	name     string
	server   *http.Server
	listener net.Listener
}

// keys are what the keys folder opens.
type keys struct {
	Secrets *secrets.Secrets
	Signer  *tokens.Tokens
	Seals   *seals.Keys
}

// Wire builds the platform from the outside in: store and keys, providers, core, HTTP. It starts no plugin
// and serves nothing yet. After an error everything that was opened is closed again.
func Wire(ctx context.Context, w Wiring) (_ *Platform, err error) {
	p := &Platform{config: w.Config, log: w.Log}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close(context.WithoutCancel(ctx)))
		}
	}()
	ids := system.IDs{}
	boot := ids.New()
	p.boot = boot

	p.Telemetry, err = telemetry.New(ctx, telemetry.Options{Version: programVersion(), Boot: boot, Log: w.Log})
	if err != nil {
		return p, fmt.Errorf("set up telemetry: %w", err)
	}
	if p.Store, err = openDatabase(ctx, w.Config, w.Log, use{Create: w.Create, Boot: boot, Trace: p.Telemetry}); err != nil {
		return p, err
	}
	if err := prepareStore(ctx, p.Store.Store, w); err != nil {
		return p, err
	}
	if p.Keys, err = openKeys(w.Config, w.Issuer, w.Create, w.Log); err != nil {
		return p, err
	}
	if !w.Create { // a payrack dev stores its credentials anew
		if err := matchKeys(ctx, p.Store.Directory(), p.Keys.Secrets, w); err != nil {
			return p, err
		}
	}

	plugged, err := p.wireHost(w) //nolint:contextcheck // recording goes on for as long as the host
	if err != nil {
		return p, err
	}
	judge, err := openReports(w.Config.Plugins)
	if err != nil {
		return p, err
	}
	fetched, err := openArtifacts(w.Config, w.Log)
	if err != nil {
		return p, err
	}
	p.Core, err = app.New(app.Options{
		Ledger: p.Telemetry.Ledger(p.Store.Ledger()), Providers: plugged.providers, Runtime: plugged.runtime,
		Releases: p.Store.Releases(), Replicas: p.Store.Replicas(), Artifacts: fetched,
		BakeFor: w.Config.Plugins.BakeFor.Std(), PrepareFor: w.Config.Plugins.PrepareFor.Std(), Contradicted: p.contradicted,
		Gates: gatesOf(w.Config.Plugins.Gates), Directory: p.Store.Directory(), Secrets: p.Keys.Secrets, Signer: p.Keys.Signer,
		Reports: judge,
		Journal: p.Store.Journal(), Mandates: p.Store.Mandates(), SealKey: p.Keys.Seals,
		Clock: system.Clock{}, IDs: ids, Boot: boot, TokenLifetime: w.Config.Tokens.Lifetime.Std(),
		SendMargin: w.Config.Recovery.SendMargin.Std(), FinalMargin: w.Config.Recovery.FinalMargin.Std(),
		DecisionAfter: w.Config.Recovery.DecisionAfter.Std(), SearchesPerSecond: w.Config.Recovery.SearchesPerSecond,
		CallbackURL: func(id payment.ID) string { return w.Config.HTTP.PublicURL + httpapi.CallbackPrefix + string(id) },
		Sealed:      p.sealed,
	})
	if err != nil {
		return p, fmt.Errorf("set up the core: %w", err)
	}
	p.core.Store(p.Core)
	every := w.Config.Recovery.Interval.Std()
	if p.recovery, err = jobs.NewRecovery(jobs.Options{
		Recovery: p.Core.Recovery(), Log: w.Log, Fence: every, Resolve: every,
	}); err != nil {
		return p, fmt.Errorf("set up the recovery: %w", err)
	}
	if err := p.wireEvidence(w); err != nil {
		return p, err
	}
	if p.watcher, err = configstore.New(configstore.Options{
		Directory: p.Core.Directory(), Log: w.Log, Interval: w.Config.Directory.ReloadInterval.Std(),
	}); err != nil {
		return p, fmt.Errorf("set up the watch of the directory: %w", err)
	}
	if p.fleetWatcher, err = configstore.NewFleet(configstore.FleetOptions{
		Fleet: p.Core.Fleet(), Changes: p.Store.Replicas().Changes, Log: w.Log, Interval: w.Config.Plugins.FleetInterval.Std(),
	}); err != nil {
		return p, fmt.Errorf("set up the watch of the releases: %w", err)
	}

	public, err := p.publicHandler() //nolint:contextcheck // handlers have the context of their request
	if err != nil {
		return p, fmt.Errorf("set up the public plane: %w", err)
	}
	admin, err := p.adminHandler() //nolint:contextcheck // handlers have the context of their request
	if err != nil {
		return p, fmt.Errorf("set up the admin plane: %w", err)
	}
	p.planes = []plane{
		{"public", httpapi.NewServer(p.traffic.watch(public), httpapi.ServerOptions{WriteTimeout: leastPatience, Log: w.Log}), w.Public},
		{"admin", adminapi.NewServer(p.traffic.watch(admin), adminapi.ServerOptions{WriteTimeout: leastPatience, Log: w.Log}), w.Admin},
	}
	return p, p.begin(ctx)
}

// sealed writes each seal of the journal to the log as well: whoever changes the database cannot change that.
func (p *Platform) sealed(s journal.Seal) {
	p.log.LogAttrs(context.Background(), slog.LevelInfo, "journal sealed", slog.Int64("number", s.Number), slog.Int64("entries", s.Count),
		slog.String("root", hex.EncodeToString(s.Root[:])), slog.String("key", s.Key),
		slog.String("signature", hex.EncodeToString(s.Signature)))
}

// begin reads the directory and takes over what an earlier life of this process left in the middle of a call.
func (p *Platform) begin(ctx context.Context) error {
	if err := p.Core.Directory().Reload(ctx); err != nil {
		return fmt.Errorf("read companies, stores, credentials and clients: %w", err)
	}
	left, err := p.Core.Recovery().FenceDead(ctx)
	if err != nil {
		return fmt.Errorf("take over payments of an earlier start: %w", err)
	}
	if left > 0 {
		p.log.WarnContext(ctx, "payments were left in the middle of a call by an earlier start; their outcome is unknown until it is searched for",
			slog.Int("payments", left))
	}
	p.ready.watch(p)
	for _, err := range []error{
		p.Telemetry.WatchInstances(p.instances), p.Telemetry.WatchReadiness(p.readiness), p.Telemetry.WatchUnsettled(p.unsettled),
	} {
		if err != nil {
			return fmt.Errorf("set up metrics: %w", err)
		}
	}
	return nil
}

func (p *Platform) publicHandler() (http.Handler, error) {
	c := p.config
	environment := company.Test
	if c.Environment == configs.Production {
		environment = company.Live
	}
	proxies := make([]netip.Prefix, len(c.HTTP.TrustedProxies))
	for i, network := range c.HTTP.TrustedProxies {
		var err error
		if proxies[i], err = netip.ParsePrefix(network); err != nil {
			return nil, fmt.Errorf("http.trusted_proxies: %w", err)
		}
	}
	return httpapi.New(httpapi.Options{
		Payments: p.Telemetry.Payments(p.Core.Payments()), Records: p.Core.Records(), Access: p.Core.Access(),
		Mandates: p.Core.Mandates(), Notices: p.Core.Notices(),
		Catalogue: p.Core.Catalogue(), DefaultEnvironment: environment,
		QuerySecrets: httpapi.QuerySecrets(c.HTTP.QuerySecrets), Log: p.log, Ready: p.readyz,
		TraceID: telemetry.TraceID, Middleware: p.Telemetry.Middleware("public"), TrustedProxies: proxies,
		ClientRate:  httpapi.Rate{PerSecond: float64(c.Limits.RequestsPerSecond), Burst: c.Limits.Burst},
		FailureRate: httpapi.Rate{PerSecond: float64(c.Limits.FailedTokensPerMinute) / 60, Burst: max(20, c.Limits.FailedTokensPerMinute/3)},
	})
}

func (p *Platform) adminHandler() (http.Handler, error) {
	return adminapi.New(adminapi.Options{
		Access: p.Core.Access(), Directory: p.Core.Directory(), Records: p.Core.Records(), Recovery: p.Core.Recovery(), Log: p.log,
		Releases: p.Core.Releases(), Channels: p.Core.Channels(), Rehearsals: p.rehearsals, UploadDir: filepath.Join(p.config.Plugins.StoreDir, "uploads"),
		Webhooks: p.notifier.Webhooks(), Deliveries: p.notifier.Deliveries(), Audit: p.audit,
		Catalogue: p.Core.Catalogue(), Runtime: p.runtime,
		Metrics: p.Telemetry.MetricsHandler(), MetricsOpen: p.config.Admin.MetricsOpen, Pprof: p.config.Admin.Pprof,
		TraceID: telemetry.TraceID, Middleware: p.Telemetry.Middleware("admin"),
	})
}

func (p *Platform) instances() map[string][]release.Instance {
	all := map[string][]release.Instance{}
	for _, s := range p.Host.Status() {
		for _, i := range s.Instances {
			all[s.Name] = append(all[s.Name], release.Instance{Version: i.Version, State: string(i.State), Inflight: i.Inflight})
		}
	}
	return all
}

// unsettled is what recovery and people have to find out.
func (p *Platform) unsettled(ctx context.Context) (map[payment.State]telemetry.Unsettled, error) {
	rows, err := p.Store.Unsettled(ctx)
	if err != nil {
		return nil, fmt.Errorf("count unsettled payments: %w", err)
	}
	all := map[payment.State]telemetry.Unsettled{}
	for _, r := range rows {
		all[r.State] = telemetry.Unsettled{Payments: r.Payments, Oldest: r.Oldest}
	}
	return all, nil
}

// prepareStore makes sure that the schema is this program's and that a confirmed payment is not forgotten.
func prepareStore(ctx context.Context, store *sqlstore.Store, w Wiring) error {
	if w.Migrate {
		if err := store.Migrate(ctx); err != nil {
			return fmt.Errorf("bring the schema up to date: %w", err)
		}
	} else if err := checkSchema(ctx, store); err != nil {
		return err
	}
	d, err := store.Durability(ctx)
	if err != nil {
		return fmt.Errorf("ask the database how durable it is: %w", err)
	}
	if d.OK() {
		return nil
	}
	if w.Config.Environment == configs.Production {
		return refusedf("the database may forget a confirmed payment, and this is production:\n  %s", strings.Join(d.Problems, "\n  "))
	}
	for _, problem := range d.Problems {
		w.Log.WarnContext(ctx, "the database may forget a confirmed payment; production refuses to start like this",
			slog.String("problem", problem))
	}
	return nil
}

func checkSchema(ctx context.Context, store *sqlstore.Store) error {
	steps, err := store.MigrationStatus(ctx)
	if err != nil {
		return fmt.Errorf("look at the schema: %w", err)
	}
	if !slices.ContainsFunc(steps, func(m sqlstore.Migration) bool { return m.Applied }) {
		return refusedf("the database is empty: run payrack init to prepare a new installation, or name the right one in database.url")
	}
	if i := slices.IndexFunc(steps, func(m sqlstore.Migration) bool { return !m.Applied }); i >= 0 {
		return refusedf("the database lacks migration %d of this program: run payrack migrate up first, then start again", steps[i].Version)
	}
	return nil
}

// openKeys reads the keys folder.
func openKeys(c configs.Config, issuer string, create bool, log *slog.Logger) (keys, error) {
	sealed, err := secrets.New(secrets.Options{Dir: c.Keys.Dir, Create: create})
	if err != nil {
		return keys{}, refusedf("open the keys: %w", err)
	}
	signer, err := tokens.New(tokens.Options{
		Dir: c.Keys.Dir, Create: create, Issuer: issuer, Life: c.Tokens.Lifetime.Std(), Log: log,
	})
	if err != nil {
		return keys{}, refusedf("open the keys: %w", err)
	}
	journalKeys, err := seals.New(seals.Options{Dir: c.Keys.Dir, Create: create})
	if err != nil {
		return keys{}, refusedf("open the keys: %w", err)
	}
	return keys{sealed, signer, journalKeys}, nil
}

// mostTried bounds the credential sets that matchKeys opens: one that opens shows that the keys belong to this database.
const mostTried = 100

// matchKeys refuses the keys of another installation, as a restore from two backups brings them together: the platform
// would be ready and answer every payment with an internal error.
func matchKeys(ctx context.Context, directory outbound.Directory, opener outbound.Secrets, w Wiring) error {
	s, err := directory.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("read the directory: %w", err)
	}
	tried := 0
	for _, c := range s.Credentials {
		if tried == mostTried {
			break
		}
		if _, err := opener.Open(ctx, c.Field(), c.Sealed); err == nil {
			return nil
		}
		tried++
	}
	if tried == 0 {
		return nil
	}
	return refusedf("the keys in %s do not open the stored credentials: they belong to another database; restore keys and database from the same backup, or name the right ones in keys.dir and database.url", w.Config.Keys.Dir)
}
