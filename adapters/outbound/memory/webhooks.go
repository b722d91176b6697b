package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/webhook"
	"github.com/payrack/payrack/ports/outbound"
)

// Webhooks holds endpoints and what is on its way to them, beside a store and under its lock.
type Webhooks struct {
	s          *Store
	endpoints  map[webhook.EndpointID]webhook.Endpoint
	deliveries map[webhook.ID]*webhook.Delivery
	fed        journal.Place
}

// NewWebhooks makes an empty one beside a store, whose companies may have endpoints.
func NewWebhooks(s *Store) *Webhooks {
	return &Webhooks{s: s, endpoints: map[webhook.EndpointID]webhook.Endpoint{}, deliveries: map[webhook.ID]*webhook.Delivery{}}
}

// Endpoints is the outbound.Endpoints.
func (w *Webhooks) Endpoints() outbound.Endpoints { return &endpointStore{w} }

// Deliveries is the outbound.Deliveries.
func (w *Webhooks) Deliveries() outbound.Deliveries { return &deliveryStore{w} }

type endpointStore struct{ *Webhooks }

func noEndpoint() error { return notFound("webhook_not_found", "there is no such webhook endpoint") }

func keptEndpoint(e webhook.Endpoint) webhook.Endpoint {
	e.Types, e.Sealed, e.Previous = slices.Clone(e.Types), filled(e.Sealed), filled(e.Previous)
	e.PreviousUntil, e.CreatedAt, e.UpdatedAt = stored(e.PreviousUntil), stored(e.CreatedAt), stored(e.UpdatedAt)
	return e
}

// AddEndpoint keeps a new endpoint.
func (e *endpointStore) AddEndpoint(ctx context.Context, made webhook.Endpoint) error {
	if err := e.s.enter(ctx); err != nil {
		return err
	}
	defer e.s.mu.Unlock()
	if _, ok := e.s.companies[made.Company]; !ok {
		return notFound("company_not_found", "there is no such company; add it first")
	}
	e.endpoints[made.ID] = keptEndpoint(made)
	return nil
}

