package sqlstore

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
)

// releaseStore is the store's outbound.Releases.
type releaseStore struct{ store *Store }

type releaseRow struct {
	bun.BaseModel `bun:"table:plugin_release"`

	Name        string `bun:"name,pk"`
	Version     string `bun:"version,pk"`
	SHA256      string `bun:"sha256"`
	Path        string `bun:"path"`
	Size        int64  `bun:"size"`
	Status      string `bun:"status"`
	InstalledAt int64  `bun:"installed_at"`
	InstalledBy string `bun:"installed_by"`
}

func (r releaseRow) release() release.Release {
	return release.Release{
		Name: r.Name, Version: r.Version, SHA256: r.SHA256, Path: r.Path, Size: r.Size,
		Status: release.Status(r.Status), InstalledAt: utc(r.InstalledAt), InstalledBy: r.InstalledBy,
	}
}

type channelRow struct {
	bun.BaseModel `bun:"table:plugin_channel"`

	Name       string `bun:"name,pk"`
	Stable     string `bun:"stable"`
	Previous   string `bun:"previous"`
	Enabled    bool   `bun:"enabled"`
	Generation int64  `bun:"generation"`
	UpdatedAt  int64  `bun:"updated_at"`
	UpdatedBy  string `bun:"updated_by"`
	Reason     string `bun:"reason"`
}

func (r channelRow) channel() release.Channel {
	return release.Channel{
		Name: r.Name, Stable: r.Stable, Previous: r.Previous, Enabled: r.Enabled, Generation: r.Generation,
		UpdatedAt: utc(r.UpdatedAt), UpdatedBy: r.UpdatedBy, Reason: r.Reason,
	}
}

// Add keeps a new release.
func (s *releaseStore) Add(ctx context.Context, r release.Release) (err error) {
	end := s.store.span(ctx, "releases.add", "INSERT plugin_release")
	defer func() { end(SpanEnd{Err: err, Batch: 1}) }()
	return writeFault(s.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		row := releaseRow{
			Name: r.Name, Version: r.Version, SHA256: r.SHA256, Path: r.Path, Size: r.Size, Status: string(r.Status),
			InstalledAt: r.InstalledAt.UnixMicro(), InstalledBy: r.InstalledBy,
		}
		result, err := db.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx)
		if err != nil {
			return err //nolint:wrapcheck // made a fault by the caller
		}
		if n, err := result.RowsAffected(); err != nil || n == 1 {
			return err //nolint:wrapcheck // made a fault by the caller
		}
		stored, err := oneRelease(ctx, db, r.Name, r.Version)
		if err != nil {
			return err
		}
		if stored.SHA256 != r.SHA256 {
			return fault.New(fault.Conflict, "version_taken", "this version is installed with another digest")
		}
		return nil
	}))
}

// Get returns one release.
func (s *releaseStore) Get(ctx context.Context, name, version string) (r release.Release, err error) {
	end := s.store.span(ctx, "releases.get", "SELECT plugin_release BY name, version")
	defer func() { end(SpanEnd{Err: err}) }()
	return oneRelease(ctx, s.store.read, name, version)
}

func oneRelease(ctx context.Context, db bun.IDB, name, version string) (release.Release, error) {
	var row releaseRow
	err := db.NewSelect().Model(&row).Where("name = ?", name).Where("version = ?", version).Scan(ctx)
	if isNoRows(err) {
		return release.Release{}, notFound("release_not_found", "there is no such release")
	}
	if err != nil {
		return release.Release{}, readFault(err)
	}
	return row.release(), nil
}

// List returns releases, oldest first.
func (s *releaseStore) List(ctx context.Context, name string) (all []release.Release, err error) {
	end := s.store.span(ctx, "releases.list", "SELECT plugin_release BY name")
	defer func() { end(SpanEnd{Err: err}) }()
	q := s.store.read.NewSelect().OrderExpr("installed_at, name, version")
	if name != "" {
		q = q.Where("name = ?", name)
	}
	all, err = rowsOf(ctx, q, releaseRow.release)
	return all, readFault(err)
}

// Channels returns all channels, by name.
func (s *releaseStore) Channels(ctx context.Context) (all []release.Channel, err error) {
	end := s.store.span(ctx, "releases.channels", "SELECT plugin_channel")
	defer func() { end(SpanEnd{Err: err}) }()
	all, err = rowsOf(ctx, s.store.read.NewSelect().OrderExpr("name"), channelRow.channel)
	return all, readFault(err)
}

// SaveChannel stores a channel over the generation before.
func (s *releaseStore) SaveChannel(ctx context.Context, c release.Channel) (err error) {
	end := s.store.span(ctx, "releases.save_channel", "INSERT/UPDATE plugin_channel")
	defer func() { end(SpanEnd{Err: err, Batch: 1}) }()
	return writeFault(s.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		if c.Generation < 1 {
			return generationMoved()
		}
		row := channelRow{
			Name: c.Name, Stable: c.Stable, Previous: c.Previous, Enabled: c.Enabled, Generation: c.Generation,
			UpdatedAt: c.UpdatedAt.UnixMicro(), UpdatedBy: c.UpdatedBy, Reason: c.Reason,
		}
		if c.Generation == 1 {
			result, err := db.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx)
			return oneSaved(result, err)
		}
		result, err := db.NewUpdate().Model(&row).WherePK().Where("generation = ?", c.Generation-1).Exec(ctx)
		return oneSaved(result, err)
	}))
}

// oneSaved turns a write that changed no row into a conflict.
func oneSaved(result interface{ RowsAffected() (int64, error) }, err error) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return err //nolint:wrapcheck // made a fault by the caller
	}
	if n != 1 {
		return generationMoved()
	}
	return nil
}

func generationMoved() error {
	return fault.New(fault.Conflict, "generation_moved", "the channel was changed meanwhile; read it again")
}
