package sqlstore_test

import (
	"context"
	"database/sql"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/core/payment"
)

// raw is a database behind the store's back.
type raw struct {
	*sql.DB
	numbered bool
}

func rawSQLite(t *testing.T, path string) raw {
	t.Helper()
	dsn := (&url.URL{Scheme: "file", Opaque: path, RawQuery: "_pragma=foreign_keys(1)&_pragma=busy_timeout(5000)"}).String()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	return raw{DB: db}
}

func rawPostgres(t *testing.T, dsn string) raw {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return raw{DB: db, numbered: true}
}

// exec runs a statement with question marks.
func (r raw) exec(ctx context.Context, tx *sql.Tx, text string, args ...any) error {
	if r.numbered {
		parts := strings.Split(text, "?")
		text = parts[0]
		for i, part := range parts[1:] {
			text += "$" + strconv.Itoa(i+1) + part
		}
	}
	_, err := tx.ExecContext(ctx, text, args...)
	return err
}

// eachDialect runs a test against a fresh database of each kind.
func eachDialect(t *testing.T, run func(t *testing.T, s *sqlstore.Store, db raw)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path := t.TempDir() + "/payrack.db"
		s := opened(t, sqlstore.Options{URL: path})
		run(t, s, rawSQLite(t, path))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		dsn := postgresDatabase(t)
		s := opened(t, sqlstore.Options{URL: dsn})
		run(t, s, rawPostgres(t, dsn))
	})
}

// TestTransitionsOfTheDatabase tries every pair of states on a real row: the database allows exactly the pairs
// of payment.Transitions.
func TestTransitionsOfTheDatabase(t *testing.T) {
	t.Parallel()
	eachDialect(t, func(t *testing.T, _ *sqlstore.Store, db raw) {
		t.Helper()
		for from, path := range paths(t) {
			for _, to := range payment.States() {
				err := db.moves(t, append(slices.Clone(path), to))
				if (err == nil) != payment.Allowed(from, to) {
					t.Errorf("%s to %s: the state machine allows it: %v, the database says: %v", from, to, payment.Allowed(from, to), err)
				}
				if err != nil && !strings.Contains(err.Error(), "payment_moves") {
					t.Errorf("%s to %s was refused by something else: %v", from, to, err)
				}
			}
		}
	})
}

