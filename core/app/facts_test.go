package app_test

import (
	"encoding/json"
	"testing"

	"github.com/payrack/payrack/ports/inbound"
)

// The journal's body is written by hand: it must be JSON that says what the payment is, whatever an order is called.
func TestFactsAreJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const order = "訂單 \"7\"\\\t\u2028<&>é"
	c := w.order(order)
	if _, err := w.Payments().Pay(t.Context(), inbound.Native{
		Principal: c.Principal, Type: c.Type, Store: c.Store, Environment: c.Environment, TraceID: "t-1",
		Request: mustJSON(t, map[string]any{"order": order, "amount": 100, "req": "r"}),
	}); err != nil {
		t.Fatal(err)
	}
	r := w.record(t.Context(), order)
	entries, err := w.Journal.Entries(t.Context(), r.Payment.Stream(), 0, 10)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for i, state := range []string{"SENDING", "SUCCEEDED"} {
		var body map[string]any
		if err := json.Unmarshal(entries[i].Body, &body); err != nil {
			t.Fatalf("%v: %s", err, entries[i].Body)
		}
		if body["order_number"] != order || body["state"] != state || body["amount"] != 100.0 || body["trace_id"] != "t-1" || body["event"] != entries[i].Event {
			t.Errorf("%s", entries[i].Body)
		}
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
