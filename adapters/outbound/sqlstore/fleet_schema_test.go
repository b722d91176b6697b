package sqlstore_test

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/release"
)

// following is the next generation of a channel with its entry.
func following(c release.Channel) (release.Channel, journal.Entry) {
	before := c.Chain
	c.Name, c.Phase = "till", release.Idle
	c.Generation++
	c.Events++
	c.UpdatedAt = c.UpdatedAt.Add(time.Second)
	e := journal.Link(before, c.Stream(), c.Events, c.UpdatedAt, "plugin.activated", []byte("{}"))
	c.Chain = e.Hash
	return c, e
}

func onlyChannel(t *testing.T, s *sqlstore.Store) release.Channel {
	t.Helper()
	all, err := s.Releases().Channels(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("Channels = %v, %v; want one", all, err)
	}
	return all[0]
}

// What the program before the fleet wrote and still writes while both run.
const (
	oldRelease = `INSERT INTO plugin_release (name, version, sha256, path, size, status, installed_at, installed_by)
 VALUES ('till', ?, ?, '/p', 1, 'installed', 1, 'a')`
	oldChannel = `INSERT INTO plugin_channel (name, stable, previous, enabled, generation, updated_at, updated_by, reason)
 VALUES ('till', '1.0.0', '0.9.0', ?, 7, 1, 'a', '')`
	oldUpdate = `UPDATE plugin_channel SET stable = '1.1.0', previous = '1.0.0', enabled = ?, generation = ?, updated_at = 2,
 updated_by = 'b', reason = '' WHERE name = 'till' AND generation = ?`
)

// TestFleetBesideTheProgramBefore migrates a database that is in use, and lets both versions of the program write it.
func TestFleetBesideTheProgramBefore(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, url string, open func(t *testing.T, url string) raw) {
		t.Helper()
		ctx := t.Context()
		s, err := sqlstore.Open(ctx, sqlstore.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		if err := sqlstore.MigrateTo(ctx, s, 4); err != nil {
			t.Fatal(err)
		}
		db, digest := open(t, url), strings.Repeat("0a", 32)
		old := func(text string, args ...any) {
			t.Helper()
			tx, err := db.BeginTx(ctx, nil)
			if err == nil {
				if err = db.exec(ctx, tx, text, args...); err == nil {
					err = tx.Commit()
				}
			}
			if err != nil {
				t.Fatalf("the program before cannot write: %v", err)
			}
		}
		old(oldRelease, "1.0.0", digest)
		old(oldChannel, true)
		if err := s.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		c := onlyChannel(t, s)
		if c.Generation != 7 || c.Events != 0 || c.Phase != release.Idle || c.Stable != "1.0.0" || c.Chain != (journal.Hash{}) ||
			!c.Enabled || c.Stores != nil || !c.Until.IsZero() {
			t.Errorf("the channel is %+v", c)
		}
		c, e := following(c)
		if err := s.Releases().SaveChannel(ctx, c, e); err != nil {
			t.Fatalf("SaveChannel: %v", err)
		}
		old(oldRelease, "1.1.0", digest)
		old(oldUpdate, false, int64(9), int64(8))
		c = onlyChannel(t, s)
		if c.Generation != 9 || c.Events != 1 || c.Stable != "1.1.0" {
			t.Errorf("the channel is %+v", c)
		}
		c, e = following(c)
		if err := s.Releases().SaveChannel(ctx, c, e); err != nil {
			t.Fatalf("SaveChannel: %v", err)
		}
		entries, err := s.Journal().Entries(ctx, "plugin/till", 0, 10)
		if err != nil || len(entries) != 2 || entries[1].Prev != entries[0].Hash || entries[1].Hash != onlyChannel(t, s).Chain {
			t.Errorf("the journal is %v, %v; want a chain of two", entries, err)
		}
		all, err := s.Releases().List(ctx, "till")
		if err != nil || len(all) != 2 || all[0].Source != "" || all[1].SignedBy != "" {
			t.Errorf("the releases are %v, %v", all, err)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		run(t, filepath.Join(t.TempDir(), "payrack.db"), rawSQLite)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		run(t, emptyPostgres(t), rawPostgres)
	})
}

// TestChannelWithoutItsEntry takes the number of the entry behind the store's back: then the channel is not saved either.
func TestChannelWithoutItsEntry(t *testing.T) {
	t.Parallel()
	eachDialect(t, func(t *testing.T, s *sqlstore.Store, db raw) {
		t.Helper()
		ctx := t.Context()
		c, e := following(release.Channel{Stable: "1.0.0"})
		if err := s.Releases().SaveChannel(ctx, c, e); err != nil {
			t.Fatal(err)
		}
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		zero := make([]byte, 32)
		err = db.exec(ctx, tx, "INSERT INTO journal (stream, n, at, event, body, prev, hash) VALUES ('plugin/till', 2, 1, 'e', ?, ?, ?)",
			[]byte("{}"), zero, zero)
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		next, e := following(c)
		if err := s.Releases().SaveChannel(ctx, next, e); fault.CodeOf(err) != "ledger_refused" {
			t.Errorf("SaveChannel: %v, want ledger_refused", err)
		}
		if got := onlyChannel(t, s); got.Generation != 1 || got.Chain != c.Chain {
			t.Errorf("the channel is %+v; want the one before", got)
		}
	})
}

