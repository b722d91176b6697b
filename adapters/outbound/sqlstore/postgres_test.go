package sqlstore_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

func TestPostgresDurability(t *testing.T) {
	t.Parallel()
	dsn := postgresDatabase(t)
	s := opened(t, sqlstore.Options{URL: dsn})
	d, err := s.Durability(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !d.OK() || d.Settings["fsync"] != "on" || d.Settings["synchronous_commit"] != "on" || s.System() != "postgresql" {
		t.Errorf("Durability = %+v", d)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	careless := opened(t, sqlstore.Options{URL: dsn + "&synchronous_commit=off"})
	d, err = careless.Durability(t.Context())
	if err != nil || d.OK() || len(d.Problems) != 1 {
		t.Errorf("Durability with synchronous_commit off = %+v, %v; want one problem", d, err)
	}
}

// TestReplicasMigrateAtOnce starts several replicas on an empty database.
func TestReplicasMigrateAtOnce(t *testing.T) {
	t.Parallel()
	url := emptyPostgres(t)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			s, err := sqlstore.Open(t.Context(), sqlstore.Options{URL: url})
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			if err := s.Migrate(t.Context()); err != nil {
				t.Errorf("Migrate: %v", err)
			}
			if got, err := s.Ledger().Commit(t.Context(), newPayment(t)); err != nil || got.Loss != outbound.NoLoss {
				t.Errorf("Commit = %+v, %v", got, err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	wg.Wait()
}

// TestPostgresGroups holds the keys' table, so that changes queue, and looks how they were committed then.
func TestPostgresGroups(t *testing.T) {
	t.Parallel()
	dsn := postgresDatabase(t)
	var seen spans
	s := opened(t, sqlstore.Options{URL: dsn, Trace: seen.trace})
	lock, err := rawPostgres(t, dsn).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.ExecContext(t.Context(), "LOCK TABLE claim IN SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	const callers = 64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			if got, err := s.Ledger().Commit(t.Context(), newPayment(t)); err != nil || got.Loss != outbound.NoLoss {
				t.Errorf("Commit = %+v, %v", got, err)
			}
		})
	}
	// Eight go out by themselves, one group is on its way, the rest waits.
	waiting(s, 1)
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	alone, together := 0, 0
	for _, e := range seen.named("ledger.commit") {
		if e.Batch == 1 {
			alone++
		} else {
			together++
		}
	}
	if alone+together != callers || alone < 8 || together < 2 {
		t.Errorf("%d were committed alone and %d in groups; want 8 or more alone and the rest in groups", alone, together)
	}
}

// TestCommitWithoutAnswer loses the answer of a COMMIT, once before and once after the server has seen it.
func TestCommitWithoutAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]cut{"not committed": beforeServer, "committed": afterServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, dsn := proxied(t, postgresDatabase(t))
			s := opened(t, sqlstore.Options{URL: dsn})
			p.order(c)
			first := newPayment(t)
			r := won(t, s.Ledger(), first)
			holds(t, s, r)
			p.order(c)
			r = won(t, s.Ledger(), answered(t, r))
			holds(t, s, r)
			if p.done() != 2 {
				t.Fatalf("the proxy cut %d commits, want 2", p.done())
			}
			// A change that lost is still told that it lost.
			p.order(nothing)
			second := newPayment(t)
			second.Claims[0].ClaimKey = first.Claims[0].ClaimKey
			if got, err := s.Ledger().Commit(t.Context(), second); err != nil || got.Loss != outbound.LostClaim {
				t.Errorf("Commit = %+v, %v; want a lost claim", got, err)
			}
		})
	}
}

// TestGroupWithoutAnswer loses the answer to a group: each change of it is settled by itself.
func TestGroupWithoutAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]cut{"not committed": beforeServer, "committed": afterServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, dsn := proxied(t, postgresDatabase(t))
			s := opened(t, sqlstore.Options{URL: dsn})
			changes := make([]outbound.Change, 12)
			for i := range changes {
				changes[i] = newPayment(t)
			}
			p.order(c)
			if _, err := sqlstore.CommitGroup(t.Context(), s, changes); err != nil {
				t.Fatal(err)
			}
			if p.done() != 1 {
				t.Fatalf("the proxy cut %d commits, want 1", p.done())
			}
			for _, c := range changes {
				holds(t, s, c.Record)
			}
		})
	}
}

