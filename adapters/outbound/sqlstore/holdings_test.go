package sqlstore_test

import (
	"testing"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/ports/outbound/outboundtest"
)

func holdingsStores(s *sqlstore.Store) outboundtest.HoldingsStores {
	return outboundtest.HoldingsStores{Stores: ports(s), Holdings: s.Holdings()}
}

func TestSQLiteHoldings(t *testing.T) {
	t.Parallel()
	outboundtest.Holdings(t, func(t *testing.T) outboundtest.HoldingsStores { t.Helper(); return holdingsStores(onSQLite(t)) })
}

func TestPostgresHoldings(t *testing.T) {
	t.Parallel()
	postgresServer(t)
	outboundtest.Holdings(t, func(t *testing.T) outboundtest.HoldingsStores { t.Helper(); return holdingsStores(onPostgres(t)) })
}
