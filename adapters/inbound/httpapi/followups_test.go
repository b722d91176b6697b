package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/core/company"
)

// TestFollowUpsReachTheCore shows which use case each native route leads to.
func TestFollowUpsReachTheCore(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/v1/payment/integrate/confirm":    "confirm",
		"/v1/payment/integrate/capture":    "capture",
		"/v1/payment/integrate/cancel":     "cancel",
		"/v1/payment/integrate/refund":     "refund",
		"/v1/payment/demo/offline/confirm": "confirm",
		"/v1/payment/demo/offline/capture": "capture",
		"/v1/payment/demo/offline/void":    "void",
		"/v1/payment/demo/offline/refund":  "refund",
	} {
		p := newPlane(t, nil)
		body := `{"type":"DEMO_PAY","request":{"order_number":"1"},"store_id":"0","is_test":true}`
		if strings.Contains(path, "/demo/") {
			body = `{"request":{"order_number":"1"},"store_id":"0","is_test":true}`
		}
		r := p.request(t, "POST", path, body)
		r.Header.Set("Idempotency-Key", "k-1")
		r.Header.Set("Prefer", "wait=7")
		w := p.do(r)
		calls := p.payments.asked()
		if w.Code != 200 || len(calls) != 1 || calls[0].Kind != want {
			t.Fatalf("%s: got %d %s, calls %+v", path, w.Code, w.Body, calls)
		}
		n := calls[0].Native
		if n.Type != "DEMO_PAY" || string(n.Request) != `{"order_number":"1"}` || n.Neutral != nil || n.Render != nil ||
			n.IdempotencyKey != "k-1" || n.Wait == nil || *n.Wait != 7*time.Second || n.Environment != company.Test {
			t.Errorf("%s: the core got %+v", path, n)
		}
		if got := w.Header().Get("Preference-Applied"); got != "wait=7" {
			t.Errorf("%s: Preference-Applied %q", path, got)
		}
	}
}

func TestAnOperationOfALaterContract(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	p.catalogue.types[0].Operations[0].Kind = "settle"
	r := httptest.NewRequest(http.MethodPost, alias, strings.NewReader(`{"request":{}}`))
	r.Header.Set("Authorization", "Bearer "+p.access.token(t, "root"))
	if w := p.do(r); w.Code != 400 || !strings.Contains(w.Body.String(), `"code":"operation_unsupported"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
