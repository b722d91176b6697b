package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/seals"
	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/adapters/outbound/system"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// The journal of these tests: so many payments with two entries each, sealed but for the last few.
const (
	auditPayments = 5000
	auditUnsealed = 7
)

// evidence is a database with a journal, and what was kept outside of it.
type evidence struct {
	url  string
	keys *seals.Keys
	kept []inbound.KeptSeal
}

// write fills an empty store, half of it, as the core would.
func (v *evidence) write(t *testing.T, s *sqlstore.Store, from, to int) {
	t.Helper()
	var work sync.WaitGroup
	next := make(chan int)
	for range 64 {
		work.Go(func() {
			for i := range next {
				if err := pay(t.Context(), s.Ledger(), i); err != nil {
					t.Errorf("payment %d: %v", i, err)
				}
			}
		})
	}
	for i := from; i < to; i++ {
		next <- i
	}
	close(next)
	work.Wait()
}

func auditID(i int) string { return fmt.Sprintf("01900000-0000-7000-8000-%012d", i) }

// pay commits the two entries of a payment.
func pay(ctx context.Context, l outbound.Ledger, i int) error {
	at := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Millisecond)
	p := payment.Payment{
		ID: payment.ID(auditID(i)), Company: "co", Environment: company.Test, Type: "TILL_PAY", Provider: "till", Account: "a",
		OrderNumber: fmt.Sprint("order-", i), Attempt: 1, Amount: money.Amount{Units: 100, Currency: money.TWD}, Capture: true,
	}
	o := payment.Operation{
		ID: payment.OperationID(fmt.Sprint("op-", i)), Payment: p.ID, Kind: payment.KindPay, Amount: p.Amount,
		OrderID: p.OrderNumber, OwnerBoot: "boot", SendDeadline: at.Add(time.Minute),
	}
	r, err := payment.Begin(p, o, at)
	if err != nil {
		return err
	}
	link := func(r payment.Record, at time.Time) outbound.Change {
		event := "payment." + strings.ToLower(string(r.Payment.State))
		body, _ := json.Marshal(map[string]any{
			"at": at, "event": event, "state": r.Payment.State, "type": r.Payment.Type, "provider": r.Payment.Provider, "account": r.Payment.Account,
			"environment": r.Payment.Environment, "company": r.Payment.Company, "store": r.Payment.Store, "order_number": r.Payment.OrderNumber,
			"currency": r.Payment.Amount.Currency, "amount": r.Payment.Amount.Units, "authorized": r.Payment.Authorized,
			"captured": r.Payment.Captured, "refunded": r.Payment.Refunded, "refund_reserved": r.Payment.RefundReserved,
			"provider_transaction_id": r.Payment.ProviderTransaction, "operation_id": r.Operation.ID, "operation_kind": r.Operation.Kind,
			"operation_state": r.Operation.State, "operation_amount": r.Operation.Amount.Units,
		})
		e := journal.Link(r.Payment.Chain, r.Payment.Stream(), r.Payment.Version, at, event, body)
		r.Payment.Chain = e.Hash
		return outbound.Change{Record: r, Entry: e}
	}
	first := link(r, at)
	first.NewOperation = true
	if got, err := l.Commit(ctx, first); err != nil || got.Loss != outbound.NoLoss {
		return fmt.Errorf("lost %d: %w", got.Loss, err)
	}
	r, err = payment.Apply(first.Record, payment.Answered{
		At: at.Add(time.Second), Operation: o.ID, Epoch: first.Record.Operation.Epoch, Known: payment.KnownApproved,
		Evidence: payment.Evidence{Captured: p.Amount, ProviderTransaction: fmt.Sprint("tx-", i)},
	})
	if err != nil {
		return err
	}
	second := link(r, at.Add(time.Second))
	second.Version, second.Epoch = first.Record.Payment.Version, first.Record.Operation.Epoch
	if got, err := l.Commit(ctx, second); err != nil || got.Loss != outbound.NoLoss {
		return fmt.Errorf("lost %d: %w", got.Loss, err)
	}
	return nil
}

