package httpapi_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/core/payment"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	r := record(paymentID, "acme", payment.Succeeded)
	r.Payment.Version = 5
	p.records.records = []payment.Record{r}
	type page struct {
		Data []struct {
			N     int64          `json:"n"`
			At    string         `json:"at"`
			Event string         `json:"event"`
			Data  map[string]any `json:"data"`
		} `json:"data"`
		Next *string `json:"next_cursor"`
	}
	read := func(query string) page {
		t.Helper()
		w := p.neutral(t, "reader", "GET", "/v2/payments/"+paymentID+"/events"+query, "", "")
		var got page
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || w.Header().Get("Payrack-Payment-Id") != paymentID {
			t.Fatalf("%s: got %d %s", query, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "canary") || strings.Contains(w.Body.String(), "4711") || strings.Contains(w.Body.String(), "hash") {
			t.Errorf("%s: what is not the company's: %s", query, w.Body)
		}
		return got
	}
	whole := read("")
	if len(whole.Data) != 5 || whole.Next != nil {
		t.Fatalf("got %+v", whole)
	}
	first := whole.Data[0]
	want := map[string]any{
		"state": "SENDING", "type": "DEMO_PAY", "provider": "demo", "environment": "test", "order_number": "IXN20231011000001", "currency": "TWD",
		"amount": 229.0, "authorized": 0.0, "captured": 0.0, "refunded": 0.0, "refund_reserved": 0.0, "operation_id": "", "operation_kind": "pay",
		"operation_state": "SENDING", "operation_amount": 229.0, "release": "demo@1.2.3", "trace_id": "4bf9",
	}
	if diff := cmp.Diff(want, first.Data); diff != "" || first.N != 1 || first.Event != "payment.sending" || first.At != "2026-11-22T02:00:01.123456Z" {
		t.Errorf("got %+v: %s", first, diff)
	}
	var seen []int64
	query := "?limit=2"
	for range 3 {
		got := read(query)
		for _, e := range got.Data {
			seen = append(seen, e.N)
		}
		if got.Next == nil {
			break
		}
		query = "?limit=2&cursor=" + *got.Next
	}
	if diff := cmp.Diff([]int64{1, 2, 3, 4, 5}, seen); diff != "" {
		t.Error(diff)
	}
	if got := read("?cursor=5"); len(got.Data) != 0 || got.Next != nil {
		t.Errorf("behind the end: %+v", got)
	}
}

func TestEventsOfABrokenStore(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	p.records.fails = errors.New("canary")
	w := p.neutral(t, "reader", "GET", "/v2/payments/"+paymentID+"/events", "", "")
	if w.Code != 500 || strings.Contains(w.Body.String(), "canary") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestPaymentWithAllItsMembers(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	r := record(paymentID, "acme", payment.Failed)
	r.Payment.Failure, r.Payment.DeclineCode, r.Payment.Mandate, r.Payment.Attempt = payment.Declined, "insufficient_funds", mandateID, 2
	r.Operation.OrderID = r.Payment.OrderNumber + "-2"
	p.records.records = []payment.Record{r}
	w := p.neutral(t, "reader", "GET", "/v2/payments/"+paymentID, "", "")
	for _, want := range []string{
		`"attempt":2`, `"order_id":"IXN20231011000001-2"`, `"mandate_id":"` + mandateID + `"`, `"failure":"declined"`, `"decline_code":"insufficient_funds"`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in %s", want, w.Body)
		}
	}
}
