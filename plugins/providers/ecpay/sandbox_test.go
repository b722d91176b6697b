package ecpay_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/providers/ecpay"
	ecpaysandbox "github.com/payrack/payrack/plugins/providers/ecpay/sandbox"
	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

type opened interface {
	provider.Provider
	provider.Payer
	provider.Refunder
	provider.Searcher
	provider.Closer
}

func open(t *testing.T, settings json.RawMessage, host provider.Host) opened {
	t.Helper()
	var s ecpay.Settings
	if err := json.Unmarshal(settings, &s); err != nil {
		t.Fatal(err)
	}
	s.Timeouts = provider.Timeouts{Pay: provider.Duration(3 * time.Second), Search: provider.Duration(10 * time.Second)}
	host.HTTP = provider.NewClient(provider.ClientOptions{})
	p, err := ecpay.Open(t.Context(), s, host)
	if err != nil {
		t.Fatal(err)
	}
	o, ok := p.(opened)
	if !ok {
		t.Fatal("the provider does not do what it describes")
	}
	t.Cleanup(func() { _ = o.Close() })
	return o
}

// till pays through the plugin at the sandbox's ECPay, which was written from the same facts by a reading of its
// own.
type till struct {
	opened

	t          *testing.T
	box        *sandboxtest.Sandbox
	account    map[string]string
	credential json.RawMessage
}

func newTill(t *testing.T, options sandboxtest.Object) *till {
	t.Helper()
	return newTillAt(t, options, 0)
}

// newTillAt has a sandbox whose clock is behind.
func newTillAt(t *testing.T, options sandboxtest.Object, behind time.Duration) *till {
	t.Helper()
	d := ecpaysandbox.Dialect()
	box := sandboxtest.Start(t, sandbox.Options{
		Dialects: []sandbox.Dialect{d}, HangLimit: 200 * time.Millisecond, Now: func() time.Time { return time.Now().Add(-behind) },
	})
	var account struct {
		Credential json.RawMessage
		Public     map[string]string
	}
	body := sandboxtest.Object{"provider": "ecpay", "label": "store"}
	if options != nil {
		body["options"] = options
	}
	if status := box.Control("POST", "accounts", body, &account); status != 200 {
		t.Fatalf("accounts: HTTP %d", status)
	}
	return &till{
		opened: open(t, d.Settings(box.URL), provider.Host{}), t: t, box: box, account: account.Public, credential: account.Credential,
	}
}

func (c *till) call() provider.Call {
	return provider.Call{
		OperationID: "op", PaymentType: ecpay.TypeTWQR, Environment: provider.EnvironmentTest, NotAfter: time.Now().Add(time.Minute),
		Account: c.account["MerchantID"], Credential: provider.NewDocument(c.credential), Columns: provider.NewDocument([]byte(`{}`)),
	}
}

func twd(units int64) provider.Money { return provider.Money{Units: units, Currency: "TWD"} }

func (c *till) pay(order string, amount int64, code sandboxtest.Object) provider.Answer {
	c.t.Helper()
	return c.Pay(c.t.Context(), provider.PayRequest{
		Call: c.call(), Reference: provider.Reference{OrderID: order, ClientReference: "pay-" + order},
		Amount: twd(amount), Capture: true, Description: "拿鐵#可頌", Code: provider.NewSecret(c.box.Code("ecpay", code)),
	})
}

func (c *till) refund(order, id, reference string, amount int64) provider.Answer {
	c.t.Helper()
	return c.Refund(c.t.Context(), provider.RefundRequest{
		Call: c.call(), Reference: provider.Reference{OrderID: order, TransactionID: id, ClientReference: reference}, Amount: twd(amount),
	})
}

func (c *till) search(purpose provider.Purpose, order string, about provider.Kind) provider.SearchAnswer {
	c.t.Helper()
	return c.Search(c.t.Context(), provider.SearchRequest{
		Call: c.call(), Purpose: purpose, Reference: provider.Reference{OrderID: order}, About: about,
	})
}

func (c *till) resolve(order string, about provider.Kind) provider.Findings {
	c.t.Helper()
	a := c.search(provider.PurposeResolve, order, about)
	if a.Findings == nil {
		c.t.Fatalf("resolve %s: %+v", order, a.Failure)
	}
	return *a.Findings
}

// ledger is what the sandbox's referee says, as kind and amount.
func (c *till) ledger(order string) string {
	c.t.Helper()
	var out []string
	for _, e := range c.box.Ledger("ecpay", order) {
		out = append(out, string(e.Kind)+" "+twd(e.Amount).Decimal())
	}
	return strings.Join(out, ", ")
}

