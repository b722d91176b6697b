package e2e_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// move is one step in the life of an order: what the client, the customer or a browser does, and what breaks on the way.
type move struct {
	Op    string
	Units int
	Fault string
}

// The faults of an operation, and in what follows it. The empty ones come first, so that a life shrinks towards none.
var lifeFaults = []string{
	"", "", "", "", "", "drop_before_commit", "drop_after_commit", "http_500_before_commit", "http_500_after_commit", "http_504_after_commit",
	"garbled", "truncated", "error_shape", "ids_as_strings", "code:9000", "code:1198", "code:1142", "code:1172", "code:1900",
}

// The operations of a life. Looking comes first: it is what a life shrinks towards.
var lifeOps = []string{"look", "search", "pay", "again", "capture", "refund", "refund", "cancel", "confirm", "approve", "return"}

// life is an order at a shop.
type life struct {
	*rapid.T
	shop

	paymentType, order string
	capture            bool
	told               func(op string)
	known              func(orderID string)

	// The last payment request, and the last refund, with their keys, for a client that sends them again.
	lastPay, lastRefund       fields
	lastPayKey, lastRefundKey string
	lastRefundUnits           int64
	// transaction of the online payment that the customer sees.
	transaction, back string

	// What the client was told about payments: paid, or definitely not paid; and which it has cancelled.
	paid, unpaid, cancelled map[string]bool
	log                     []string
}

// live lets an order live through random moves, waits for the truth, and compares everybody's books.
func live(t *rapid.T, p shop, mandate string, told func(string), known func(string)) {
	l := &life{
		T: t, shop: p, told: told, known: known, order: "LIFE-" + rand.Text(),
		paymentType: rapid.SampledFrom([]string{typeQRCode, typeOnline, typePreapproved}).Draw(t, "type"),
		capture:     rapid.Bool().Draw(t, "capture"),
		paid:        map[string]bool{}, unpaid: map[string]bool{}, cancelled: map[string]bool{},
	}
	first := rapid.SampledFrom(lifeFaults).Draw(t, "fault of the payment")
	moves := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) move {
		return move{
			Op: rapid.SampledFrom(lifeOps).Draw(t, "op"), Units: rapid.IntRange(1, 150).Draw(t, "units"), Fault: rapid.SampledFrom(lifeFaults).Draw(t, "fault"),
		}
	}), 8, 14).Draw(t, "moves")
	l.step(move{Op: "pay", Fault: first}, mandate)
	if l.paymentType == typeOnline && l.transaction != "" && rapid.IntRange(0, 3).Draw(t, "the customer stays away at 0") > 0 {
		l.step(move{Op: "approve"}, mandate)
	}
	for _, m := range moves {
		l.step(m, mandate)
	}
	l.settle()
}

// fail ends the life with its story.
func (l *life) fail(format string, args ...any) {
	l.Fatalf("%s of %s, capture=%v: %s\n%s", l.order, l.paymentType, l.capture, fmt.Sprintf(format, args...), strings.Join(l.log, "\n"))
}

// ask sends a request and reads the answer. A platform that does not answer fails the life.
func (l *life) ask(method, target string, body any, headers ...string) answer {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			l.fail("%v", err)
		}
	}
	a, err := l.send(method, target, raw, headers...)
	if err != nil {
		l.fail("%s %s: %v", method, target, err)
	}
	if a.status >= http.StatusInternalServerError && a.status != http.StatusGatewayTimeout && a.status != http.StatusServiceUnavailable {
		l.fail("%s %s: %s", method, target, a)
	}
	return a
}

func (l *life) sandbox(method, path string, body any) answer {
	return l.ask(method, l.SandboxURL+"/_sandbox/"+path, body, "Authorization", "")
}

func (l *life) integrate(operation string, request fields, key string) answer {
	return l.ask(http.MethodPost, l.HTTPURL+integrate+operation, fields{
		"type": l.paymentType, "store_id": l.StoreID, "is_test": true, "request": request,
	}, "Idempotency-Key", key)
}

const lifeAmount = 100

// step makes one move and holds what the client is told against the ledger.
func (l *life) step(m move, mandate string) {
	operation := map[string]string{"pay": "pay", "again": "pay", "capture": "capture", "refund": "refund", "cancel": "void", "confirm": "confirm", "return": "confirm"}[m.Op]
	switch {
	case operation == "pay" && l.paymentType == typeOnline:
		operation = "request"
	case operation == "pay" && l.paymentType == typePreapproved:
		operation = "mandate_pay"
	}
	if operation != "" && m.Fault != "" {
		l.sandbox(http.MethodPost, "faults", fields{"provider": "linepay", "operation": operation, "order_id": l.order, "fault": m.Fault, "times": 1})
	}
	l.told(m.Op)
	a, done := l.move(m, mandate)
	if done {
		l.log = append(l.log, fmt.Sprintf("%s %d %s -> %.220s", m.Op, m.Units, m.Fault, a))
		l.believe(m, a)
	}
}