// TestCommitStaysInDoubt loses the answer and the server with it.
func TestCommitStaysInDoubt(t *testing.T) {
	t.Parallel()
	direct := postgresDatabase(t)
	p, dsn := proxied(t, direct)
	s := opened(t, sqlstore.Options{URL: dsn})
	p.order(deaf)
	c := newPayment(t)
	_, err := s.Ledger().Commit(t.Context(), c)
	if fault.KindOf(err) != fault.Unavailable || fault.CodeOf(err) != "commit_in_doubt" {
		t.Fatalf("Commit: %v, want commit_in_doubt", err)
	}
	// It had taken place: to call it failed would have been wrong.
	holds(t, opened(t, sqlstore.Options{URL: direct}), c.Record)
}

// TestServerAwayBeforeTheCommit is certain: nothing was stored.
func TestServerAwayBeforeTheCommit(t *testing.T) {
	t.Parallel()
	direct := postgresDatabase(t)
	p, dsn := proxied(t, direct)
	s := opened(t, sqlstore.Options{URL: dsn})
	p.order(deaf)
	_, _ = s.Ledger().Commit(t.Context(), newPayment(t))
	c := newPayment(t)
	_, err := s.Ledger().Commit(t.Context(), c)
	if fault.KindOf(err) != fault.Unavailable || fault.CodeOf(err) != "store_unavailable" {
		t.Errorf("Commit: %v, want store_unavailable", err)
	}
	_, err = opened(t, sqlstore.Options{URL: direct}).Ledger().Load(t.Context(), tenant, c.Record.Payment.ID)
	if fault.KindOf(err) != fault.NotFound {
		t.Errorf("Load: %v, want not found", err)
	}
}

// TestCommitWaitsForALock meets a row that another transaction holds, shortly and for too long.
func TestCommitWaitsForALock(t *testing.T) {
	t.Parallel()
	dsn := postgresDatabase(t)
	s := opened(t, sqlstore.Options{URL: dsn})
	r := won(t, s.Ledger(), newPayment(t))
	lock, err := rawPostgres(t, dsn).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.ExecContext(t.Context(), "SELECT 1 FROM payment WHERE id = $1 FOR UPDATE", string(r.Payment.ID)); err != nil {
		t.Fatal(err)
	}
	c := answered(t, r)
	_, err = s.Ledger().Commit(t.Context(), c)
	if fault.CodeOf(err) != "store_unavailable" {
		t.Errorf("Commit on a held row: %v, want store_unavailable", err)
	}
	holds(t, s, r)
	done := make(chan error, 1)
	go func() {
		got, err := s.Ledger().Commit(t.Context(), c)
		if err == nil && got.Loss != outbound.NoLoss {
			t.Errorf("Commit = %+v", got)
		}
		done <- err
	}()
	time.Sleep(50 * time.Millisecond)
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Commit after the row is free: %v", err)
	}
	holds(t, s, c.Record)
}

// TestSessionsThatEndAreReplaced ends every idle session of the pool, as a restart of the server does.
func TestSessionsThatEndAreReplaced(t *testing.T) {
	t.Parallel()
	dsn := postgresDatabase(t)
	s := opened(t, sqlstore.Options{URL: dsn, Boot: "boot-7"})
	won(t, s.Ledger(), newPayment(t))
	var n int
	err := rawPostgres(t, dsn).QueryRowContext(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE datname = current_database() AND application_name = 'payrack/boot-7'`).Scan(&n)
	if err != nil || n == 0 {
		t.Fatalf("ended %d sessions, %v", n, err)
	}
	won(t, s.Ledger(), newPayment(t))
}

// holds checks that a store holds exactly this state of a payment, with its journal.
func holds(t *testing.T, s *sqlstore.Store, want payment.Record) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	got, err := s.Ledger().Load(ctx, tenant, want.Payment.ID)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if got.Payment.Version != want.Payment.Version || got.Payment.Chain != want.Payment.Chain || got.Payment.State != want.Payment.State {
		t.Errorf("stored: %s, version %d; want %s, version %d", got.Payment.State, got.Payment.Version, want.Payment.State, want.Payment.Version)
	}
	entries, err := s.Journal().Entries(ctx, want.Payment.Stream(), 0, 10)
	if err != nil || int64(len(entries)) != want.Payment.Version {
		t.Errorf("journal of %d entries, %v; want %d", len(entries), err, want.Payment.Version)
	}
}