func (c *till) wantLedger(order, want string) {
	c.t.Helper()
	if diff := cmp.Diff(want, c.ledger(order)); diff != "" {
		c.t.Errorf("ledger of %s (-want +got):\n%s", order, diff)
	}
}

func wantOutcome(t *testing.T, what string, a provider.Answer, want provider.Outcome) provider.Result {
	t.Helper()
	if a.Outcome() != want {
		t.Errorf("%s: outcome %d, want %d; result %+v, failure %+v", what, a.Outcome(), want, a.Result(), a.Failure())
	}
	if a.Result() == nil {
		return provider.Result{}
	}
	return *a.Result()
}

func TestAgreesWithTheSandbox(t *testing.T) {
	t.Parallel()
	c := newTill(t, nil)
	answer := c.pay("A1", 229, nil)
	paid := wantOutcome(t, "pay", answer, provider.OutcomeApproved)
	if paid.Captured == nil || *paid.Captured != twd(229) || paid.Reference.OrderID != "A1" || paid.Reference.TransactionID == "" || paid.ProviderTime.IsZero() {
		t.Errorf("%+v", paid)
	}
	if !strings.Contains(string(answer.Native().Body), `"TradeAmt":229`) {
		t.Errorf("%s", answer.Native().Body)
	}
	found := c.search(provider.PurposeClient, "A1", "")
	if found.Findings == nil || found.Findings.Finding != provider.FindingFound || *found.Findings.Captured != twd(229) || !strings.Contains(string(found.Native.Body), `"RefundAmount":0`) {
		t.Errorf("search: %+v, %+v, %s", found.Findings, found.Failure, found.Native.Body)
	}
	// A search that settles a payment brings what the payment would have brought.
	lost := c.search(provider.PurposeResolve, "A1", provider.KindPay)
	if diff := cmp.Diff(string(answer.Native().Body), string(lost.Native.Body)); diff != "" {
		t.Errorf("the record as a payment (-want +got):\n%s", diff)
	}
	if again := c.pay("A1", 229, nil); again.Outcome() != provider.OutcomeUnknown || again.Result() == nil || again.Result().Code != "10200047" {
		t.Errorf("pay again: %d, %+v", again.Outcome(), again.Result())
	}
	if f := c.resolve("nobody", provider.KindPay); f.Finding != provider.FindingNotFound || !f.Complete {
		t.Errorf("an unknown order: %+v", f)
	}
	c.wantLedger("A1", "charge 229")
}

func TestDeclines(t *testing.T) {
	t.Parallel()
	c := newTill(t, nil)
	for order, decline := range map[string]struct {
		code sandboxtest.Object
		want string
	}{
		"D1": {sandboxtest.Object{"balance": 100}, "insufficient_funds"},
		"D2": {sandboxtest.Object{"decline": "-403"}, "code_invalid"},
	} {
		r := wantOutcome(t, order, c.pay(order, 229, decline.code), provider.OutcomeDeclined)
		if r.DeclineCode != decline.want {
			t.Errorf("%s: %+v", order, r)
		}
		// ECPay shows it as unpaid, which concludes nothing.
		if f := c.resolve(order, provider.KindPay); f.Finding != provider.FindingInProgress || f.Complete {
			t.Errorf("%s: %+v", order, f)
		}
		c.wantLedger(order, "")
	}
	// A code that nobody documented settles nothing.
	wantOutcome(t, "D3", c.pay("D3", 229, sandboxtest.Object{"decline": "300042"}), provider.OutcomeUnknown)
}

// Only the operator can say that an old unpaid order was never paid.
func TestUnpaidIsFinal(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		ago  time.Duration
		want provider.Finding
	}{"young": {29 * time.Minute, provider.FindingInProgress}, "old": {31 * time.Minute, provider.FindingEnded}} {
		c := newTillAt(t, nil, test.ago)
		wantOutcome(t, "pay", c.pay("U1", 229, sandboxtest.Object{"balance": 1}), provider.OutcomeDeclined)
		settings := json.RawMessage(strings.ReplaceAll(`{"wire":{"unpaid_final_after":"30m"},"endpoints":{"live":"URL/ecpay","test":"URL/ecpay"}}`, "URL", c.box.URL))
		a := open(t, settings, provider.Host{}).Search(t.Context(), provider.SearchRequest{
			Call: c.call(), Reference: provider.Reference{OrderID: "U1"}, About: provider.KindPay,
		})
		if a.Findings == nil || a.Findings.Finding != test.want || a.Findings.Complete != (test.want == provider.FindingEnded) {
			t.Errorf("%s: %+v, %+v", what, a.Findings, a.Failure)
		}
	}
}