// move does it; done is false where there was nothing to do.
func (l *life) move(m move, mandate string) (a answer, done bool) {
	switch m.Op {
	case "look":
		return l.ask(http.MethodGet, l.HTTPURL+"/v2/payments?order_number="+url.QueryEscape(l.order), nil), true
	case "search":
		return l.integrate("search", fields{"orderId": l.order}, ""), true
	case "pay":
		l.lastPay, l.lastPayKey = l.request(mandate), rand.Text()
		return l.pay(), true
	case "again":
		return l.pay(), true
	case "approve":
		if l.transaction == "" {
			return answer{}, false
		}
		a = l.sandbox(http.MethodPost, "linepay/"+l.transaction+"/approve", nil)
		if link := a.member("confirm_url"); link != "" {
			l.back = link
		}
		return a, true
	case "return":
		if l.back == "" {
			return answer{}, false
		}
		return l.ask(http.MethodGet, l.back, nil, "Authorization", ""), true
	case "confirm":
		if l.paymentType != typeOnline || l.back == "" {
			return answer{}, false // a shop that confirms before the approval destroys its own payment
		}
		return l.integrate("confirm", fields{"orderId": l.order, "amount": lifeAmount, "currency": "TWD"}, ""), true
	case "capture":
		return l.integrate("capture", fields{"orderId": l.order, "amount": min(m.Units, lifeAmount), "currency": "TWD"}, ""), true
	case "refund":
		if m.Units%5 > 0 || l.lastRefund == nil {
			l.lastRefund, l.lastRefundKey = fields{"orderId": l.order, "refundAmount": m.Units}, rand.Text()
			l.lastRefundUnits = int64(m.Units) // of the move that asked first: one that repeats it has other units
		}
		return l.integrate("refund", l.lastRefund, l.lastRefundKey), true
	case "cancel":
		return l.integrate("cancel", fields{"orderId": l.order}, rand.Text()), true
	}
	l.fail("the move %q", m.Op)
	return answer{}, false
}

func (l *life) request(mandate string) fields {
	request := fields{"productName": "拿鐵", "amount": lifeAmount, "currency": "TWD", "orderId": l.order, "capture": l.capture}
	switch l.paymentType {
	case typeQRCode:
		request["oneTimeKey"] = l.sandbox(http.MethodPost, "codes", fields{"provider": "linepay"}).member("code")
	case typeOnline:
		request["confirmUrl"], request["cancelUrl"] = shopURL, "https://shop.example/cancelled"
	case typePreapproved:
		request["mandate_id"] = mandate
	}
	return request
}

func (l *life) pay() answer {
	a := l.integrate("pay", maps.Clone(l.lastPay), l.lastPayKey)
	if id := a.at("info", "transactionId"); l.paymentType == typeOnline && a.member("returnCode") == "0000" && id != "" {
		if l.transaction != id {
			l.back = ""
		}
		l.transaction = id
	}
	return a
}

// believe takes down what the client was told, and finds it in the ledger at once: what was told as done must be booked.
func (l *life) believe(m move, a answer) {
	id := paymentID(a)
	if m.Op == "cancel" && id != "" {
		l.cancelled[id] = true // it may be done, whatever the answer says
	}
	if a.status != http.StatusOK || id == "" || a.member("message_from") == "OMNI" {
		return
	}
	takes := m.Op == "confirm" || (m.Op == "pay" || m.Op == "again") && l.paymentType != typeOnline
	ok := a.member("returnCode") == "0000"
	sums := l.sums(l.orderID(id))
	switch {
	case takes && ok:
		l.paid[id] = true
		if sums["charge"]+sums["authorize"] == 0 {
			l.fail("told as paid, and nothing is booked")
		}
	case takes && a.member("returnCode") != "":
		l.unpaid[id] = true
	case m.Op == "capture" && ok && sums["capture"] == 0:
		l.fail("told as captured, and nothing is booked")
	case m.Op == "refund" && ok && sums["refund"] < l.lastRefundUnits && a.header.Get("Idempotent-Replayed") == "":
		l.fail("told as refunded, and %v is booked", sums)
	}
}

// orderID is what the gateway knows a payment by.
func (l *life) orderID(id string) string {
	a := l.ask(http.MethodGet, l.HTTPURL+"/v2/payments/"+id, nil)
	if other := a.member("order_id"); other != "" {
		return other
	}
	return l.order
}

// sums adds up the ledger of an order id.
func (l *life) sums(id string) map[string]int64 {
	var page struct {
		Entries []entry `json:"entries"`
	}
	a := l.sandbox(http.MethodGet, "ledger?provider=linepay&order_id="+id, nil)
	if err := json.Unmarshal(a.body, &page); err != nil {
		l.fail("%v: %s", err, a)
	}
	sums := map[string]int64{}
	for _, e := range page.Entries {
		sums[e.Kind] += l.whole(e.Amount)
		sums["number of "+e.Kind]++
	}
	return sums
}

