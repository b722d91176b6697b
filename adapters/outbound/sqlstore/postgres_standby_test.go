package sqlstore_test

import (
	"testing"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/outbound"
)

// TestCommitWithoutItsStandby lets commits wait for a standby that is away, and ends their wait: by a connection that is
// cut, after which the driver asks the server to cancel what runs, and as an operator may. Then everybody sees the change,
// and a fail-over forgets it.
func TestCommitWithoutItsStandby(t *testing.T) {
	t.Parallel()
	server := ownServer(t).url
	db := rawPostgres(t, server)
	p, dsn := proxied(t, server)
	s := opened(t, sqlstore.Options{URL: dsn})
	won(t, s.Ledger(), newPayment(t))
	waitFor := func(names string) {
		t.Helper()
		for _, text := range []string{"ALTER SYSTEM SET synchronous_standby_names = '" + names + "'", "SELECT pg_reload_conf()"} {
			if _, err := db.ExecContext(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
		for now := "-"; now != names; {
			if err := db.QueryRowContext(t.Context(), "SHOW synchronous_standby_names").Scan(&now); err != nil {
				t.Fatal(err)
			}
		}
	}
	cancelled := func() {
		for n := 0; n == 0; {
			err := db.QueryRowContext(t.Context(),
				"SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'").Scan(&n)
			if err != nil {
				t.Error(err)
				return
			}
		}
	}
	waitFor("away")
	var doubtful []outbound.Change
	for _, end := range []func(){func() { go cancelled() }, func() { p.order(halfway) }} {
		c := newPayment(t)
		doubtful = append(doubtful, c)
		end()
		if _, err := s.Ledger().Commit(t.Context(), c); fault.CodeOf(err) != "commit_in_doubt" {
			t.Errorf("Commit %d that no standby has: %v, want commit_in_doubt", len(doubtful), err)
		}
	}
	waitFor("")
	// Whoever tries again once the standby is back, or is not waited for, hears that it is there.
	for _, c := range doubtful {
		got, err := s.Ledger().Commit(t.Context(), c)
		if err != nil || len(got.Claims) != 2 || got.Claims[0].Payment != c.Record.Payment.ID {
			t.Errorf("Commit = %+v, %v; want to lose to itself", got, err)
		}
	}
}
