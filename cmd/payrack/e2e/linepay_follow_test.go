package e2e_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pays makes a payment of a type in any version, with money in any currency, and expects that it ends well.
func (p shop) pays(paymentType, order, amount, currency string, capture bool) begun {
	p.t.Helper()
	request := fields{
		"productName": "拿鐵", "amount": json.Number(amount), "currency": currency, "orderId": order, "capture": capture,
	}
	switch paymentType {
	case typeQRCode:
		request["oneTimeKey"] = p.code("linepay")
	case typeOnline:
		request["confirmUrl"], request["cancelUrl"] = shopURL, "https://shop.example/cancelled"
	case typePreapproved:
		request["regKey"] = p.stored(order + "-KEY")
	}
	a := p.native("pay", paymentType, request)
	if paymentType == typeOnline {
		p.approve(a.at("info", "transactionId"), nil)
		a = p.native("confirm", paymentType, fields{"orderId": order, "amount": json.Number(amount), "currency": currency})
	}
	b := begun{id: paymentID(a), order: order, transaction: a.at("info", "transactionId")}
	if a.status != http.StatusOK || a.member("returnCode") != "0000" || len(b.transaction) != 19 || b.id == "" {
		p.t.Fatalf("%s of %s %s: %s", paymentType, amount, currency, a)
	}
	return b
}

// stored makes a stored approval with a payment of its own.
func (p shop) stored(order string) string {
	p.t.Helper()
	b := p.begin(order, 1, fields{"payType": "PREAPPROVED"})
	p.approve(b.transaction, nil)
	return p.native("confirm", typeOnline, fields{"orderId": order, "amount": 1, "currency": "TWD"}).at("info", "regKey")
}

// has expects what a payment shows of its money, in charge units. authorized is what was held or taken at first.
func (p shop) has(b begun, state string, authorized, captured, refunded int64) {
	p.t.Helper()
	s := p.shown(b.id)
	if s.State != state || s.Authorized.Amount != authorized || s.Captured.Amount != captured || s.Refunded.Amount != refunded || s.Transaction != b.transaction {
		p.t.Errorf("%s: %+v, want %s with %d authorized, %d captured, %d refunded", b.order, s, state, authorized, captured, refunded)
	}
}

// books expects what the sandbox booked for an order.
func (p shop) books(b begun, want ...ledgerLine) {
	p.t.Helper()
	var got []ledgerLine
	for _, e := range p.ledger(b.order) {
		got = append(got, ledgerLine{e.Kind, e.OrderID, e.TransactionID, e.Amount.String(), e.Currency})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		p.t.Errorf("%s: the ledger (-want +got):\n%s", b.order, diff)
	}
}

// TestFollowUps takes, gives up and gives back held and taken money, in every payment type and version, with decimals, in
// parts, and with every 19-digit id as the gateway wrote it.
func TestFollowUps(t *testing.T) {
	t.Parallel()
	platform := shop{start(t, t.TempDir(), nil)}
	all := []string{typeQRCode, typeOnline, typePreapproved}
	for _, c := range []struct {
		version string
		types   []string
	}{{"default", all}, {"v2", all}, {"v2.4", all[:1]}, {"v4", all}, {"v3", all[1:]}} {
		spoken := platform
		if c.version != "default" {
			spoken = platform.speak(c.version, c.types...)
		}
		for _, paymentType := range c.types {
			t.Run(c.version+" "+paymentType, func(t *testing.T) {
				t.Parallel()
				p := spoken.sub(t)
				order := "FOLLOW-" + c.version + "-" + paymentType
				heldInPart(p, paymentType, order+"-A")
				heldAndVoided(p, paymentType, order+"-B")
				refundedInParts(p, paymentType, order+"-C")
			})
		}
	}
}

