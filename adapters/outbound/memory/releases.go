package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/outbound"
)

// releaseStore is the store's outbound.Releases.
type releaseStore struct{ s *Store }

// Add keeps a new release.
func (r *releaseStore) Add(ctx context.Context, added release.Release) error {
	if err := r.s.enter(ctx); err != nil {
		return err
	}
	defer r.s.mu.Unlock()
	if i := r.s.release(added.Name, added.Version); i >= 0 {
		if r.s.releases[i].SHA256 != added.SHA256 {
			return conflict("version_taken", "this version is installed with another digest")
		}
		return nil
	}
	added.InstalledAt = stored(added.InstalledAt)
	r.s.releases = append(r.s.releases, added)
	return nil
}

func (s *Store) release(name, version string) int {
	return slices.IndexFunc(s.releases, func(x release.Release) bool { return x.Name == name && x.Version == version })
}

// Get returns one release.
func (r *releaseStore) Get(ctx context.Context, name, version string) (release.Release, error) {
	if err := r.s.enter(ctx); err != nil {
		return release.Release{}, err
	}
	defer r.s.mu.Unlock()
	i := r.s.release(name, version)
	if i < 0 {
		return release.Release{}, notFound("release_not_found", "there is no such release")
	}
	return r.s.releases[i], nil
}

// List returns releases, oldest first.
func (r *releaseStore) List(ctx context.Context, name string) ([]release.Release, error) {
	if err := r.s.enter(ctx); err != nil {
		return nil, err
	}
	defer r.s.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(r.s.releases), func(x release.Release) bool { return name != "" && x.Name != name })
	slices.SortFunc(all, func(a, b release.Release) int {
		return cmp.Or(a.InstalledAt.Compare(b.InstalledAt), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	return all, nil
}

// Channels returns all channels, by name.
func (r *releaseStore) Channels(ctx context.Context) ([]release.Channel, error) {
	if err := r.s.enter(ctx); err != nil {
		return nil, err
	}
	defer r.s.mu.Unlock()
	all := make([]release.Channel, 0, len(r.s.channels))
	for _, c := range r.s.channels {
		all = append(all, keptChannel(c))
	}
	slices.SortFunc(all, func(a, b release.Channel) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// SaveChannel stores a channel over the generation before, with its journal entry.
func (r *releaseStore) SaveChannel(ctx context.Context, c release.Channel, e journal.Entry) error {
	if err := outbound.CheckChannel(c, e); err != nil {
		return err //nolint:wrapcheck // a fault already
	}
	if err := r.s.enter(ctx); err != nil {
		return err
	}
	defer r.s.mu.Unlock()
	before := r.s.channels[c.Name]
	if c.Generation < 1 || before.Generation != c.Generation-1 {
		return conflict("generation_moved", "the channel was changed meanwhile; read it again")
	}
	if before.Events != c.Events-1 || before.Chain != e.Prev {
		return fault.New(fault.Internal, "change_malformed", "the entry of a channel does not follow the one before it; nothing was stored")
	}
	r.s.channels[c.Name] = keptChannel(c)
	r.s.write(e)
	r.s.tell()
	return nil
}

// SetStatus changes the status of a release, or forgets it.
func (r *releaseStore) SetStatus(ctx context.Context, name, version string, status release.Status) error {
	if err := r.s.enter(ctx); err != nil {
		return err
	}
	defer r.s.mu.Unlock()
	i := r.s.release(name, version)
	switch {
	case i < 0:
		return notFound("release_not_found", "there is no such release")
	case r.s.releases[i].Status == release.Revoked && status != release.Revoked:
		return conflict("revoked", "a revoked release stays revoked, so that its digest is never started again")
	case status == "":
		r.s.releases = slices.Delete(r.s.releases, i, i+1)
	default:
		r.s.releases[i].Status = status
	}
	return nil
}

// keptChannel shares no memory with c.
func keptChannel(c release.Channel) release.Channel {
	c.UpdatedAt, c.Until, c.BakesUntil = stored(c.UpdatedAt), stored(c.Until), stored(c.BakesUntil)
	c.Stores = append([]string(nil), c.Stores...)
	return c
}
