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
	Source      string `bun:"source"`
	SignedBy    string `bun:"signed_by"`
	ReportedBy  string `bun:"reported_by"`
	InstalledAt int64  `bun:"installed_at"`
	InstalledBy string `bun:"installed_by"`
}

func (r releaseRow) release() release.Release {
	return release.Release{
		Name: r.Name, Version: r.Version, SHA256: r.SHA256, Path: r.Path, Size: r.Size,
		Status: release.Status(r.Status), Source: r.Source, SignedBy: r.SignedBy, ReportedBy: r.ReportedBy,
		InstalledAt: utc(r.InstalledAt), InstalledBy: r.InstalledBy,
	}
}

// Add keeps a new release.
func (s *releaseStore) Add(ctx context.Context, r release.Release) (err error) {
	end := s.store.span(ctx, "releases.add", "INSERT plugin_release")
	defer func() { end(SpanEnd{Err: err, Batch: 1}) }()
	return writeFault(s.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		row := releaseRow{
			Name: r.Name, Version: r.Version, SHA256: r.SHA256, Path: r.Path, Size: r.Size, Status: string(r.Status),
			Source: r.Source, SignedBy: r.SignedBy, ReportedBy: r.ReportedBy,
			InstalledAt: r.InstalledAt.UnixMicro(), InstalledBy: r.InstalledBy,
		}
		result, err := db.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx)
		if err != nil {
			return err //nolint:wrapcheck // made a fault by the caller
		}
		if n, err := result.RowsAffected(); err != nil || n == 1 {
			return err //nolint:wrapcheck // made a fault by the caller
		}
		stored, err := oneRelease(ctx, db.NewSelect(), r.Name, r.Version)
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
	return oneRelease(ctx, s.store.read.NewSelect(), name, version)
}

func oneRelease(ctx context.Context, q *bun.SelectQuery, name, version string) (release.Release, error) {
	var row releaseRow
	err := q.Model(&row).Where("name = ?", name).Where("version = ?", version).Scan(ctx)
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

// SetStatus changes the status of a release or removes it.
func (s *releaseStore) SetStatus(ctx context.Context, name, version string, status release.Status) (err error) {
	end := s.store.span(ctx, "releases.set_status", "UPDATE/DELETE plugin_release BY name, version")
	defer func() { end(SpanEnd{Err: err, Batch: 1}) }()
	return writeFault(s.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		stored, err := oneRelease(ctx, s.store.selectForUpdate(db), name, version)
		switch {
		case err != nil:
			return err
		case stored.Status == status:
			return nil
		case stored.Status == release.Revoked:
			return fault.New(fault.Conflict, "revoked", name+" "+version+" was revoked and stays so; its row keeps the digest known")
		}
		if status == "" {
			_, err = db.NewDelete().Model((*releaseRow)(nil)).Where("name = ?", name).Where("version = ?", version).Exec(ctx)
		} else {
			_, err = db.NewUpdate().Model((*releaseRow)(nil)).Set("status = ?", string(status)).
				Where("name = ?", name).Where("version = ?", version).Exec(ctx)
		}
		return err //nolint:wrapcheck // made a fault by the caller
	}))
}
