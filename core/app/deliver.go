package app

import (
	"context"
	"slices"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/webhook"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// deliveries implements inbound.Deliveries.
type deliveries struct{ *Notifier }

// store is where deliveries are kept.
func (d deliveries) store() outbound.Deliveries { return d.NotifierOptions.Deliveries }

// List returns a page, newest first.
func (d deliveries) List(ctx context.Context, q inbound.DeliveriesQuery) (inbound.DeliveriesPage, error) {
	limit := q.Limit
	if limit == 0 {
		limit = 50
	}
	all, err := d.store().List(ctx, outbound.DeliveryQuery{
		Endpoint: q.Endpoint, Payment: q.Payment, State: q.State, Before: webhook.ID(q.Cursor), Limit: min(max(limit, 1), 200),
	})
	page := inbound.DeliveriesPage{Deliveries: all}
	if err == nil && len(all) == min(max(limit, 1), 200) {
		page.Next = string(all[len(all)-1].ID)
	}
	return page, err
}

// Replay queues deliveries of an endpoint again.
func (d deliveries) Replay(ctx context.Context, c inbound.ReplayWebhook) (int, error) {
	e, err := d.Endpoints.Endpoint(ctx, c.Endpoint)
	if err != nil {
		return 0, err
	}
	q := outbound.DeliveryQuery{Endpoint: e.ID, ID: c.Delivery, Payment: c.Payment, Since: c.Since}
	if c.Delivery == "" && c.Payment == "" {
		q.State = webhook.GivenUp // all that was delivered would be a flood
	}
	n, err := d.store().Requeue(ctx, q, d.Clock.Now())
	if err == nil && n == 0 && c.Delivery != "" {
		return 0, fault.New(fault.NotFound, "delivery_not_found",
			"there is no such delivery to the endpoint that has ended; one that is pending is sent anyway")
	}
	return n, err
}

// Backlog says how far behind deliveries are.
func (d deliveries) Backlog(ctx context.Context) (inbound.Backlog, error) {
	b, err := d.store().Backlog(ctx)
	if err != nil {
		return inbound.Backlog{}, err
	}
	last, err := d.lastSeal(ctx)
	return inbound.Backlog{Pending: b.Pending, GivenUp: b.GivenUp, Oldest: b.Oldest, Sealed: last.At}, err
}

// Bounds of one call of Feed.
const (
	feedAtOnce = 500
	feedParts  = 20
)

// Feed queues what the journal says since the last call. The journal is read once, however many endpoints there are; while
// there is none it is not read at all.
func (d deliveries) Feed(ctx context.Context) (int, error) {
	all, err := d.Endpoints.Endpoints(ctx, "")
	if err != nil {
		return 0, err
	}
	listening := enabled(all)
	total := 0
	for range feedParts {
		if len(listening) == 0 {
			break
		}
		from, err := d.store().Fed(ctx)
		if err != nil {
			return total, err
		}
		entries, err := d.Journal.Tail(ctx, from, feedAtOnce)
		if err != nil || len(entries) == 0 {
			return total, err
		}
		queued, passed, err := d.events(ctx, entries, listening)
		if err != nil {
			return total, err
		}
		won, err := d.store().Feed(ctx, outbound.Feed{
			From: from, To: entries[len(entries)-1].Place, Deliveries: queued, Forget: d.Clock.Now().Add(-d.Keep),
		})
		if err != nil || !won {
			return total, err
		}
		total += len(queued)
		for _, one := range passed {
			d.PassedOver(ctx, one.entry, one.err)
		}
		if len(entries) < feedAtOnce {
			break
		}
	}
	return total, nil
}

// enabled are the endpoints that are told, by company.
func enabled(all []webhook.Endpoint) map[company.ID][]webhook.Endpoint {
	listening := map[company.ID][]webhook.Endpoint{}
	for _, e := range all {
		if e.Enabled {
			listening[e.Company] = append(listening[e.Company], e)
		}
	}
	return listening
}

// passed is an entry that could not be read.
type passed struct {
	entry journal.Entry
	err   error
}

// events are the deliveries of a part of the journal. An entry that cannot be read is passed over: it must not keep what
// happened to all other payments from their companies.
func (d deliveries) events(
	ctx context.Context, entries []journal.Placed, listening map[company.ID][]webhook.Endpoint,
) (all []webhook.Delivery, over []passed, err error) {
	for _, e := range entries {
		id, ok := paymentOf(e.Stream)
		if !ok {
			continue
		}
		some, err := d.eventsOf(ctx, e.Entry, id, listening)
		switch {
		case fault.CodeOf(err) == unreadable || fault.KindOf(err) == fault.NotFound:
			over = append(over, passed{e.Entry, err})
		case err != nil:
			return nil, nil, err
		}
		all = append(all, some...)
	}
	return all, over, nil
}

// eventsOf are the deliveries of an entry: one for each endpoint of the company that wants it.
func (d deliveries) eventsOf(
	ctx context.Context, e journal.Entry, id payment.ID, listening map[company.ID][]webhook.Endpoint,
) ([]webhook.Delivery, error) {
	t, err := read(e)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(payment.States(), t.State) {
		return nil, fault.New(fault.Internal, unreadable, "an entry of the journal says a state that this program does not know")
	}
	typ := t.change().Type()
	if typ == "" {
		return nil, nil
	}
	if t.Company == "" { // an entry of an older program
		r, err := d.Ledger.Load(ctx, "", id)
		if err != nil {
			return nil, err
		}
		t.Company = r.Payment.Company
	}
	now := d.Clock.Now()
	var all []webhook.Delivery
	for _, one := range listening[t.Company] {
		if one.Wants(typ, t.At) {
			all = append(all, webhook.Delivery{
				ID: webhook.IDOf(one.ID, id, e.N), Endpoint: one.ID, Company: t.Company, Payment: id, N: e.N, Type: typ,
				At: t.At, State: webhook.Pending, Since: now, NextAt: now,
			})
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	if again, err := d.repeats(ctx, e, t, typ); err != nil || again {
		return nil, err
	}
	return all, nil
}

// repeats reports whether the entry before said the same: the platform looked, and nothing had changed.
func (d deliveries) repeats(ctx context.Context, e journal.Entry, t told, typ string) (bool, error) {
	if !webhook.Repeats(t.State) || e.N < 2 {
		return false, nil
	}
	before, err := d.Journal.Entries(ctx, e.Stream, e.N-2, 1)
	if err != nil || len(before) == 0 {
		return false, err
	}
	b, err := read(before[0])
	if err != nil {
		return false, nil //nolint:nilerr // better told twice than not at all
	}
	return b.change().Type() == typ, nil
}

// Bounds of sending.
const (
	// attemptLease is longer than an attempt takes, so that nobody else tries meanwhile.
	attemptLease = time.Minute
	// patience is how long DeliverDue waits for attempts that do not end; the next call records them.
	patience = time.Second
	// lastWords is how long a stopping process has to record what it sent.
	lastWords = 5 * time.Second
)

// DeliverDue sends what is due, until nothing is, or only attempts that hang are left.
func (d deliveries) DeliverDue(ctx context.Context) (int, error) {
	if ctx.Err() != nil {
		return 0, d.end(ctx)
	}
	all, err := d.Endpoints.Endpoints(ctx, "")
	if err != nil {
		return 0, err
	}
	known := make(map[webhook.EndpointID]webhook.Endpoint, len(all))
	for _, e := range all {
		known[e.ID] = e
	}
	sent := 0
	for {
		if err := d.record(ctx); err != nil {
			return sent, err
		}
		claimed, err := d.claim(ctx, len(known))
		if err != nil {
			return sent, err
		}
		for _, one := range claimed {
			d.begin(ctx, known[one.Endpoint], one)
		}
		sent += len(claimed)
		d.mu.Lock()
		running := d.total
		d.mu.Unlock()
		if running == 0 && len(claimed) == 0 {
			return sent, d.record(ctx)
		}
		wait := time.NewTimer(patience)
		select {
		case <-d.news:
		case <-wait.C:
			return sent, d.record(ctx)
		case <-ctx.Done():
			return sent, d.end(ctx)
		}
		wait.Stop()
	}
}

// end waits for what is on its way, which ends with its context, and records it.
func (d deliveries) end(ctx context.Context) error {
	d.work.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	return d.record(last)
}

// claim takes as many as may be on their way beside those that are.
func (d deliveries) claim(ctx context.Context, endpoints int) ([]webhook.Delivery, error) {
	d.mu.Lock()
	room, each := d.AtOnce-d.total, d.AtOnceEach
	var full []webhook.EndpointID
	for id, n := range d.busy {
		if n >= d.AtOnceEach {
			full = append(full, id)
		} else {
			each = min(each, d.AtOnceEach-n)
		}
	}
	d.mu.Unlock()
	if room <= 0 || endpoints == 0 {
		return nil, nil
	}
	return d.store().Claim(ctx, outbound.ClaimQuery{
		Now: d.Clock.Now(), Limit: room, PerEndpoint: each, Busy: full, Lease: attemptLease,
	})
}

// begin sends one in the background.
func (d deliveries) begin(ctx context.Context, e webhook.Endpoint, one webhook.Delivery) {
	d.mu.Lock()
	d.busy[one.Endpoint]++
	d.total++
	d.mu.Unlock()
	d.work.Go(func() {
		ended := d.attempt(ctx, e, one)
		d.mu.Lock()
		if d.busy[one.Endpoint]--; d.busy[one.Endpoint] == 0 {
			delete(d.busy, one.Endpoint)
		}
		d.total--
		d.ended = append(d.ended, ended)
		d.mu.Unlock()
		select {
		case d.news <- struct{}{}:
		default:
		}
	})
}

// attempt sends one and returns what became of it. One that was interrupted because the process stops does not count.
func (d deliveries) attempt(ctx context.Context, e webhook.Endpoint, one webhook.Delivery) webhook.Delivery {
	outcome := d.post(ctx, e, one)
	now := d.Clock.Now()
	if ctx.Err() != nil && !outcome.Delivered() {
		one.NextAt = now
		return one
	}
	return one.After(outcome, now)
}

func (d deliveries) post(ctx context.Context, e webhook.Endpoint, one webhook.Delivery) webhook.Outcome {
	if e.ID == "" {
		return webhook.Outcome{Trouble: "the endpoint was added or removed just now"}
	}
	body, err := d.body(ctx, one)
	if err != nil {
		return webhook.Outcome{Trouble: "the message could not be made: " + fault.CodeOf(err)}
	}
	m, err := d.message(ctx, e, one.ID, body)
	if err != nil {
		return webhook.Outcome{Trouble: "the message could not be signed: " + fault.CodeOf(err)}
	}
	return d.Poster.Post(ctx, m)
}

// body is the payment as it was after the event. Nothing of it changes later, so that every attempt sends the same.
func (d deliveries) body(ctx context.Context, one webhook.Delivery) ([]byte, error) {
	r, err := d.Ledger.Load(ctx, one.Company, one.Payment)
	if err != nil {
		return nil, err
	}
	entries, err := d.Journal.Entries(ctx, r.Payment.Stream(), one.N-1, 1)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 || entries[0].N != one.N {
		return nil, fault.New(fault.Internal, unreadable, "the journal lacks the entry of an event")
	}
	t, err := read(entries[0])
	if err != nil {
		return nil, err
	}
	return webhook.Body(one, t.then(r))
}

// record keeps the outcomes of attempts that have ended.
func (d deliveries) record(ctx context.Context) error {
	d.mu.Lock()
	ended := d.ended
	d.ended = nil
	d.mu.Unlock()
	if len(ended) == 0 {
		return nil
	}
	err := d.store().Finish(ctx, ended)
	if err != nil {
		d.mu.Lock()
		d.ended = append(ended, d.ended...)
		d.mu.Unlock()
	}
	return err
}