// TestFleetTriggers breaks the rules of releases and channels behind the store's back.
func TestFleetTriggers(t *testing.T) {
	t.Parallel()
	eachDialect(t, func(t *testing.T, _ *sqlstore.Store, db raw) {
		t.Helper()
		ctx, digest := t.Context(), strings.Repeat("0a", 32)
		for _, c := range []struct{ rule, statement string }{
			{"plugin_release_identity", "UPDATE plugin_release SET sha256 = upper(sha256)"},
			{"plugin_release_identity", "UPDATE plugin_release SET source = 'elsewhere'"},
			{"plugin_release_identity", "UPDATE plugin_release SET signed_by = 'another'"},
			{"plugin_release_identity", "UPDATE plugin_release SET reported_by = 'another'"},
			{"plugin_release_revoked", "UPDATE plugin_release SET status = 'verified' WHERE status = 'revoked'"},
			{"plugin_release_revoked", "DELETE FROM plugin_release WHERE status = 'revoked'"},
			{"plugin_channel_generation", "UPDATE plugin_channel SET stable = '2.0.0'"},
			{"plugin_channel_generation", "UPDATE plugin_channel SET generation = 9"},
			{"plugin_channel_generation", "UPDATE plugin_channel SET generation = 8, name = 'kiosk'"},
			{"weight", "UPDATE plugin_channel SET generation = 8, weight = 101"},
			{"weight", "UPDATE plugin_channel SET generation = 8, weight = -1"},
			{"phase", "UPDATE plugin_channel SET generation = 8, phase = 'elsewhere'"},
			{"before_phase", "UPDATE plugin_channel SET generation = 8, before_phase = 'elsewhere'"},
			{"goal", "UPDATE plugin_channel SET generation = 8, goal = 'elsewhere'"},
			{"events", "UPDATE plugin_channel SET generation = 8, events = 9"},
		} {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, first := range []struct {
				statement string
				args      []any
			}{
				{oldRelease, []any{"1.0.0", digest}},
				{oldRelease, []any{"1.1.0", digest}},
				{"UPDATE plugin_release SET status = 'revoked' WHERE version = '1.1.0'", nil},
				{oldChannel, []any{true}},
			} {
				if err := db.exec(ctx, tx, first.statement, first.args...); err != nil {
					t.Fatal(err)
				}
			}
			err = db.exec(ctx, tx, c.statement)
			if err == nil || !strings.Contains(err.Error(), c.rule) {
				t.Errorf("%s\n%v, want it refused by %s", c.statement, err, c.rule)
			}
			_ = tx.Rollback()
		}
	})
}

// TestListenerComesBack ends the listening session on the server, as a restart or a fail-over does.
func TestListenerComesBack(t *testing.T) {
	t.Parallel()
	dsn := postgresDatabase(t)
	var log lockedBuffer
	s := opened(t, sqlstore.Options{URL: dsn, Log: slog.New(slog.NewTextHandler(&log, nil))})
	peer, db := opened(t, sqlstore.Options{URL: dsn}), rawPostgres(t, dsn)
	hints := s.Replicas().Changes(t.Context())
	soon := func(why string) {
		t.Helper()
		select {
		case <-hints:
		case <-time.After(30 * time.Second):
			t.Fatalf("no hint came: %s", why)
		}
	}
	soon("the connection is new")
	var c release.Channel
	for range 2 {
		var ended int
		err := db.QueryRowContext(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE datname = current_database() AND query = 'LISTEN payrack_plugin'`).Scan(&ended)
		if err != nil || ended != 1 {
			t.Fatalf("%d listening sessions were ended, %v; want one", ended, err)
		}
		soon("the connection is new again, and what was told meanwhile is lost")
		next, e := following(c)
		if err := peer.Releases().SaveChannel(t.Context(), next, e); err != nil {
			t.Fatal(err)
		}
		c = next
		soon("another process saved a channel")
	}
	text := log.String()
	if strings.Count(text, "are not heard at once") != 2 || strings.Count(text, "are heard at once again") != 2 {
		t.Errorf("each loss and each return is told once:\n%s", text)
	}
}

// TestChangesEndWithTheStore closes a store to which somebody listens.
func TestChangesEndWithTheStore(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, o sqlstore.Options) {
		t.Helper()
		s, err := sqlstore.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		before := s.Replicas().Changes(t.Context())
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		for _, hints := range []<-chan struct{}{before, s.Replicas().Changes(t.Context())} {
			for open := true; open; {
				select {
				case _, open = <-hints:
				case <-time.After(30 * time.Second):
					t.Fatal("the hints go on")
				}
			}
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		run(t, sqlstore.Options{URL: filepath.Join(t.TempDir(), "payrack.db")})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		run(t, sqlstore.Options{URL: postgresDatabase(t)})
	})
}

// lockedBuffer takes the log of goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}
