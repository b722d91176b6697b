package e2e_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// approved makes a stored approval through the neutral API: a payment that asks for one, a customer who gives it, and the way
// back to the shop. It returns the approval.
func (p shop) approved(order string) (mandateID string) {
	p.t.Helper()
	a := p.neutral(http.MethodPost, "payments", fields{
		"type": typeOnline, "store_id": p.StoreID, "order_number": order, "amount": fields{"amount": 168, "currency": "TWD"},
		"description": "訂閱", "return_url": shopURL, "cancel_url": "https://shop.example/cancelled", "is_test": true,
		"provider_data": fields{"payType": "PREAPPROVED"},
	})
	if a.status != http.StatusCreated || a.member("state") != "REQUIRES_ACTION" || !strings.HasPrefix(a.at("action", "web_url"), p.SandboxURL) {
		p.t.Fatalf("an online payment by the neutral API: %s", a)
	}
	back := p.approve(a.member("provider_transaction_id"), fields{"method": "CREDIT_CARD"})
	if r := p.open(back.ConfirmURL); r.status != http.StatusSeeOther {
		p.t.Fatalf("the payer's way back: %s %v", r, r.header)
	}
	s := p.shown(a.member("id"))
	if s.State != "SUCCEEDED" || s.Captured.Amount != 168 || s.Mandate == "" {
		p.t.Fatalf("after the payer came back: %+v", s)
	}
	return s.Mandate
}

// regKey is what LINE Pay calls a stored approval, as the confirm of its payment shows it.
func (p shop) regKey(order string) string {
	p.t.Helper()
	a := p.native("confirm", typeOnline, fields{"orderId": order, "amount": 168, "currency": "TWD"})
	key := a.at("info", "regKey")
	if a.status != http.StatusOK || a.header.Get("Idempotent-Replayed") != "true" || len(key) != 15 {
		p.t.Fatalf("a confirm after the platform's own: %s", a)
	}
	return key
}

// charge charges a stored approval through its own route.
func (p shop) charge(mandate, order string, amount int) answer {
	p.t.Helper()
	return p.neutral(http.MethodPost, "mandates/"+mandate+"/payments", fields{
		"type": typePreapproved, "store_id": p.StoreID, "order_number": order, "amount": fields{"amount": amount, "currency": "TWD"},
		"description": "訂閱", "is_test": true,
	})
}

// mandate reads a stored approval; ask is "" or a query.
func (p shop) mandate(id, ask string) answer {
	p.t.Helper()
	a := p.neutral(http.MethodGet, "mandates/"+id+ask, nil)
	if a.status != http.StatusOK {
		p.t.Fatalf("mandate%s: %s", ask, a)
	}
	return a
}

// TestMandate makes stored approvals, charges them through every route, checks and ends them, and finds the token nowhere
// but in the answers that LINE Pay itself would give.
func TestMandate(t *testing.T) {
	t.Parallel()
	spans, dir := newReceiver(t), t.TempDir()
	p := shop{start(t, dir, spans.env(), "--log-level", "debug")}
	id := p.approved("MANDATE-1")
	regKey := p.regKey("MANDATE-1")

	known := p.mandate(id, "")
	expires, err := time.Parse(time.RFC3339, known.member("expires_at"))
	if known.member("state") != "ACTIVE" || err != nil || expires.Before(time.Now().Add(20*time.Hour)) {
		t.Errorf("a new approval: %s", known)
	}
	for _, ask := range []string{"?check=true", "?check=true&authorize_card=true"} {
		if a := p.mandate(id, ask); a.member("state") != "ACTIVE" {
			t.Errorf("%s: %s", ask, a)
		}
	}
	if n := p.arrived("mandate_check", ""); n != 2 {
		t.Errorf("%d checks arrived at the gateway, want 2", n)
	}

	charges := map[string]answer{
		"MANDATE-1-A": p.charge(id, "MANDATE-1-A", 1680),
		"MANDATE-1-B": p.neutral(http.MethodPost, "payments", fields{
			"type": typePreapproved, "store_id": p.StoreID, "order_number": "MANDATE-1-B", "amount": fields{"amount": 1680, "currency": "TWD"},
			"source": fields{"mandate_id": id}, "description": "訂閱", "is_test": true,
		}),
		"MANDATE-1-C": p.native("pay", typePreapproved, fields{
			"productName": "訂閱", "amount": 1680, "currency": "TWD", "orderId": "MANDATE-1-C", "mandate_id": id,
		}),
		"MANDATE-1-D": p.native("pay", typePreapproved, fields{
			"productName": "訂閱", "amount": 1680, "currency": "TWD", "orderId": "MANDATE-1-D", "regKey": regKey,
		}, "X-Request-Id", "mandate-control-0001"),
	}
	for order, a := range charges {
		if s := p.shown(paymentID(a)); a.status/100 != 2 || s.State != "SUCCEEDED" || s.Captured.Amount != 1680 || s.Mandate != id {
			t.Errorf("%s: %s, shown as %+v", order, a, s)
		}
		if got := p.ledger(order); len(got) != 1 || got[0].Kind != "charge" || got[0].Amount != "1680" {
			t.Errorf("%s: ledger %+v", order, got)
		}
		if strings.Contains(string(a.body), regKey) {
			t.Errorf("%s: the answer holds the token: %s", order, a)
		}
	}

	ended := p.neutral(http.MethodDelete, "mandates/"+id, nil)
	again := p.neutral(http.MethodDelete, "mandates/"+id, nil)
	if ended.status != http.StatusOK || ended.member("state") != "DEAD" || again.status != http.StatusOK || again.member("state") != "DEAD" {
		t.Errorf("the end of an approval: %s, and again: %s", ended, again)
	}
	if n := p.arrived("mandate_expire", ""); n != 1 {
		t.Errorf("%d ends arrived at the gateway, want 1", n)
	}
	if a := p.charge(id, "MANDATE-1-E", 1680); a.status/100 != 4 || len(p.ledger("MANDATE-1-E")) != 0 {
		t.Errorf("a charge of an approval that was ended: %s", a)
	}
	if a := p.neutral(http.MethodGet, "mandates/01980000-0000-7000-8000-000000000000", nil); a.status != http.StatusNotFound {
		t.Errorf("an approval that nobody made: %s", a)
	}

	p.hides(dir, spans, map[string]string{
		"output": "mandate-control-0001", "spans": "MANDATE-1-A", "metrics": typePreapproved, "database": "MANDATE-1-A",
	}, regKey)
}

