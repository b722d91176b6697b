package app_test

import (
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

func TestSearchPassesTheProvidersRecordThrough(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		found outbound.Findings
		body  string
		code  string
	}{
		"found":          {found: outbound.Findings{Finding: payment.FindingFound, Native: []byte(`{"id":2019049910005496810}`)}, body: `{"id":2019049910005496810}`},
		"not found":      {found: outbound.Findings{Finding: payment.FindingNotFound, Native: []byte(`{"code":"1150"}`)}, body: `{"code":"1150","message_from":"TILL"}`},
		"refused":        {found: outbound.Findings{Failed: true, Reason: "auth", Native: []byte(`{"code":"1106"}`)}, body: `{"code":"1106","message_from":"TILL"}`},
		"unreadable":     {found: outbound.Findings{Failed: true, Reason: "bad_answer"}, code: "provider_invalid_response"},
		"no answer":      {found: outbound.Findings{Failed: true, Reason: "timeout"}, code: "provider_timeout"},
		"not reached":    {found: outbound.Findings{Failed: true, NotSent: true, Reason: "unavailable"}, code: "provider_unavailable"},
		"breaks a rule":  {found: outbound.Findings{Failed: true, NotSent: true, Reason: "invalid"}, code: "refused_by_provider_rules"},
		"nothing at all": {found: outbound.Findings{}, code: "provider_invalid_response"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.till.finds = func(outbound.Question) outbound.Findings { return c.found }
			reply, err := w.Payments().Search(t.Context(), w.order("S1"))
			if c.code != "" {
				if fault.CodeOf(err) != c.code {
					t.Errorf("%v, want %s", err, c.code)
				}
				return
			}
			if err != nil || string(reply.Body) != c.body || reply.Class != inbound.ReplyFinal {
				t.Errorf("%s, %v", reply.Body, err)
			}
		})
	}
}

// A till that polls must not become a stampede at the provider.
func TestEqualSearchesShareOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.till.finds = func(outbound.Question) outbound.Findings {
		time.Sleep(20 * time.Millisecond)
		return outbound.Findings{Finding: payment.FindingFound, Native: []byte(`{}`)}
	}
	var wait sync.WaitGroup
	for range 100 {
		wait.Go(func() {
			if _, err := w.Payments().Search(t.Context(), w.order("S2")); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if got := w.till.asked.Load(); got != 1 {
		t.Errorf("%d searches, want 1", got)
	}
	must(t)(w.Payments().Search(t.Context(), w.order("S3")))
	w.clock.offset.Store(int64(2 * time.Second))
	must(t)(w.Payments().Search(t.Context(), w.order("S2")))
	if got := w.till.asked.Load(); got != 3 {
		t.Errorf("%d searches after another order and two seconds, want 3", got)
	}
}
