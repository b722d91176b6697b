package e2e_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestIPassPolicy lets the company's policy decide before a search does, as it happens at a till where nobody waits for
// minutes: the client is told "not paid" in the gateway's shape, and whatever landed is given back.
func TestIPassPolicy(t *testing.T) {
	t.Parallel()
	p := startIPass(t, strings.Replace(quickIPass, "recovery: {", "recovery: {decision_after: 1s, ", 1))
	for fault, end := range map[string]struct{ state, last, from, ledger string }{
		// Nothing landed, which is proven later: the gateway's own failure is the last word.
		"9999_before_commit": {"FAILED", "9999", "IPASS", "nothing"},
		// It had landed, and a search that comes too late shows it.
		"9999_after_commit": {"REVERSED", "PRK1", "OMNI", "charge 229, refund 229"},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			order := "IXN-P-" + fault
			p.arm(fault, onPay, order)
			// What landed must stay unseen until the policy has decided, or the search is faster.
			p.arm("http_500_before_commit", onSearch, order, "times", 2)
			columns := p.iPassColumns(order)
			first := p.iPass(iPassPay, columns)
			if first.status != http.StatusGatewayTimeout || first.member("return_code") != "9999" {
				t.Fatalf("the first answer: %s", first)
			}
			id := first.header.Get("Payrack-Payment-Id")
			p.waitFor("the policy's decision", func() bool { return p.state(id) != "UNKNOWN" })
			decided := p.iPass(iPassPay, columns)
			if decided.status != http.StatusOK || decided.member("return_code") != "PRK1" || decided.member("message_from") != "OMNI" {
				t.Errorf("after the decision: %s", decided)
			}
			p.reach(id, end.state)
			last := p.iPass(iPassPay, columns)
			if last.status != http.StatusOK || last.member("return_code") != end.last || last.member("message_from") != end.from {
				t.Errorf("at the end: %s", last)
			}
			if got := movements(p.iPassLedger(order)); got != end.ledger || p.sent(order)["pay"] != 1 {
				t.Errorf("ledger %s, sent %v", got, p.sent(order))
			}
		})
	}
}
