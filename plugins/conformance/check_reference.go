package conformance

import (
	"sync"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

func referenceChecks() []Check {
	return group(
		"References",
		Check{
			ID: "order-as-told", Title: "The order number that the platform fixed is the one that the gateway gets",
			Proves: "Five payments: every request that the gateway saw names the order, letter by letter.",
			Why:    "A payment under another number is never found again after a lost answer.", run: checkOrderAsTold,
		},
		Check{
			ID: "order-again", Title: "The same operation again names the same order",
			Proves: "One operation is handed over twice; the gateway sees one order number and one charge.",
			Why:    "The order number is what keeps the payer from being charged twice.", run: checkOrderAgain,
		},
		Check{
			ID: "order-at-once", Title: "The same order at the same moment is charged once",
			Proves: "Four calls with one order at once: at most one charge, and no call says \"not sent\" about it.",
			Why:    "Two tills that send one order must not charge it twice.", run: checkOrderAtOnce,
		},
		Check{
			ID: "order-after-unknown", Title: "The order number survives an unknown outcome",
			Proves: "A charge whose answer is lost: the books hold the order under its own number.",
			Why:    "The search that follows has nothing else to ask with.", run: checkOrderAfterUnknown,
		},
		Check{
			ID: "transaction-exact", Title: "Transaction ids are passed on digit by digit",
			Proves: "Ten payments; each id equals the one in the books, of 19 digits where the gateway gives such.",
			Why:    "An id of 19 digits that went through a float names another payment, and a refund gives its money back.", run: checkTransactionExact,
		},
		Check{
			ID: "one-transmission", Title: "An undisturbed charge is transmitted once",
			Proves: "Ten charges; the gateway sees one request to take money for each.",
			Why:    "Anything else depends on the gateway's good will.", run: checkOneTransmission,
		},
	)
}

func checkOrderAsTold(t *trial) {
	for range 5 {
		from := len(t.gateway.Seen(""))
		o, ok := t.charged(true)
		if !ok {
			t.expect(len(t.gateway.Seen(o.id)) > 0, "the gateway got no request about order %s", o.id)
			return
		}
		for _, s := range t.gateway.Seen("")[from:] {
			t.expect(s.Order == "" || s.Order == o.id, "the gateway was told order %q, and the platform fixed %q", s.Order, o.id)
		}
		t.booked(o, "charge")
	}
}

func checkOrderAgain(t *trial) {
	o, ok := t.charged(true)
	if !ok {
		return
	}
	a := t.charge(o)
	t.expect(word(a) != "not_sent", "the same operation again was answered %s", spell(a))
	n, _ := t.sum(o, "charge")
	t.expect(n == 1, "the books hold %d charges of one order", n)
}

func checkOrderAtOnce(t *trial) {
	o := t.order()
	t.ready(o)
	var calls sync.WaitGroup
	answers := make([]provider.Answer, 4)
	for i := range answers {
		same := *o
		calls.Go(func() { answers[i] = t.charge(&same) })
	}
	calls.Wait()
	n, _ := t.sum(o, "charge")
	t.expect(n == 1, "the books hold %d charges of one order", n)
	for _, a := range answers {
		t.expect(word(a) != "not_sent", "one of four calls at once was answered %s", spell(a))
	}
}

func checkOrderAfterUnknown(t *trial) {
	o := t.lose(faultDropAfter)
	t.booked(o, "charge")
}

func checkTransactionExact(t *trial) {
	for range 10 {
		o, ok := t.charged(true)
		if !ok {
			return
		}
		moved := t.gateway.Moved(o.id)
		if len(moved) == 0 || moved[0].TransactionID == "" {
			t.skip("the gateway gives no transaction ids")
			return
		}
		t.expect(o.transactionID == moved[0].TransactionID, "the answer names transaction %q, and the gateway gave %q",
			o.transactionID, moved[0].TransactionID)
	}
}

func checkOneTransmission(t *trial) {
	for range 10 {
		o := t.order()
		t.ready(o)
		from := t.proxy.mark()
		t.charge(o)
		taking := 0
		for _, s := range t.gateway.Seen(o.id) {
			if s.Kind == t.moneyKind() {
				taking++
			}
		}
		t.expect(taking == 1, "the gateway got %d requests to take the money of one order", taking)
		t.sentOnce(o, from)
	}
}
