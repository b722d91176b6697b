package sqlstore_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

func contains(s, part string) bool { return part != "" && strings.Contains(s, part) }

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url  string
		kind fault.Kind
		code string
	}{
		{"", fault.Invalid, "database_url"},
		{":memory:", fault.Invalid, "database_url"},
		{"file::memory:?cache=shared", fault.Invalid, "database_url"},
		{"file:x.db?_pragma=synchronous(OFF)", fault.Invalid, "database_url"},
		{"mysql://localhost/x", fault.Invalid, "database_url"},
		{"postgres://%zz", fault.Invalid, "database_url"},
		{filepath.Join(t.TempDir(), "missing", "payrack.db"), fault.Unavailable, "store_unavailable"},
		{"postgres://nobody:hunter2@127.0.0.1:1/x?connect_timeout=1", fault.Unavailable, "store_unavailable"},
	} {
		s, err := sqlstore.Open(t.Context(), sqlstore.Options{URL: c.url})
		if err == nil {
			_ = s.Close()
		}
		if fault.KindOf(err) != c.kind || fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want kind %d code %s", c.url, err, c.kind, c.code)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the password: %v", c.url, err)
		}
	}
}

func TestSQLiteURLs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, prefix := range []string{"", "file:", "file://", "sqlite:", "sqlite://"} {
		path := filepath.Join(dir, fmt.Sprintf("a b%%20#%d 資料.db", len(prefix)))
		s, err := sqlstore.Open(t.Context(), sqlstore.Options{URL: prefix + path})
		if err != nil {
			t.Errorf("%s: %v", prefix, err)
			continue
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Errorf("%s: %v", prefix, err)
		}
		won(t, s.Ledger(), newPayment(t))
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", prefix, err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Size() == 0 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: the file is %v, %v; want mode 0600 and something in it", prefix, info, err)
		}
	}
}

