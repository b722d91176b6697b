package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestIPassUnproven follows the two answers of seed 002 that settle nothing from the first reply to the last: 504 with
// the gateway's members beside ours; and once it is proven that nothing was charged, the seed's failure body with HTTP
// 200, token for token, to the same request.
func TestIPassUnproven(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ order, reqID, seed, wire string }{
		"unexpected": {
			"IXN-9999", "9CC154A0-E12C-4AC5-8CC0-1444749D3579", "pay-answer-unexpected.json",
			`{"returnCode":"9999","returnMsg":"發生未預期錯誤"}`,
		},
		"duplicate": {
			"IXN-0006", "9CC154A0-E12C-4AC5-8CC0-1444749D3578", "pay-answer-duplicate.json",
			`{"returnCode":"0006","returnMsg":"該OrderNumber重複","reqId":"9CC154A0-E12C-4AC5-8CC0-1444749D3578"}`,
		},
	}
	var p *platform
	stub := newIPassStub(t, func() string { return p.companyKey(t) }, func(op string, r map[string]json.RawMessage) string {
		for _, c := range cases {
			if op == "pay" && text(r, "orderNumber") == c.order {
				return c.wire
			}
		}
		return fmt.Sprintf(`{"returnCode":"S404","returnMsg":"查無交易","reqId":%s}`, r["reqId"])
	})
	p = startIPass(t, quickIPass, "--gateway", "ipass="+stub.URL)
	sent := func(order string) (pays, searches int) {
		stub.mu.Lock()
		defer stub.mu.Unlock()
		for _, r := range stub.clear {
			switch {
			case text(r, "orderNumber") != order:
			case len(r["tradeCode"]) > 0:
				pays++
			default:
				searches++
			}
		}
		return pays, searches
	}

	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := fmt.Appendf(nil, `{"store_id":"0","request":{"req_id":%q,"trade_code":"96A1OABQAAFmIVAVRxhAgY","amount":2,`+
				`"order_number":%q,"store_id":"00681","terminal_id":"AB123456"}}`, c.reqID, c.order)
			want := seed(t, c.seed)
			first := p.do(http.MethodPost, p.HTTPURL+iPassPay, body)
			if first.status != http.StatusGatewayTimeout || first.member("status") != "PENDING" || first.header.Get("Retry-After") == "" {
				t.Fatalf("the first answer: %s", first)
			}
			members := membersOf(t, first.body)
			for member, tokens := range membersOf(t, want) {
				if diff := cmp.Diff(tokens, members[member]); diff != "" {
					t.Errorf("member %s beside PENDING (-want +got):\n%s", member, diff)
				}
			}
			id := first.header.Get("Payrack-Payment-Id")
			if id == "" || first.member("payment_id") != id {
				t.Errorf("payment_id %q, header %q", first.member("payment_id"), id)
			}

			// While nothing is proven the same request says the same, and nothing is sent again.
			second := p.do(http.MethodPost, p.HTTPURL+iPassPay, body)
			if second.status != http.StatusGatewayTimeout || second.member("return_code") != first.member("return_code") {
				t.Errorf("the same request, while it is open: %s", second)
			}

			p.reach(id, "FAILED")
			last := p.do(http.MethodPost, p.HTTPURL+iPassPay, body)
			if diff := cmp.Diff(tokensOf(t, want), tokensOf(t, last.body)); last.status != http.StatusOK || diff != "" {
				t.Errorf("after the proof: %d (-want +got):\n%s", last.status, diff)
			}
			if last.header.Get("Idempotent-Replayed") != "true" || last.header.Get("Payrack-Payment-Id") != id {
				t.Errorf("after the proof: headers %v", last.header)
			}
			if pays, searches := sent(c.order); pays != 1 || searches < 3 {
				t.Errorf("the gateway got %d payments and %d searches, want one payment and at least three searches", pays, searches)
			}
		})
	}
}
