package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/payrack/payrack/core/fault"
)

//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrationFiles embed.FS

// Migration is one step of the schema.
type Migration struct {
	Version int64
	Name    string
	Applied bool
	// AppliedAt is zero if it is not applied.
	AppliedAt time.Time
}

// Migrate brings the schema up to this program's. It only goes forward, and several processes may call it at
// once. It fails with fault.Unavailable, code migration_failed.
func (s *Store) Migrate(ctx context.Context) (err error) {
	end := s.span(ctx, "store.migrate", "goose up")
	defer func() { end(SpanEnd{Err: err}) }()
	return migrationFault(s.backend.migrate(ctx, s.log))
}

// MigrationStatus lists all steps that this program knows, in order.
func (s *Store) MigrationStatus(ctx context.Context) (all []Migration, err error) {
	end := s.span(ctx, "store.migration_status", "SELECT goose_db_version")
	defer func() { end(SpanEnd{Err: err}) }()
	all, err = s.backend.migrations(ctx)
	return all, migrationFault(err)
}

func migrationFault(err error) error {
	if err == nil || isFault(err) {
		return err
	}
	return fault.Wrap(fault.Unavailable, "migration_failed",
		"the database schema could not be read or brought up to date; the cause names the step", err)
}

// migrator returns goose over the embedded steps of a dialect. goose never closes db here.
func migrator(d dialect, db *sql.DB) (*goose.Provider, error) {
	folder, name := "migrations/sqlite", goose.DialectSQLite3
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if d == postgres {
		folder, name = "migrations/postgres", goose.DialectPostgres
		// Asked again each second for five minutes: another replica may be migrating right now.
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
		if err != nil {
			return nil, internal(err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	steps, err := fs.Sub(migrationFiles, folder)
	if err != nil {
		return nil, internal(err)
	}
	p, err := goose.NewProvider(name, db, steps, options...)
	return p, internal(err)
}

func migrateUp(ctx context.Context, d dialect, db *sql.DB, log *slog.Logger) error {
	p, err := migrator(d, db)
	if err != nil {
		return err
	}
	done, err := p.Up(ctx)
	if err != nil {
		return migrationFault(err)
	}
	for _, step := range done {
		log.LogAttrs(ctx, slog.LevelInfo, "schema migrated",
			slog.Int64("version", step.Source.Version), slog.Int64("took_ms", step.Duration.Milliseconds()))
	}
	return nil
}

func migrationStatus(ctx context.Context, d dialect, db *sql.DB) ([]Migration, error) {
	p, err := migrator(d, db)
	if err != nil {
		return nil, err
	}
	steps, err := p.Status(ctx)
	if err != nil {
		return nil, migrationFault(err)
	}
	all := make([]Migration, 0, len(steps))
	for _, step := range steps {
		m := Migration{Version: step.Source.Version, Name: step.Source.Path, Applied: step.State == goose.StateApplied}
		if m.Applied {
			m.AppliedAt = step.AppliedAt.UTC()
		}
		all = append(all, m)
	}
	return all, nil
}