func TestRefund(t *testing.T) {
	t.Parallel()
	c := newTill(t, nil)
	id := wantOutcome(t, "pay", c.pay("R1", 300, nil), provider.OutcomeApproved).Reference.TransactionID
	first := wantOutcome(t, "refund", c.refund("R1", id, "op-1", 100), provider.OutcomeApproved)
	if first.Refunded == nil || *first.Refunded != twd(100) || first.Reference.OrderID != "R1" || first.Reference.TransactionID == "" || first.Reference.TransactionID == id {
		t.Errorf("%+v", first)
	}
	// The same operation twice is one refund: its number is the operation's.
	if again := c.refund("R1", id, "op-1", 100); again.Outcome() != provider.OutcomeUnknown || again.Result().Code != "10200047" {
		t.Errorf("the same refund again: %d, %+v", again.Outcome(), again.Result())
	}
	f := c.resolve("R1", provider.KindRefund)
	if f.Finding != provider.FindingFound || f.Refunded == nil || *f.Refunded != twd(100) || *f.Captured != twd(300) {
		t.Errorf("after a part: %+v", f)
	}
	wantOutcome(t, "too much", c.refund("R1", id, "op-2", 201), provider.OutcomeDeclined)
	wantOutcome(t, "the rest", c.refund("R1", "", "op-3", 200), provider.OutcomeApproved)
	if f := c.resolve("R1", provider.KindRefund); f.Finding != provider.FindingFound || *f.Refunded != twd(300) {
		t.Errorf("after all: %+v", f)
	}
	wantOutcome(t, "a refund of nothing", c.refund("R2", "", "op-5", 50), provider.OutcomeDeclined)
	c.wantLedger("R1", "charge 300, refund 100, refund 200")
}

// The platform's id of a second attempt has hyphens and more than ECPay's twenty characters.
func TestALaterAttempt(t *testing.T) {
	t.Parallel()
	c := newTill(t, nil)
	const order, again = "ORDER000000000000001", "ORDER000000000000001-2-a1b2c3"
	paid := wantOutcome(t, "the second attempt", c.pay(again, 300, nil), provider.OutcomeApproved)
	number := ecpay.TradeNo(again)
	if paid.Reference.OrderID != again || len(number) != 20 || number != ecpay.TradeNo(again) || number == ecpay.TradeNo(order+"-3-a1b2c3") {
		t.Errorf("%+v as %s", paid.Reference, number)
	}
	if f := c.resolve(again, provider.KindPay); f.Finding != provider.FindingFound || f.Reference.OrderID != again || *f.Captured != twd(300) {
		t.Errorf("%+v", f)
	}
	if f := c.resolve(order, provider.KindPay); f.Finding != provider.FindingNotFound {
		t.Errorf("the first attempt is found as the second: %+v", f)
	}
	given := wantOutcome(t, "refund", c.refund(again, paid.Reference.TransactionID, "op-1", 100), provider.OutcomeApproved)
	if given.Reference.OrderID != again {
		t.Errorf("%+v", given)
	}
	c.wantLedger(number, "charge 300, refund 100")
	// Nobody may take the number of a later attempt for an order of their own, nor one that ECPay does not take.
	for _, bad := range []string{number, "A-1", "ORDER0000000000000012", ""} {
		if a := c.pay(bad, 300, nil); a.Failure() == nil || a.Failure().Effect != provider.EffectNone {
			t.Errorf("%q: %+v", bad, a)
		}
	}
	if ecpay.TradeNo(order) != order {
		t.Errorf("a first attempt is told as %s", ecpay.TradeNo(order))
	}
}

// A record that does not speak of refunds concludes nothing about one.
func TestRefundTotalUnknown(t *testing.T) {
	t.Parallel()
	c := newTill(t, sandboxtest.Object{"refund_total": false})
	wantOutcome(t, "pay", c.pay("R1", 300, nil), provider.OutcomeApproved)
	wantOutcome(t, "refund", c.refund("R1", "", "op-1", 100), provider.OutcomeApproved)
	if f := c.resolve("R1", provider.KindRefund); f.Finding != provider.FindingInProgress || f.Complete {
		t.Errorf("%+v", f)
	}
	if f := c.resolve("R1", provider.KindPay); f.Finding != provider.FindingFound || *f.Captured != twd(300) {
		t.Errorf("the payment: %+v", f)
	}
}

