package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// wantsBack is where the payer of a payment has to be sent: the shop's own address, with the ids that LINE Pay would have
// appended to it.
func (b begun) wantsBack() string {
	return shopURL + "&" + url.Values{"orderId": {b.order}, "transactionId": {b.transaction}}.Encode()
}

// callback is where LINE Pay was told to send the payer.
func (p shop) callback(b begun) string { return p.HTTPURL + "/v1/payment/callback/" + b.id }

// returns lets a browser come back and expects that it is sent on to the shop.
func (p shop) returns(link string, b begun) {
	p.t.Helper()
	a := p.open(link)
	if got := a.header.Get("Location"); a.status != http.StatusSeeOther || got != b.wantsBack() || len(a.body) != 0 {
		p.t.Errorf("the payer of %s comes back: %s to %q, want 303 to %q", b.order, a, got, b.wantsBack())
	}
}

// stands expects a payment in a state, with so many confirms at the gateway and movements in its ledger.
func (p shop) stands(b begun, state string, confirms, movements int) {
	p.t.Helper()
	if got := p.shown(b.id).State; got != state {
		p.t.Errorf("%s is %s, want %s", b.order, got, state)
	}
	if got := p.arrived("confirm", b.order); got != confirms {
		p.t.Errorf("%s: %d confirms arrived at the gateway, want %d", b.order, got, confirms)
	}
	if got := p.ledger(b.order); len(got) != movements {
		p.t.Errorf("%s: ledger %+v, want %d movements", b.order, got, movements)
	}
}

// TestCallback sends payers back in every way that is right, wrong or forged. A confirm too early would destroy the payment
// (1169, then 0122), a second one would be a second charge.
func TestCallback(t *testing.T) {
	t.Parallel()
	platform := start(t, t.TempDir(), nil)
	for name, scenario := range map[string]func(p shop){
		"twenty at once":          callbackTwenty,
		"beside the shop's own":   callbackBeside,
		"before the approval":     callbackEarly,
		"of another payment":      callbackOther,
		"of no payment":           callbackUnknown,
		"after a refund":          callbackLate,
		"by LINE Pay's servers":   callbackServer,
		"nobody comes back":       callbackNone,
		"the customer cancels":    callbackCancelled,
		"the answer is lost":      callbackLost,
		"the card is declined":    callbackDeclined,
		"the approval is not all": callbackHeld,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(shop{platform}.sub(t))
		})
	}
}

func callbackTwenty(p shop) {
	b := p.begin("CALLBACK-TWENTY", 229, nil)
	back := p.approve(b.transaction, nil).ConfirmURL
	if !strings.HasPrefix(back, p.callback(b)+"?") || query(p.t, back, "transactionId") != b.transaction || query(p.t, back, "orderId") != b.order {
		p.t.Fatalf("the customer is sent to %s", back)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { p.returns(back, b) })
	}
	all.Wait()
	p.stands(b, "SUCCEEDED", 1, 1)
	p.returns(back, b)
	a := p.native("confirm", typeOnline, fields{"transactionId": jsonNumber(b.transaction), "amount": 229, "currency": "TWD"})
	if a.status != http.StatusOK || a.member("returnCode") != "0000" || a.at("info", "transactionId") != b.transaction || a.header.Get("Idempotent-Replayed") != "true" {
		p.t.Errorf("the shop's own confirm, afterwards: %s", a)
	}
	p.stands(b, "SUCCEEDED", 1, 1)
}

func callbackBeside(p shop) {
	b := p.begin("CALLBACK-BESIDE", 229, nil)
	back := p.approve(b.transaction, nil).ConfirmURL
	answers := make([]answer, 10)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { p.returns(back, b) })
		all.Go(func() {
			answers[i] = p.native("confirm", typeOnline, fields{"orderId": b.order, "amount": 229, "currency": "TWD"})
		})
	}
	all.Wait()
	confirm := fields{"orderId": b.order, "amount": 229, "currency": "TWD"}
	want := p.native("confirm", typeOnline, confirm)
	for _, a := range answers {
		// Who asks in the middle of it may be told that nobody knows yet, and by a retry what became of it.
		pending := a.status == http.StatusGatewayTimeout && a.member("status") == "PENDING" && a.member("payment_id") == b.id
		if !pending && (a.status != http.StatusOK || string(a.body) != string(want.body)) || want.member("returnCode") != "0000" {
			p.t.Errorf("one of ten confirms of the shop: %s, and the last: %s", a, want)
		}
	}
	p.stands(b, "SUCCEEDED", 1, 1)
}

func callbackEarly(p shop) {
	b := p.begin("CALLBACK-EARLY", 229, nil)
	forged := p.callback(b) + "?transactionId=" + b.transaction + "&orderId=" + b.order
	for range 3 {
		p.returns(forged, b)
	}
	p.stands(b, "REQUIRES_ACTION", 0, 0)
	p.returns(p.approve(b.transaction, nil).ConfirmURL, b)
	p.stands(b, "SUCCEEDED", 1, 1)
}

