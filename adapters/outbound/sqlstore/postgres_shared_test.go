package sqlstore_test

import (
	"context"
	"database/sql"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// TestHundredEqualIntentsOverThreeReplicas sends one request a hundred times at once: one is stored, and the others are
// told against what they lost.
func TestHundredEqualIntentsOverThreeReplicas(t *testing.T) {
	t.Parallel()
	dsn := postgresDatabase(t)
	var replicas []*sqlstore.Store
	for range 3 {
		replicas = append(replicas, opened(t, sqlstore.Options{URL: dsn}))
	}
	first := newPayment(t)
	changes := make([]outbound.Change, 100)
	for i := range changes {
		c := newPayment(t)
		c.Record.Payment.OrderNumber, c.Record.Operation.OrderID = first.Record.Payment.OrderNumber, first.Record.Operation.OrderID
		for k := range c.Claims {
			c.Claims[k].ClaimKey = first.Claims[k].ClaimKey
		}
		changes[i] = c
	}
	results := make([]outbound.Committed, len(changes))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range changes {
		wg.Go(func() {
			<-start
			var err error
			if results[i], err = replicas[i%3].Ledger().Commit(t.Context(), changes[i]); err != nil {
				t.Errorf("Commit: %v", err)
			}
		})
	}
	close(start)
	wg.Wait()
	var winner *outbound.Change
	for i := range results {
		if results[i].Loss == outbound.NoLoss {
			if winner != nil {
				t.Fatal("two were committed")
			}
			winner = &changes[i]
		}
	}
	if winner == nil {
		t.Fatal("none was committed")
	}
	holds(t, replicas[0], winner.Record)
	for i, r := range results {
		if r.Loss == outbound.NoLoss {
			continue
		}
		if r.Loss != outbound.LostClaim || len(r.Claims) != 2 || r.Claims[0].Payment != winner.Record.Payment.ID {
			t.Errorf("%d = %+v, want to lose both keys to %s", i, r, winner.Record.Payment.ID)
		}
		if _, err := replicas[0].Ledger().Load(t.Context(), tenant, changes[i].Record.Payment.ID); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%d is stored: %v", i, err)
		}
	}
}

// TestAttemptIsCountedWhenTheNumberIsHeld lets a payment of an order number end while the next one waits for the number:
// that one counts it, although it was still on its way when the next one began.
func TestAttemptIsCountedWhenTheNumberIsHeld(t *testing.T) {
	t.Parallel()
	dsn := postgresDatabase(t)
	s, db := opened(t, sqlstore.Options{URL: dsn}), rawPostgres(t, dsn)
	first := won(t, s.Ledger(), newPayment(t))
	// The end of the first one is on its way: its row gives the number up, and nobody can see that yet.
	ending, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ending.ExecContext(t.Context(),
		"UPDATE payment SET state = 'FAILED', failure = 'declined', live = false, version = 2 WHERE id = $1", string(first.Payment.ID))
	if err != nil {
		t.Fatal(err)
	}
	second := newPayment(t)
	second.Record.Payment.OrderNumber = first.Payment.OrderNumber
	type result struct {
		got outbound.Committed
		err error
	}
	done := make(chan result, 1)
	go func() {
		got, err := s.Ledger().Commit(t.Context(), second)
		done <- result{got, err}
	}()
	blocked(t, db)
	if err := ending.Commit(); err != nil {
		t.Fatal(err)
	}
	e := <-done
	if e.err != nil || e.got.Loss != outbound.LostAttempt || e.got.Attempts != 1 {
		t.Errorf("Commit = %+v, %v; want a lost attempt after one", e.got, e.err)
	}
	second.Record.Payment.Attempt = 2
	won(t, s.Ledger(), second)
}

