package providers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/ports/outbound"
)

// Describe reads what a binary says about itself.
func (p *Providers) Describe(ctx context.Context, path, sha256 string) (release.Release, error) {
	info, digest, err := p.host.DescribeOnly(ctx, path, sha256)
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

// Runtime is the adapter as outbound.Runtime: both ports have a method Types.
func (p *Providers) Runtime() outbound.Runtime { return runtime{p} }

type runtime struct{ *Providers }

// Types is what a kept release offers.
func (p runtime) Types(ctx context.Context, r release.Release) ([]catalogue.Type, error) {
	r.Path = p.pathOf(r)
	d, err := p.inspect(ctx, r)
	if err != nil {
		return nil, err
	}
	out := make([]catalogue.Type, 0, len(d.types))
	for _, t := range d.types {
		out = append(out, t.Type)
	}
	slices.SortFunc(out, func(a, b catalogue.Type) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// Prepare starts the release beside the others, up to ready.
func (p *Providers) Prepare(ctx context.Context, r release.Release) error {
	l := p.lane(r.Name)
	l.touch(r.SHA256)
	defer l.touch(r.SHA256)
	r.Path = p.pathOf(r)
	p.knowUnserved(ctx, r)
	candidate, err := p.inspect(ctx, r)
	if err != nil {
		return err
	}
	if err := p.claim(r.Name, r.SHA256, candidate); err != nil {
		return err
	}
	settings := p.settings[r.Name]
	if len(settings) == 0 {
		settings = json.RawMessage("{}")
	}
	_, err = l.slot.Prepare(ctx, host.Release{Name: r.Name, Version: r.Version, Path: r.Path, SHA256: r.SHA256}, settings)
	if err == nil {
		return nil
	}
	p.settle(l, r.SHA256, candidate)
	return refusal(err)
}

// pathOf is where the binary of a release lies on this machine: the row may have been written by another one.
func (p *Providers) pathOf(r release.Release) string {
	if _, err := os.Stat(r.Path); err == nil || !digestForm.MatchString(r.SHA256) {
		return r.Path
	}
	kept := filepath.Join(p.storeDir, "sha256", r.SHA256)
	if _, err := os.Stat(kept); err != nil {
		return r.Path
	}
	return kept
}

// inspect reads the binary and compiles what it describes. It is done once for each digest: the host starts no other
// bytes under it, and asks the process for its name and version again.
func (p *Providers) inspect(ctx context.Context, r release.Release) (*description, error) {
	if d := p.compiledOf(r); d != nil {
		return d, nil
	}
	said := p.described.Load()
	if said == nil || said.digest != r.SHA256 {
		info, digest, err := p.host.DescribeOnly(ctx, r.Path, r.SHA256)
		if err != nil {
			return nil, refusal(err)
		}
		said = &inspected{digest, info}
	}
	if said.digest != r.SHA256 {
		return nil, fault.New(fault.Invalid, "digest_mismatch",
			"the stored binary is not the one that was installed as "+r.Name+" "+r.Version+": install it again")
	}
	info := said.info
	if info.Name != r.Name || info.Version != r.Version {
		return nil, fault.New(fault.Invalid, "info_mismatch",
			"the binary says that it is "+info.Name+" "+info.Version+", not "+r.Name+" "+r.Version)
	}
	candidate, err := describe(info, p.limits[info.Name])
	if err != nil {
		return nil, fault.New(fault.Invalid, "info_mismatch", "the release describes itself in a way that cannot be used: "+err.Error())
	}
	if filepath.Dir(r.Path) == filepath.Dir(p.descriptionPath(said.digest)) {
		if err := p.remember(said.digest, info); err != nil {
			p.log.LogAttrs(ctx, slog.LevelWarn, "the description of a release was not kept; if its binary is lost its payment types will be unknown",
				slog.String("provider", r.Name), slog.String("version", r.Version), slog.String("error", err.Error()))
		}
	}
	p.keepCompiled(r.SHA256, candidate)
	return candidate, nil
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
				ID: i.ID, Version: i.Version, SHA256: i.SHA256, PID: i.PID, State: string(i.State), Inflight: i.Inflight,
				StartedAt: i.StartedAt, Protections: i.Protections,
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