// TestTransitionRows holds the table of the migration against the state machine, row by row.
func TestTransitionRows(t *testing.T) {
	t.Parallel()
	eachDialect(t, func(t *testing.T, _ *sqlstore.Store, db raw) {
		t.Helper()
		rows, err := db.QueryContext(t.Context(), "SELECT from_state, to_state FROM payment_transition")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		var got, want []string
		for rows.Next() {
			var from, to string
			if err := rows.Scan(&from, &to); err != nil {
				t.Fatal(err)
			}
			got = append(got, from+" "+to)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		for _, x := range payment.Transitions() {
			want = append(want, string(x.From)+" "+string(x.To))
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("a new migration must bring the table up to payment.Transitions (-want +got):\n%s", diff)
		}
	})
}

// paths leads from SENDING to every state, along the table.
func paths(t *testing.T) map[payment.State][]payment.State {
	t.Helper()
	found := map[payment.State][]payment.State{payment.Sending: {payment.Sending}}
	for queue := []payment.State{payment.Sending}; len(queue) > 0; queue = queue[1:] {
		for _, x := range payment.Transitions() {
			if _, seen := found[x.To]; x.From == queue[0] && !seen {
				found[x.To] = append(slices.Clone(found[x.From]), x.To)
				queue = append(queue, x.To)
			}
		}
	}
	if len(found) != len(payment.States()) {
		t.Fatalf("%d of %d states can be reached", len(found), len(payment.States()))
	}
	return found
}

const insertPayment = `INSERT INTO payment (id, company_id, environment, store, type, provider, account, wire,
 order_number, attempt, currency, amount, capture, authorized, captured, refunded, refund_reserved, state, failure, live,
 code, decline_code, return_url, cancel_url, mandate, credential_ref, plugin_release, version, chain, created_at,
 updated_at) VALUES ('p', 'c', 'test', '', 't', 'x', 'a', '', 'o', 1, 'TWD', 229, ?, 0, 0, 0, 0, ?, '', ?, '', '', '', '',
 '', '', '', ?, ?, 1, 1)`

// moves leads a payment along states inside a transaction that is rolled back, and returns the error of the
// last step.
func (r raw) moves(t *testing.T, states []payment.State) error {
	t.Helper()
	ctx := t.Context()
	tx, err := r.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	err = r.exec(ctx, tx, insertPayment, true, string(states[0]), true, int64(1), make([]byte, 32))
	for i, to := range states[1:] {
		if err != nil {
			t.Fatalf("step %d of %v: %v", i, states, err)
		}
		err = r.exec(ctx, tx, "UPDATE payment SET state = ?, live = ?, version = ?", string(to), to.Live(), int64(i)+2)
	}
	return err
}

// TestTriggers breaks each rule behind the store's back.
func TestTriggers(t *testing.T) {
	t.Parallel()
	eachDialect(t, func(t *testing.T, _ *sqlstore.Store, db raw) {
		t.Helper()
		zero, ctx := make([]byte, 32), t.Context()
		const operation = `INSERT INTO operation (payment_id, id, seq, kind, state, failure, currency, amount, order_id,
 request_id, reversal, attempt, refund_ids_seen, epoch, owner_boot, checks, watched_ms, absences, absent_ms, code,
 decline_code, plugin_release, trace_id, lane, created_at, updated_at) VALUES ('p', 'o1', 1, 'pay', ?, '', 'TWD', 229, 'o',
 '', ?, 0, '[]', 1, 'b', 0, 0, 0, 0, '', '', '', '', 'test/x/a', 1, 1)`
		const entry = "INSERT INTO journal (stream, n, at, event, body, prev, hash) VALUES ('payment/p', 1, 1, 'e', ?, ?, ?)"
		const seal = `INSERT INTO seal (number, from_tx, from_row, to_tx, to_row, entries, root, prev, at, key, signature)
 VALUES (1, 0, 0, 0, 1, 1, ?, ?, 1, 'k', ?)`
		const mandate = `INSERT INTO mandate (id, company_id, environment, store, type, provider, account, wire, credential_ref,
 sealed, token_hash, label, state, payment_id, version, created_at, updated_at) VALUES ('m', 'c', 'test', '', 't', 'x', 'a', '',
 '', ?, ?, '', 'DEAD', 'p', 1, 1, 1)`
		for _, c := range []struct {
			rule, statement string
			args            []any
		}{
			{"payment_version", "UPDATE payment SET state = 'UNKNOWN', version = 1", nil},
			{"payment_version", "UPDATE payment SET state = 'UNKNOWN', version = 3", nil},
			{"payment_identity", "UPDATE payment SET state = 'UNKNOWN', version = 2, order_number = 'other'", nil},
			{"payment_identity", "UPDATE payment SET state = 'UNKNOWN', version = 2, amount = 1", nil},
			{"payment_identity", "UPDATE payment SET state = 'UNKNOWN', version = 2, account = 'other'", nil},
			{"payment_identity", "UPDATE payment SET state = 'UNKNOWN', version = 2, attempt = 2", nil},
			{"payment_identity", "UPDATE payment SET state = 'UNKNOWN', version = 2, return_url = 'other'", nil},
			{"operation_identity", "UPDATE operation SET lane = 'other'", nil},
			{"payment_begins", strings.NewReplacer("'p'", "'p2'", "'o'", "'o2'").Replace(insertPayment), []any{true, "SUCCEEDED", true, int64(1), zero}},
			{"payment_sending_is_live", "UPDATE payment SET state = 'SENDING', live = ?, version = 2", []any{false}},
			{"payment_ended_is_not_live", "UPDATE payment SET state = 'FAILED', version = 2", nil},
			{"payment_captured_authorized", "UPDATE payment SET state = 'SUCCEEDED', version = 2, captured = 1", nil},
			{"payment_refunded_captured", "UPDATE payment SET state = 'SUCCEEDED', version = 2, refunded = 1", nil},
			{"operation_moves", "UPDATE operation SET epoch = 0", nil},
			{"operation_identity", "UPDATE operation SET order_id = 'other'", nil},
			{"operation_identity", "UPDATE operation SET amount = 1", nil},
			{"operation_begins", strings.Replace(operation, "'o1'", "'o2'", 1), []any{"UNKNOWN", false}},
			{"operation", strings.Replace(operation, "'o1'", "'o2'", 1), []any{"SENDING", false}},
			{"journal_no_update", "UPDATE journal SET event = 'other'", nil},
			{"journal_no_delete", "DELETE FROM journal", nil},
			{"absen", "UPDATE operation SET absences = -1", nil},
			{"operation_absent_watched", "UPDATE operation SET absent_ms = 1", nil},
			{"operation_attempts_reverse", strings.NewReplacer("'o1'", "'o2'", "?, 0,", "?, 1,").Replace(operation), []any{"SENDING", false}},
			{"seal_follows", strings.Replace(seal, "(1,", "(3,", 1), []any{zero, zero, zero}},
			{"seal_no_change", "UPDATE seal SET entries = 2", nil},
			{"seal_no_change", "DELETE FROM seal", nil},
			{"mandate_changes", "UPDATE mandate SET state = 'ACTIVE', version = 2", nil},
			{"mandate_changes", "UPDATE mandate SET label = 'other'", nil},
			{"mandate_changes", "UPDATE mandate SET account = 'other', version = 2", nil},
			{"journal", entry, []any{[]byte("{}"), zero, zero}},
			{"prev", strings.Replace(entry, ", 1, 1, 'e'", ", 2, 1, 'e'", 1), []any{[]byte("{}"), []byte("short"), zero}},
		} {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, first := range []struct {
				statement string
				args      []any
			}{
				{insertPayment, []any{true, "SENDING", true, int64(1), zero}},
				{operation, []any{"SENDING", false}},
				{entry, []any{[]byte("{}"), zero, zero}},
				{seal, []any{zero, zero, zero}},
				{mandate, []any{zero, zero}},
			} {
				if err := db.exec(ctx, tx, first.statement, first.args...); err != nil {
					t.Fatal(err)
				}
			}
			// SENDING to SENDING is no change of the table; the other rules are tried from here.
			if c.rule == "payment_sending_is_live" {
				err = db.exec(ctx, tx, "INSERT INTO payment_transition (from_state, to_state) VALUES ('SENDING', 'SENDING')")
				if err != nil {
					t.Fatal(err)
				}
			}
			err = db.exec(ctx, tx, c.statement, c.args...)
			if err == nil || !strings.Contains(err.Error(), c.rule) {
				t.Errorf("%s\n%v, want it refused by %s", c.statement, err, c.rule)
			}
			_ = tx.Rollback()
		}
	})
}

// TestJournalCannotBeTruncated closes PostgreSQL's other way to empty a table.
func TestJournalCannotBeTruncated(t *testing.T) {
	t.Parallel()
	db := rawPostgres(t, postgresDatabase(t))
	if _, err := db.ExecContext(t.Context(), "TRUNCATE journal"); err == nil || !strings.Contains(err.Error(), "journal_no_delete") {
		t.Errorf("TRUNCATE: %v, want it refused", err)
	}
}

// TestRowsAndColumnsAgree fails when a member of a row has no column in the list that is read, or the other
// way round, or when the table has a column that neither knows.
func TestRowsAndColumnsAgree(t *testing.T) {
	t.Parallel()
	written := map[string][]string{
		"payment": {"live"}, "operation": {"seq", "lane", "claimed_at", "claimed_until"}, "claim": {"month"},
	}
	eachDialect(t, func(t *testing.T, _ *sqlstore.Store, db raw) {
		t.Helper()
		for table, row := range map[string]any{
			"payment": sqlstore.PaymentRow{}, "operation": sqlstore.OperationRow{}, "claim": sqlstore.ClaimRow{},
		} {
			var members []string
			for member := range reflect.TypeOf(row).Fields() {
				members = append(members, member.Tag.Get("bun"))
			}
			slices.Sort(members)
			listed := slices.Sorted(slices.Values(sqlstore.Columns()[table]))
			if diff := cmp.Diff(members, listed); diff != "" {
				t.Errorf("%s: row and list differ (-row +list):\n%s", table, diff)
			}
			columns := columnsOf(t, db, table)
			slices.Sort(columns)
			known := append(listed, written[table]...)
			slices.Sort(known)
			if diff := cmp.Diff(known, columns); diff != "" {
				t.Errorf("%s: program and table differ (-program +table):\n%s", table, diff)
			}
		}
	})
}

func columnsOf(t *testing.T, db raw, table string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table+" WHERE 1 = 0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return columns
}