// blocked waits until a session of the database waits for a lock.
func blocked(t *testing.T, db raw) {
	t.Helper()
	for n := 0; n == 0; time.Sleep(time.Millisecond) {
		err := db.QueryRowContext(t.Context(),
			"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestRunAgainMeetsANewPayment lets payments that were never sent run again while new ones begin under their numbers:
// each number is held by one, and what was told to be stored is stored.
func TestRunAgainMeetsANewPayment(t *testing.T) {
	t.Parallel()
	s := onPostgres(t)
	for range 20 {
		unsent := won(t, s.Ledger(), failedUnsent(t, won(t, s.Ledger(), newPayment(t))))
		again := beginsAgain(t, unsent)
		fresh := newPayment(t)
		fresh.Record.Payment.OrderNumber = unsent.Payment.OrderNumber
		var results [2]outbound.Committed
		var wg sync.WaitGroup
		for i, c := range []outbound.Change{again, fresh} {
			wg.Go(func() {
				var err error
				if results[i], err = s.Ledger().Commit(t.Context(), c); err != nil {
					t.Errorf("Commit: %v", err)
				}
			})
		}
		wg.Wait()
		switch {
		case results[0].Loss == outbound.NoLoss && results[1].Loss == outbound.LostOrder:
			holds(t, s, again.Record)
		case results[1].Loss == outbound.NoLoss && results[0].Loss == outbound.LostOrder:
			holds(t, s, fresh.Record)
			holds(t, s, unsent)
		default:
			t.Errorf("ended with %+v and %+v, want one of both to hold the number", results[0], results[1])
		}
	}
}

// failedUnsent is the change that records that nothing was sent.
func failedUnsent(t *testing.T, r payment.Record) outbound.Change {
	t.Helper()
	return applied(t, r, payment.Answered{
		At: r.Payment.UpdatedAt.Add(time.Second), Operation: r.Operation.ID, Epoch: r.Operation.Epoch, Known: payment.KnownNotSent,
	})
}

// beginsAgain is the change that sends again what was never sent.
func beginsAgain(t *testing.T, r payment.Record) outbound.Change {
	t.Helper()
	o := payment.Operation{
		ID: r.Operation.ID + "-2", Payment: r.Payment.ID, Kind: payment.KindPay, Amount: r.Payment.Amount,
		OrderID: r.Operation.OrderID, OwnerBoot: "boot-1", SendDeadline: r.Payment.UpdatedAt.Add(time.Minute),
	}
	c := applied(t, r, payment.Begun{At: r.Payment.UpdatedAt.Add(time.Second), Operation: o})
	c.NewOperation, c.Epoch = true, 0
	return c
}

// applied is the change of an event.
func applied(t *testing.T, r payment.Record, e payment.Event) outbound.Change {
	t.Helper()
	next, err := payment.Apply(r, e)
	if err != nil {
		t.Fatal(err)
	}
	c := outbound.Change{Version: r.Payment.Version, Epoch: r.Operation.Epoch, Record: next}
	linked(&c, r.Payment.Chain)
	return c
}

// TestTailWaitsForALateCommit keeps a transaction open that has written its row before others.
func TestTailWaitsForALateCommit(t *testing.T) {
	t.Parallel()
	dsn := postgresDatabase(t)
	s, db := opened(t, sqlstore.Options{URL: dsn}), rawPostgres(t, dsn)
	before := won(t, s.Ledger(), newPayment(t))
	tail := func() []string {
		t.Helper()
		all, err := s.Journal().Tail(t.Context(), journal.Place{}, 100)
		if err != nil {
			t.Fatalf("Tail: %v", err)
		}
		var streams []string
		for _, e := range all {
			streams = append(streams, e.Stream)
		}
		return streams
	}
	// A transaction of another test on the same server may hide the first one for a while.
	for len(tail()) == 0 {
		time.Sleep(time.Millisecond)
	}
	late, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	zero := make([]byte, 32)
	_, err = late.ExecContext(t.Context(), `INSERT INTO journal (stream, n, at, event, body, prev, hash)
 VALUES ('payment/late', 1, 1, 'late', $1, $1, $1)`, zero)
	if err != nil {
		t.Fatal(err)
	}
	after := won(t, s.Ledger(), newPayment(t))
	for range 20 {
		if got := tail(); len(got) != 1 || got[0] != before.Payment.Stream() {
			t.Fatalf("the tail has %v behind the back of an open transaction", got)
		}
	}
	if err := late.Commit(); err != nil {
		t.Fatal(err)
	}
	for len(tail()) < 3 {
		time.Sleep(time.Millisecond)
	}
	if got := tail(); got[1] != "payment/late" || got[2] != after.Payment.Stream() {
		t.Errorf("the tail is %v, want the late one second", got)
	}
}

// TestClaimDoesNotHideACommit loses the answer to a commit and lets recovery claim the operation before the commit is
// asked about.
func TestClaimDoesNotHideACommit(t *testing.T) {
	t.Parallel()
	direct := postgresDatabase(t)
	p, dsn := proxied(t, direct)
	s, other := opened(t, sqlstore.Options{URL: dsn}), opened(t, sqlstore.Options{URL: direct})
	r := won(t, s.Ledger(), newPayment(t))
	unknown := applied(t, r, payment.Answered{
		At: r.Payment.UpdatedAt.Add(-time.Hour), Operation: r.Operation.ID, Epoch: 1, Known: payment.KnownNothing,
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		q := outbound.DueQuery{Boot: "other", Limit: 1, Lease: time.Hour}
		for t.Context().Err() == nil {
			if got, err := other.Ledger().Due(t.Context(), q); err != nil || len(got) == 1 {
				return
			}
		}
	}()
	p.order(afterServer)
	won(t, s.Ledger(), unknown)
	<-done
	got, err := other.Ledger().Load(context.WithoutCancel(t.Context()), tenant, r.Payment.ID)
	if err != nil || got.Payment.Version != 2 || got.Operation.Epoch != 2 || got.Operation.OwnerBoot != "other" {
		t.Errorf("Load = %+v, %v", got, err)
	}
}

// TestWritableOnPostgres tells a database that takes no writes from one that does.
func TestWritableOnPostgres(t *testing.T) {
	t.Parallel()
	dsn := postgresDatabase(t)
	if err := opened(t, sqlstore.Options{URL: dsn}).Writable(t.Context()); err != nil {
		t.Errorf("Writable: %v", err)
	}
	s, err := sqlstore.Open(t.Context(), sqlstore.Options{URL: dsn + "&default_transaction_read_only=on"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Writable(t.Context()); fault.KindOf(err) != fault.Unavailable || fault.CodeOf(err) != "store_unavailable" {
		t.Errorf("Writable of a database that is set to read only: %v, want store_unavailable", err)
	}
	if _, err := s.Ledger().Fence(t.Context(), "boot-1", 1); fault.CodeOf(err) != "store_unavailable" {
		t.Errorf("Fence in a database that is set to read only: %v, want store_unavailable", err)
	}
}

// TestReadOnlySessionsAreReplaced has a pool of connections from a time when there was no writing. It does not keep them.
func TestReadOnlySessionsAreReplaced(t *testing.T) {
	t.Parallel()
	dsn := postgresDatabase(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db := rawPostgres(t, dsn+"&default_transaction_read_only=off")
	set := func(to string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), "ALTER DATABASE "+u.Path[1:]+" SET default_transaction_read_only = "+to); err != nil {
			t.Fatal(err)
		}
	}
	set("on")
	s, err := sqlstore.Open(t.Context(), sqlstore.Options{URL: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.Ledger().Fence(t.Context(), "boot-1", 1); fault.CodeOf(err) != "store_unavailable" {
		t.Errorf("Fence: %v, want store_unavailable", err)
	}
	set("off")
	if _, err := s.Ledger().Fence(t.Context(), "boot-1", 1); err != nil {
		t.Errorf("Fence when writing is possible again: %v", err)
	}
}

// TestStandbyTakesNoWrites writes to a server that has become a standby, as the old primary does after a fail-over.
func TestStandbyTakesNoWrites(t *testing.T) {
	t.Parallel()
	server := ownServer(t)
	s := opened(t, sqlstore.Options{URL: server.url})
	won(t, s.Ledger(), newPayment(t))
	server.demote(t)
	for range 2 { // the first one meets the connections of before
		if _, err := s.Ledger().Commit(t.Context(), newPayment(t)); fault.CodeOf(err) != "store_unavailable" {
			t.Errorf("Commit on a standby: %v, want store_unavailable", err)
		}
	}
}

// TestPlansOnPostgres looks that recovery reads its own indexes, however many payments there are.
func TestPlansOnPostgres(t *testing.T) {
	t.Parallel()
	dsn := postgresDatabase(t)
	db := rawPostgres(t, dsn)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	// The table is empty, so reading all of it would be cheapest.
	if _, err := conn.ExecContext(t.Context(), "SET enable_seqscan = off"); err != nil {
		t.Fatal(err)
	}
	for index, text := range map[string]string{
		"operation_due":     "SELECT id FROM operation WHERE next_check_at IS NOT NULL AND state <> 'SENDING' AND next_check_at <= 1 ORDER BY next_check_at, lane, payment_id LIMIT 10",
		"operation_sending": "SELECT id FROM operation WHERE state = 'SENDING' AND send_deadline <= 1",
		"operation_claimed": "SELECT id FROM operation WHERE claimed_until IS NOT NULL AND owner_boot IN ('a', 'b')",
	} {
		if plan := planOf(t, conn, text); !contains(plan, index) {
			t.Errorf("%s\n%s, want %s", text, plan, index)
		}
	}
}

func planOf(t *testing.T, conn *sql.Conn, text string) string {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), "EXPLAIN "+text)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	plan := ""
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan += line + "\n"
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan
}
