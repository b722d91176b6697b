package icashpay_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/providers/icashpay"
	icashpaysandbox "github.com/payrack/payrack/plugins/providers/icashpay/sandbox"
	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

type opened interface {
	provider.Provider
	provider.Payer
	provider.Refunder
	provider.Voider
	provider.Searcher
	provider.Closer
}

func open(t *testing.T, settings json.RawMessage, host provider.Host) opened {
	t.Helper()
	var s icashpay.Settings
	if err := json.Unmarshal(settings, &s); err != nil {
		t.Fatal(err)
	}
	s.Timeouts = provider.Timeouts{Pay: provider.Duration(3 * time.Second), Search: provider.Duration(10 * time.Second)}
	host.HTTP = provider.NewClient(provider.ClientOptions{})
	p, err := icashpay.Open(t.Context(), s, host)
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

// till pays through the plugin at the sandbox's icash Pay, which was written from the same facts by a reading of its
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
	d := icashpaysandbox.Dialect()
	box := sandboxtest.Start(t, sandbox.Options{Dialects: []sandbox.Dialect{d}, HangLimit: 200 * time.Millisecond})
	var account struct {
		Credential json.RawMessage
		Public     map[string]string
	}
	body := sandboxtest.Object{"provider": "icashpay", "label": "store"}
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

func (c *till) call(columns string) provider.Call {
	return provider.Call{
		OperationID: "op", PaymentType: icashpay.TypeQRCode, Environment: provider.EnvironmentTest, NotAfter: time.Now().Add(time.Minute),
		Account: c.account["merchant_id"], Credential: provider.NewDocument(c.credential), Columns: provider.NewDocument([]byte(columns)),
	}
}

const shop = `{"StoreName":"測試門市"}`

func twd(units int64) provider.Money { return provider.Money{Units: units, Currency: "TWD"} }

func (c *till) pay(order string, amount int64, code sandboxtest.Object) provider.Answer {
	c.t.Helper()
	return c.Pay(c.t.Context(), provider.PayRequest{
		Call: c.call(shop), Reference: provider.Reference{OrderID: order, ClientReference: "pay-" + order},
		Amount: twd(amount), Capture: true, Code: provider.NewSecret(c.box.Code("icashpay", code)),
	})
}

func (c *till) refund(order, id, reference string, amount int64) provider.Answer {
	c.t.Helper()
	return c.Refund(c.t.Context(), provider.RefundRequest{
		Call: c.call(`{}`), Reference: provider.Reference{OrderID: order, TransactionID: id, ClientReference: reference}, Amount: twd(amount),
	})
}

func (c *till) void(order, id string) provider.Answer {
	c.t.Helper()
	return c.Void(c.t.Context(), provider.VoidRequest{
		Call: c.call(`{}`), Reference: provider.Reference{OrderID: order, TransactionID: id, ClientReference: "void-" + order},
	})
}

func (c *till) search(purpose provider.Purpose, order string, about provider.Kind, reference string) provider.SearchAnswer {
	c.t.Helper()
	return c.Search(c.t.Context(), provider.SearchRequest{
		Call: c.call(`{}`), Purpose: purpose, Reference: provider.Reference{OrderID: order}, About: about, AboutReference: reference,
	})
}

func (c *till) resolve(order string, about provider.Kind) provider.Findings {
	c.t.Helper()
	a := c.search(provider.PurposeResolve, order, about, "")
	if a.Findings == nil {
		c.t.Fatalf("resolve %s: %+v", order, a.Failure)
	}
	return *a.Findings
}

// ledger is what the sandbox's referee says, as kind and amount.
func (c *till) ledger(order string) string {
	c.t.Helper()
	var out []string
	for _, e := range c.box.Ledger("icashpay", order) {
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
	answer := c.pay("A1", 229, sandboxtest.Object{"carrier": "/ABC.123"})
	paid := wantOutcome(t, "pay", answer, provider.OutcomeApproved)
	if paid.Captured == nil || *paid.Captured != twd(229) || paid.Reference.OrderID != "A1" || paid.Reference.TransactionID == "" || paid.ProviderTime.IsZero() {
		t.Errorf("%+v", paid)
	}
	// The client sees whole dollars and the clear record.
	var native struct {
		RtnCode int `json:"RtnCode"`
		EncData struct {
			MobileInvoiceCarry string `json:"MobileInvoiceCarry"`
			TotalAmount        int64  `json:"TotalAmount"`
			ICPAmount          int64  `json:"ICPAmount"`
		} `json:"EncData"`
	}
	if err := json.Unmarshal(answer.Native().Body, &native); err != nil || native.RtnCode != 1 || native.EncData.TotalAmount != 229 ||
		native.EncData.ICPAmount != 229 || native.EncData.MobileInvoiceCarry != "/ABC.123" || !answer.Native().Sensitive {
		t.Errorf("%s: %v", answer.Native().Body, err)
	}

	found := c.search(provider.PurposeClient, "A1", "", "")
	if found.Findings == nil || found.Findings.Finding != provider.FindingFound || *found.Findings.Captured != twd(229) || !strings.Contains(string(found.Native.Body), `"TradeStatus":"1"`) {
		t.Errorf("search: %+v, %+v, %s", found.Findings, found.Failure, found.Native.Body)
	}
	// A search that settles a payment brings what the payment would have brought.
	lost := c.search(provider.PurposeResolve, "A1", provider.KindPay, "")
	if diff := cmp.Diff(members(t, answer.Native().Body), members(t, lost.Native.Body)); diff != "" {
		t.Errorf("the record as a payment (-want +got):\n%s", diff)
	}

	if again := c.pay("A1", 229, nil); again.Outcome() != provider.OutcomeUnknown || again.Result() == nil || again.Result().Code != "-409" {
		t.Errorf("pay again: %d, %+v", again.Outcome(), again.Result())
	}
	if f := c.resolve("nobody", provider.KindPay); f.Finding != provider.FindingNotFound || !f.Complete {
		t.Errorf("an unknown order: %+v", f)
	}
	c.wantLedger("A1", "charge 229")
}

// members are the names of an answer, without the times that differ.
func members(t *testing.T, body json.RawMessage) map[string]any {
	t.Helper()
	var m struct {
		EncData map[string]any `json:"EncData"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	delete(m.EncData, "Timestamp")
	return m.EncData
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
		if f := c.resolve(order, provider.KindPay); f.Finding != provider.FindingEnded {
			t.Errorf("%s: %+v", order, f)
		}
		c.wantLedger(order, "")
	}
	// A code that nobody documented settles nothing.
	wantOutcome(t, "D3", c.pay("D3", 229, sandboxtest.Object{"decline": "300042"}), provider.OutcomeUnknown)
}

func TestRefundAndVoid(t *testing.T) {
	t.Parallel()
	c := newTill(t, nil)
	id := wantOutcome(t, "pay", c.pay("R1", 300, nil), provider.OutcomeApproved).Reference.TransactionID

	first := wantOutcome(t, "refund", c.refund("R1", id, "op-1", 100), provider.OutcomeApproved)
	if first.Refunded == nil || *first.Refunded != twd(100) || first.Reference.OrderID != "R1" || first.Reference.TransactionID == "" || first.Reference.TransactionID == id {
		t.Errorf("%+v", first)
	}
	// The same operation twice is one refund: its number is the operation's.
	if again := c.refund("R1", id, "op-1", 100); again.Outcome() != provider.OutcomeUnknown || again.Result().Code != "-409" {
		t.Errorf("the same refund again: %d, %+v", again.Outcome(), again.Result())
	}
	f := c.resolve("R1", provider.KindRefund)
	if f.Finding != provider.FindingFound || f.Refunded == nil || *f.Refunded != twd(100) || *f.Captured != twd(300) {
		t.Errorf("after a part: %+v", f)
	}
	wantOutcome(t, "too much", c.refund("R1", id, "op-2", 201), provider.OutcomeDeclined)
	wantOutcome(t, "a void after a refund", c.void("R1", id), provider.OutcomeDeclined)
	// Without the payment's id, which a lost answer did not bring.
	wantOutcome(t, "the rest", c.refund("R1", "", "op-3", 200), provider.OutcomeApproved)
	if f := c.resolve("R1", provider.KindRefund); f.Finding != provider.FindingFound || *f.Refunded != twd(300) || *f.Captured != twd(300) {
		t.Errorf("after all: %+v", f)
	}
	c.wantLedger("R1", "charge 300, refund 100, refund 200")

	wantOutcome(t, "pay", c.pay("V1", 50, nil), provider.OutcomeApproved)
	wantOutcome(t, "void by order number alone", c.void("V1", ""), provider.OutcomeApproved)
	if f := c.resolve("V1", provider.KindVoid); f.Finding != provider.FindingEnded || !f.Complete {
		t.Errorf("after a void: %+v", f)
	}
	wantOutcome(t, "a refund after a void", c.refund("V1", "", "op-4", 50), provider.OutcomeDeclined)
	wantOutcome(t, "a void of nothing", c.void("V2", ""), provider.OutcomeDeclined)
	if a := c.refund("V2", "", "op-5", 50); a.Failure() == nil || a.Failure().Effect != provider.EffectNone {
		t.Errorf("a refund of nothing: %+v, %+v", a.Result(), a.Failure())
	}
	c.wantLedger("V1", "charge 50, void 50")
}

// Where a payment's record does not say how much was given back, the refund is looked for under its own number, and
// without that nothing is concluded.
func TestRefundTotalUnknown(t *testing.T) {
	t.Parallel()
	c := newTill(t, sandboxtest.Object{"refund_total": false, "void_paid": "refuse"})
	id := wantOutcome(t, "pay", c.pay("R1", 300, nil), provider.OutcomeApproved).Reference.TransactionID
	wantOutcome(t, "void", c.void("R1", id), provider.OutcomeDeclined)
	wantOutcome(t, "refund", c.refund("R1", id, "op-1", 100), provider.OutcomeApproved)
	if f := c.resolve("R1", provider.KindRefund); f.Finding != provider.FindingInProgress || f.Complete || len(f.Movements) != 0 {
		t.Errorf("without a reference: %+v", f)
	}
	a := c.search(provider.PurposeResolve, "R1", provider.KindRefund, "op-1")
	if f := a.Findings; f == nil || f.Finding != provider.FindingInProgress || len(f.Movements) != 1 || f.Movements[0].Amount != twd(100) || f.Movements[0].ClientReference != "op-1" {
		t.Errorf("with its reference: %+v, %+v", f, a.Failure)
	}
	if a := c.search(provider.PurposeResolve, "R1", provider.KindRefund, "op-2"); a.Findings == nil || len(a.Findings.Movements) != 0 {
		t.Errorf("with another's: %+v", a.Findings)
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
		"no_signature": lands, "foreign_signature": lands, "changed_after_signing": lands, "garbage_base64": lands, "wrong_key": lands,
		"half_dollar": lands, "foreign_merchant": lands, "unexpected_after_commit": lands, "code:-9999": never, "code:77": never, "code:-409": never,
		"duplicate_delivery": lands, "delay_after_commit": lands,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			c := newTill(t, nil)
			arm := func(operation string) {
				c.box.Arm(sandboxtest.Object{"provider": "icashpay", "operation": operation, "fault": fault, "times": 1, "delay_ms": 3_500})
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
			f := c.resolve("F2", provider.KindRefund)
			if landed != (f.Refunded != nil && *f.Refunded == twd(40)) || f.Finding != provider.FindingFound {
				t.Errorf("resolve a refund: %+v", f)
			}

			wantOutcome(t, "pay", c.pay("F3", 100, nil), provider.OutcomeApproved)
			arm("void")
			// A void's answer has no amount to spoil, and a second one does nothing.
			a := c.void("F3", "")
			if fault == "half_dollar" || fault == "duplicate_delivery" {
				wantOutcome(t, "void", a, provider.OutcomeApproved)
			} else {
				wantOutcome(t, "void", a, provider.OutcomeUnknown)
			}
			want = provider.FindingFound
			if landed {
				want = provider.FindingEnded
			}
			if f := c.resolve("F3", provider.KindVoid); f.Finding != want {
				t.Errorf("resolve a void: %+v", f)
			}
			if v := c.box.Violations(); len(v) != 0 {
				t.Errorf("violations %+v", v)
			}
		})
	}
}

// What contradicts the request is handed to the platform as it is; what is merely more than expected is no harm.
func TestEvidence(t *testing.T) {
	t.Parallel()
	c := newTill(t, nil)
	arm := func(operation, fault string) {
		c.box.Arm(sandboxtest.Object{"provider": "icashpay", "operation": operation, "fault": fault, "times": 1, "delay_ms": 60_000})
	}
	arm("pay", "wrong_amount")
	if r := wantOutcome(t, "wrong amount", c.pay("E1", 100, nil), provider.OutcomeApproved); *r.Captured != twd(101) {
		t.Errorf("%+v", r)
	}
	arm("pay", "wrong_order")
	if r := wantOutcome(t, "wrong order", c.pay("E2", 100, nil), provider.OutcomeApproved); r.Reference.OrderID != "E2X" {
		t.Errorf("%+v", r)
	}
	arm("pay", "extra_fields")
	wantOutcome(t, "extra fields", c.pay("E3", 100, nil), provider.OutcomeApproved)
	arm("pay", "empty_transaction_id")
	wantOutcome(t, "no transaction id", c.pay("E4", 100, nil), provider.OutcomeUnknown)
	arm("refund", "wrong_amount")
	if r := wantOutcome(t, "refund, wrong amount", c.refund("E1", "", "op-1", 10), provider.OutcomeApproved); *r.Refunded != twd(11) {
		t.Errorf("%+v", r)
	}
	for _, fault := range []string{"trade_status_5", "trade_status_9"} {
		arm("search", fault)
		if f := c.resolve("E1", provider.KindPay); f.Finding != provider.FindingInProgress || f.Complete {
			t.Errorf("%s: %+v", fault, f)
		}
	}
	arm("search", "wrong_order")
	if a := c.search(provider.PurposeResolve, "E1", provider.KindPay, ""); a.Failure == nil || a.Failure.Effect != provider.EffectPossible {
		t.Errorf("a record of another order: %+v", a.Findings)
	}
	arm("search", "no_signature")
	if a := c.search(provider.PurposeResolve, "E1", provider.KindPay, ""); a.Failure == nil {
		t.Errorf("an unsigned record: %+v", a.Findings)
	}
	arm("search", "search_lag")
	if f := c.resolve("E3", provider.KindPay); f.Finding != provider.FindingNotFound {
		t.Errorf("a search that is behind: %+v", f)
	}
	if f := c.resolve("E3", provider.KindPay); f.Finding != provider.FindingFound {
		t.Errorf("a search that is not: %+v", f)
	}
}
