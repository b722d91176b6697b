package httpapi_test

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/adapters/inbound/httpapi"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
)

func record(id, of string, state payment.State) payment.Record {
	at := time.Date(2026, 11, 22, 10, 0, 0, 123456000, time.FixedZone("UTC+8", 8*3600))
	return payment.Record{
		Payment: payment.Payment{
			ID: payment.ID(id), Company: company.ID(of), Environment: company.Test, Type: "DEMO_PAY", Provider: "demo",
			Account: "account-1", Wire: "v9", OrderNumber: "IXN20231011000001", Amount: money.Amount{Units: 229, Currency: "TWD"},
			Capture: true, Authorized: 229, Captured: 229, State: state, Code: "0000", ProviderTransaction: "2019049910005496810",
			CredentialRef: "cred-1/3", Release: "demo@1.2.3", CreatedAt: at, UpdatedAt: at,
		},
		Operation: payment.Operation{State: payment.OperationSucceeded, NextCheckAt: at},
	}
}

func TestPayment(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	p.records.records = []payment.Record{record(paymentID, "acme", payment.Succeeded)}
	w := p.do(p.request(t, "GET", "/v2/payments/"+paymentID, ""))
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	amount := map[string]any{"amount": 229.0, "currency": "TWD"}
	want := map[string]any{
		"id": paymentID, "state": "SUCCEEDED", "type": "DEMO_PAY", "store_id": "0", "order_number": "IXN20231011000001",
		"amount": amount, "capture": true, "authorized": amount, "captured": amount,
		"refunded": map[string]any{"amount": 0.0, "currency": "TWD"}, "provider_code": "0000", "provider": "demo",
		"provider_transaction_id": "2019049910005496810", "plugin_version": "1.2.3", "is_test": true,
		"created_at": "2026-11-22T02:00:00.123456Z", "updated_at": "2026-11-22T02:00:00.123456Z",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if w.Header().Get("Payrack-Payment-Id") != paymentID || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", w.Header())
	}
}

func TestOpenPaymentSaysWhenItIsAsked(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	r := record(paymentID, "acme", payment.Unknown)
	r.Operation.State = payment.OperationUnknown
	p.records.records = []payment.Record{r}
	if w := p.do(p.request(t, "GET", "/v2/payments/"+paymentID, "")); !strings.Contains(w.Body.String(), `"next_check_at":"2026-11-22T02:00:00.123456Z"`) {
		t.Errorf("got %s", w.Body)
	}
}

// TestForeignPayment shows that another company's payment, one that never was, and an id that is none look
// the same.
func TestForeignPayment(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	p.records.records = []payment.Record{record(paymentID, "acme", payment.Succeeded)}
	bodies := make(map[string]bool)
	for _, id := range []string{paymentID, "0190a1b2-0000-7000-8000-00000000ffff", "x", strings.ToUpper(paymentID), "..."} {
		r := httptest.NewRequest(http.MethodGet, "/v2/payments/"+id, nil)
		r.Header.Set("Authorization", "Bearer "+p.access.token(t, "other"))
		w := p.do(r)
		if w.Code != 404 || len(w.Header().Values("Payrack-Payment-Id")) != 0 {
			t.Errorf("%s: got %d %v", id, w.Code, w.Header())
		}
		bodies[strings.ReplaceAll(w.Body.String(), w.Header().Get("X-Request-Id"), "")] = true
	}
	if len(bodies) != 1 {
		t.Errorf("the answers differ: %v", bodies)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	ids := []string{"0190a1b2-0000-7000-8000-000000000001", "0190a1b2-0000-7000-8000-000000000002", "0190a1b2-0000-7000-8000-000000000003"}
	p.records.records = []payment.Record{
		record(ids[0], "acme", payment.Succeeded), record(ids[1], "rival", payment.Succeeded), record(ids[2], "acme", payment.Failed),
	}
	var page struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
		Next *string `json:"next_cursor"`
	}
	w := p.do(p.request(t, "GET", "/v2/payments?limit=1", ""))
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Data) != 1 || page.Data[0].ID != ids[0] || page.Next == nil {
		t.Fatalf("got %s", w.Body)
	}
	w = p.do(p.request(t, "GET", "/v2/payments?limit=1&cursor="+*page.Next, ""))
	if !strings.Contains(w.Body.String(), ids[2]) || strings.Contains(w.Body.String(), ids[1]) {
		t.Errorf("got %s", w.Body)
	}
	w = p.do(p.request(t, "GET", "/v2/payments?state=EXPIRED", ""))
	if got := strings.TrimSpace(w.Body.String()); got != `{"data":[],"next_cursor":null}` {
		t.Errorf("got %s", got)
	}
}

