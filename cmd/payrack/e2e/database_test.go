package e2e_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

// All tests of this package run on SQLite, and once more on PostgreSQL where PAYRACK_TEST_POSTGRES names a server
// on which databases may be made (make test-postgres).

// databaseOf gives the arguments that put a platform on a PostgreSQL database of its folder: the same folder again
// means the same database again. Without a server there are none, and SQLite lies in the folder.
func databaseOf(t *testing.T, dir string) []string {
	t.Helper()
	server := os.Getenv("PAYRACK_TEST_POSTGRES")
	if server == "" {
		if os.Getenv("PAYRACK_REQUIRE_POSTGRES") != "" {
			t.Fatal("PAYRACK_TEST_POSTGRES must be the URL of a PostgreSQL server on which databases may be made")
		}
		return nil
	}
	file := filepath.Join(dir, "postgres-database")
	if name, err := os.ReadFile(file); err == nil {
		return []string{"--database-url", withDatabase(t, server, string(name))}
	}
	name := "payrack_e2e_" + strings.ToLower(rand.Text())
	admin(t, server, "CREATE DATABASE "+name)
	t.Cleanup(func() { admin(t, server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--database-url", withDatabase(t, server, name)}
}

func withDatabase(t *testing.T, server, name string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func admin(t *testing.T, server, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(context.Background(), statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}

// database opens what a platform writes to, to look at it from outside.
func (p *platform) database() *sql.DB {
	p.t.Helper()
	driver, source := "pgx", p.DatabaseURL
	if !strings.HasPrefix(source, "postgres") {
		driver, source = "sqlite", "file:"+p.databaseFile()+"?mode=ro&_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = db.Close() })
	return db
}

// databaseFile is the SQLite file of a platform.
func (p *platform) databaseFile() string {
	p.t.Helper()
	path := strings.TrimPrefix(strings.TrimPrefix(p.DatabaseURL, "sqlite://"), "file:")
	path, _, _ = strings.Cut(path, "?")
	if _, err := os.Stat(path); err != nil {
		p.t.Fatalf("database_url %s: %v", p.DatabaseURL, err)
	}
	return path
}

// dump is every row of a PostgreSQL database as text, with byte strings both as hexadecimal and as what they spell.
func dump(t *testing.T, db *sql.DB) string {
	t.Helper()
	var all strings.Builder
	for _, table := range texts(t, db, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'") {
		for _, row := range texts(t, db, `SELECT t::text FROM "`+table+`" AS t`) {
			all.WriteString(row + "\n")
			for _, part := range strings.Split(row, `\x`)[1:] {
				digits := part[:len(part)-len(strings.TrimLeft(part, "0123456789abcdef"))]
				if plain, err := hex.DecodeString(digits); err == nil {
					all.Write(plain)
				}
			}
		}
	}
	return all.String()
}

func texts(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
