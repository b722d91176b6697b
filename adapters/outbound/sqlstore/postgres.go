package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/payrack/payrack/core/fault"
)

// defaultConns is the size of the pool unless the URL says pool_max_conns: the writers, and readers beside
// them.
const defaultConns = 24

// connectTimeout bounds the wait for a server that does not answer, unless the URL says connect_timeout.
const connectTimeout = 5 * time.Second

// pingTimeout bounds the look whether an idle connection still leads anywhere, unless the URL says pool_ping_timeout. Without
// it one to a machine that is gone is waited for until the kernel gives up, a quarter of an hour later.
const pingTimeout = 2 * time.Second

// postgresBackend is one PostgreSQL database.
type postgresBackend struct {
	pool *pgxpool.Pool
	db   *sql.DB
}

func openPostgres(ctx context.Context, o Options) (*Store, error) {
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		// The cause is left out: it may repeat the password.
		return nil, fault.New(fault.Invalid, "database_url", "the database URL is not a PostgreSQL URL")
	}
	if !strings.Contains(o.URL, "pool_max_conns=") {
		config.MaxConns = defaultConns
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	if config.PingTimeout == 0 {
		config.PingTimeout = pingTimeout
	}
	// Statements that bun builds hold their values and are never the same again: they are not worth a prepared
	// statement each. The writer prepares its own.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.ConnConfig.OnNotice = keepWarning
	// They quote them by the standard. Where a database is set otherwise, a backslash in a value would begin an escape.
	config.ConnConfig.RuntimeParams["standard_conforming_strings"] = "on"
	if _, set := config.ConnConfig.RuntimeParams["application_name"]; !set {
		config.ConnConfig.RuntimeParams["application_name"] = applicationName(o.Boot)
	}
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), config)
	if err != nil {
		return nil, unavailable(err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, unavailable(err)
	}
	db := stdlib.OpenDBFromPool(pool)
	read := bun.NewDB(db, pgdialect.New())
	return &Store{
		dialect: postgres,
		read:    read,
		reads:   newReads(postgres),
		writer:  newPostgresWriter(context.WithoutCancel(ctx), pool, read, o.Log),
		trace:   o.Trace,
		log:     o.Log,
		backend: &postgresBackend{pool: pool, db: db},
		hints:   newHints(),
	}, nil
}

// applicationName fits PostgreSQL's 63 bytes.
func applicationName(boot string) string {
	name := strings.TrimSuffix("payrack/"+boot, "/")
	return name[:min(len(name), 63)]
}

func (b *postgresBackend) migrate(ctx context.Context, log *slog.Logger) error {
	return migrateUp(ctx, postgres, b.db, log)
}

func (b *postgresBackend) migrations(ctx context.Context) ([]Migration, error) {
	return migrationStatus(ctx, postgres, b.db)
}

func (b *postgresBackend) durability(ctx context.Context) (Durability, error) {
	d := Durability{System: string(postgres), Settings: map[string]string{}}
	for _, name := range []string{
		"fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names", "server_version",
	} {
		var value string
		if err := b.db.QueryRowContext(ctx, "SELECT current_setting('"+name+"')").Scan(&value); err != nil {
			return Durability{}, fmt.Errorf("read %s: %w", name, err)
		}
		d.Settings[name] = value
	}
	if d.Settings["fsync"] != "on" {
		d.Problems = append(d.Problems, "fsync is off: a power cut may take confirmed payments away or break the database")
	}
	if d.Settings["full_page_writes"] != "on" {
		d.Problems = append(d.Problems, "full_page_writes is off: a power cut in a page write may break the database")
	}
	switch d.Settings["synchronous_commit"] {
	case "on", "remote_apply":
	case "off":
		d.Problems = append(d.Problems, "synchronous_commit is off: a crash takes the last confirmed payments away")
	default:
		if d.Settings["synchronous_standby_names"] != "" {
			d.Problems = append(d.Problems, "synchronous_commit is "+d.Settings["synchronous_commit"]+
				": a fail-over may take the last confirmed payments away")
		}
	}
	return d, nil
}

func (b *postgresBackend) ping(ctx context.Context) error {
	return b.pool.Ping(ctx) //nolint:wrapcheck // Store.Ping makes the fault
}

func (b *postgresBackend) close() error {
	err := b.db.Close()
	b.pool.Close()
	return internal(errors.Join(err))
}
