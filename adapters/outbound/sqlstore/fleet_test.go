package sqlstore_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/ports/outbound/outboundtest"
)

func fleetStores(s *sqlstore.Store, db raw) outboundtest.FleetStores {
	return outboundtest.FleetStores{
		Releases: s.Releases(), Replicas: s.Replicas(), Journal: s.Journal(),
		Age: func(t *testing.T, replica string, by time.Duration) {
			t.Helper()
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			err = db.exec(t.Context(), tx, "UPDATE plugin_replica SET seen_at = seen_at - ? WHERE replica = ?", by.Microseconds(), replica)
			if err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func sqliteFleet(t *testing.T) outboundtest.FleetStores {
	t.Helper()
	path := filepath.Join(t.TempDir(), "payrack.db")
	return fleetStores(opened(t, sqlstore.Options{URL: path}), rawSQLite(t, path))
}

// postgresFleet is a store that two processes share.
func postgresFleet(t *testing.T) outboundtest.FleetStores {
	t.Helper()
	dsn := postgresDatabase(t)
	all := fleetStores(opened(t, sqlstore.Options{URL: dsn, Boot: "boot-1"}), rawPostgres(t, dsn))
	all.Peer = opened(t, sqlstore.Options{URL: dsn, Boot: "boot-2"}).Replicas()
	return all
}

func TestSQLiteReleases(t *testing.T) {
	t.Parallel()
	outboundtest.Releases(t, sqliteFleet)
}

func TestSQLiteReplicas(t *testing.T) {
	t.Parallel()
	outboundtest.Replicas(t, sqliteFleet)
}

func TestPostgresReleases(t *testing.T) {
	t.Parallel()
	postgresServer(t)
	outboundtest.Releases(t, postgresFleet)
}

func TestPostgresReplicas(t *testing.T) {
	t.Parallel()
	postgresServer(t)
	outboundtest.SharedReplicas(t, postgresFleet)
}
