package sqlstore

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/ports/outbound"
)

// Claimed returns what holds keys.
func (l *ledger) Claimed(ctx context.Context, keys []outbound.ClaimKey) (all []outbound.Held, err error) {
	end := l.store.span(ctx, "ledger.claimed", "SELECT claim, payment JOIN operation BY key_hash")
	defer func() { end(SpanEnd{Err: err}) }()
	for _, k := range keys {
		claim, taken, err := l.store.held(ctx, k)
		if err != nil {
			return nil, err
		}
		if !taken {
			continue
		}
		r, err := l.store.record(ctx, l.store.reads.byOperation, string(claim.Payment), string(claim.Operation), string(claim.Operation))
		if err != nil {
			return nil, err
		}
		all = append(all, outbound.Held{Claim: claim, Record: r})
	}
	return all, nil
}

// months knows in which generations claims are stored, so that a key is also looked for in the older ones.
// The list is read again whenever a month begins that it does not hold: by then every older month is there.
type months struct {
	// shared says that other machines claim, too. Their clocks differ: close to the end of a month its neighbour is looked
	// into whether it is known or not.
	shared bool

	mu    sync.Mutex
	known []int64
}

// clocksDiffer is more than the clocks of two replicas do.
const clocksDiffer = 10 * time.Minute

// others returns the generations other than its own in which a key that is claimed at a time may be stored.
func (m *months) others(ctx context.Context, db bun.IDB, at time.Time) ([]int64, error) {
	own := month(at)
	stored, err := m.stored(ctx, db, own)
	if err != nil || !m.shared {
		return stored, err
	}
	for _, near := range []int64{month(at.Add(-clocksDiffer)), month(at.Add(clocksDiffer))} {
		if near != own && !slices.Contains(stored, near) {
			stored = append(stored, near)
		}
	}
	return stored, nil
}

// stored returns the stored generations other than the claim's own.
func (m *months) stored(ctx context.Context, db bun.IDB, own int64) ([]int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.known, own) {
		stored, err := storedMonths(ctx, db)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(stored, own) {
			stored = append(stored, own)
		}
		m.known = stored
	}
	if len(m.known) == 1 {
		return nil, nil
	}
	return slices.DeleteFunc(slices.Clone(m.known), func(n int64) bool { return n == own }), nil
}

// claimMonths walks from month to month along the primary key instead of reading all claims.
const claimMonths = `WITH RECURSIVE m (month) AS (
 SELECT min(month) FROM claim
 UNION ALL
 SELECT (SELECT min(c.month) FROM claim c WHERE c.month > m.month) FROM m WHERE m.month IS NOT NULL)
 SELECT month FROM m WHERE month IS NOT NULL`

// storedMonths are the months of all claims.
func storedMonths(ctx context.Context, db bun.IDB) ([]int64, error) {
	var stored []int64
	err := db.NewRaw(claimMonths).Scan(ctx, &stored)
	if err != nil {
		return nil, readFault(err)
	}
	return stored, nil
}

// findClaim looks for a key in the given generations. ok is false if nobody has it.
func findClaim(ctx context.Context, db bun.IDB, k outbound.ClaimKey, generations []int64) (claim outbound.Claim, ok bool, err error) {
	if len(generations) == 0 {
		return outbound.Claim{}, false, nil
	}
	var row claimRow
	err = db.NewSelect().TableExpr("claim").
		Column(claimColumns()...).
		Where("month IN (?)", bun.List(generations)).
		Where("company_id = ?", string(k.Company)).Where("environment = ?", string(k.Environment)).
		Where("scope = ?", string(k.Scope)).Where("key_hash = ?", k.Hash[:]).
		OrderExpr("month").Limit(1).Scan(ctx, &row)
	if isNoRows(err) {
		return outbound.Claim{}, false, nil
	}
	if err != nil {
		return outbound.Claim{}, false, readFault(err)
	}
	return row.claim(), true, nil
}