// seal signs all but the last of so many new rows, in blocks.
func (v *evidence) seal(t *testing.T, s *sqlstore.Store, written, leave int) {
	t.Helper()
	var last journal.Seal
	if all, err := s.Journal().Seals(t.Context(), 0, 1000); err == nil && len(all) > 0 {
		last = all[len(all)-1]
	}
	var entries []journal.Placed
	// On PostgreSQL a row is read when no transaction of the whole server can come before it: other tests share the server.
	for end := time.Now().Add(2 * time.Minute); len(entries) < written; time.Sleep(50 * time.Millisecond) {
		var err error
		if entries, err = s.Journal().Tail(t.Context(), last.To, 3*auditPayments); err != nil || time.Now().After(end) {
			t.Fatalf("%d of %d entries, %v", len(entries), written, err)
		}
	}
	entries = entries[:len(entries)-leave]
	for len(entries) > 0 {
		block := entries[:min(1000, len(entries))]
		entries = entries[len(block):]
		next := journal.Seal{
			Number: last.Number + 1, From: last.To, To: block[len(block)-1].Place, Count: int64(len(block)), Root: journal.Block(block),
			At: time.Now().UTC().Truncate(time.Microsecond),
		}
		if last.Number > 0 {
			next.Prev = last.Sum()
		}
		var err error
		if next.Key, next.Signature, err = v.keys.SignBlock(next.Text()); err != nil {
			t.Fatal(err)
		}
		if err := s.Journal().AddSeal(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		v.kept = append(v.kept, inbound.KeptSeal{Number: next.Number, Root: next.Root, Signature: next.Signature})
		last = next
	}
}

func auditStore(t *testing.T, url string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), sqlstore.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (v *evidence) verify(t *testing.T, url string) inbound.AuditReport {
	t.Helper()
	s := auditStore(t, url)
	defer func() { _ = s.Close() }()
	audit, err := newAudit(&database{Store: s}, v.keys)
	if err != nil {
		t.Fatal(err)
	}
	report, err := audit.Verify(t.Context(), inbound.VerifyAudit{Seals: v.kept})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// makeEvidence fills a database; half-way early is called.
func makeEvidence(t *testing.T, url string, early func()) *evidence {
	t.Helper()
	keys, err := seals.New(seals.Options{Dir: t.TempDir(), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	v := &evidence{url: url, keys: keys}
	half := func(from, to, leave int) {
		s := auditStore(t, url)
		defer func() { _ = s.Close() }()
		if from == 0 {
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Directory().AddCompany(t.Context(), company.Company{ID: "co", Name: "Company", CreatedAt: system.Clock{}.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		v.write(t, s, from, to)
		v.seal(t, s, 2*(to-from), leave)
	}
	half(0, auditPayments/2, 0)
	early()
	half(auditPayments/2, auditPayments, auditUnsealed)
	return v
}

// tampering is what somebody who may do anything with the database does, and what must be found first.
type tampering struct {
	name string
	sql  []string
	code string
	// stream and n of the first finding; of no stream if a seal tells.
	payment int
	n       int64
}

func tamperings() []tampering {
	const victim = 1234
	stream := "payment/" + auditID(victim)
	row := func(n int) string { return fmt.Sprintf("stream = '%s' AND n = %d", stream, n) }
	zero := strings.Repeat("00", 32)
	return []tampering{
		{"nothing", nil, "", 0, 0},
		{"a body is changed", []string{"UPDATE journal SET body = CAST('{\"state\":\"FAILED\"}' AS {bytes}) WHERE " + row(2)}, "entry_changed", victim, 2},
		{"a hash is changed", []string{"UPDATE journal SET hash = {hex " + zero + "} WHERE " + row(1)}, "entry_changed", victim, 1},
		{"the word for what happened is changed", []string{"UPDATE journal SET event = 'payment.failed' WHERE " + row(2)}, "entry_changed", victim, 2},
		{"the time is changed", []string{"UPDATE journal SET at = at + 3600000000 WHERE " + row(1)}, "entry_changed", victim, 1},
		{"a row is deleted", []string{"DELETE FROM journal WHERE " + row(1)}, "entry_missing", victim, 1},
		{"the last row of a payment is deleted", []string{"DELETE FROM journal WHERE " + row(2)}, "entry_missing", victim, 2},
		{"a payment's journal is deleted", []string{"DELETE FROM journal WHERE stream = '" + stream + "'"}, "entry_missing", victim, 1},
		{"rows are given to another payment", []string{"UPDATE journal SET stream = 'payment/" + auditID(999999) + "' WHERE " + row(1)}, "entry_changed", 999999, 1},
		{"a payment is put back to another history", []string{"UPDATE payment SET chain = {hex " + zero + "} WHERE id = '" + auditID(victim) + "'"}, "payment_differs", victim, 2},
		{"a payment's state is changed", []string{"UPDATE payment SET state = 'REFUNDED' WHERE id = '" + auditID(victim) + "'"}, "payment_differs", victim, 2},
		{"a payment's amount is changed", []string{"UPDATE payment SET amount = 1 WHERE id = '" + auditID(victim) + "'"}, "payment_differs", victim, 2},
		{"a refund is made up", []string{"UPDATE payment SET refunded = 40 WHERE id = '" + auditID(victim) + "'"}, "payment_differs", victim, 2},
		{"the provider's transaction is changed", []string{"UPDATE payment SET provider_transaction = 'other' WHERE id = '" + auditID(victim) + "'"}, "payment_differs", victim, 2},
		{"an order is given another order id", []string{"UPDATE operation SET order_id = 'other' WHERE payment_id = '" + auditID(victim) + "'"}, "payment_differs", victim, 2},
		{"a payment is given to another company", []string{"UPDATE payment SET company_id = 'nobody' WHERE id = '" + auditID(victim) + "'"}, "payment_differs", victim, 2},
		{"an operation is deleted", []string{"DELETE FROM operation WHERE payment_id = '" + auditID(victim) + "'"}, "payment_differs", victim, 2},
		{"the end of the journal is cut off", []string{"DELETE FROM journal WHERE position > (SELECT max(position) - 3 FROM journal)"}, "entry_missing", -1, 0},
		{"a seal is taken out", []string{"DELETE FROM seal WHERE number = 4"}, "seal_out_of_line", 0, 0},
		{"the last seal is taken out", []string{"DELETE FROM seal WHERE number = (SELECT max(number) FROM seal)"}, "kept_seal_missing", 0, 0},
		{"a seal's root is changed", []string{"UPDATE seal SET root = {hex " + zero + "} WHERE number = 3"}, "seal_signature", 0, 0},
	}
}

// moved are rows in other places, where a database lets them be moved.
func moved() []tampering {
	a, b := "payment/"+auditID(100), "payment/"+auditID(2400)
	return []tampering{
		{"two rows of a payment change places", []string{
			"UPDATE journal SET position = -1 WHERE stream = '" + a + "' AND n = 1",
			"UPDATE journal SET position = (SELECT position FROM journal j WHERE j.stream = '" + a + "' AND j.n = 2) + 1000000 WHERE stream = '" + a + "' AND n = 2",
			"UPDATE journal SET position = 1 + (SELECT max(position) FROM journal) WHERE stream = '" + a + "' AND n = 1",
		}, "entry_missing", 100, 1},
		{"two payments change places", []string{
			"CREATE TEMP TABLE was AS SELECT (SELECT position FROM journal WHERE stream = '" + a + "' AND n = 1) AS p, (SELECT position FROM journal WHERE stream = '" + b + "' AND n = 1) AS q",
			"UPDATE journal SET position = -1 WHERE stream = '" + a + "' AND n = 1",
			"UPDATE journal SET position = (SELECT p FROM was) WHERE stream = '" + b + "' AND n = 1",
			"UPDATE journal SET position = (SELECT q FROM was) WHERE stream = '" + a + "' AND n = 1",
		}, "", 0, 0},
		{"a row is added", []string{
			"INSERT INTO journal (stream, n, at, event, body, prev, hash) SELECT stream, 3, at, event, body, hash, hash FROM journal WHERE stream = '" + a + "' AND n = 2",
		}, "entry_changed", 100, 3},
	}
}

func (c tampering) check(t *testing.T, r inbound.AuditReport) {
	t.Helper()
	if c.name == "nothing" {
		// On PostgreSQL a transaction in another database of the server holds the watermark back, and a few more stay unsealed.
		if len(r.Findings) != 0 || r.Entries != 2*auditPayments || r.Streams != auditPayments || r.Unsealed < auditUnsealed || r.Unsealed > auditPayments/5 || r.Seals < 10 {
			t.Errorf("%+v", r)
		}
		return
	}
	if len(r.Findings) == 0 {
		t.Fatal("nothing was found")
	}
	f := r.Findings[0]
	if c.code != "" && f.Code != c.code {
		t.Errorf("%+v", r.Findings)
	}
	if c.payment > 0 && (f.Stream != "payment/"+auditID(c.payment) || f.N != c.n) {
		t.Errorf("%+v", f)
	}
	if c.payment < 0 && f.Stream == "" {
		t.Errorf("%+v", f)
	}
}

func TestAuditOfSQLite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, half := filepath.Join(dir, "payrack.db"), filepath.Join(dir, "half.db")
	v := makeEvidence(t, path, func() { copyFile(t, path, half) })
	for _, c := range append(tamperings(), moved()...) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			mine := filepath.Join(t.TempDir(), "payrack.db")
			copyFile(t, path, mine)
			db, err := sql.Open("sqlite", mine)
			if err != nil {
				t.Fatal(err)
			}
			db.SetMaxOpenConns(1)
			rows, err := db.QueryContext(t.Context(), "SELECT name FROM sqlite_master WHERE type = 'trigger'")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = rows.Close() }()
			var triggers []string
			for rows.Next() {
				var name string
				if err := rows.Scan(&name); err != nil {
					t.Fatal(err)
				}
				triggers = append(triggers, "DROP TRIGGER "+name)
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			tamper(t, db, append(triggers, c.sql...), func(s string) string {
				s = strings.ReplaceAll(s, "{bytes}", "BLOB")
				return strings.ReplaceAll(strings.ReplaceAll(s, "{hex ", "x'"), "0}", "0'")
			})
			c.check(t, v.verify(t, mine))
		})
	}
	t.Run("an older backup is restored", func(t *testing.T) {
		t.Parallel()
		report := v.verify(t, half)
		if len(report.Findings) == 0 || report.Findings[0].Code != "kept_seal_missing" {
			t.Errorf("%+v", report.Findings)
		}
		v := *v
		v.kept = nil
		if report := v.verify(t, half); len(report.Findings) != 0 {
			t.Errorf("by itself it is whole, and %+v was found", report.Findings)
		}
	})
}

func TestAuditOfPostgreSQL(t *testing.T) {
	t.Parallel()
	server := os.Getenv("PAYRACK_TEST_POSTGRES")
	if server == "" && os.Getenv("PAYRACK_REQUIRE_POSTGRES") != "" {
		t.Fatal("PAYRACK_TEST_POSTGRES must be the URL of a PostgreSQL server on which databases may be made")
	}
	if server == "" {
		t.Skip("PAYRACK_TEST_POSTGRES is not set: make test-postgres runs this test")
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	base := fmt.Sprintf("payrack_audit_%d", time.Now().UnixNano())
	database := func(t *testing.T, name, like string) string {
		t.Helper()
		if _, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name+like); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_, _ = admin.ExecContext(context.WithoutCancel(t.Context()), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		})
		u, err := url.Parse(server)
		if err != nil {
			t.Fatal(err)
		}
		u.Path = "/" + name
		return u.String()
	}
	v := makeEvidence(t, database(t, base, ""), func() {})
	for i, c := range tamperings() {
		mine := database(t, fmt.Sprintf("%s_%d", base, i), " TEMPLATE "+base)
		db, err := sql.Open("pgx", mine)
		if err != nil {
			t.Fatal(err)
		}
		tamper(t, db, append([]string{
			"ALTER TABLE journal DISABLE TRIGGER ALL", "ALTER TABLE seal DISABLE TRIGGER ALL", "ALTER TABLE payment DISABLE TRIGGER ALL",
			"ALTER TABLE operation DISABLE TRIGGER ALL",
		}, c.sql...), func(s string) string {
			s = strings.ReplaceAll(s, "{bytes}", "bytea")
			return strings.ReplaceAll(strings.ReplaceAll(s, "{hex ", `'\x`), "0}", "0'")
		})
		t.Log(c.name)
		c.check(t, v.verify(t, mine))
	}
}

func tamper(t *testing.T, db *sql.DB, statements []string, dialect func(string) string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), dialect(s)); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeptSealsAreReadFromALog(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	for i := 1; i <= 250; i++ {
		fmt.Fprintf(&log, "{\"level\":\"INFO\",\"msg\":\"journal sealed\",\"number\":%d,\"root\":\"%064x\",\"key\":\"k\",\"signature\":\"aa\"}\nno json\n{\"msg\":\"other\"}\n", i, i)
	}
	all, err := readKeptSeals(strings.NewReader(log.String()), "-")
	if err != nil || len(all) != maxKeptSeals || all[len(all)-1].Number != 250 {
		t.Fatalf("%d seals, %v", len(all), err)
	}
	if _, err := readKeptSeals(strings.NewReader("nothing\n"), "-"); err == nil {
		t.Error("a file without seals is no evidence, and passed")
	}
}
