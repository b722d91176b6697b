package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/inbound/httpapi"
	"github.com/payrack/payrack/core/payment"
)

func TestCallbackSendsThePayerOn(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	const to = "https://shop.example/back?cart=1&transactionId=2019049910005496810&orderId=A-1"
	p.notices.to = map[payment.ID]string{paymentID: to}
	r := httptest.NewRequest(http.MethodGet, httpapi.CallbackPrefix+paymentID+"?transactionId=canary-1&orderId=canary-2", nil)
	r.Header.Set("Referer", "https://wallet.example/canary-3")
	w := p.do(r)
	h := w.Header()
	if w.Code != http.StatusSeeOther || h.Get("Location") != to || w.Body.Len() != 0 {
		t.Errorf("got %d %v %s", w.Code, h, w.Body)
	}
	if h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("headers: %v", h)
	}
	log := p.log.String()
	if strings.Contains(log, "canary") || strings.Contains(log, "shop.example") || !strings.Contains(log, `"route":"/v1/payment/callback/:id"`) ||
		!strings.Contains(log, `"payment_id":"`+paymentID+`"`) {
		t.Errorf("log: %s", log)
	}
	if len(p.notices.asked) != 1 || p.notices.asked[0] != paymentID {
		t.Errorf("the core was asked %v", p.notices.asked)
	}
}

func TestCallbackWithoutAnAddress(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	p.notices.to = map[payment.ID]string{paymentID: ""}
	for accept, want := range map[string]string{"": "application/json", "text/html,application/xhtml+xml": "text/html; charset=utf-8"} {
		r := httptest.NewRequest(http.MethodGet, httpapi.CallbackPrefix+paymentID, nil)
		r.Header.Set("Accept", accept)
		w := p.do(r)
		if w.Code != 200 || w.Header().Get("Content-Type") != want || !strings.Contains(w.Body.String(), "請回到商店確認付款結果") {
			t.Errorf("%q: got %d %v %s", accept, w.Code, w.Header(), w.Body)
		}
		if html := want != "application/json"; html != (w.Header().Get("Content-Security-Policy") != "") {
			t.Errorf("%q: headers %v", accept, w.Header())
		}
		if strings.Contains(w.Body.String(), "SUCCEEDED") || strings.Contains(w.Body.String(), paymentID) {
			t.Errorf("%q: tells about the payment: %s", accept, w.Body)
		}
	}
}

func TestCallbackOfNothing(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	for _, id := range []string{paymentID, "x", strings.ToUpper(paymentID)} {
		w := p.do(httptest.NewRequest(http.MethodGet, httpapi.CallbackPrefix+id, nil))
		if w.Code != 404 || codeOf(t, w) != "payment_not_found" {
			t.Errorf("%s: got %d %s", id, w.Code, w.Body)
		}
	}
	if len(p.notices.asked) != 1 {
		t.Errorf("the core was asked %v", p.notices.asked)
	}
	for path, code := range map[string]int{"/v1/payment/callback": 404, httpapi.CallbackPrefix + paymentID + "/x": 404} {
		if w := p.do(httptest.NewRequest(http.MethodGet, path, nil)); w.Code != code {
			t.Errorf("%s: got %d", path, w.Code)
		}
	}
	// Preloading must not confirm anything.
	for _, method := range []string{"HEAD", "POST", "OPTIONS", "DELETE"} {
		w := p.do(httptest.NewRequest(method, httpapi.CallbackPrefix+paymentID, nil))
		if w.Code != 405 || w.Header().Get("Allow") != "GET" {
			t.Errorf("%s: got %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
}

func TestCallbackRate(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	p := newPlane(t, func(o *httpapi.Options) {
		o.ReturnRate, o.Now = httpapi.Rate{PerSecond: 1, Burst: 2}, func() time.Time { return now }
	})
	p.notices.to = map[payment.ID]string{paymentID: "https://shop.example/"}
	from := func(address string) int {
		r := httptest.NewRequest(http.MethodGet, httpapi.CallbackPrefix+paymentID, nil)
		r.RemoteAddr = address
		return p.do(r).Code
	}
	for i, want := range []int{303, 303, 429} {
		if got := from("192.0.2.1:1000"); got != want {
			t.Errorf("request %d: got %d, want %d", i, got, want)
		}
	}
	if got := from("192.0.2.2:1000"); got != 303 {
		t.Errorf("another address: got %d", got)
	}
	now = now.Add(time.Second)
	if got := from("192.0.2.1:1000"); got != 303 {
		t.Errorf("a second later: got %d", got)
	}
}
