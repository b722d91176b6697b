package sqlstore

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/ports/outbound"
)

// paceRow is how many claims an account has seen in a second.
type paceRow struct {
	bun.BaseModel `bun:"table:recovery_pace"`

	Lane   string `bun:"lane,pk"`
	Second int64  `bun:"second"`
	Claims int64  `bun:"claims"`
}

// rooms is how many more claims each account has room for: in this second, as far as can be seen without a lock, and in the
// process life that asks.
type rooms struct {
	perAccount int64 // 0 for no bound
	room       int64 // 0 for no bound
	held       map[string]int64
	second     int64
	left       map[string]int64
	// full are the accounts without room.
	full []string
}

func roomsFor(q outbound.DueQuery, now int64) *rooms {
	r := &rooms{
		perAccount: int64(q.PerAccount), room: int64(q.Room), held: make(map[string]int64, len(q.Held)),
		second: now / time.Second.Microseconds(), left: map[string]int64{},
	}
	for a, n := range q.Held {
		r.held[laneOf(string(a.Environment), a.Provider, a.Account)] = int64(n)
	}
	return r
}

// measure reads the room of the accounts that are new.
func (r *rooms) measure(ctx context.Context, db bun.IDB, found []candidate) error {
	if r.perAccount == 0 && r.room == 0 {
		return nil
	}
	var fresh []string
	for _, c := range found {
		if _, known := r.left[c.Lane]; !known {
			r.left[c.Lane] = math.MaxInt64
			if r.perAccount > 0 {
				r.left[c.Lane] = r.perAccount
			}
			fresh = append(fresh, c.Lane)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if r.perAccount > 0 {
		var rows []paceRow
		err := db.NewSelect().Model(&rows).Where("second = ?", r.second).Where("lane IN (?)", bun.List(fresh)).Scan(ctx)
		if err != nil {
			return err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
		}
		for _, row := range rows {
			r.left[row.Lane] -= row.Claims
		}
	}
	for _, lane := range fresh {
		if r.room > 0 {
			r.left[lane] = min(r.left[lane], r.room-r.held[lane])
		}
		if r.left[lane] <= 0 {
			r.full = append(r.full, lane)
		}
	}
	return nil
}

// take uses the room of an account for one more claim, if there is any.
func (r *rooms) take(lane string) bool {
	if r.perAccount == 0 && r.room == 0 {
		return true
	}
	if r.left[lane] <= 0 {
		return false
	}
	r.left[lane]--
	if r.left[lane] == 0 {
		r.full = append(r.full, lane)
	}
	return true
}

// grant counts claims for their accounts, in the order of the rows, and returns those for which there is room in this
// second. The counters are locked, in one order for all replicas.
func grant(ctx context.Context, db bun.IDB, d dialect, q outbound.DueQuery, rows []dueRow, now int64) ([]dueRow, error) {
	if q.PerAccount == 0 || len(rows) == 0 {
		return rows, nil
	}
	var lanes []string
	for _, r := range rows {
		lanes = append(lanes, r.lane())
	}
	slices.Sort(lanes)
	lanes = slices.Compact(lanes)
	counters, err := lockCounters(ctx, db, d, lanes, now/time.Second.Microseconds())
	if err != nil {
		return nil, err
	}
	granted := slices.DeleteFunc(rows, func(r dueRow) bool {
		c := counters[r.lane()]
		if c.Claims >= int64(q.PerAccount) {
			return true
		}
		c.Claims++
		return false
	})
	saved := make([]paceRow, 0, len(lanes))
	for _, lane := range lanes {
		saved = append(saved, *counters[lane])
	}
	_, err = db.NewInsert().Model(&saved).
		On("CONFLICT (lane) DO UPDATE").Set("second = excluded.second").Set("claims = excluded.claims").Exec(ctx)
	return granted, err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
}

// lockCounters returns the counters of accounts for a second. A replica that came later and began its second may have
// been first: then its second counts.
func lockCounters(ctx context.Context, db bun.IDB, d dialect, lanes []string, second int64) (map[string]*paceRow, error) {
	empty := make([]paceRow, 0, len(lanes))
	for _, lane := range lanes {
		empty = append(empty, paceRow{Lane: lane, Second: second})
	}
	if _, err := db.NewInsert().Model(&empty).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
		return nil, err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
	}
	var rows []paceRow
	locked := db.NewSelect().Model(&rows).Where("lane IN (?)", bun.List(lanes)).OrderExpr("lane")
	if d == postgres {
		locked = locked.For("UPDATE")
	}
	if err := locked.Scan(ctx); err != nil {
		return nil, err //nolint:wrapcheck // whoever runs the transaction decides whether it runs again
	}
	counters := make(map[string]*paceRow, len(rows))
	for _, row := range rows {
		if row.Second < second {
			row.Second, row.Claims = second, 0
		}
		counters[row.Lane] = &row
	}
	return counters, nil
}

func (r dueRow) lane() string {
	p := &r.Payment
	return laneOf(p.Environment, p.Provider, p.Account)
}

// laneOf names an account for which claims of recovery are counted.
func laneOf(environment, provider, account string) string {
	return environment + "/" + provider + "/" + account
}
