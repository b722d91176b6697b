package sqlstore_test

import (
	"net/url"
	"testing"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/ports/outbound"
)

// TestBackslashesAreText has a database in which, by its setting, a backslash begins an escape: there a client's text could
// end the literal that it stands in.
func TestBackslashesAreText(t *testing.T) {
	t.Parallel()
	dsn := postgresDatabase(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rawPostgres(t, dsn).ExecContext(t.Context(), "ALTER DATABASE "+u.Path[1:]+" SET standard_conforming_strings = off"); err != nil {
		t.Fatal(err)
	}
	s := opened(t, sqlstore.Options{URL: dsn})
	won(t, s.Ledger(), newPayment(t))
	for _, order := range []string{`\' OR true) --`, `\' OR true --`, `a\`, `\\`} {
		page, err := s.Ledger().List(t.Context(), outbound.Query{Company: "another", OrderNumber: order, Limit: 10})
		if err != nil || len(page.Payments) != 0 {
			t.Errorf("%s: %d payments of another company, %v", order, len(page.Payments), err)
		}
		c := newPayment(t)
		c.Record.Payment.OrderNumber = order
		won(t, s.Ledger(), c)
		page, err = s.Ledger().List(t.Context(), outbound.Query{Company: tenant, OrderNumber: order, Limit: 10})
		if err != nil || len(page.Payments) != 1 || page.Payments[0].OrderNumber != order {
			t.Errorf("%s: %+v, %v; want the payment of that order", order, page.Payments, err)
		}
	}
}
