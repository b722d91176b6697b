package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/adapters/outbound/memory"
	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/webhook"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// shop is a company's server: it answers as told and keeps what it took.
type shop struct {
	mu      sync.Mutex
	answers func(webhook.Message) webhook.Outcome
	took    []webhook.Message
	tries   []webhook.Message
}

func (*shop) Allowed(url string) error {
	if !strings.HasPrefix(url, "https://") {
		return fault.New(fault.Invalid, "webhook_url", "not https")
	}
	return nil
}

func (s *shop) Post(_ context.Context, m webhook.Message) webhook.Outcome {
	o := webhook.Outcome{Status: 200}
	s.mu.Lock()
	answers := s.answers
	s.mu.Unlock()
	if answers != nil {
		o = answers(m)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries = append(s.tries, m)
	if o.Delivered() {
		s.took = append(s.took, m)
	}
	return o
}

// answer changes how the shop answers from now on.
func (s *shop) answer(how func(webhook.Message) webhook.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = how
}

// all are the messages that it took, and those that it was sent.
func (s *shop) all() (took, tries []webhook.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.took), slices.Clone(s.tries)
}

// heard are the events that the shop took, as payment/type.
func (s *shop) heard(t *testing.T) []string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, m := range s.took {
		e := eventIn(t, m)
		all = append(all, e.Data["order_number"].(string)+" "+e.Type) //nolint:forcetypeassert // a test
	}
	return all
}

func first(s *shop) webhook.Message {
	took, _ := s.all()
	return took[0]
}

type sentEvent struct {
	Type string         `json:"type"`
	ID   string         `json:"id"`
	Data map[string]any `json:"data"`
}

func eventIn(t *testing.T, m webhook.Message) sentEvent {
	t.Helper()
	var e sentEvent
	if err := json.Unmarshal(m.Body, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// notifying is a resolving world that also tells its company, each second.
func notifying(t *testing.T) (*world, *shop, *app.Notifier) {
	t.Helper()
	return notifyingOf(t, resolving(t), func(*app.NotifierOptions) {})
}

func notifyingOf(t *testing.T, w *world, edit func(*app.NotifierOptions)) (*world, *shop, *app.Notifier) {
	t.Helper()
	s := &shop{}
	beside := memory.New()
	if err := beside.Directory().AddCompany(t.Context(), company.Company{ID: "co", Name: "Company"}); err != nil {
		t.Fatal(err)
	}
	kept := memory.NewWebhooks(beside)
	o := app.NotifierOptions{
		Journal: w.Journal, Ledger: w.ledger, Endpoints: kept.Endpoints(), Deliveries: kept.Deliveries(), Poster: s,
		Secrets: vault{}, Clock: w.clock, IDs: &ids{}, Key: func() ([]byte, error) { return make([]byte, webhook.SecretBytes), nil },
	}
	edit(&o)
	n, err := app.NewNotifier(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	for _, do := range []func(context.Context) (int, error){n.Deliveries().Feed, n.Deliveries().DeliverDue, w.Recovery().Seal} {
		work.Go(func() {
			for ctx.Err() == nil {
				if _, err := do(ctx); err != nil && ctx.Err() == nil {
					t.Errorf("%v", err)
				}
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
			_, _ = do(ctx) // as the program does: what is on its way is recorded
		})
	}
	t.Cleanup(func() { cancel(); work.Wait() })
	return w, s, n
}

func listen(t *testing.T, n *app.Notifier, types ...string) (webhook.Endpoint, string) {
	t.Helper()
	e, secret, err := n.Webhooks().Add(t.Context(), inbound.AddWebhook{Company: "co", URL: "https://shop.example/hooks", Types: types})
	if err != nil {
		t.Fatal(err)
	}
	return e, secret
}

func TestACompanyHearsOfItsPayments(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s, n := notifying(t)
		must(t)(w.Payments().Pay(t.Context(), w.order("before")))
		time.Sleep(3 * time.Second)
		_, secret := listen(t, n)
		must(t)(w.Payments().Pay(t.Context(), w.order("A")))
		w.till.answers = w.till.bank.silently
		must(t)(w.Payments().Pay(t.Context(), w.order("B")))
		time.Sleep(20 * time.Second)
		got := s.heard(t)
		slices.Sort(got)
		if want := []string{"A payment.succeeded", "B payment.succeeded", "B payment.unknown"}; !slices.Equal(got, want) {
			t.Fatalf("heard %v, want %v", got, want)
		}
		key, err := webhook.ParseSecret(secret)
		if err != nil {
			t.Fatal(err)
		}
		took, _ := s.all()
		m := took[0]
		if m.Signature != webhook.Sign(m.ID, m.At, m.Body, key) || eventIn(t, m).ID != string(m.ID) {
			t.Errorf("%+v", m)
		}
	})
}

// illegible is a journal in which some entries are not as this program writes them.
type illegible struct {
	outbound.Journal
	spoil func(journal.Entry) []byte
}

func (j illegible) Tail(ctx context.Context, after journal.Place, limit int) ([]journal.Placed, error) {
	all, err := j.Journal.Tail(ctx, after, limit)
	for i := range all {
		all[i].Body = j.spoil(all[i].Entry)
	}
	return all, err
}

func (j illegible) Entries(ctx context.Context, stream string, after int64, limit int) ([]journal.Entry, error) {
	all, err := j.Journal.Entries(ctx, stream, after, limit)
	for i := range all {
		all[i].Body = j.spoil(all[i])
	}
	return all, err
}

// One entry cannot be read, and all that happened behind it is told all the same. It is not passed over in silence.
func TestAnEntryThatCannotBeReadStopsNobodysWebhooks(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"cut off": `{"at":"2026-`, "of another shape": `{"state":7}`, "of a newer program": `{"state":"TELEPORTED","company":"co"}`, "empty": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var over []journal.Entry
				w, s, n := notifyingOf(t, resolving(t), func(o *app.NotifierOptions) {
					o.Journal = illegible{o.Journal, func(e journal.Entry) []byte {
						if e.N == 2 && strings.Contains(string(e.Body), `"order_number":"A"`) {
							return []byte(body)
						}
						return e.Body
					}}
					o.PassedOver = func(_ context.Context, e journal.Entry, err error) {
						if fault.CodeOf(err) != "journal_unreadable" {
							t.Errorf("%v", err)
						}
						over = append(over, e)
					}
				})
				listen(t, n)
				must(t)(w.Payments().Pay(t.Context(), w.order("A")))
				must(t)(w.Payments().Pay(t.Context(), w.order("B")))
				time.Sleep(20 * time.Second)
				synctest.Wait() // nobody is told of an entry at this moment
				if got := s.heard(t); !slices.Equal(got, []string{"B payment.succeeded"}) {
					t.Errorf("heard %v", got)
				}
				if len(over) != 1 || over[0].Stream != w.record(t.Context(), "A").Payment.Stream() || over[0].N != 2 {
					t.Errorf("passed over: %+v", over)
				}
			})
		})
	}
}