func callbackOther(p shop) {
	b, other := p.begin("CALLBACK-MINE", 229, nil), p.begin("CALLBACK-OTHER", 1, nil)
	back := p.approve(other.transaction, nil).ConfirmURL
	// The cheap payment's approval on the dear one's address, with every name that somebody might read.
	_, stolen, _ := strings.Cut(back, "?")
	p.returns(p.callback(b)+"?"+stolen, b)
	p.returns(p.callback(b)+"?transactionId="+other.transaction+"&orderId="+b.order+"&returnCode=0000&returnUrl=https://evil.example/", b)
	p.stands(b, "REQUIRES_ACTION", 0, 0)
	p.returns(back, other)
	p.stands(other, "SUCCEEDED", 1, 1)
	p.stands(b, "REQUIRES_ACTION", 0, 0)
}

func callbackUnknown(p shop) {
	for _, id := range []string{"01980000-0000-7000-8000-000000000000", "1", "..%2f..%2fv2%2fpayments", "%00", strings.Repeat("a", 4000)} {
		if a := p.open(p.HTTPURL + "/v1/payment/callback/" + id); a.status != http.StatusNotFound || a.header.Get("Location") != "" {
			p.t.Errorf("the callback of %.40q: %s", id, a)
		}
	}
}

func callbackLate(p shop) {
	b := p.begin("CALLBACK-LATE", 229, nil)
	back := p.approve(b.transaction, nil).ConfirmURL
	p.returns(back, b)
	if a := p.neutral(http.MethodPost, "payments/"+b.id+"/refunds", fields{}); a.status != http.StatusOK || a.member("state") != "REFUNDED" {
		p.t.Fatalf("refund: %s", a)
	}
	p.returns(back, b)
	p.stands(b, "REFUNDED", 1, 2)
}

func callbackServer(p shop) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	b := p.begin("CALLBACK-SERVER", 229, fields{"confirmUrlType": "SERVER", "confirmUrl": server.URL})
	if d := p.approve(b.transaction, nil); d.ConfirmStatus != http.StatusSeeOther && d.ConfirmStatus != http.StatusOK {
		p.t.Errorf("LINE Pay's servers were told %+v", d)
	}
	p.stands(b, "SUCCEEDED", 1, 1)
}

func callbackNone(p shop) {
	b := p.begin("CALLBACK-NONE", 229, fields{"confirmUrlType": "NONE"})
	if d := p.approve(b.transaction, nil); d.ConfirmURL != "" {
		p.t.Errorf("the customer is sent to %s, though nobody shall be", d.ConfirmURL)
	}
	p.waitFor("a confirm by the platform itself", func() bool { return p.shown(b.id).State == "SUCCEEDED" })
	p.stands(b, "SUCCEEDED", 1, 1)
}

func callbackCancelled(p shop) {
	b := p.begin("CALLBACK-CANCELLED", 229, nil)
	var d deed
	decode(p.t, p.control(http.MethodPost, "linepay/"+b.transaction+"/cancel", nil).body, &d)
	if d.CancelURL != "https://shop.example/cancelled" {
		p.t.Errorf("a customer who cancels is sent to %q", d.CancelURL)
	}
	p.waitFor("the end of a payment that was cancelled", func() bool { return p.shown(b.id).State == "EXPIRED" })
	p.returns(p.callback(b), b)
	p.stands(b, "EXPIRED", 0, 0)

	// Without a page of the shop's for that, the customer comes back by ours.
	b = p.begin("CALLBACK-CANCELLED-TOO", 229, fields{"cancelUrl": nil})
	d = deed{}
	decode(p.t, p.control(http.MethodPost, "linepay/"+b.transaction+"/cancel", nil).body, &d)
	p.returns(d.CancelURL, b)
	p.stands(b, "EXPIRED", 0, 0)
}

func callbackLost(p shop) {
	b := p.begin("CALLBACK-LOST", 229, nil)
	p.arm("confirm", b.order, "drop_after_commit")
	back := p.approve(b.transaction, nil).ConfirmURL
	p.returns(back, b)
	for range 5 {
		p.returns(back, b)
	}
	p.waitFor("the truth about a confirm whose answer got lost", func() bool { return p.shown(b.id).State == "SUCCEEDED" })
	p.stands(b, "SUCCEEDED", 1, 1)
}

func callbackDeclined(p shop) {
	b := p.begin("CALLBACK-DECLINED", 229, nil)
	back := p.approve(b.transaction, fields{"decline": "1287"}).ConfirmURL
	p.returns(back, b)
	p.returns(back, b)
	p.stands(b, "FAILED", 1, 0)
	if s := p.shown(b.id); s.Code != "1287" || s.Failure != "declined" {
		p.t.Errorf("a declined confirm: %+v", s)
	}
}

func callbackHeld(p shop) {
	b := p.begin("CALLBACK-HELD", 229, fields{"capture": false})
	p.returns(p.approve(b.transaction, nil).ConfirmURL, b)
	p.stands(b, "AUTHORIZED", 1, 1)
}

// TestCallbackTooLate lets twenty minutes pass: an approval that comes too late is none.
func TestCallbackTooLate(t *testing.T) {
	t.Parallel()
	p := shop{start(t, t.TempDir(), nil)}
	slow, late := p.begin("TOO-LATE-1", 229, nil), p.begin("TOO-LATE-2", 229, nil)
	back := p.approve(slow.transaction, nil).ConfirmURL
	p.control(http.MethodPost, "clock", fields{"advance": "21m"})
	p.returns(back, slow)
	p.returns(p.callback(late), late)
	for _, b := range []begun{slow, late} {
		p.stands(b, "EXPIRED", 0, 0)
	}
}
