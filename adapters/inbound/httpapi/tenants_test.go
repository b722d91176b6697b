package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/payrack/payrack/core/mandate"
	"github.com/payrack/payrack/core/payment"
)

// TestOtherCompanies shows that nothing of a company can be reached or seen by another one on any route with an id, and
// that an id of somebody else looks like one of nobody.
func TestOtherCompanies(t *testing.T) {
	t.Parallel()
	routes := []struct{ method, path, body string }{
		{"GET", "/v2/payments/{id}", ""},
		{"GET", "/v2/payments/{id}/events", ""},
		{"POST", "/v2/payments/{id}/confirm", ""},
		{"POST", "/v2/payments/{id}/capture", ""},
		{"POST", "/v2/payments/{id}/void", ""},
		{"POST", "/v2/payments/{id}/cancel", ""},
		{"POST", "/v2/payments/{id}/refunds", ""},
		{"GET", "/v2/mandates/{id}", ""},
		{"GET", "/v2/mandates/{id}?check=true&authorize_card=true", ""},
		{"DELETE", "/v2/mandates/{id}", ""},
		{"POST", "/v2/mandates/{id}/payments", start("")},
		{"POST", "/v2/payments", start(`,"source":{"mandate_id":"{id}"}`)},
	}
	for _, route := range routes {
		t.Run(route.method+" "+strings.ReplaceAll(route.path, "/", "|"), func(t *testing.T) {
			t.Parallel()
			p := newPlane(t, nil)
			p.records.records = []payment.Record{record(paymentID, "acme", payment.Succeeded)}
			p.mandates.all = []mandate.Mandate{{ID: mandateID, Company: "acme", State: mandate.Active}}
			own := paymentID
			if strings.Contains(route.path+route.body, "mandate") {
				own = mandateID
			}
			ask := func(client, id string) *httptest.ResponseRecorder {
				return p.neutral(t, client, route.method, strings.ReplaceAll(route.path, "{id}", id), "k-"+client,
					strings.ReplaceAll(route.body, "{id}", id))
			}
			bodies := map[string]bool{}
			for _, id := range []string{own, "0190a1b2-0000-7000-8000-00000000ffff"} {
				w := ask("other", id)
				if w.Code != http.StatusNotFound || w.Header().Get("Payrack-Payment-Id") != "" {
					t.Errorf("%s: got %d %v %s", id, w.Code, w.Header(), w.Body)
				}
				bodies[strings.ReplaceAll(w.Body.String(), w.Header().Get("X-Request-Id"), "")] = true
			}
			if len(bodies) != 1 {
				t.Errorf("the answers differ: %v", bodies)
			}
			if p.records.records[0].Payment.State != payment.Succeeded || p.mandates.all[0].State != mandate.Active || len(p.records.records) != 1 {
				t.Error("another company changed something")
			}
			if w := ask("till", own); w.Code >= 400 {
				t.Errorf("the company itself: got %d %s", w.Code, w.Body)
			}
		})
	}
}
