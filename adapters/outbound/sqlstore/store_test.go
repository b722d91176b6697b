package sqlstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/ports/outbound"
	"github.com/payrack/payrack/ports/outbound/outboundtest"
)

// opened opens a store with its schema and closes it with the test.
func opened(t testing.TB, o sqlstore.Options) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
	return s
}

// onSQLite is a store in a file of its own.
func onSQLite(t testing.TB) *sqlstore.Store {
	t.Helper()
	return opened(t, sqlstore.Options{URL: filepath.Join(t.TempDir(), "payrack.db")})
}

// postgresServer is the URL of a server on which databases may be made. Without one the test is skipped, or
// fails where a server must be there.
func postgresServer(t testing.TB) string {
	t.Helper()
	server := os.Getenv("PAYRACK_TEST_POSTGRES")
	if server == "" && os.Getenv("PAYRACK_REQUIRE_POSTGRES") != "" {
		t.Fatal("PAYRACK_TEST_POSTGRES must be the URL of a PostgreSQL server on which databases may be made")
	}
	if server == "" {
		t.Skip("PAYRACK_TEST_POSTGRES is not set: make test-postgres runs this test")
	}
	return server
}

// template makes one migrated database per server, from which the tests' own are copied.
type template struct {
	once sync.Once
	name string
	err  error
}

var migrated template

// postgresDatabase makes a database of the test's own and returns its URL.
func postgresDatabase(t testing.TB) string {
	t.Helper()
	server := postgresServer(t)
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	migrated.once.Do(func() {
		migrated.name = "payrack_template_" + token()
		migrated.err = makeTemplate(t.Context(), admin, server, migrated.name)
	})
	if migrated.err != nil {
		t.Fatalf("template database: %v", migrated.err)
	}
	name := "payrack_test_" + token()
	if _, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+migrated.name); err != nil {
		t.Fatalf("create database: %v", err)
	}
	t.Cleanup(func() { dropDatabase(t, server, name) })
	return databaseURL(server, name)
}

// emptyPostgres makes a database without a schema and returns its URL.
func emptyPostgres(t testing.TB) string {
	t.Helper()
	server := postgresServer(t)
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	name := "payrack_test_" + token()
	if _, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dropDatabase(t, server, name) })
	return databaseURL(server, name)
}

func makeTemplate(ctx context.Context, admin *sql.DB, server, name string) error {
	if _, err := admin.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return err
	}
	s, err := sqlstore.Open(ctx, sqlstore.Options{URL: databaseURL(server, name)})
	if err != nil {
		return err
	}
	if err := s.Migrate(ctx); err != nil {
		return err
	}
	return s.Close()
}

func dropDatabase(t testing.TB, server, name string) {
	t.Helper()
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	if _, err := admin.ExecContext(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
		t.Errorf("drop database: %v", err)
	}
}

// TestMain removes the template that the tests of this run have shared.
func TestMain(m *testing.M) {
	code := m.Run()
	if migrated.name != "" {
		if admin, err := sql.Open("pgx", os.Getenv("PAYRACK_TEST_POSTGRES")); err == nil {
			_, _ = admin.ExecContext(context.Background(), "DROP DATABASE IF EXISTS "+migrated.name+" WITH (FORCE)")
			_ = admin.Close()
		}
	}
	os.Exit(code)
}

func databaseURL(server, name string) string {
	u, err := url.Parse(server)
	if err != nil {
		panic(err)
	}
	u.Path = "/" + name
	return u.String()
}

func token() string {
	b := make([]byte, 6)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// onPostgres is a store in a database of its own.
func onPostgres(t testing.TB) *sqlstore.Store {
	t.Helper()
	return opened(t, sqlstore.Options{URL: postgresDatabase(t), Boot: "test"})
}

func ports(s *sqlstore.Store) outboundtest.Stores {
	return outboundtest.Stores{Ledger: s.Ledger(), Journal: s.Journal(), Mandates: s.Mandates()}
}

func sqliteStores(t *testing.T) outboundtest.Stores {
	t.Helper()
	return ports(onSQLite(t))
}

// postgresStores is a store in a database of its own, in which the signs of life can be made older.
func postgresStores(t *testing.T) outboundtest.Stores {
	t.Helper()
	dsn := postgresDatabase(t)
	all, db := ports(opened(t, sqlstore.Options{URL: dsn, Boot: "test"})), rawPostgres(t, dsn)
	all.Age = func(t *testing.T, boot string, by time.Duration) {
		t.Helper()
		result, err := db.ExecContext(t.Context(), "UPDATE replica SET seen_at = seen_at - $1 WHERE boot = $2", by.Microseconds(), boot)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := result.RowsAffected(); err != nil || n != 1 {
			t.Fatalf("%s is in the list %d times, %v", boot, n, err)
		}
	}
	return all
}

func TestSQLiteLedger(t *testing.T) {
	t.Parallel()
	outboundtest.Ledger(t, sqliteStores)
}

func TestSQLiteJournal(t *testing.T) {
	t.Parallel()
	outboundtest.Journal(t, sqliteStores)
}

func TestSQLiteMandates(t *testing.T) {
	t.Parallel()
	outboundtest.Mandates(t, sqliteStores)
}

func TestSQLiteDirectory(t *testing.T) {
	t.Parallel()
	outboundtest.Directory(t, func(t *testing.T) outbound.Directory { t.Helper(); return onSQLite(t).Directory() })
}

func TestPostgresLedger(t *testing.T) {
	t.Parallel()
	postgresServer(t)
	outboundtest.SharedLedger(t, postgresStores)
}

func TestPostgresJournal(t *testing.T) {
	t.Parallel()
	postgresServer(t)
	outboundtest.Journal(t, postgresStores)
}

func TestPostgresMandates(t *testing.T) {
	t.Parallel()
	postgresServer(t)
	outboundtest.Mandates(t, postgresStores)
}

func TestPostgresDirectory(t *testing.T) {
	t.Parallel()
	postgresServer(t)
	outboundtest.Directory(t, func(t *testing.T) outbound.Directory { t.Helper(); return onPostgres(t).Directory() })
}