// Endpoints returns endpoints, oldest first.
func (e *endpointStore) Endpoints(ctx context.Context, co company.ID) ([]webhook.Endpoint, error) {
	if err := e.s.enter(ctx); err != nil {
		return nil, err
	}
	defer e.s.mu.Unlock()
	var all []webhook.Endpoint
	for _, one := range e.endpoints {
		if co == "" || one.Company == co {
			all = append(all, keptEndpoint(one))
		}
	}
	slices.SortFunc(all, func(a, b webhook.Endpoint) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// Endpoint returns one.
func (e *endpointStore) Endpoint(ctx context.Context, id webhook.EndpointID) (webhook.Endpoint, error) {
	if err := e.s.enter(ctx); err != nil {
		return webhook.Endpoint{}, err
	}
	defer e.s.mu.Unlock()
	one, ok := e.endpoints[id]
	if !ok {
		return webhook.Endpoint{}, noEndpoint()
	}
	return keptEndpoint(one), nil
}

// SaveEndpoint replaces an endpoint over the version before.
func (e *endpointStore) SaveEndpoint(ctx context.Context, changed webhook.Endpoint) error {
	if err := e.s.enter(ctx); err != nil {
		return err
	}
	defer e.s.mu.Unlock()
	kept, ok := e.endpoints[changed.ID]
	if !ok || kept.Version != changed.Version-1 {
		return conflict("endpoint_moved", "the webhook endpoint was changed or removed meanwhile; look at it again")
	}
	changed.Company, changed.CreatedAt = kept.Company, kept.CreatedAt
	e.endpoints[changed.ID] = keptEndpoint(changed)
	return nil
}

// RemoveEndpoint forgets an endpoint and its deliveries.
func (e *endpointStore) RemoveEndpoint(ctx context.Context, id webhook.EndpointID) error {
	if err := e.s.enter(ctx); err != nil {
		return err
	}
	defer e.s.mu.Unlock()
	if _, ok := e.endpoints[id]; !ok {
		return noEndpoint()
	}
	delete(e.endpoints, id)
	for key, d := range e.deliveries {
		if d.Endpoint == id {
			delete(e.deliveries, key)
		}
	}
	return nil
}

type deliveryStore struct{ *Webhooks }

func keptDelivery(d webhook.Delivery) webhook.Delivery {
	d.At, d.Since, d.NextAt, d.EndedAt = stored(d.At), stored(d.Since), stored(d.NextAt), stored(d.EndedAt)
	return d
}

// lane are the pending deliveries of a payment to an endpoint.
func (w *Webhooks) lane(e webhook.EndpointID, p payment.ID) []*webhook.Delivery {
	var all []*webhook.Delivery
	for _, d := range w.deliveries {
		if d.Endpoint == e && d.Payment == p && d.State == webhook.Pending {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b *webhook.Delivery) int { return cmp.Compare(a.N, b.N) })
	return all
}

// Fed is the place up to which the journal was queued.
func (d *deliveryStore) Fed(ctx context.Context) (journal.Place, error) {
	if err := d.s.enter(ctx); err != nil {
		return journal.Place{}, err
	}
	defer d.s.mu.Unlock()
	return d.fed, nil
}

// Feed queues deliveries and moves the place.
func (d *deliveryStore) Feed(ctx context.Context, f outbound.Feed) (bool, error) {
	if err := d.s.enter(ctx); err != nil {
		return false, err
	}
	defer d.s.mu.Unlock()
	if d.fed != f.From {
		return false, nil
	}
	d.fed = f.To
	for _, one := range f.Deliveries {
		_, known := d.endpoints[one.Endpoint]
		if _, there := d.deliveries[one.ID]; there || !known {
			continue
		}
		kept := keptDelivery(one)
		for _, earlier := range d.lane(one.Endpoint, one.Payment) {
			if earlier.NextAt.After(kept.NextAt) {
				kept.NextAt = earlier.NextAt
			}
		}
		d.deliveries[one.ID] = &kept
	}
	for id, one := range d.deliveries {
		if one.State != webhook.Pending && one.EndedAt.Before(f.Forget) {
			delete(d.deliveries, id)
		}
	}
	return true, nil
}

// Claim takes what is due.
func (d *deliveryStore) Claim(ctx context.Context, q outbound.ClaimQuery) ([]webhook.Delivery, error) {
	if q.Limit < 1 || q.PerEndpoint < 1 || q.Lease <= 0 || q.Now.IsZero() {
		return nil, invalid("out_of_range", "a claim needs a time, a lease and limits of at least 1")
	}
	if err := d.s.enter(ctx); err != nil {
		return nil, err
	}
	defer d.s.mu.Unlock()
	var due []*webhook.Delivery
	for _, one := range d.deliveries {
		if one.State == webhook.Pending && !one.NextAt.After(q.Now) && d.endpoints[one.Endpoint].Enabled &&
			!slices.Contains(q.Busy, one.Endpoint) && d.lane(one.Endpoint, one.Payment)[0] == one {
			due = append(due, one)
		}
	}
	slices.SortFunc(due, func(a, b *webhook.Delivery) int { return cmp.Or(a.NextAt.Compare(b.NextAt), cmp.Compare(a.ID, b.ID)) })
	taken := map[webhook.EndpointID]int{}
	var all []webhook.Delivery
	for _, one := range due {
		if len(all) == q.Limit || taken[one.Endpoint] == q.PerEndpoint {
			continue
		}
		taken[one.Endpoint]++
		one.Epoch++
		one.NextAt = stored(q.Now.Add(q.Lease))
		all = append(all, *one)
	}
	slices.SortFunc(all, func(a, b webhook.Delivery) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// Finish records the outcomes of claims.
func (d *deliveryStore) Finish(ctx context.Context, all []webhook.Delivery) error {
	if err := d.s.enter(ctx); err != nil {
		return err
	}
	defer d.s.mu.Unlock()
	for _, one := range all {
		kept, ok := d.deliveries[one.ID]
		if !ok || kept.Epoch != one.Epoch || kept.State != webhook.Pending {
			continue
		}
		changed := keptDelivery(one)
		*kept = changed
		due := changed.NextAt
		if changed.State != webhook.Pending {
			due = changed.EndedAt
		}
		for _, later := range d.lane(one.Endpoint, one.Payment) {
			if later.N > one.N {
				later.NextAt = due
			}
		}
	}
	return nil
}

func fits(q outbound.DeliveryQuery, d *webhook.Delivery) bool {
	return (q.Endpoint == "" || q.Endpoint == d.Endpoint) && (q.ID == "" || q.ID == d.ID) &&
		(q.Payment == "" || q.Payment == d.Payment) && (q.State == "" || q.State == d.State) && !d.At.Before(q.Since)
}

// Requeue makes ended deliveries due again.
func (d *deliveryStore) Requeue(ctx context.Context, q outbound.DeliveryQuery, at time.Time) (int, error) {
	if err := d.s.enter(ctx); err != nil {
		return 0, err
	}
	defer d.s.mu.Unlock()
	n := 0
	for _, one := range d.deliveries {
		if one.State != webhook.Pending && fits(q, one) {
			one.State, one.Attempts, one.EndedAt = webhook.Pending, 0, time.Time{}
			one.Since, one.NextAt = stored(at), stored(at)
			one.Epoch++
			n++
		}
	}
	return n, nil
}

// List returns a page, the newest event first.
func (d *deliveryStore) List(ctx context.Context, q outbound.DeliveryQuery) ([]webhook.Delivery, error) {
	if q.Limit < 1 || q.Limit > 200 {
		return nil, invalid("out_of_range", "a page has 1 to 200 deliveries")
	}
	if err := d.s.enter(ctx); err != nil {
		return nil, err
	}
	defer d.s.mu.Unlock()
	newer := func(a, b webhook.Delivery) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.ID, a.ID)) }
	cursor, ok := d.deliveries[q.Before]
	if q.Before != "" && !ok {
		return nil, invalid("unknown_cursor", "the cursor of the page is not one that was given out")
	}
	var all []webhook.Delivery
	for _, one := range d.deliveries {
		if fits(q, one) && (q.Before == "" || newer(*cursor, *one) < 0) {
			all = append(all, *one)
		}
	}
	slices.SortFunc(all, newer)
	return all[:min(len(all), q.Limit):min(len(all), q.Limit)], nil
}

// Backlog counts what is not delivered.
func (d *deliveryStore) Backlog(ctx context.Context) (outbound.Backlog, error) {
	if err := d.s.enter(ctx); err != nil {
		return outbound.Backlog{}, err
	}
	defer d.s.mu.Unlock()
	var b outbound.Backlog
	for _, one := range d.deliveries {
		switch {
		case one.State == webhook.GivenUp:
			b.GivenUp++
		case one.State == webhook.Pending && d.endpoints[one.Endpoint].Enabled:
			b.Pending++
			if b.Oldest.IsZero() || one.At.Before(b.Oldest) {
				b.Oldest = one.At
			}
		}
	}
	return b, nil
}
