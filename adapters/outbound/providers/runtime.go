package providers

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/host"
)

// Describe reads what a binary says about itself.
func (p *Providers) Describe(ctx context.Context, path string) (release.Release, error) {
	info, digest, err := p.host.Describe(ctx, path)
	if err != nil {
		return release.Release{}, refusal(err)
	}
	p.described.Store(&inspected{digest, info})
	stat, err := os.Stat(path)
	if err != nil {
		return release.Release{}, fault.Wrap(fault.Invalid, "digest_mismatch", "the binary cannot be read any more", err)
	}
	return release.Release{
		Name: info.Name, Version: info.Version, SHA256: digest, Path: path, Size: stat.Size(), Status: release.Installed,
	}, nil
}

// Activate starts the release beside the serving one and moves the traffic.
func (p *Providers) Activate(ctx context.Context, r release.Release) error {
	turn := p.turn(r.Name)
	turn.Lock()
	defer turn.Unlock()

	candidate, err := p.inspect(ctx, r)
	if err != nil {
		p.knowUnserved(ctx, r)
		return err
	}
	if err := p.reserve(r.Name, candidate); err != nil {
		return err
	}
	// Before the traffic moves: the first call of the new process needs it.
	p.byDigest.Store(r.SHA256, candidate)
	settings := p.settings[r.Name]
	if len(settings) == 0 {
		settings = json.RawMessage("{}")
	}
	_, err = p.host.Slot(r.Name).Activate(ctx, host.Release{Name: r.Name, Version: r.Version, Path: r.Path, SHA256: r.SHA256}, settings)
	p.settle(r.Name, candidate, err == nil)
	if err != nil {
		return refusal(err)
	}
	return nil
}

func (p *Providers) turn(name string) *sync.Mutex {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.turns[name] == nil {
		p.turns[name] = &sync.Mutex{}
	}
	return p.turns[name]
}

// inspect reads the binary and compiles what it describes.
func (p *Providers) inspect(ctx context.Context, r release.Release) (*description, error) {
	info, digest, err := p.host.Describe(ctx, r.Path)
	if err != nil {
		return nil, refusal(err)
	}
	if digest != r.SHA256 {
		return nil, fault.New(fault.Invalid, "digest_mismatch",
			"the stored binary is not the one that was installed as "+r.Name+" "+r.Version+": install it again")
	}
	if info.Name != r.Name || info.Version != r.Version {
		return nil, fault.New(fault.Invalid, "info_mismatch",
			"the binary says that it is "+info.Name+" "+info.Version+", not "+r.Name+" "+r.Version)
	}
	candidate, err := describe(info, p.limits[info.Name])
	if err != nil {
		return nil, fault.New(fault.Invalid, "info_mismatch", "the release describes itself in a way that cannot be used: "+err.Error())
	}
	if filepath.Dir(r.Path) == filepath.Dir(p.descriptionPath(digest)) {
		if err := p.remember(digest, info); err != nil {
			p.log.LogAttrs(ctx, slog.LevelWarn, "the description of a release was not kept; if its binary is lost its payment types will be unknown",
				slog.String("provider", r.Name), slog.String("version", r.Version), slog.String("error", err.Error()))
		}
	}
	return candidate, nil
}

// reserve keeps two plugins that are activated at once from bringing the same type.
func (p *Providers) reserve(name string, candidate *description) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := conflict(name, candidate, p.known.Load().plugins); err != nil {
		return err
	}
	if err := conflict(name, candidate, p.reserved); err != nil {
		return err
	}
	p.reserved[name] = candidate
	return nil
}

// settle ends the reservation. What a refused first release described stays known, so that its types are
// told as unavailable and not as unknown.
func (p *Providers) settle(name string, candidate *description, activated bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.reserved, name)
	plugins := maps.Clone(p.known.Load().plugins)
	if _, serving := plugins[name]; activated || !serving {
		plugins[name] = candidate
		p.known.Store(newKnown(plugins))
	}
}

// Instances returns the running processes of a provider.
func (p *Providers) Instances(name string) []release.Instance {
	var out []release.Instance
	for _, slot := range p.host.Status() {
		if slot.Name != name {
			continue
		}
		for _, i := range slot.Instances {
			out = append(out, release.Instance{
				ID: i.ID, Version: i.Version, SHA256: i.SHA256, PID: i.PID, State: string(i.State), Inflight: i.Inflight, StartedAt: i.StartedAt,
			})
		}
	}
	return out
}

// refusal carries the host's code and words to the operator.
func refusal(err error) error {
	if r, ok := errors.AsType[*host.Refused](err); ok {
		return fault.Wrap(fault.Invalid, string(r.Code), r.Message, errors.Unwrap(r))
	}
	return fault.Wrap(fault.Internal, "plugin_host", "the plugin host failed", err)
}