// An endpoint that fails hears everything in the end, each payment's events in order and with the same id and body.
func TestAFailingEndpointHearsAllInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s, n := notifying(t)
		listen(t, n)
		var healed atomic.Bool
		s.answer(func(webhook.Message) webhook.Outcome {
			if !healed.Load() {
				return webhook.Outcome{Status: 503, Trouble: "answered with HTTP status 503"}
			}
			return webhook.Outcome{Status: 200}
		})
		w.till.answers = w.till.bank.silently
		for i := range 5 {
			must(t)(w.Payments().Pay(t.Context(), w.order(fmt.Sprint("P", i))))
		}
		time.Sleep(3 * time.Minute)
		healed.Store(true)
		time.Sleep(time.Hour)
		seen := map[string][]string{}
		for _, one := range s.heard(t) {
			order, typ, _ := strings.Cut(one, " ")
			seen[order] = append(seen[order], typ)
		}
		for i := range 5 {
			if got := seen[fmt.Sprint("P", i)]; !slices.Equal(got, []string{"payment.unknown", "payment.succeeded"}) {
				t.Errorf("of P%d it heard %v", i, got)
			}
		}
		bodies := map[webhook.ID]string{}
		_, sent := s.all()
		for _, m := range sent {
			if was, ok := bodies[m.ID]; ok && was != string(m.Body) {
				t.Errorf("the body changed from %s to %s", was, m.Body)
			}
			bodies[m.ID] = string(m.Body)
		}
		if len(bodies) != 10 || len(sent) <= 10 {
			t.Errorf("%d messages in %d tries", len(bodies), len(sent))
		}
	})
}