// heldInPart holds 9.99 THB, takes 4.25 of it and gives 1.05 and the rest back.
func heldInPart(p shop, paymentType, order string) {
	b := p.pays(paymentType, order, "9.99", "THB", false)
	p.has(b, "AUTHORIZED", 999, 0, 0)
	id := json.Number(b.transaction)
	if a := p.native("capture", paymentType, fields{"transactionId": id, "amount": json.Number("10"), "currency": "THB"}); a.status != http.StatusConflict {
		p.t.Errorf("%s: more than is held was taken: %s", order, a)
	}
	taken := p.native("capture", paymentType, fields{"transactionId": id, "amount": json.Number("4.25"), "currency": "THB"})
	if taken.status != http.StatusOK || taken.member("returnCode") != "0000" || taken.at("info", "transactionId") != b.transaction {
		p.t.Fatalf("%s: capture: %s", order, taken)
	}
	p.has(b, "SUCCEEDED", 999, 425, 0)

	refund := fields{"transactionId": id, "refundAmount": json.Number("1.05"), "currency": "THB"}
	if a := p.native("refund", paymentType, refund); a.status != http.StatusBadRequest || a.member("code") != "idempotency_key_required" {
		p.t.Errorf("%s: a refund without a key: %s", order, a)
	}
	first := p.native("refund", paymentType, refund, "Idempotency-Key", order+"-1")
	again := p.native("refund", paymentType, refund, "Idempotency-Key", order+"-1")
	part := first.at("info", "refundTransactionId")
	if first.status != http.StatusOK || len(part) != 19 || part == b.transaction || string(again.body) != string(first.body) {
		p.t.Fatalf("%s: refund: %s, and again: %s", order, first, again)
	}
	p.has(b, "PARTIALLY_REFUNDED", 999, 425, 105)
	too := fields{"transactionId": id, "refundAmount": json.Number("3.21"), "currency": "THB"}
	if a := p.native("refund", paymentType, too, "Idempotency-Key", order+"-2"); a.status != http.StatusConflict {
		p.t.Errorf("%s: more than is left was given back: %s", order, a)
	}
	rest := p.native("refund", paymentType, fields{"orderId": order, "currency": "THB"}, "Idempotency-Key", order+"-3")
	p.has(b, "REFUNDED", 999, 425, 425)
	p.books(b,
		ledgerLine{"authorize", order, b.transaction, "999", "THB"},
		ledgerLine{"capture", order, b.transaction, "425", "THB"},
		ledgerLine{"refund", order, part, "105", "THB"},
		ledgerLine{"refund", order, rest.at("info", "refundTransactionId"), "320", "THB"},
	)
	for _, by := range []fields{{"transactionId": id}, {"orderId": order}, {"transactionId": id, "orderId": order}} {
		a := p.native("search", paymentType, by)
		found, err := a.records()
		if err != nil || a.status != http.StatusOK || len(found) != 1 || found[0].ID != id || len(found[0].Refunds) != 2 ||
			found[0].Refunds[0].ID.String() != part || found[0].Refunds[0].Amount != "-1.05" {
			p.t.Errorf("%s: search by %v: %s", order, by, a)
		}
	}
}

// heldAndVoided holds 1234567 TWD and gives it up; a second time changes nothing.
func heldAndVoided(p shop, paymentType, order string) {
	b := p.pays(paymentType, order, "1234567", "TWD", false)
	for key, what := range map[string]string{"-1": "cancel", "-2": "cancel again"} {
		a := p.native("cancel", paymentType, fields{"orderId": order}, "Idempotency-Key", order+key)
		if a.status != http.StatusOK {
			p.t.Errorf("%s: %s: %s", order, what, a)
		}
	}
	p.has(b, "VOIDED", 1234567, 0, 0)
	if a := p.native("capture", paymentType, fields{"orderId": order, "amount": 1, "currency": "TWD"}); a.status != http.StatusConflict {
		p.t.Errorf("%s: a capture of what was given up: %s", order, a)
	}
	p.books(b,
		ledgerLine{"authorize", order, b.transaction, "1234567", "TWD"}, ledgerLine{"void", order, b.transaction, "1234567", "TWD"},
	)
}