func TestSQLiteDurability(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	d, err := s.Durability(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !d.OK() || d.Settings["journal_mode"] != "wal" || d.Settings["synchronous"] != "2" {
		t.Errorf("Durability = %+v", d)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	if s.System() != "sqlite" {
		t.Errorf("System = %s", s.System())
	}
}

func TestSchemaIsAskedFor(t *testing.T) {
	t.Parallel()
	s, err := sqlstore.Open(t.Context(), sqlstore.Options{URL: filepath.Join(t.TempDir(), "payrack.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	all, err := s.MigrationStatus(t.Context())
	if err != nil || len(all) == 0 || all[0].Applied {
		t.Fatalf("MigrationStatus = %+v, %v; want steps that are not applied", all, err)
	}
	_, err = s.Ledger().Commit(t.Context(), newPayment(t))
	if fault.CodeOf(err) != "schema_outdated" {
		t.Errorf("Commit without a schema: %v, want schema_outdated", err)
	}
	_, err = s.Directory().Generation(t.Context())
	if fault.CodeOf(err) != "schema_outdated" {
		t.Errorf("Generation without a schema: %v, want schema_outdated", err)
	}
	for range 2 {
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	all, err = s.MigrationStatus(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range all {
		if !m.Applied || m.AppliedAt.IsZero() || m.Version != int64(i)+1 || m.Name == "" {
			t.Errorf("step %d = %+v", i+1, m)
		}
	}
	// The store that was open all along works now.
	won(t, s.Ledger(), newPayment(t))
}

// TestProcessesMigrateAFileAtOnce starts several processes on one new file.
func TestProcessesMigrateAFileAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "payrack.db")
	stores := make([]*sqlstore.Store, 4)
	for i := range stores {
		s, err := sqlstore.Open(t.Context(), sqlstore.Options{URL: path})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		stores[i] = s
	}
	var wg sync.WaitGroup
	for _, s := range stores {
		wg.Go(func() {
			if err := s.Migrate(t.Context()); err != nil {
				t.Errorf("Migrate: %v", err)
			}
			if got, err := s.Ledger().Commit(t.Context(), newPayment(t)); err != nil || got.Loss != outbound.NoLoss {
				t.Errorf("Commit = %+v, %v", got, err)
			}
		})
	}
	wg.Wait()
}

// TestTwoProcessesShareAFile stands for the platform and an operator's command on the same data folder.
func TestTwoProcessesShareAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "payrack.db")
	a, b := opened(t, sqlstore.Options{URL: path}), opened(t, sqlstore.Options{URL: path})
	var wg sync.WaitGroup
	for _, s := range []*sqlstore.Store{a, b} {
		for range 8 {
			wg.Go(func() {
				for range 10 {
					if got, err := s.Ledger().Commit(t.Context(), newPayment(t)); err != nil || got.Loss != outbound.NoLoss {
						t.Errorf("Commit = %+v, %v", got, err)
					}
				}
			})
		}
	}
	wg.Wait()
	n := 0
	q := outbound.Query{Company: tenant, Limit: 200}
	page, err := a.Ledger().List(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	n += len(page.Payments)
	if n != 160 {
		t.Errorf("%d payments, want 160", n)
	}
}

// TestListsUseAnIndex looks at SQLite's plan of every list: none reads a table from end to end, and only those
// that are short by themselves are sorted.
func TestListsUseAnIndex(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "payrack.db")
	s := opened(t, sqlstore.Options{URL: path})
	last := won(t, s.Ledger(), newPayment(t))
	db := rawSQLite(t, path)
	own, day := company.OwnStore, time.Now()
	for name, c := range map[string]struct {
		query   outbound.Query
		indexes []string
		sorted  bool
	}{
		"all":       {outbound.Query{}, []string{"payment_created"}, false},
		"store":     {outbound.Query{Store: &own}, []string{"payment_created"}, false},
		"type":      {outbound.Query{Type: "t"}, []string{"payment_created"}, false},
		"succeeded": {outbound.Query{State: payment.Succeeded}, []string{"payment_created"}, false},
		"unknown":   {outbound.Query{State: payment.Unknown}, []string{"payment_state"}, false},
		"sending":   {outbound.Query{State: payment.Sending}, []string{"operation_one_open", "sqlite_autoindex_payment_1"}, true},
		"order": {
			outbound.Query{OrderNumber: "o"},
			[]string{"payment_live_order", "payment_ended_order", "sqlite_autoindex_payment_1"},
			true,
		},
	} {
		for page, more := range map[string]func(*outbound.Query){
			"first page": func(*outbound.Query) {},
			"next page":  func(q *outbound.Query) { q.Before = last.Payment.ID },
			"period":     func(q *outbound.Query) { q.CreatedFrom, q.CreatedTo = day, day.Add(time.Hour) },
		} {
			q := c.query
			q.Company, q.Limit = tenant, 50
			more(&q)
			text, err := sqlstore.ListSQL(t.Context(), s, q)
			if err != nil {
				t.Fatal(err)
			}
			plan := explained(t, db, text)
			for _, index := range c.indexes {
				if !strings.Contains(plan, "INDEX "+index) {
					t.Errorf("%s, %s does not use %s: %s", name, page, index, plan)
				}
			}
			if strings.Contains(plan, "SCAN p") || strings.Contains(plan, "TEMP B-TREE") != c.sorted {
				t.Errorf("%s, %s: %s", name, page, plan)
			}
		}
	}
}

func explained(t *testing.T, db raw, text string) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var plan []string
	for rows.Next() {
		var a, b, c int
		var detail string
		if err := rows.Scan(&a, &b, &c, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "; ")
}

// crashEnv makes the test binary write payments until it is killed.
const crashEnv = "PAYRACK_SQLSTORE_CRASH_FILE"

// TestConfirmedPaymentsSurviveAKill kills a process in the middle of its commits: whatever it had confirmed is
// there, and nothing is half there.
func TestConfirmedPaymentsSurviveAKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "payrack.db")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWritesUntilKilled$")
	cmd.Env = append(os.Environ(), crashEnv+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var confirmed []payment.ID
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "confirmed "); ok {
			confirmed = append(confirmed, payment.ID(id))
		}
		if len(confirmed) == 300 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Fatalf("the writer ended by itself: %v", err)
	}
	if len(confirmed) < 300 {
		t.Fatalf("only %d payments were confirmed", len(confirmed))
	}
	s := opened(t, sqlstore.Options{URL: path})
	for _, id := range confirmed {
		r, err := s.Ledger().Load(t.Context(), tenant, id)
		if err != nil {
			t.Fatalf("%s was confirmed and is gone: %v", id, err)
		}
		entries, err := s.Journal().Entries(t.Context(), r.Payment.Stream(), 0, 10)
		if err != nil || int64(len(entries)) != r.Payment.Version || entries[len(entries)-1].Hash != r.Payment.Chain {
			t.Fatalf("%s has version %d and %d entries, %v", id, r.Payment.Version, len(entries), err)
		}
	}
	db := rawSQLite(t, path)
	var integrity string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&integrity); err != nil || integrity != "ok" {
		t.Errorf("integrity_check = %q, %v", integrity, err)
	}
}

func TestWritesUntilKilled(t *testing.T) {
	t.Parallel()
	path := os.Getenv(crashEnv)
	if path == "" {
		t.Skip("only in the process that TestConfirmedPaymentsSurviveAKill starts")
	}
	s := opened(t, sqlstore.Options{URL: path})
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for t.Context().Err() == nil {
				r := won(t, s.Ledger(), newPayment(t))
				won(t, s.Ledger(), answered(t, r))
				mu.Lock()
				fmt.Printf("confirmed %s\n", r.Payment.ID)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}
