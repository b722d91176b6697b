package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// Fence notes a sign of life and takes over what dead process lives left.
func (l *ledger) Fence(ctx context.Context, boot string, limit int) ([]payment.Record, error) {
	if boot == "" || limit < 1 {
		return nil, invalid("out_of_range", "fencing needs a process life and a limit of at least 1")
	}
	if err := l.s.enter(ctx); err != nil {
		return nil, err
	}
	defer l.s.mu.Unlock()
	at := now()
	l.s.lives[boot] = at
	var all []payment.Record
	for _, id := range slices.Sorted(maps.Keys(l.s.watched)) {
		h := l.s.watched[id]
		o := h.current()
		switch {
		case o.OwnerBoot == boot:
		case o.State == payment.OperationSending && len(all) < limit && l.s.dead(o.OwnerBoot, o.CreatedAt, at):
			o.Epoch++
			o.OwnerBoot, o.claimed = boot, false
			all = append(all, h.record())
		case o.State != payment.OperationSending && o.claimed && l.s.dead(o.OwnerBoot, o.claimedAt, at):
			o.NextCheckAt, o.claimed = at, false
		}
	}
	return all, nil
}

// dead reports whether another process life has ended. since is when it was last seen if it never gave a sign.
func (s *Store) dead(boot string, since, at time.Time) bool {
	if !s.replicas {
		return true
	}
	if sign, ok := s.lives[boot]; ok {
		since = sign
	}
	return at.Sub(since) > outbound.ReplicaLease
}

// Due claims what is due.
func (l *ledger) Due(ctx context.Context, q outbound.DueQuery) ([]payment.Record, error) {
	if q.Boot == "" || q.Limit < 1 || q.Lease <= 0 || q.PerAccount < 0 || q.Room < 0 {
		return nil, invalid("out_of_range", "a claim needs a process life, a lease and a limit of at least 1")
	}
	if err := l.s.enter(ctx); err != nil {
		return nil, err
	}
	defer l.s.mu.Unlock()
	at := now()
	var all []payment.Record
	taken := map[outbound.Account]int{}
	for _, h := range l.s.due(q, at) {
		if len(all) == q.Limit {
			break
		}
		account := outbound.AccountOf(h.payment)
		if q.Room > 0 && q.Held[account]+taken[account] >= q.Room {
			continue
		}
		if l.s.paced(h.payment, q.PerAccount, at) {
			taken[account]++
			all = append(all, l.s.claim(h, q, at))
		}
	}
	return all, nil
}

// due is what a query may claim, oldest first.
func (s *Store) due(q outbound.DueQuery, at time.Time) []*held {
	if q.Payment != "" {
		h, ok := s.watched[q.Payment]
		if !ok {
			return nil
		}
		o := h.current()
		if dueAt(o).IsZero() || (o.State == payment.OperationSending && o.SendDeadline.After(at)) ||
			at.Sub(o.claimedAt) < outbound.PullPause {
			return nil
		}
		return []*held{h}
	}
	var all []*held
	for _, h := range s.watched {
		if t := dueAt(h.current()); !t.IsZero() && !t.After(at) {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b *held) int {
		return cmp.Or(dueAt(a.current()).Compare(dueAt(b.current())), cmp.Compare(a.payment.ID, b.payment.ID))
	})
	return all
}

// dueAt is when an operation is due, zero for never. One that may still be on its way is not due before its deadline.
func dueAt(o *operation) time.Time {
	if o.State == payment.OperationSending && !o.NextCheckAt.After(o.SendDeadline) {
		return o.SendDeadline
	}
	return o.NextCheckAt
}

// paced counts one more claim of the payment's account, unless this second has no room for it.
func (s *Store) paced(p payment.Payment, limit int, at time.Time) bool {
	if limit == 0 {
		return true
	}
	account := chargeKey{environment: p.Environment, provider: p.Provider, account: p.Account}
	n := s.paces[account]
	if n.second != at.Unix() {
		n = pace{second: at.Unix()}
	}
	if n.claims >= limit {
		return false
	}
	n.claims++
	s.paces[account] = n
	return true
}

// claim gives an operation to the process life that asks for it. The last look of the watch list still has its
// credential.
func (s *Store) claim(h *held, q outbound.DueQuery, at time.Time) payment.Record {
	o := h.current()
	o.Epoch++
	o.OwnerBoot, o.claimedAt, o.claimed = q.Boot, at, true
	o.NextCheckAt = stored(at.Add(q.Lease))
	last := false
	if h.payment.State == payment.Failed {
		delay, more := payment.WatchDelay(at.Sub(o.UpdatedAt))
		o.NextCheckAt = at.Add(delay)
		if last = !more; last {
			o.NextCheckAt, o.claimed = time.Time{}, false
		}
	}
	r := h.record()
	if last {
		h.forget()
	}
	s.watch(h)
	return r
}
