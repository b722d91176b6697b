package sqlstore_test

import (
	"testing"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
)

// TestJournalOfAnotherServer has a journal that was moved here by a dump, from a server that had counted more
// transactions. New entries stand before the old ones here, where nobody looks who has read those.
func TestJournalOfAnotherServer(t *testing.T) {
	t.Parallel()
	dsn := postgresDatabase(t)
	s, db := opened(t, sqlstore.Options{URL: dsn}), rawPostgres(t, dsn)
	_, err := db.ExecContext(t.Context(), `INSERT INTO journal (stream, n, at, event, body, prev, hash, tx)
 VALUES ('payment/moved', 1, 1, 'moved', $1, $1, $1, '4000000000000')`, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	won(t, s.Ledger(), newPayment(t))
	for _, after := range []journal.Place{{}, {Transaction: 4000000000000, Row: 1}} {
		all, err := s.Journal().Tail(t.Context(), after, 100)
		for err == nil && len(all) > 0 { // read to the end
			all, err = s.Journal().Tail(t.Context(), all[len(all)-1].Place, 100)
		}
		if fault.KindOf(err) != fault.Unavailable || fault.CodeOf(err) != "journal_moved" {
			t.Errorf("Tail behind %+v: %v, want journal_moved", after, err)
		}
	}
}