// settle waits until nothing about the order is open, and compares platform, client and gateway.
func (l *life) settle() {
	var page struct {
		Data []shownPayment `json:"data"`
	}
	for end := time.Now().Add(3 * patience); ; time.Sleep(200 * time.Millisecond) {
		a := l.ask(http.MethodGet, l.HTTPURL+"/v2/payments?order_number="+url.QueryEscape(l.order), nil)
		page.Data = nil
		if err := json.Unmarshal(a.body, &page); err != nil || a.status != http.StatusOK {
			l.fail("the list of payments: %s", a)
		}
		open := false
		for _, one := range page.Data {
			// Who has approved need not come back: the platform confirms by itself.
			open = open || one.open() || one.State == "REQUIRES_ACTION" && l.back != ""
		}
		if !open {
			break
		}
		if time.Now().After(end) {
			for _, one := range page.Data {
				l.log = append(l.log, l.ask(http.MethodGet, l.HTTPURL+"/v2/payments/"+one.ID+"/events", nil).String())
			}
			l.fail("not settled: %+v", page.Data)
		}
	}
	alive, ids := 0, map[string]int{}
	for _, one := range page.Data {
		ids[l.orderID(one.ID)]++
	}
	for _, one := range page.Data {
		id := l.orderID(one.ID)
		if one.State == "FAILED" && one.Failure == "not_sent" && ids[id] > 1 {
			continue // nothing was sent under its id, which is another payment's now
		}
		sums := l.sums(id)
		l.known(id)
		if wrong := one.disagrees(sums); wrong != "" {
			l.fail("%s: %s: the platform shows %+v, the ledger %v", id, wrong, one, sums)
		}
		net := sums["charge"] + sums["capture"] - sums["refund"]
		if l.unpaid[one.ID] && net > 0 {
			l.fail("%s was told as not paid, and %d were kept", id, net)
		}
		if l.paid[one.ID] && l.unpaid[one.ID] {
			l.fail("%s was told as paid and as not paid", id)
		}
		if l.paid[one.ID] && !l.cancelled[one.ID] && one.State != "AUTHORIZED" && one.State != "SUCCEEDED" && !strings.Contains(one.State, "REFUNDED") {
			l.fail("%s was told as paid, was not cancelled, and ended %s", id, one.State)
		}
		if one.State == "AUTHORIZED" || one.State == "SUCCEEDED" || strings.Contains(one.State, "REFUNDED") {
			alive++
			l.agrees(one, sums)
		}
	}
	if alive > 1 {
		l.fail("%d payments of one order stand: %+v", alive, page.Data)
	}
}

// open reports whether it is still to be found out how a payment stands.
func (one shownPayment) open() bool {
	switch one.State {
	case "SENDING", "UNKNOWN", "MISMATCH", "CAPTURING", "VOIDING", "REFUNDING", "REVERSING":
		return true
	}
	return false
}

// disagrees says how a payment and its ledger differ, or "".
func (one shownPayment) disagrees(sums map[string]int64) string {
	taken, held := sums["charge"]+sums["capture"], sums["authorize"]
	if sums["number of charge"]+sums["number of authorize"] > 1 || sums["number of capture"] > 1 || sums["number of void"] > 1 {
		return "charged, captured or voided twice"
	}
	switch one.State {
	case "SUCCEEDED", "PARTIALLY_REFUNDED", "REFUNDED":
		if one.Captured.Amount != taken || one.Refunded.Amount != sums["refund"] || taken == 0 || sums["void"] > 0 {
			return "the amounts differ"
		}
		if (one.State == "REFUNDED") != (sums["refund"] == taken) || (one.State == "SUCCEEDED") != (sums["refund"] == 0) {
			return "the state is not what was given back"
		}
	case "AUTHORIZED":
		if one.Authorized.Amount != held || held == 0 || taken > 0 || sums["void"] > 0 {
			return "the hold differs"
		}
	case "VOIDED":
		if sums["void"] != held || held == 0 || taken > 0 {
			return "the void differs"
		}
	case "REVERSED":
		if taken != sums["refund"] || taken == 0 && held != sums["void"] {
			return "not all was given back"
		}
	case "FAILED", "EXPIRED", "REQUIRES_ACTION":
		if len(sums) > 0 {
			return "money moved"
		}
	default:
		return "an end that is none"
	}
	return ""
}

// agrees asks the gateway for its record through the plugin, and compares it with the ledger.
func (l *life) agrees(one shownPayment, sums map[string]int64) {
	a := l.integrate("search", fields{"transactionId": json.Number(one.Transaction)}, "")
	found, err := a.records()
	if err != nil || a.status != http.StatusOK || len(found) != 1 || found[0].ID.String() != one.Transaction {
		l.fail("the gateway's record of %s: %s", one.Transaction, a)
	}
	var paid, refunded int64
	for _, part := range found[0].PayInfo {
		paid += l.whole(part.Amount)
	}
	for _, part := range found[0].Refunds {
		refunded -= l.whole(part.Amount)
	}
	want := sums["charge"] + sums["capture"]
	if want == 0 {
		want = sums["authorize"]
	}
	if paid != want || refunded != sums["refund"] {
		l.fail("the gateway's record of %s: %s, the ledger %v", one.Transaction, a, sums)
	}
}

func (l *life) whole(n json.Number) int64 {
	units, err := n.Int64()
	if err != nil {
		l.fail("%v", err)
	}
	return units
}