// refundedInParts takes 19.99 USD and gives it back by the neutral API.
func refundedInParts(p shop, paymentType, order string) {
	b := p.pays(paymentType, order, "19.99", "USD", true)
	p.has(b, "SUCCEEDED", 1999, 1999, 0)
	for i, part := range []int64{1, 998, 1000} {
		a := p.neutral(http.MethodPost, "payments/"+b.id+"/refunds", fields{"amount": fields{"amount": part, "currency": "USD"}, "reason": "客訴"})
		if want := []string{"PARTIALLY_REFUNDED", "PARTIALLY_REFUNDED", "REFUNDED"}[i]; a.status != http.StatusOK || a.member("state") != want {
			p.t.Fatalf("%s: refund of %d: %s, want %s", order, part, a, want)
		}
	}
	if a := p.neutral(http.MethodPost, "payments/"+b.id+"/refunds", fields{}); a.status != http.StatusConflict {
		p.t.Errorf("%s: a refund when nothing is left: %s", order, a)
	}
	p.has(b, "REFUNDED", 1999, 1999, 1999)
	var sums []string
	for _, e := range p.ledger(order) {
		sums = append(sums, e.Kind+" "+e.Amount.String())
	}
	if diff := cmp.Diff([]string{"charge 1999", "refund 1", "refund 998", "refund 1000"}, sums); diff != "" {
		p.t.Errorf("%s: the ledger (-want +got):\n%s", order, diff)
	}
}

// TestNeutralFollowUps does the same by the neutral API alone: hold, take a part, give up another hold, end an unpaid request.
func TestNeutralFollowUps(t *testing.T) {
	t.Parallel()
	p := shop{start(t, t.TempDir(), nil)}
	hold := func(order string) answer {
		return p.neutral(http.MethodPost, "payments", fields{
			"type": typeQRCode, "store_id": p.StoreID, "order_number": order, "amount": fields{"amount": 999, "currency": "THB"}, "capture": false,
			"description": "latte", "source": fields{"code": p.code("linepay")}, "is_test": true,
		})
	}
	held := hold("NEUTRAL-1")
	if held.status != http.StatusCreated || held.member("state") != "AUTHORIZED" || held.at("authorized", "amount") != "999" {
		t.Fatalf("hold: %s", held)
	}
	path := "payments/" + held.member("id")
	taken := p.neutral(http.MethodPost, path+"/capture", fields{"amount": fields{"amount": 425, "currency": "THB"}})
	if taken.status != http.StatusOK || taken.at("captured", "amount") != "425" || taken.member("state") != "SUCCEEDED" {
		t.Errorf("capture: %s", taken)
	}
	if a := p.neutral(http.MethodPost, path+"/void", fields{}); a.status/100 != 4 {
		t.Errorf("a void of what was taken, at a provider that voids holds only: %s", a)
	}
	if s := p.shown(held.member("id")); s.State != "SUCCEEDED" || s.Captured.Amount != 425 {
		t.Errorf("after a void that was refused: %+v", s)
	}

	other := hold("NEUTRAL-2")
	voided := p.neutral(http.MethodPost, "payments/"+other.member("id")+"/void", fields{"reason": "客人改變主意"})
	if voided.status != http.StatusOK || voided.member("state") != "VOIDED" {
		t.Errorf("void: %s", voided)
	}

	// Cancelled is a promise: the customer may approve afterwards, and nothing is confirmed.
	b := p.begin("NEUTRAL-3", 229, nil)
	if a := p.neutral(http.MethodPost, "payments/"+b.id+"/cancel", fields{}); a.status != http.StatusOK {
		t.Errorf("a cancellation of what nobody has paid: %s", a)
	}
	p.returns(p.approve(b.transaction, nil).ConfirmURL, b)
	if a := p.neutral(http.MethodPost, "payments/"+b.id+"/confirm", fields{}); a.status == http.StatusOK && a.member("state") == "SUCCEEDED" {
		t.Errorf("a confirm of what was cancelled: %s", a)
	}
	if state := p.shown(b.id).State; state != "REVERSING" && state != "REVERSED" {
		t.Errorf("a cancelled request is %s", state)
	}
	if p.arrived("confirm", b.order) != 0 || len(p.ledger(b.order)) != 0 {
		t.Errorf("a cancelled request was confirmed: %+v", p.ledger(b.order))
	}
}
