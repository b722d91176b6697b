package providers

import (
	"maps"
	"slices"

	"github.com/payrack/payrack/core/release"
)

// maxCompiled bounds the descriptions that are kept for a release that may come back.
const maxCompiled = 64

// claim keeps two plugins that are prepared at once from bringing the same type.
func (p *Providers) claim(name, digest string, candidate *description) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := conflict(name, candidate, p.known.Load().plugins); err != nil {
		return err
	}
	for other, claims := range p.claims {
		if other == name {
			continue
		}
		for _, d := range claims {
			if err := conflict(name, candidate, map[string]*description{other: d}); err != nil {
				return err
			}
		}
	}
	if p.claims[name] == nil {
		p.claims[name] = map[string]*description{}
	}
	p.claims[name][digest] = candidate
	return nil
}

// claimed returns the description of a release that was prepared, or nil.
func (p *Providers) claimed(name, digest string) *description {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.claims[name][digest]
}

// unclaim gives free what no kept release brings.
func (p *Providers) unclaim(name string, kept ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.claims[name], func(digest string, _ *description) bool { return !slices.Contains(kept, digest) })
}

// settle ends the claim of a release that was refused. What the first release of a provider described stays known, so
// that its types are told as unavailable and not as unknown.
func (p *Providers) settle(l *lane, digest string, candidate *description) {
	if !l.routing.Load().has(digest) && !l.slot.Ready(digest) {
		p.mu.Lock()
		delete(p.claims[l.name], digest)
		p.mu.Unlock()
	}
	p.introduce(l, candidate)
}

// introduce makes types known of a provider of which nothing is known yet.
func (p *Providers) introduce(l *lane, d *description) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.known.Load().plugins[l.name]; !known {
		p.makeKnown(l.name, d)
	}
}

// publish makes known what the stable release of a provider says.
func (p *Providers) publish(l *lane, d *description) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known.Load().plugins[l.name] != d {
		p.makeKnown(l.name, d)
	}
}

// makeKnown replaces what is known. The caller holds mu.
func (p *Providers) makeKnown(name string, d *description) {
	plugins := maps.Clone(p.known.Load().plugins)
	if plugins == nil {
		plugins = map[string]*description{}
	}
	plugins[name] = d
	p.known.Store(p.newKnown(plugins))
}

// compiledOf returns the description of a release that was looked at before, or nil.
func (p *Providers) compiledOf(r release.Release) *description {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.compiled[r.SHA256]
	if d == nil || d.name != r.Name || d.version != r.Version {
		return nil
	}
	return d
}

func (p *Providers) keepCompiled(digest string, d *description) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.compiled) >= maxCompiled {
		clear(p.compiled)
	}
	p.compiled[digest] = d
}