// TestMandateDies lets the customer take approvals back, and lets a return code end one: it is dead here from then on.
func TestMandateDies(t *testing.T) {
	t.Parallel()
	p := shop{start(t, t.TempDir(), nil)}
	state := func(id string) string { return p.mandate(id, "").member("state") }

	taken := p.approved("DIES-1")
	p.control(http.MethodPost, "linepay/mandates/"+p.regKey("DIES-1")+"/remove", nil)
	if got := p.mandate(taken, "?check=true").member("state"); got != "DEAD" || state(taken) != "DEAD" {
		t.Errorf("taken back and checked: %s, then %s", got, state(taken))
	}

	unseen := p.approved("DIES-2")
	p.control(http.MethodPost, "linepay/mandates/"+p.regKey("DIES-2")+"/remove", nil)
	if a := p.charge(unseen, "DIES-2-A", 10); a.status != http.StatusPaymentRequired || a.member("provider_code") != "1190" {
		t.Errorf("a charge of an approval that was taken back: %s", a)
	}
	p.waitFor("the end of an approval that the provider refused", func() bool { return state(unseen) == "DEAD" })

	struck := p.approved("DIES-3")
	p.arm("mandate_pay", "DIES-3-A", "code:1287")
	if a := p.charge(struck, "DIES-3-A", 10); a.status != http.StatusPaymentRequired || a.member("decline_code") != "card_expired" {
		t.Errorf("a charge of a card that has expired: %s", a)
	}
	p.waitFor("the end of an approval whose card expired", func() bool { return state(struck) == "DEAD" })

	spared := p.approved("DIES-4")
	p.arm("mandate_pay", "DIES-4-A", "code:1142")
	if a := p.charge(spared, "DIES-4-A", 10); a.status != http.StatusPaymentRequired || a.member("decline_code") != "insufficient_funds" {
		t.Errorf("a charge without enough money: %s", a)
	}
	if a := p.charge(spared, "DIES-4-B", 10); a.status != http.StatusCreated {
		t.Errorf("a charge after one that was declined for lack of money: %s", a)
	}

	lapsed := p.approved("DIES-5")
	p.control(http.MethodPost, "clock", fields{"advance": "25h"})
	if a := p.charge(lapsed, "DIES-5-A", 10); a.status != http.StatusPaymentRequired || a.member("provider_code") != "1193" {
		t.Errorf("a charge a day later, in the sandbox: %s", a)
	}
	p.waitFor("the end of an approval that lapsed", func() bool { return state(lapsed) == "DEAD" })
}

// hides ends the platform and expects that none of the secrets stands anywhere but at the sandbox. Each place is searched for
// something that must be there, too: a search that finds nothing proves nothing.
func (p shop) hides(dir string, spans *receiver, controls map[string]string, secrets ...string) {
	p.t.Helper()
	metrics := p.do(http.MethodGet, p.AdminURL+"/metrics", nil, "Authorization", "Bearer "+p.AdminToken)
	p.waitFor("spans", func() bool { return strings.Contains(spans.text(), controls["spans"]) })
	places := map[string]string{"metrics": string(metrics.body)}
	if strings.HasPrefix(p.DatabaseURL, "postgres") {
		places["database"] = dump(p.t, p.database())
	}
	files := func() {
		walk(p.t, dir, func(path string, content []byte) {
			place := "file " + filepath.Base(path)
			if strings.Contains(filepath.Base(path), ".db") {
				place = "database" // with its write-ahead log
			}
			places[place] += string(content)
		})
	}
	files()
	p.stop()
	files()
	places["output"], places["spans"] = p.output.String(), spans.text()
	for place, control := range controls {
		if !strings.Contains(places[place], control) {
			p.t.Errorf("the search does not find %q in %s: it would not find a secret there either", control, place)
		}
	}
	for place, content := range places {
		for _, secret := range secrets {
			if strings.Contains(content, secret) {
				p.t.Errorf("a secret stands in %s", place)
			}
		}
	}
}
