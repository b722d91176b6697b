package sqlstore

import (
	"context"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/ports/outbound"
)

const (
	// pruneBatch is how many keys one transaction removes at most: payments wait for it on SQLite.
	pruneBatch = 500
	// pruneProbes bounds how many places are looked at in one call.
	pruneProbes = 200
)

// Retention is the store's outbound.Retention.
func (s *Store) Retention() outbound.Retention { return &retention{store: s} }

// retention walks along the primary key of claims, a generation, a company and an environment at a time, so that what
// stays for ever is stepped over and not read.
type retention struct {
	store *Store

	mu sync.Mutex
	at keyPlace
}

// keyPlace is where the next look begins.
type keyPlace struct {
	month       int64
	company     string
	environment company.Environment
	hash        []byte
}

// PruneKeys removes idempotency keys of generations that ended before a time.
func (r *retention) PruneKeys(ctx context.Context, before time.Time) (removed int, more bool, err error) {
	end := r.store.span(ctx, "retention.prune_keys", "DELETE claim BY month, company_id, environment")
	defer func() { end(SpanEnd{Err: err}) }()
	r.mu.Lock()
	defer r.mu.Unlock()
	for range pruneProbes {
		last, err := r.last(ctx)
		if err != nil {
			return 0, false, readFault(err)
		}
		if last != nil {
			removed, err := r.remove(ctx, last)
			if err != nil {
				return 0, false, writeFault(err)
			}
			r.at.hash = last
			return removed, true, nil
		}
		found, err := r.next(ctx, month(before))
		if err != nil {
			return 0, false, readFault(err)
		}
		if !found {
			r.at = keyPlace{}
			return 0, false, nil
		}
	}
	return 0, true, nil
}

// keys are the keys of the place, as a condition.
func (r *retention) keys(q bun.QueryBuilder) bun.QueryBuilder {
	return q.Where("month = ?", r.at.month).Where("company_id = ?", r.at.company).
		Where("environment = ?", string(r.at.environment)).Where("scope = ?", string(outbound.ClaimHeader)).
		Where("key_hash > ?", r.at.hash)
}

// last is the last key of the next batch of the place; nil if there is none.
func (r *retention) last(ctx context.Context) ([]byte, error) {
	if r.at.environment == "" {
		return nil, nil
	}
	var all [][]byte
	err := r.store.read.NewSelect().TableExpr("claim").Column("key_hash").ApplyQueryBuilder(r.keys).
		OrderExpr("key_hash").Limit(pruneBatch).Scan(ctx, &all)
	if err != nil || len(all) == 0 {
		return nil, err //nolint:wrapcheck // made a fault by the caller
	}
	return all[len(all)-1], nil
}

// remove removes a batch, but for keys whose operation is open: they answer as long as the outcome is unknown.
func (r *retention) remove(ctx context.Context, last []byte) (removed int, err error) {
	err = r.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		n, err := affected(db.NewDelete().TableExpr("claim").ApplyQueryBuilder(r.keys).Where("key_hash <= ?", last).
			Where("NOT EXISTS (SELECT 1 FROM operation AS o WHERE o.payment_id = claim.payment_id AND o.state IN " + openStates + ")").
			Exec(ctx))
		removed = int(n)
		return err
	})
	return removed, err
}

// next moves on to the next environment, company or generation before the limit; false at the end.
func (r *retention) next(ctx context.Context, limit int64) (found bool, err error) {
	r.at.hash = []byte{} // not nil, which would be NULL
	if r.at.environment == company.Live {
		r.at.environment = company.Test
		return true, nil
	}
	for {
		var owner *string
		err := r.store.read.NewRaw("SELECT min(company_id) FROM claim WHERE month = ? AND company_id > ?",
			r.at.month, r.at.company).Scan(ctx, &owner)
		if err != nil {
			return false, err //nolint:wrapcheck // made a fault by the caller
		}
		if owner != nil {
			r.at.company, r.at.environment = *owner, company.Live
			return true, nil
		}
		var later *int64
		err = r.store.read.NewRaw("SELECT min(month) FROM claim WHERE month > ? AND month < ?", r.at.month, limit).Scan(ctx, &later)
		if err != nil || later == nil {
			return false, err //nolint:wrapcheck // made a fault by the caller
		}
		r.at.month, r.at.company = *later, ""
	}
}
