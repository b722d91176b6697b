package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/payrack/payrack/core/release"
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
	all := slices.Collect(maps.Values(r.s.channels))
	slices.SortFunc(all, func(a, b release.Channel) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// SaveChannel stores a channel over the generation before.
func (r *releaseStore) SaveChannel(ctx context.Context, c release.Channel) error {
	if err := r.s.enter(ctx); err != nil {
		return err
	}
	defer r.s.mu.Unlock()
	if c.Generation < 1 || r.s.channels[c.Name].Generation != c.Generation-1 {
		return conflict("generation_moved", "the channel was changed meanwhile; read it again")
	}
	c.UpdatedAt = stored(c.UpdatedAt)
	r.s.channels[c.Name] = c
	return nil
}
