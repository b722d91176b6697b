package sqlstore_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// TestNothingDueAsksNoWriter asks and fences while the writer is held: what finds nothing does not wait for it.
func TestNothingDueAsksNoWriter(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	won(t, s.Ledger(), newPayment(t)) // on its way, of this process life
	release := held(t, s)
	defer release()
	for _, q := range []outbound.DueQuery{
		{Boot: "boot-1", Limit: 100, PerAccount: 5, Lease: time.Minute},
		{Boot: "boot-1", Limit: 1, Lease: time.Minute, Payment: "none"},
	} {
		if got, err := s.Ledger().Due(t.Context(), q); err != nil || len(got) != 0 {
			t.Errorf("Due = %+v, %v; want nothing", got, err)
		}
	}
	if got, err := s.Ledger().Fence(t.Context(), "boot-1", 10); err != nil || len(got) != 0 {
		t.Errorf("Fence = %+v, %v; want nothing", got, err)
	}
}

// TestDueReadsItsIndexAlone looks at SQLite's plans: candidates come from the index of what is due, without a look at
// the rows and without a sort.
func TestDueReadsItsIndexAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "payrack.db")
	s := opened(t, sqlstore.Options{URL: path})
	db := rawSQLite(t, path)
	for _, text := range sqlstore.DueSQL(s) {
		plan := explained(t, db, text)
		if !strings.Contains(plan, "COVERING INDEX operation_due") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\n%s", text, plan)
		}
	}
}

// TestClaimsOfManyAtOnce takes what a page holds, when the line of one account is longer than many pages.
func TestClaimsOfManyAtOnce(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	for i := range 60 {
		c := newPayment(t)
		if i == 59 {
			c.Record.Payment.Account = "0987654321"
		}
		r := won(t, s.Ledger(), c)
		unknown := applied(t, r, payment.Answered{
			At: r.Payment.CreatedAt.Add(-time.Hour), Operation: r.Operation.ID, Epoch: 1, Known: payment.KnownNothing,
		})
		won(t, s.Ledger(), unknown)
	}
	got, err := s.Ledger().Due(t.Context(), outbound.DueQuery{Boot: "boot-1", Limit: 5, PerAccount: 2, Lease: time.Minute})
	if err != nil || len(got) != 3 || got[2].Payment.Account != "0987654321" {
		t.Errorf("Due = %d records, %v; want two of the long line and the other account's", len(got), err)
	}
}

func TestWritableOnSQLite(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	if err := s.Writable(t.Context()); err != nil {
		t.Errorf("Writable: %v", err)
	}
}

// TestAttemptsUseAnIndex looks at SQLite's plan of what each new payment asks.
func TestAttemptsUseAnIndex(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "payrack.db")
	opened(t, sqlstore.Options{URL: path})
	plan := explained(t, rawSQLite(t, path), sqlstore.AttemptsSQL())
	if !strings.Contains(plan, "INDEX payment_ended_order (company_id=? AND order_number=?)") {
		t.Error(plan)
	}
}
