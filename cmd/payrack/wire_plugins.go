package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"

	"github.com/payrack/payrack/adapters/outbound/artifacts"
	"github.com/payrack/payrack/adapters/outbound/providers"
	"github.com/payrack/payrack/adapters/telemetry"
	"github.com/payrack/payrack/configs"
	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/ports/outbound"
)

// plugged are the providers as the core sees them.
type plugged struct {
	providers outbound.Providers
	runtime   outbound.Runtime
}

// shimArguments start this program as the process that gives up its rights and becomes a plugin.
func shimArguments() []string { return []string{"/proc/self/exe", "__shim"} }

// wireHost builds what runs plugins, from the process up to the ports of the core. It starts none.
func (p *Platform) wireHost(w Wiring) (plugged, error) {
	c := w.Config.Plugins
	var err error
	if p.exchanges, err = providers.OpenExchanges(providers.ExchangeOptions{
		Dir: filepath.Join(c.StoreDir, "exchanges"), Keep: c.Exchanges.Keep, MaxAge: c.Exchanges.MaxAge.Std(),
		MaxBytes: c.Exchanges.MaxBytes.Bytes(), Log: w.Log,
	}); err != nil {
		return plugged{}, fmt.Errorf("open the recorded exchanges: %w", err)
	}
	p.Host, err = host.New(host.Options{
		Exchanges: p.exchanges.Record(),
		RunDir:    runDir(c.RunDir), Log: w.Log, TracerProvider: p.Telemetry.TracerProvider(), Shim: shimArguments(), Sandbox: sandboxOf(c.Sandbox),
		Spans: func(_ host.Source, batch *coltracepb.ExportTraceServiceRequest) { p.Telemetry.SpanSink(batch) },
	})
	if err != nil {
		return plugged{}, fmt.Errorf("set up the plugin host: %w", err)
	}
	limits, err := pluginLimits(w.Config)
	if err != nil {
		return plugged{}, err
	}
	made, err := providers.New(providers.Options{
		Host: p.Host, Settings: w.Settings, Limits: limits, StoreDir: c.StoreDir, Log: w.Log, Facts: p.observe, NoBreaker: unbroken(c),
	})
	if err != nil {
		return plugged{}, fmt.Errorf("set up the providers: %w", err)
	}
	if err := p.Telemetry.WatchBreakers(func() []telemetry.Breaker { return breakersOf(made.Breakers()) }); err != nil {
		return plugged{}, fmt.Errorf("set up metrics: %w", err)
	}
	if p.rehearsals, err = app.NewRehearsals(p.Store.Releases(), made.Rehearsals(p.exchanges)); err != nil {
		return plugged{}, fmt.Errorf("set up rehearsals: %w", err)
	}
	if p.fleet, err = p.Telemetry.Fleet(made.Runtime()); err != nil {
		return plugged{}, fmt.Errorf("set up metrics: %w", err)
	}
	return plugged{p.Telemetry.Providers(made), routedRuntime{p.fleet, p.measure}}, nil
}

// sandboxOf is what the process of a plugin may use.
func sandboxOf(s configs.Sandbox) host.Sandbox {
	o := host.Sandbox{
		NoFiles: !s.Files, NoNetwork: !s.Network, Require: s.Require, OpenFiles: s.OpenFiles, Memory: s.Memory.Bytes(),
	}
	for _, port := range s.Ports {
		o.Ports = append(o.Ports, uint16(port)) //nolint:gosec // the configuration was checked
	}
	for _, one := range s.Allowed() {
		o.Interpreters = append(o.Interpreters, host.Interpreter{Path: one.Path, SHA256: one.SHA256})
	}
	return o
}

func breakersOf(all []providers.Breaker) []telemetry.Breaker {
	shown := make([]telemetry.Breaker, len(all))
	for i, b := range all {
		shown[i] = telemetry.Breaker{Provider: b.Provider, Type: b.Type, Environment: b.Environment, Shut: b.State != "closed"}
	}
	return shown
}

// gatesOf are the limits of a release on trial.
func gatesOf(g configs.Gates) release.Gates {
	return release.Gates{
		Off: !g.Enabled, FalseAlarm: g.FalseAlarm, Technical: g.Technical, Unknown: g.Unknown, Declined: g.Declined,
		TechnicalMax: g.TechnicalMax, UnknownMax: g.UnknownMax, MinCalls: int64(g.MinCalls), Slower: g.Slower.Std(),
		SlowerTimes: g.SlowerTimes, SlowerLeast: g.SlowerLeast.Std(), MemoryTimes: g.MemoryTimes, MemoryMore: g.MemoryMore.Bytes(),
		Checks: cmp.Or(g.Checks, -1),
	}
}

// unbroken are the providers whose new payments are never shed.
func unbroken(c configs.Plugins) map[string]bool {
	all := map[string]bool{}
	for name := range c.Limits {
		if !c.Breaker(name) {
			all[name] = true
		}
	}
	return all
}

// observe hands on what happened to a process. It is called from the start of the host, before there is a core.
func (p *Platform) observe(f release.Fact) {
	if p.fleet != nil {
		p.fleet.Fact(f)
	}
	if core := p.core.Load(); core != nil {
		core.Fleet().Observe(f)
	}
}

// openArtifacts brings binaries here and knows whose signatures are believed.
func openArtifacts(c configs.Config, log *slog.Logger) (*artifacts.Artifacts, error) {
	all, err := artifacts.New(artifacts.Options{
		Dir: filepath.Join(c.Plugins.StoreDir, "fetched"), SigningKeys: c.Plugins.SigningKeys, RequireSignature: c.SignaturesDemanded(),
		Registry: artifacts.Registry{
			Host: c.Plugins.Registry.Host, Username: c.Plugins.Registry.Username, PasswordFile: c.Plugins.Registry.PasswordFile,
			PlainHTTP: c.Plugins.Registry.PlainHTTP,
		},
		Reports: len(c.Plugins.ReportKeys) > 0, Log: log,
	})
	if err != nil {
		return nil, refusedf("%w", err)
	}
	return all, nil
}

// contradicted tells of a payment about which two releases said different things.
func (p *Platform) contradicted(id payment.ID, evidence string) {
	p.log.LogAttrs(context.Background(), slog.LevelError, "two releases contradict each other about a payment; look at it: payrack payment explain",
		slog.String("payment_id", string(id)), slog.String("evidence", evidence))
}

// routedRuntime tells when other releases serve.
type routedRuntime struct {
	outbound.Runtime

	moved func()
}

// Route lets traffic go as the channel says.
func (r routedRuntime) Route(ctx context.Context, c release.Channel, releases []release.Release) error {
	err := r.Runtime.Route(ctx, c, releases)
	if err == nil {
		r.moved()
	}
	return err
}
