package sqlstore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/outbound"
)

type channelRow struct {
	bun.BaseModel `bun:"table:plugin_channel"`

	Name       string `bun:"name,pk"`
	Stable     string `bun:"stable"`
	Candidate  string `bun:"candidate"`
	Previous   string `bun:"previous"`
	Weight     int    `bun:"weight"`
	Stores     string `bun:"stores"`
	Phase      string `bun:"phase"`
	Goal       string `bun:"goal"`
	Until      *int64 `bun:"until"`
	Before     string `bun:"before_phase"`
	BakesUntil *int64 `bun:"bakes_until"`
	Since      int64  `bun:"since"`
	Enabled    bool   `bun:"enabled"`
	Generation int64  `bun:"generation"`
	Events     int64  `bun:"events"`
	Chain      []byte `bun:"chain"`
	UpdatedAt  int64  `bun:"updated_at"`
	UpdatedBy  string `bun:"updated_by"`
	Reason     string `bun:"reason"`
}

func newChannelRow(c release.Channel) (channelRow, error) {
	stores, err := list(c.Stores)
	if err != nil {
		return channelRow{}, err
	}
	return channelRow{
		Name: c.Name, Stable: c.Stable, Candidate: c.Candidate, Previous: c.Previous, Weight: c.Weight, Stores: stores,
		Phase: string(c.Phase), Goal: string(c.Goal), Until: microsOrNil(c.Until), Before: string(c.Before),
		BakesUntil: microsOrNil(c.BakesUntil), Since: c.Since, Enabled: c.Enabled, Generation: c.Generation, Events: c.Events,
		Chain: c.Chain[:], UpdatedAt: c.UpdatedAt.UnixMicro(), UpdatedBy: c.UpdatedBy, Reason: c.Reason,
	}, nil
}

// microsOrNil is a time as a row holds it: nil for the zero time.
func microsOrNil(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	return new(t.UnixMicro())
}

func (r channelRow) channel() (release.Channel, error) {
	c := release.Channel{
		Name: r.Name, Stable: r.Stable, Candidate: r.Candidate, Previous: r.Previous, Weight: r.Weight,
		Phase: release.Phase(r.Phase), Goal: release.Goal(r.Goal), Until: instant(r.Until),
		Before: release.Phase(r.Before), BakesUntil: instant(r.BakesUntil), Since: r.Since, Enabled: r.Enabled,
		Generation: r.Generation, Events: r.Events, UpdatedAt: utc(r.UpdatedAt), UpdatedBy: r.UpdatedBy, Reason: r.Reason,
	}
	copy(c.Chain[:], r.Chain)
	return c, stored(r.Stores, &c.Stores)
}

// list is a list as it is stored: never null.
func list[T any](all []T) (string, error) {
	if len(all) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(all)
	return string(b), internal(err)
}

// stored reads JSON out of a column. What is empty stays nil.
func stored[T any](text string, into *T) error {
	if text == "" || text == "[]" || text == "{}" {
		return nil
	}
	return internal(json.Unmarshal([]byte(text), into))
}

// Channels returns all channels, by name.
func (s *releaseStore) Channels(ctx context.Context) (all []release.Channel, err error) {
	end := s.store.span(ctx, "releases.channels", "SELECT plugin_channel")
	defer func() { end(SpanEnd{Err: err}) }()
	var rows []channelRow
	if err := s.store.read.NewSelect().Model(&rows).OrderExpr("name").Scan(ctx); err != nil {
		return nil, readFault(err)
	}
	for _, row := range rows {
		c, err := row.channel()
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// SaveChannel stores a channel over the generation before, with its entry of the journal, and tells every replica.
func (s *releaseStore) SaveChannel(ctx context.Context, c release.Channel, e journal.Entry) (err error) {
	end := s.store.span(ctx, "releases.save_channel", "INSERT/UPDATE plugin_channel, INSERT journal")
	defer func() { end(SpanEnd{Err: err, Batch: 1}) }()
	if err := outbound.CheckChannel(c, e); err != nil {
		return err //nolint:wrapcheck // a fault already
	}
	row, err := newChannelRow(c)
	if err != nil {
		return err
	}
	err = s.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		if err := saveChannel(ctx, db, row, e); err != nil {
			return err
		}
		if err := insertEntry(ctx, db, e); err != nil {
			return err
		}
		return s.store.tell(ctx, db, c.Name)
	})
	if err == nil {
		s.store.hints.give()
	}
	return writeFault(err)
}

// saveChannel writes the row if its generation, its count of events and the head of its chain are those that the new one
// follows.
func saveChannel(ctx context.Context, db bun.IDB, row channelRow, e journal.Entry) error {
	if row.Generation < 1 {
		return generationMoved()
	}
	if row.Generation == 1 {
		if row.Events != 1 || e.Prev != (journal.Hash{}) {
			return entryDoesNotFollow()
		}
		n, err := affected(db.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx))
		if err == nil && n != 1 {
			err = generationMoved()
		}
		return err
	}
	n, err := affected(db.NewUpdate().Model(&row).WherePK().Where("generation = ?", row.Generation-1).
		Where("events = ?", row.Events-1).Where("chain = ?", e.Prev[:]).Exec(ctx))
	if err != nil || n == 1 {
		return err
	}
	same, err := db.NewSelect().Model((*channelRow)(nil)).Where("name = ?", row.Name).
		Where("generation = ?", row.Generation-1).Exists(ctx)
	switch {
	case err != nil:
		return err //nolint:wrapcheck // made a fault by the caller
	case same:
		return entryDoesNotFollow()
	default:
		return generationMoved()
	}
}

// affected is the number of rows that a write changed.
func affected(result interface{ RowsAffected() (int64, error) }, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected() //nolint:wrapcheck // made a fault by the caller
}

func generationMoved() error {
	return fault.New(fault.Conflict, "generation_moved", "the channel was changed meanwhile; read it again")
}

func entryDoesNotFollow() error {
	return fault.New(fault.Internal, "change_malformed",
		"a change of a channel is malformed: the journal entry does not follow the one before; nothing was stored")
}

// insertEntry adds an entry that is no change of a payment. A number that is taken is refused, and the change with it.
func insertEntry(ctx context.Context, db bun.IDB, e journal.Entry) error {
	row := journalRow{
		Stream: e.Stream, N: e.N, At: e.At.UnixMicro(), Event: e.Event, Body: append([]byte{}, e.Body...),
		Prev: e.Prev[:], Hash: e.Hash[:],
	}
	_, err := db.NewInsert().Model(&row).ModelTableExpr("journal").Exec(ctx)
	return err //nolint:wrapcheck // made a fault by the caller
}