func TestGivenUpAndReplayed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s, n := notifying(t)
		e, _ := listen(t, n, "payment.succeeded")
		s.answer(func(webhook.Message) webhook.Outcome { return webhook.Outcome{Trouble: "it refuses connections"} })
		must(t)(w.Payments().Pay(t.Context(), w.order("A")))
		time.Sleep(80 * time.Hour)
		page, err := n.Deliveries().List(t.Context(), inbound.DeliveriesQuery{Endpoint: e.ID})
		if err != nil || len(page.Deliveries) != 1 || page.Deliveries[0].State != webhook.GivenUp {
			t.Fatalf("%+v, %v", page, err)
		}
		_, sent := s.all()
		if tries := len(sent); tries < 12 || tries > 25 {
			t.Errorf("%d tries", tries)
		}
		s.answer(nil)
		if q, err := n.Deliveries().Replay(t.Context(), inbound.ReplayWebhook{Endpoint: e.ID}); err != nil || q != 1 {
			t.Fatalf("Replay = %d, %v", q, err)
		}
		time.Sleep(3 * time.Second)
		if got := s.heard(t); !slices.Equal(got, []string{"A payment.succeeded"}) || first(s).ID != page.Deliveries[0].ID {
			t.Errorf("heard %v", got)
		}
		_, err = n.Deliveries().Replay(t.Context(), inbound.ReplayWebhook{Endpoint: e.ID, Delivery: "msg_none"})
		if fault.KindOf(err) != fault.NotFound {
			t.Errorf("%v", err)
		}
	})
}

// One endpoint hangs; the other one's company does not notice.
func TestAHangingEndpointHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s, n := notifying(t)
		listen(t, n, "payment.succeeded")
		other, _, err := n.Webhooks().Add(t.Context(), inbound.AddWebhook{Company: "co", URL: "https://hangs.example/"})
		if err != nil {
			t.Fatal(err)
		}
		s.answer(func(m webhook.Message) webhook.Outcome {
			if m.URL == other.URL {
				time.Sleep(10 * time.Second)
				return webhook.Outcome{Trouble: "it did not answer in time"}
			}
			return webhook.Outcome{Status: 200}
		})
		const payments = 100
		for i := range payments {
			must(t)(w.Payments().Pay(t.Context(), w.order(fmt.Sprint("P", i))))
		}
		time.Sleep(5 * time.Second)
		if got := len(s.heard(t)); got != payments {
			t.Errorf("the one that answers heard of %d payments", got)
		}
	})
}

func TestSecretsRotateWithOverlap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, s, n := notifying(t)
		e, _ := listen(t, n)
		signatures := func() int {
			if o, err := n.Webhooks().Test(t.Context(), e.ID); err != nil || !o.Delivered() {
				t.Fatalf("%+v, %v", o, err)
			}
			took, _ := s.all()
			last := took[len(took)-1]
			if eventIn(t, last).Type != webhook.Test {
				t.Errorf("%s", last.Body)
			}
			return len(strings.Fields(last.Signature))
		}
		before := signatures()
		if _, _, err := n.Webhooks().Rotate(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
		during := signatures()
		time.Sleep(webhook.Overlap + time.Second)
		if after := signatures(); before != 1 || during != 2 || after != 1 {
			t.Errorf("%d, %d, %d signatures", before, during, after)
		}
	})
}

func TestEndpointsAreChecked(t *testing.T) {
	t.Parallel()
	store := memory.New()
	kept := memory.NewWebhooks(store)
	n, err := app.NewNotifier(app.NotifierOptions{
		Journal: store.Journal(), Ledger: store.Ledger(), Endpoints: kept.Endpoints(), Deliveries: kept.Deliveries(), Poster: &shop{},
		Secrets: vault{}, Clock: &clock{}, IDs: &ids{}, Key: func() ([]byte, error) { return make([]byte, 32), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	for code, c := range map[string]inbound.AddWebhook{
		"missing_field":      {URL: "https://x.example"},
		"webhook_url":        {Company: "co", URL: "http://x.example"},
		"unknown_event_type": {Company: "co", URL: "https://x.example", Types: []string{"payment.sending"}},
		"company_not_found":  {Company: "nobody", URL: "https://x.example"},
	} {
		if _, _, err := n.Webhooks().Add(t.Context(), c); fault.CodeOf(err) != code {
			t.Errorf("%+v: %v, want %s", c, err, code)
		}
	}
	if _, err := app.NewNotifier(app.NotifierOptions{}); err == nil {
		t.Error("a notifier without ports was made")
	}
}
