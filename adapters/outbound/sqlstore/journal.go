package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
)

// journalStore is the store's outbound.Journal.
type journalStore struct{ store *Store }

// Entries returns the entries of a stream in order.
func (j *journalStore) Entries(ctx context.Context, stream string, after int64, limit int) (all []journal.Entry, err error) {
	end := j.store.span(ctx, "journal.entries", "SELECT journal BY stream")
	defer func() { end(SpanEnd{Err: err}) }()
	if err := positive(limit); err != nil {
		return nil, err
	}
	var rows []journalRow
	err = j.store.read.NewSelect().TableExpr("journal").Column(journalColumns()...).
		Where("stream = ?", stream).Where("n > ?", after).OrderExpr("n").Limit(int64(limit)).Scan(ctx, &rows)
	if err != nil {
		return nil, readFault(err)
	}
	for _, row := range rows {
		all = append(all, row.entry())
	}
	return all, nil
}

func positive(limit int) error {
	if limit < 1 {
		return fault.New(fault.Invalid, "out_of_range", "the limit is at least 1")
	}
	return nil
}

// Tail returns entries of all streams behind a place. On SQLite one writer makes them visible in the order of their
// rows. On PostgreSQL a transaction may take its rows first and commit last; so only transactions count that are older
// than every one that is still open, in their own order.
func (j *journalStore) Tail(ctx context.Context, after journal.Place, limit int) (all []journal.Placed, err error) {
	end := j.store.span(ctx, "journal.tail", "SELECT journal BY position")
	defer func() { end(SpanEnd{Err: err}) }()
	if err := positive(limit); err != nil {
		return nil, err
	}
	q := j.store.read.NewSelect().TableExpr("journal").Column(journalColumns()...).ColumnExpr("position").Limit(int64(limit))
	if j.store.dialect == postgres {
		q = q.ColumnExpr("tx::text::bigint AS tx").
			Where("(tx, position) > (?::text::xid8, ?)", after.Transaction, after.Row).
			Where("tx < pg_snapshot_xmin(pg_current_snapshot())").OrderExpr("tx, position")
	} else {
		if after.Transaction > 0 {
			return nil, nil // no row stands behind a place of another database
		}
		q = q.ColumnExpr("0 AS tx").Where("position > ?", after.Row).OrderExpr("position")
	}
	rows, err := q.Rows(ctx)
	if err != nil {
		return nil, readFault(err)
	}
	defer func() { err = errors.Join(err, readFault(rows.Close())) }()
	for rows.Next() {
		one, err := placed(rows)
		if err != nil {
			return nil, readFault(err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil || len(all) > 0 || j.store.dialect == sqlite {
		return all, readFault(err)
	}
	return nil, j.moved(ctx)
}

// moved fails if entries stand where this server's transactions have not come yet. Then the journal was moved here by a
// dump, and what is written now stands before what was read long ago: it would be neither sealed nor told, without a word.
func (j *journalStore) moved(ctx context.Context) error {
	var ahead bool
	err := j.store.read.NewRaw("SELECT EXISTS (SELECT 1 FROM journal WHERE tx >= pg_snapshot_xmax(pg_current_snapshot()))").Scan(ctx, &ahead)
	if err == nil && ahead {
		return fault.New(fault.Unavailable, "journal_moved", "the journal is from a server that had counted more transactions, as after pg_dump; "+
			"new entries are neither sealed nor told: stop this server and set its counter forward with pg_resetwal --epoch, one above the old server's")
	}
	return readFault(err)
}

// placed reads an entry beside its place: the columns of the journal, position, transaction. Each entry is read once by
// the sealer and once for the webhooks, so it is read by hand.
func placed(rows *sql.Rows) (journal.Placed, error) {
	var (
		p          journal.Placed
		at         int64
		prev, hash sql.RawBytes
	)
	e := &p.Entry
	err := rows.Scan(&e.Stream, &e.N, &at, &e.Event, &e.Body, &prev, &hash, &p.Row, &p.Transaction)
	e.At, e.Body = utc(at), filled(e.Body)
	copy(e.Prev[:], prev)
	copy(e.Hash[:], hash)
	return p, err //nolint:wrapcheck // made a fault by the caller
}

type sealRow struct {
	bun.BaseModel `bun:"table:seal"`

	Number    int64  `bun:"number,pk"`
	FromTx    int64  `bun:"from_tx"`
	FromRow   int64  `bun:"from_row"`
	ToTx      int64  `bun:"to_tx"`
	ToRow     int64  `bun:"to_row"`
	Entries   int64  `bun:"entries"`
	Root      []byte `bun:"root"`
	Prev      []byte `bun:"prev"`
	At        int64  `bun:"at"`
	Key       string `bun:"key"`
	Signature []byte `bun:"signature"`
}

func newSealRow(s journal.Seal) sealRow {
	return sealRow{
		Number: s.Number, FromTx: s.From.Transaction, FromRow: s.From.Row, ToTx: s.To.Transaction, ToRow: s.To.Row,
		Entries: s.Count, Root: s.Root[:], Prev: s.Prev[:], At: s.At.UnixMicro(), Key: s.Key,
		Signature: append([]byte{}, s.Signature...),
	}
}

func (r sealRow) seal() journal.Seal {
	s := journal.Seal{
		Number: r.Number, From: journal.Place{Transaction: r.FromTx, Row: r.FromRow},
		To: journal.Place{Transaction: r.ToTx, Row: r.ToRow}, Count: r.Entries, At: utc(r.At), Key: r.Key,
		Signature: filled(r.Signature),
	}
	copy(s.Root[:], r.Root)
	copy(s.Prev[:], r.Prev)
	return s
}

// Seals returns seals in order.
func (j *journalStore) Seals(ctx context.Context, after int64, limit int) (all []journal.Seal, err error) {
	end := j.store.span(ctx, "journal.seals", "SELECT seal BY number")
	defer func() { end(SpanEnd{Err: err}) }()
	if err := positive(limit); err != nil {
		return nil, err
	}
	q := j.store.read.NewSelect().Where("number > ?", after).OrderExpr("number").Limit(int64(limit))
	all, err = rowsOf(ctx, q, sealRow.seal)
	return all, readFault(err)
}

// AddSeal keeps the next seal.
func (j *journalStore) AddSeal(ctx context.Context, s journal.Seal) (err error) {
	end := j.store.span(ctx, "journal.add_seal", "INSERT seal")
	defer func() { end(SpanEnd{Err: err, Batch: 1}) }()
	return writeFault(j.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		row := newSealRow(s)
		// Replicas meet here each second: who comes second is no error for the database's log.
		done, err := db.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx)
		if err != nil {
			return err //nolint:wrapcheck // made a fault by the caller
		}
		if added, err := done.RowsAffected(); err != nil || added == 0 {
			return errors.Join(err, fault.New(fault.Conflict, "seal_taken", "another replica has sealed this block already"))
		}
		return nil
	}))
}