// Whatever strikes, no operation says more than is true, and a search then settles it.
func TestFaults(t *testing.T) {
	t.Parallel()
	const lands, never = true, false
	for fault, landed := range map[string]bool{
		"drop_before_commit": never, "drop_after_commit": lands, "hang": never, "hang_after_commit": lands,
		"http_500_before_commit": never, "http_500_after_commit": lands, "http_502_before_commit": never, "http_502_after_commit": lands,
		"http_504_before_commit": never, "http_504_after_commit": lands, "garbled": lands, "truncated": lands, "huge_body": lands, "endless_body": lands,
		"trans_code": lands, "garbage_base64": lands, "wrong_key": lands, "plain_data": lands, "foreign_merchant": lands,
		"unexpected_after_commit": lands, "code:-9999": never, "code:77": never, "code:10200047": never, "duplicate_delivery": lands, "delay_after_commit": lands,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			c := newTill(t, nil)
			arm := func(operation string) {
				c.box.Arm(sandboxtest.Object{"provider": "ecpay", "operation": operation, "fault": fault, "times": 1, "delay_ms": 3_500})
			}
			arm("pay")
			wantOutcome(t, "pay", c.pay("F1", 100, nil), provider.OutcomeUnknown)
			want, moved := provider.FindingNotFound, ""
			if landed {
				want, moved = provider.FindingFound, "charge 100"
			}
			if f := c.resolve("F1", provider.KindPay); f.Finding != want {
				t.Errorf("resolve: %+v", f)
			}
			c.wantLedger("F1", moved)

			id := wantOutcome(t, "pay", c.pay("F2", 100, nil), provider.OutcomeApproved).Reference.TransactionID
			arm("refund")
			wantOutcome(t, "refund", c.refund("F2", id, "op-1", 40), provider.OutcomeUnknown)
			refunded := twd(0)
			if landed {
				refunded = twd(40)
			}
			if f := c.resolve("F2", provider.KindRefund); f.Finding != provider.FindingFound || f.Refunded == nil || *f.Refunded != refunded {
				t.Errorf("resolve a refund: %+v", f)
			}
		})
	}
}

// What contradicts the request is handed to the platform as it is; what is merely more than expected is no harm.
func TestEvidence(t *testing.T) {
	t.Parallel()
	c := newTill(t, nil)
	arm := func(operation, fault string) {
		c.box.Arm(sandboxtest.Object{"provider": "ecpay", "operation": operation, "fault": fault, "times": 1, "delay_ms": 60_000})
	}
	arm("pay", "wrong_amount")
	if r := wantOutcome(t, "wrong amount", c.pay("E1", 100, nil), provider.OutcomeApproved); *r.Captured != twd(101) {
		t.Errorf("%+v", r)
	}
	arm("pay", "wrong_order")
	if r := wantOutcome(t, "wrong order", c.pay("E2", 100, nil), provider.OutcomeApproved); r.Reference.OrderID != "E2X" {
		t.Errorf("%+v", r)
	}
	for order, fault := range map[string]string{"E3": "extra_fields", "E4": "flat_answer"} {
		arm("pay", fault)
		if r := wantOutcome(t, fault, c.pay(order, 100, nil), provider.OutcomeApproved); *r.Captured != twd(100) || r.Reference.OrderID != order {
			t.Errorf("%s: %+v", fault, r)
		}
	}
	for order, fault := range map[string]string{"E5": "empty_trade_no", "E6": "unpaid", "E7": "trade_status_9"} {
		arm("pay", fault)
		wantOutcome(t, fault, c.pay(order, 100, nil), provider.OutcomeUnknown)
	}
	arm("refund", "wrong_amount")
	if r := wantOutcome(t, "refund, wrong amount", c.refund("E1", "", "op-1", 10), provider.OutcomeApproved); *r.Refunded != twd(11) {
		t.Errorf("%+v", r)
	}
	for _, fault := range []string{"unpaid", "trade_status_9"} {
		arm("search", fault)
		if f := c.resolve("E1", provider.KindPay); f.Finding != provider.FindingInProgress || f.Complete {
			t.Errorf("%s: %+v", fault, f)
		}
	}
	arm("search", "wrong_order")
	if a := c.search(provider.PurposeResolve, "E1", provider.KindPay); a.Failure == nil || a.Failure.Effect != provider.EffectPossible {
		t.Errorf("a record of another order: %+v", a.Findings)
	}
	arm("search", "search_lag")
	if f := c.resolve("E3", provider.KindPay); f.Finding != provider.FindingNotFound {
		t.Errorf("a search that is behind: %+v", f)
	}
}
