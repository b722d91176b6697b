package outboundtest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/webhook"
	"github.com/payrack/payrack/ports/outbound"
)

// WebhookStores are the stores of one database.
type WebhookStores struct {
	Endpoints  outbound.Endpoints
	Deliveries outbound.Deliveries
	Directory  outbound.Directory
}

// Webhooks is the contract of outbound.Endpoints and outbound.Deliveries. open returns an empty store; the suite calls it
// once a subtest and runs the subtests in parallel.
func Webhooks(t *testing.T, open func(t *testing.T) WebhookStores) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, *post){
		"endpoints are kept, changed over the version before, and removed":    endpointsKept,
		"a part of the journal is queued once, whoever is faster":             fedOnce,
		"a later event of a payment waits for the earlier one":                laneInOrder,
		"what is claimed is not claimed again before its lease is over":       claimedOnce,
		"replicas that claim at once share what is due":                       claimsShared,
		"an outcome of an older claim is not recorded":                        lateOutcome,
		"an endpoint gets no more at once than allowed, and none when off":    fairClaims,
		"ended deliveries can be queued again":                                requeued,
		"deliveries are listed in pages, newest first, and counted":           deliveriesListed,
		"what ended long ago is forgotten, and a removed endpoint's with it":  deliveriesForgotten,
		"a claim that makes no sense is refused, and one of nothing is empty": claimsChecked,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &post{WebhookStores: open(t), now: time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)}
			if err := p.Directory.AddCompany(t.Context(), company.Company{ID: "co", Name: "Company", CreatedAt: p.now}); err != nil {
				t.Fatal(err)
			}
			run(t, p)
		})
	}
}

// post is a store with what the tests know of it.
type post struct {
	WebhookStores

	now time.Time
	fed journal.Place
}

