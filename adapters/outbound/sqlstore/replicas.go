package sqlstore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/outbound"
)

// Replicas is the store's outbound.Replicas.
func (s *Store) Replicas() outbound.Replicas { return &replicaStore{store: s} }

// replicaStore is the store's outbound.Replicas.
type replicaStore struct{ store *Store }

// reportsKept is how long the report of a process that is gone can be read.
const reportsKept = time.Hour

type reportRow struct {
	bun.BaseModel `bun:"table:plugin_replica"`

	Replica    string `bun:"replica,pk"`
	Name       string `bun:"name,pk"`
	Generation int64  `bun:"generation"`
	Ready      string `bun:"ready"`
	Refused    string `bun:"refused"`
	Since      int64  `bun:"since"`
	Tallies    string `bun:"tallies"`
	SeenAt     int64  `bun:"seen_at"`
}

func newReportRow(r release.Report) (row reportRow, err error) {
	row = reportRow{Replica: r.Replica, Name: r.Name, Generation: r.Generation, Refused: "{}", Since: r.Since}
	if row.Ready, err = list(r.Ready); err != nil {
		return reportRow{}, err
	}
	if row.Tallies, err = list(r.Tallies); err != nil {
		return reportRow{}, err
	}
	if len(r.Refused) > 0 {
		b, err := json.Marshal(r.Refused)
		if err != nil {
			return reportRow{}, internal(err)
		}
		row.Refused = string(b)
	}
	return row, nil
}

// report is the report as it is seen at a time of the database's clock. A sign from the future is as bad as an old one:
// the clock was put back, and a process that lives gives the next sign soon.
func (r reportRow) report(now int64) (release.Report, error) {
	all := release.Report{
		Replica: r.Replica, Name: r.Name, Generation: r.Generation, Since: r.Since, SeenAt: utc(r.SeenAt),
		Alive: max(now-r.SeenAt, r.SeenAt-now) < release.LiveFor.Microseconds(),
	}
	if err := stored(r.Ready, &all.Ready); err != nil {
		return release.Report{}, err
	}
	if err := stored(r.Refused, &all.Refused); err != nil {
		return release.Report{}, err
	}
	return all, stored(r.Tallies, &all.Tallies)
}

// Report keeps what a replica says about a provider.
func (s *replicaStore) Report(ctx context.Context, r release.Report) (err error) {
	end := s.store.span(ctx, "replicas.report", "INSERT/UPDATE plugin_replica")
	defer func() { end(SpanEnd{Err: err, Batch: 1}) }()
	if r.Replica == "" {
		return fault.New(fault.Invalid, "out_of_range", "a report needs a replica")
	}
	row, err := newReportRow(r)
	if err != nil {
		return err
	}
	return writeFault(s.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		now, err := s.store.now(ctx, db)
		if err != nil {
			return err
		}
		if err := s.forget(ctx, db, r.Replica, now); err != nil {
			return err
		}
		row.SeenAt = now
		_, err = db.NewInsert().Model(&row).On("CONFLICT (replica, name) DO UPDATE").
			Set("generation = EXCLUDED.generation").Set("ready = EXCLUDED.ready").Set("refused = EXCLUDED.refused").
			Set("since = EXCLUDED.since").Set("tallies = EXCLUDED.tallies").Set("seen_at = EXCLUDED.seen_at").Exec(ctx)
		return err //nolint:wrapcheck // made a fault by the caller
	}))
}

// forget removes reports of processes that are gone. One process owns a SQLite file: what another one said there was said
// before it ended. On PostgreSQL replicas that meet here leave each other's rows alone.
func (s *replicaStore) forget(ctx context.Context, db bun.IDB, replica string, now int64) error {
	if s.store.dialect == sqlite {
		_, err := db.NewDelete().Model((*reportRow)(nil)).Where("replica <> ?", replica).Exec(ctx)
		return err //nolint:wrapcheck // made a fault by the caller
	}
	_, err := db.NewRaw(`DELETE FROM plugin_replica WHERE (replica, name) IN
 (SELECT replica, name FROM plugin_replica WHERE seen_at < ? FOR UPDATE SKIP LOCKED)`,
		now-reportsKept.Microseconds()).Exec(ctx)
	return err //nolint:wrapcheck // made a fault by the caller
}

// Reports returns the last report of every replica, by provider and replica.
func (s *replicaStore) Reports(ctx context.Context, name string) (all []release.Report, err error) {
	end := s.store.span(ctx, "replicas.reports", "SELECT plugin_replica")
	defer func() { end(SpanEnd{Err: err}) }()
	now, err := s.store.now(ctx, s.store.read)
	if err != nil {
		return nil, readFault(err)
	}
	var rows []reportRow
	q := s.store.read.NewSelect().Model(&rows).Where("seen_at >= ?", now-reportsKept.Microseconds()).OrderExpr("name, replica")
	if name != "" {
		q = q.Where("name = ?", name)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, readFault(err)
	}
	for _, row := range rows {
		r, err := row.report(now)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// Leave removes all reports of a replica.
func (s *replicaStore) Leave(ctx context.Context, replica string) (err error) {
	end := s.store.span(ctx, "replicas.leave", "DELETE plugin_replica BY replica")
	defer func() { end(SpanEnd{Err: err, Batch: 1}) }()
	return writeFault(s.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		_, err := db.NewDelete().Model((*reportRow)(nil)).Where("replica = ?", replica).Exec(ctx)
		return err //nolint:wrapcheck // made a fault by the caller
	}))
}
