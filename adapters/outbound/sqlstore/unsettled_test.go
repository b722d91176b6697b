package sqlstore_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/payment"
)

func TestUnsettled(t *testing.T) {
	t.Parallel()
	eachDialect(t, func(t *testing.T, s *sqlstore.Store, _ raw) {
		t.Helper()
		if err := s.Directory().AddCompany(t.Context(), company.Company{ID: tenant, Name: "One", CreatedAt: time.Now().UTC()}); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Unsettled(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("of nothing: %+v, %v", got, err)
		}
		won(t, s.Ledger(), newPayment(t)) // on its way
		won(t, s.Ledger(), answered(t, won(t, s.Ledger(), newPayment(t))))
		first := won(t, s.Ledger(), newPayment(t))
		for _, r := range []payment.Record{first, won(t, s.Ledger(), newPayment(t))} {
			// However late it is recorded, it is as old as its call.
			won(t, s.Ledger(), applied(t, r, payment.Answered{
				At: r.Payment.CreatedAt.Add(time.Minute), Operation: r.Operation.ID, Epoch: 1, Known: payment.KnownNothing,
			}))
		}
		began := first.Operation.CreatedAt.Truncate(time.Microsecond) // as it is stored
		got, err := s.Unsettled(t.Context())
		if err != nil || len(got) != 1 || got[0].State != payment.Unknown || got[0].Payments != 2 || !got[0].Oldest.Equal(began) {
			t.Errorf("%+v, %v; want two UNKNOWN, the first of %s", got, err, began)
		}
	})
}

// What is read with every look at the metrics does not grow with the payments that are settled.
func TestUnsettledUsesAnIndex(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "payrack.db")
	s := opened(t, sqlstore.Options{URL: path})
	plan := explained(t, rawSQLite(t, path), sqlstore.UnsettledSQL(s))
	for _, want := range []string{"INDEX payment_state (company_id=? AND state=?)", "INDEX operation_one_open (payment_id=?)"} {
		if !strings.Contains(plan, want) {
			t.Errorf("%s is not in\n%s", want, plan)
		}
	}
}
