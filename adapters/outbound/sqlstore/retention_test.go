package sqlstore_test

import (
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
	"github.com/payrack/payrack/ports/outbound/outboundtest"
)

func TestSQLiteRetention(t *testing.T) {
	t.Parallel()
	outboundtest.Retention(t, func(t *testing.T) outboundtest.RetentionStores {
		t.Helper()
		s := onSQLite(t)
		return outboundtest.RetentionStores{Stores: ports(s), Retention: s.Retention()}
	})
}

func TestPostgresRetention(t *testing.T) {
	t.Parallel()
	postgresServer(t)
	outboundtest.Retention(t, func(t *testing.T) outboundtest.RetentionStores {
		t.Helper()
		s := onPostgres(t)
		return outboundtest.RetentionStores{Stores: ports(s), Retention: s.Retention()}
	})
}

// TestPruningIsBounded has more keys than a batch, of which some stay, between request ids that stay for ever.
func TestPruningIsBounded(t *testing.T) {
	t.Parallel()
	eachDialect(t, func(t *testing.T, s *sqlstore.Store, db raw) {
		t.Helper()
		ctx := t.Context()
		r := won(t, s.Ledger(), newPayment(t))
		const keys, batch = 1200, 500
		at := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		insert := func(owner payment.ID, scope outbound.ClaimScope, n int) {
			t.Helper()
			hash := make([]byte, 32)
			hash[0], hash[1], hash[2] = byte(n*37), byte(n>>8), byte(n)
			err := db.exec(ctx, tx, `INSERT INTO claim (month, company_id, environment, scope, key_hash, fingerprint, payment_id,
 operation_id, claimed_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'o', ?)`, int64(2026*12), "pruned", string(company.Live), string(scope),
				hash, make([]byte, 32), string(owner), at.UnixMicro())
			if err != nil {
				t.Fatal(err)
			}
		}
		for n := range keys {
			insert("ended", outbound.ClaimHeader, n)
			insert("ended", outbound.ClaimRequest, n)
		}
		for n := range 7 {
			insert(r.Payment.ID, outbound.ClaimHeader, keys+n) // that payment is still being sent
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		retention, total, calls := s.Retention(), 0, 0
		for more := true; more; calls++ {
			var removed int
			if removed, more, err = retention.PruneKeys(ctx, at.AddDate(0, 2, 0)); err != nil {
				t.Fatal(err)
			}
			if removed > batch {
				t.Errorf("%d keys were removed in one transaction, want at most %d", removed, batch)
			}
			total += removed
			if calls > keys {
				t.Fatal("it does not end")
			}
		}
		var left int
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM claim WHERE company_id = 'pruned'").Scan(&left); err != nil {
			t.Fatal(err)
		}
		if total != keys || left != keys+7 {
			t.Errorf("%d keys were removed in %d calls and %d claims are left; want %d and %d", total, calls, left, keys, keys+7)
		}
	})
}