// TestListAsCSV shows that an export says what the list says.
func TestListAsCSV(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	odd := record("0190a1b2-0000-7000-8000-000000000003", "acme", payment.Authorized)
	odd.Payment.Captured = 0 // what is captured does not end
	odd.Payment.OrderNumber, odd.Payment.Attempt, odd.Payment.Store = "A,\"1\"\n二", 2, "S1"
	odd.Payment.AuthorizationEnds = odd.Payment.CreatedAt
	p.records.records = []payment.Record{record(paymentID, "acme", payment.Succeeded), odd}
	w := p.do(p.request(t, "GET", "/v2/payments?format=csv&limit=1", ""))
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/csv; charset=utf-8; header=present" {
		t.Fatalf("got %d %v", w.Code, w.Header())
	}
	const names = "id,state,type,store_id,order_number,attempt,currency,amount,capture,authorized,captured,refunded,failure,provider_code," +
		"decline_code,provider,provider_transaction_id,mandate_id,plugin_version,is_test,authorization_ends_at,created_at,updated_at\r\n"
	want := names + paymentID + ",SUCCEEDED,DEMO_PAY,0,IXN20231011000001,1,TWD,229,true,229,229,0,,0000,,demo,2019049910005496810,,1.2.3,true,," +
		"2026-11-22T02:00:00.123456Z,2026-11-22T02:00:00.123456Z\r\n"
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Error(diff)
	}
	next := w.Header().Get(httpapi.NextCursorHeader)
	w = p.do(p.request(t, "GET", "/v2/payments?format=csv&limit=1&cursor="+next, ""))
	if next == "" || w.Header().Get(httpapi.NextCursorHeader) != "" {
		t.Errorf("cursors: %q, %v", next, w.Header())
	}
	lines, err := csv.NewReader(w.Body).ReadAll()
	if err != nil || len(lines) != 2 {
		t.Fatalf("got %q %v", lines, err)
	}
	if l := lines[1]; l[3] != "S1" || l[4] != odd.Payment.OrderNumber || l[5] != "2" || l[20] != "2026-11-22T02:00:00.123456Z" {
		t.Errorf("got %q", l)
	}
	w = p.do(p.request(t, "GET", "/v2/payments?format=csv&state=EXPIRED", ""))
	if w.Body.String() != names {
		t.Errorf("no payments: %q", w.Body)
	}
	if w := p.do(p.request(t, "GET", "/v2/payments?format=json&limit=1", "")); !strings.HasPrefix(w.Body.String(), `{"data":[`) {
		t.Errorf("json: %s", w.Body)
	}
	if w := p.do(p.request(t, "GET", "/v2/payments?format=xml", "")); w.Code != 400 || strings.Contains(w.Body.String(), "xml") {
		t.Errorf("an unknown format: %d %s", w.Code, w.Body)
	}
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	own, store := company.OwnStore, company.StoreID("S1")
	tests := map[string]inbound.RecordsQuery{
		"": {},
		"order_number=A%2B1&state=PARTIALLY_REFUNDED&type=DEMO_PAY&store_id=S1&limit=200&cursor=c": {
			OrderNumber: "A+1", State: payment.PartiallyRefunded, Type: "DEMO_PAY", Store: &store, Limit: 200, Cursor: "c",
		},
		"store_id=0": {Store: &own},
		"store_id=":  {Store: &own},
		"created_from=2026-11-22T10:00:00%2B08:00&created_to=2026-11-23T00:00:00Z": {
			CreatedFrom: time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC), CreatedTo: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC),
		},
	}
	for query, want := range tests {
		w := p.do(p.request(t, "GET", "/v2/payments?"+query, ""))
		if w.Code != 200 {
			t.Fatalf("%s: %d %s", query, w.Code, w.Body)
		}
		got := p.records.queries[len(p.records.queries)-1]
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
}