func (p *post) endpoint(t *testing.T, id webhook.EndpointID) webhook.Endpoint {
	t.Helper()
	e := webhook.Endpoint{
		ID: id, Company: "co", URL: "https://shop.example/hooks/" + string(id), Enabled: true, Sealed: []byte("sealed"),
		Version: 1, CreatedAt: p.now, UpdatedAt: p.now,
	}
	if err := p.Endpoints.AddEndpoint(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return e
}

func (p *post) delivery(e webhook.EndpointID, pay payment.ID, n int64) webhook.Delivery {
	return webhook.Delivery{
		ID: webhook.IDOf(e, pay, n), Endpoint: e, Company: "co", Payment: pay, N: n, Type: "payment.succeeded",
		At: p.now.Add(time.Duration(n) * time.Millisecond), State: webhook.Pending, Since: p.now, NextAt: p.now,
	}
}

func (p *post) feed(t *testing.T, all ...webhook.Delivery) {
	t.Helper()
	to := journal.Place{Row: p.fed.Row + 10}
	won, err := p.Deliveries.Feed(t.Context(), outbound.Feed{From: p.fed, To: to, Deliveries: all})
	if err != nil || !won {
		t.Fatalf("Feed = %v, %v", won, err)
	}
	p.fed = to
}

func (p *post) claim(t *testing.T, at time.Time) []webhook.Delivery {
	t.Helper()
	all, err := p.Deliveries.Claim(t.Context(), outbound.ClaimQuery{Now: at, Limit: 100, PerEndpoint: 100, Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (p *post) finish(t *testing.T, at time.Time, o webhook.Outcome, all ...webhook.Delivery) {
	t.Helper()
	ended := make([]webhook.Delivery, 0, len(all))
	for _, d := range all {
		ended = append(ended, d.After(o, at))
	}
	if err := p.Deliveries.Finish(t.Context(), ended); err != nil {
		t.Fatal(err)
	}
}

func (p *post) stored(t *testing.T, id webhook.ID) webhook.Delivery {
	t.Helper()
	all, err := p.Deliveries.List(t.Context(), outbound.DeliveryQuery{ID: id, Limit: 2})
	if err != nil || len(all) != 1 {
		t.Fatalf("%d deliveries with the id, %v", len(all), err)
	}
	return all[0]
}

func names(all []webhook.Delivery) []string {
	out := make([]string, 0, len(all))
	for _, d := range all {
		out = append(out, fmt.Sprintf("%s/%s/%d", d.Endpoint, d.Payment, d.N))
	}
	return out
}

func wantClaims(t *testing.T, got []webhook.Delivery, want ...string) {
	t.Helper()
	have := names(got)
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("claimed %v, want %v", have, want)
	}
}

func endpointsKept(t *testing.T, p *post) {
	t.Helper()
	ctx := t.Context()
	wantKind(t, p.Endpoints.AddEndpoint(ctx, webhook.Endpoint{
		ID: "e0", Company: "nobody", URL: "https://x.example", Sealed: []byte("s"), Version: 1, CreatedAt: p.now, UpdatedAt: p.now,
	}), fault.NotFound)
	e := p.endpoint(t, "e1")
	e.URL, e.Types, e.Enabled = "https://other.example", []string{"payment.failed", "payment.succeeded"}, false
	e = e.Rotated([]byte("new"), p.now)
	e.UpdatedAt = p.now.Add(time.Hour)
	e.Version++
	if err := p.Endpoints.SaveEndpoint(ctx, e); err != nil {
		t.Fatal(err)
	}
	err := p.Endpoints.SaveEndpoint(ctx, e)
	wantKind(t, err, fault.Conflict)
	got, err := p.Endpoints.Endpoint(ctx, "e1")
	if err != nil || !reflect.DeepEqual(e, got) {
		t.Errorf("%+v, %v; want %+v", got, err, e)
	}
	p.now = p.now.Add(time.Second)
	p.endpoint(t, "e2")
	for co, want := range map[company.ID]int{"": 2, "co": 2, "nobody": 0} {
		all, err := p.Endpoints.Endpoints(ctx, co)
		if err != nil || len(all) != want || want == 2 && all[0].ID != "e1" {
			t.Errorf("of %q: %v, %v", co, all, err)
		}
	}
	if err := p.Endpoints.RemoveEndpoint(ctx, "e1"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, p.Endpoints.RemoveEndpoint(ctx, "e1"), fault.NotFound)
	_, err = p.Endpoints.Endpoint(ctx, "e1")
	wantKind(t, err, fault.NotFound)
	e.Version++
	wantKind(t, p.Endpoints.SaveEndpoint(ctx, e), fault.Conflict)
}

func fedOnce(t *testing.T, p *post) {
	t.Helper()
	p.endpoint(t, "e1")
	const replicas = 8
	won := make([]bool, replicas)
	var wg sync.WaitGroup
	for i := range replicas {
		wg.Go(func() {
			var err error
			won[i], err = p.Deliveries.Feed(t.Context(), outbound.Feed{
				To: journal.Place{Transaction: 3, Row: 10}, Deliveries: []webhook.Delivery{p.delivery("e1", "p1", int64(i+1))},
			})
			if err != nil {
				t.Errorf("Feed: %v", err)
			}
		})
	}
	wg.Wait()
	faster := 0
	for _, w := range won {
		if w {
			faster++
		}
	}
	all, err := p.Deliveries.List(t.Context(), outbound.DeliveryQuery{Limit: 100})
	if faster != 1 || err != nil || len(all) != 1 {
		t.Fatalf("%d replicas fed the part, %d deliveries, %v; want one of each", faster, len(all), err)
	}
	fed, err := p.Deliveries.Fed(t.Context())
	if err != nil || fed != (journal.Place{Transaction: 3, Row: 10}) {
		t.Errorf("Fed = %v, %v", fed, err)
	}
	// What is there already stays; what nobody waits for is dropped.
	p.fed = fed
	p.finish(t, p.now, webhook.Outcome{Status: 200}, p.claim(t, p.now.Add(time.Second))...)
	p.feed(t, all[0], p.delivery("gone", "p1", 1))
	if d := p.stored(t, all[0].ID); d.State != webhook.Delivered {
		t.Errorf("a second feed made it %s", d.State)
	}
	if left, _ := p.Deliveries.List(t.Context(), outbound.DeliveryQuery{Limit: 100}); len(left) != 1 {
		t.Errorf("%d deliveries", len(left))
	}
}

func laneInOrder(t *testing.T, p *post) {
	t.Helper()
	p.endpoint(t, "e1")
	p.feed(t, p.delivery("e1", "p1", 2), p.delivery("e1", "p1", 4), p.delivery("e1", "p2", 2))
	at := p.now.Add(time.Second)
	first := p.claim(t, at)
	wantClaims(t, first, "e1/p1/2", "e1/p2/2")
	wantClaims(t, p.claim(t, at))
	// The earlier one failed: the later one waits with it, and so does what comes now.
	for _, d := range first {
		p.finish(t, at, map[bool]webhook.Outcome{true: {Status: 500, Trouble: "no"}, false: {Status: 204}}[d.Payment == "p1"], d)
	}
	p.feed(t, p.delivery("e1", "p1", 5), p.delivery("e1", "p2", 3))
	wantClaims(t, p.claim(t, at.Add(time.Second)), "e1/p2/3")
	again := p.claim(t, at.Add(10*time.Second))
	wantClaims(t, again, "e1/p1/2")
	if again[0].Attempts != 1 || again[0].Status != 500 || again[0].Trouble != "no" {
		t.Errorf("%+v", again[0])
	}
	p.finish(t, at.Add(11*time.Second), webhook.Outcome{Status: 200}, again...)
	next := p.claim(t, at.Add(11*time.Second))
	wantClaims(t, next, "e1/p1/4")
	// One that is given up holds up nothing.
	next[0].Since = p.now.Add(-webhook.GiveUp)
	p.finish(t, at.Add(12*time.Second), webhook.Outcome{Trouble: "timeout"}, next...)
	if d := p.stored(t, next[0].ID); d.State != webhook.GivenUp || d.EndedAt.IsZero() || !d.NextAt.IsZero() {
		t.Errorf("%+v", d)
	}
	wantClaims(t, p.claim(t, at.Add(12*time.Second)), "e1/p1/5")
}

func claimedOnce(t *testing.T, p *post) {
	t.Helper()
	p.endpoint(t, "e1")
	p.feed(t, p.delivery("e1", "p1", 1))
	wantClaims(t, p.claim(t, p.now.Add(-time.Second)))
	first := p.claim(t, p.now)
	wantClaims(t, first, "e1/p1/1")
	wantClaims(t, p.claim(t, p.now.Add(59*time.Second)))
	second := p.claim(t, p.now.Add(60*time.Second))
	wantClaims(t, second, "e1/p1/1")
	if second[0].Epoch != first[0].Epoch+1 {
		t.Errorf("the epoch went from %d to %d", first[0].Epoch, second[0].Epoch)
	}
}

func claimsShared(t *testing.T, p *post) {
	t.Helper()
	p.endpoint(t, "e1")
	p.endpoint(t, "e2")
	var all []webhook.Delivery
	const lanes = 60
	for i := range lanes {
		all = append(all, p.delivery(webhook.EndpointID(fmt.Sprintf("e%d", i%2+1)), payment.ID(fmt.Sprintf("p%d", i)), 1))
	}
	p.feed(t, all...)
	var mu sync.Mutex
	seen := map[webhook.ID]int{}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 30 {
				got, err := p.Deliveries.Claim(t.Context(), outbound.ClaimQuery{Now: p.now, Limit: 7, PerEndpoint: 5, Lease: time.Minute})
				if err != nil {
					t.Errorf("Claim: %v", err)
				}
				mu.Lock()
				for _, d := range got {
					seen[d.ID]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s was claimed %d times", id, n)
		}
	}
	if len(seen) != lanes {
		t.Errorf("%d were claimed, want %d", len(seen), lanes)
	}
}

func lateOutcome(t *testing.T, p *post) {
	t.Helper()
	p.endpoint(t, "e1")
	p.feed(t, p.delivery("e1", "p1", 1))
	slow := p.claim(t, p.now)
	quick := p.claim(t, p.now.Add(time.Hour))
	p.finish(t, p.now.Add(time.Hour), webhook.Outcome{Status: 200}, quick...)
	p.finish(t, p.now.Add(2*time.Hour), webhook.Outcome{Trouble: "timeout"}, slow...)
	if d := p.stored(t, quick[0].ID); d.State != webhook.Delivered || d.Status != 200 {
		t.Errorf("the late outcome counted: %+v", d)
	}
}

func fairClaims(t *testing.T, p *post) {
	t.Helper()
	p.endpoint(t, "e1")
	off := p.endpoint(t, "e2")
	p.endpoint(t, "e3")
	off.Enabled = false
	off.Version++
	if err := p.Endpoints.SaveEndpoint(t.Context(), off); err != nil {
		t.Fatal(err)
	}
	var all []webhook.Delivery
	for i := range 20 {
		all = append(all, p.delivery("e1", payment.ID(fmt.Sprintf("p%d", i)), 1))
	}
	p.feed(t, append(all, p.delivery("e2", "p1", 1), p.delivery("e3", "p1", 1))...)
	claim := func(limit, per int, busy ...webhook.EndpointID) []webhook.Delivery {
		got, err := p.Deliveries.Claim(context.WithoutCancel(t.Context()), outbound.ClaimQuery{
			Now: p.now, Limit: limit, PerEndpoint: per, Busy: busy, Lease: time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	wantClaims(t, claim(10, 3, "e1"), "e3/p1/1")
	if got := claim(10, 3); len(got) != 3 {
		t.Errorf("%v", names(got))
	}
	if got := claim(2, 9); len(got) != 2 {
		t.Errorf("%v", names(got))
	}
}

func requeued(t *testing.T, p *post) {
	t.Helper()
	p.endpoint(t, "e1")
	p.endpoint(t, "e2")
	p.feed(t, p.delivery("e1", "p1", 1), p.delivery("e1", "p2", 1), p.delivery("e2", "p1", 1))
	got := p.claim(t, p.now)
	for i := range got {
		got[i].Since = p.now.Add(-webhook.GiveUp)
	}
	p.finish(t, p.now, webhook.Outcome{Trouble: "timeout"}, got...)
	later := p.now.Add(time.Hour)
	for _, c := range []struct {
		q    outbound.DeliveryQuery
		want int
	}{
		{outbound.DeliveryQuery{Endpoint: "e1", Payment: "nobody"}, 0},
		{outbound.DeliveryQuery{Endpoint: "e1", State: webhook.Delivered}, 0},
		{outbound.DeliveryQuery{Endpoint: "e1", State: webhook.GivenUp, Since: later}, 0},
		{outbound.DeliveryQuery{Endpoint: "e1", ID: webhook.IDOf("e1", "p1", 1)}, 1},
		{outbound.DeliveryQuery{Endpoint: "e1", State: webhook.GivenUp}, 1},
		{outbound.DeliveryQuery{Endpoint: "e1"}, 0},
	} {
		if n, err := p.Deliveries.Requeue(t.Context(), c.q, later); err != nil || n != c.want {
			t.Errorf("Requeue(%+v) = %d, %v; want %d", c.q, n, err, c.want)
		}
	}
	again := p.claim(t, later)
	wantClaims(t, again, "e1/p1/1", "e1/p2/1")
	if d := again[0]; d.Attempts != 0 || !d.Since.Equal(later) || !d.EndedAt.IsZero() || d.ID != webhook.IDOf("e1", d.Payment, 1) {
		t.Errorf("%+v", d)
	}
}

func deliveriesListed(t *testing.T, p *post) {
	t.Helper()
	p.endpoint(t, "e1")
	p.endpoint(t, "e2")
	var all []webhook.Delivery
	for n := range int64(5) {
		all = append(all, p.delivery("e1", "p1", n+1))
	}
	p.feed(t, append(all, p.delivery("e2", "p2", 1))...)
	page, err := p.Deliveries.List(t.Context(), outbound.DeliveryQuery{Endpoint: "e1", Limit: 3})
	if err != nil || !slices.Equal(names(page), []string{"e1/p1/5", "e1/p1/4", "e1/p1/3"}) {
		t.Fatalf("%v, %v", names(page), err)
	}
	if !reflect.DeepEqual(all[4], page[0]) {
		t.Errorf("%+v, want %+v", page[0], all[4])
	}
	rest, err := p.Deliveries.List(t.Context(), outbound.DeliveryQuery{Endpoint: "e1", Before: page[2].ID, Limit: 3})
	if err != nil || !slices.Equal(names(rest), []string{"e1/p1/2", "e1/p1/1"}) {
		t.Errorf("%v, %v", names(rest), err)
	}
	_, err = p.Deliveries.List(t.Context(), outbound.DeliveryQuery{Before: "msg_nothing", Limit: 3})
	wantKind(t, err, fault.Invalid)
	_, err = p.Deliveries.List(t.Context(), outbound.DeliveryQuery{})
	wantKind(t, err, fault.Invalid)
	p.finish(t, p.now, webhook.Outcome{Status: 200}, p.claim(t, p.now)...)
	b, err := p.Deliveries.Backlog(t.Context())
	if err != nil || b.Pending != 4 || b.GivenUp != 0 || !b.Oldest.Equal(all[1].At) {
		t.Errorf("%+v, %v", b, err)
	}
}

func deliveriesForgotten(t *testing.T, p *post) {
	t.Helper()
	p.endpoint(t, "e1")
	p.feed(t, p.delivery("e1", "p1", 1), p.delivery("e1", "p1", 2))
	p.finish(t, p.now, webhook.Outcome{Status: 200}, p.claim(t, p.now)...)
	for _, c := range []struct {
		forget time.Time
		left   int
	}{{p.now, 2}, {p.now.Add(time.Second), 1}} {
		to := journal.Place{Row: p.fed.Row + 1}
		if won, err := p.Deliveries.Feed(t.Context(), outbound.Feed{From: p.fed, To: to, Forget: c.forget}); err != nil || !won {
			t.Fatal(won, err)
		}
		p.fed = to
		left, err := p.Deliveries.List(t.Context(), outbound.DeliveryQuery{Limit: 10})
		if err != nil || len(left) != c.left {
			t.Errorf("%v are left, want %d; %v", names(left), c.left, err)
		}
	}
	if err := p.Endpoints.RemoveEndpoint(t.Context(), "e1"); err != nil {
		t.Fatal(err)
	}
	if left, _ := p.Deliveries.List(t.Context(), outbound.DeliveryQuery{Limit: 10}); len(left) != 0 {
		t.Errorf("%v are left", names(left))
	}
}

func claimsChecked(t *testing.T, p *post) {
	t.Helper()
	for _, q := range []outbound.ClaimQuery{
		{},
		{Limit: 1, PerEndpoint: 1, Lease: time.Second},
		{Now: p.now, PerEndpoint: 1, Lease: time.Second},
		{Now: p.now, Limit: 1, Lease: time.Second},
		{Now: p.now, Limit: 1, PerEndpoint: 1},
	} {
		_, err := p.Deliveries.Claim(t.Context(), q)
		wantKind(t, err, fault.Invalid)
	}
	wantClaims(t, p.claim(t, p.now))
	if err := p.Deliveries.Finish(t.Context(), nil); err != nil {
		t.Error(err)
	}
}
