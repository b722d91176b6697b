package sqlstore_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/outbound"
)

// TestSmallPoolCommits has fewer connections than writers: no writer needs a second one beside its own.
func TestSmallPoolCommits(t *testing.T) {
	t.Parallel()
	dsn := postgresDatabase(t)
	for _, size := range []string{"1", "4"} {
		s := opened(t, sqlstore.Options{URL: dsn + "&pool_max_conns=" + size})
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if got, err := s.Ledger().Commit(t.Context(), newPayment(t)); err != nil || got.Loss != outbound.NoLoss {
					t.Errorf("with %s connections: Commit = %+v, %v", size, got, err)
				}
			})
		}
		wg.Wait()
	}
}

// TestServerGoneWithoutAWord leaves every connection of the pool with a server that does not answer, as a fail-over to
// another machine does. Nobody closes them, and nobody waits for them until the kernel gives up.
func TestServerGoneWithoutAWord(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(context.Context, *sqlstore.Store) error{
		"write": func(ctx context.Context, s *sqlstore.Store) error {
			_, err := s.Ledger().Commit(ctx, newPayment(t))
			return err
		},
		"read": func(ctx context.Context, s *sqlstore.Store) error {
			_, err := s.Ledger().List(ctx, outbound.Query{Company: tenant, Limit: 1})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, dsn := proxied(t, postgresDatabase(t))
			s := opened(t, sqlstore.Options{URL: dsn})
			won(t, s.Ledger(), newPayment(t))
			time.Sleep(1500 * time.Millisecond) // a connection that was used just now is not looked at
			p.silence()
			ended := make(chan error, 1)
			go func() { ended <- do(t.Context(), s) }()
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(20 * time.Second):
				t.Error("it waits for a server that is gone")
				p.end()
			}
		})
	}
}

// TestGroupWithoutAServer has a group of changes when no server answers: they hear it together, not one after another.
func TestGroupWithoutAServer(t *testing.T) {
	t.Parallel()
	p, dsn := proxied(t, postgresDatabase(t))
	s := opened(t, sqlstore.Options{URL: dsn + "&connect_timeout=1"})
	won(t, s.Ledger(), newPayment(t))
	changes := make([]outbound.Change, 12)
	for i := range changes {
		changes[i] = newPayment(t)
	}
	time.Sleep(1500 * time.Millisecond) // a connection that was used just now is not looked at
	p.mute()
	batch, err := sqlstore.CommitGroup(t.Context(), s, changes)
	if fault.CodeOf(err) != "store_unavailable" || batch != len(changes) {
		t.Errorf("Commit: %v for %d of them together, want store_unavailable for %d", err, batch, len(changes))
	}
}
