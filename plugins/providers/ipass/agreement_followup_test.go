package ipass_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/uuid"

	ipasssandbox "github.com/payrack/payrack/plugins/providers/ipass/sandbox"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

func (s sandboxed) refund(ref provider.Reference, units int64) provider.Answer {
	s.t.Helper()
	c := s.call(`{}`)
	c.RequestID = ""
	return s.Refund(s.t.Context(), provider.RefundRequest{Call: c, Reference: ref, Amount: provider.Money{Units: units, Currency: "TWD"}})
}

func (s sandboxed) void(order string) provider.Answer {
	s.t.Helper()
	return s.Void(s.t.Context(), provider.VoidRequest{Call: s.call(`{}`), Reference: provider.Reference{OrderID: order, ClientReference: uuid.NewString()}})
}

// resolve asks as the platform does after an unknown outcome.
func (s sandboxed) resolve(about provider.Kind, ref provider.Reference) provider.SearchAnswer {
	s.t.Helper()
	c := s.call(`{}`)
	c.RequestID = ""
	return s.Search(s.t.Context(), provider.SearchRequest{
		Call: c, Purpose: provider.PurposeResolve, About: about, AboutReference: ref.ClientReference,
		Reference: provider.Reference{OrderID: ref.OrderID, TransactionID: ref.TransactionID},
	})
}

func (s sandboxed) fired(fault string) int {
	s.t.Helper()
	var out struct {
		Faults []struct {
			Fault string `json:"fault"`
			Fired int    `json:"fired"`
		} `json:"faults"`
	}
	s.get("faults", &out)
	n := 0
	for _, f := range out.Faults {
		if f.Fault == fault {
			n += f.Fired
		}
	}
	return n
}

// ledger are kinds and amounts of the referee's entries for an order.
func (s sandboxed) ledger(order string) string {
	s.t.Helper()
	var out struct {
		Entries []struct {
			Kind   string `json:"kind"`
			Amount int64  `json:"amount"`
		} `json:"entries"`
	}
	s.get("ledger?provider=ipass&order_id="+order, &out)
	text := ""
	for _, e := range out.Entries {
		text += fmt.Sprintf("%s %d,", e.Kind, e.Amount)
	}
	return text
}

// paid is a payment of 229 that went through.
func (s sandboxed) paid(order string) provider.Reference {
	s.t.Helper()
	a := s.pay(order, tillColumns)
	if a.Outcome() != provider.OutcomeApproved {
		s.t.Fatalf("pay: %v, %+v", a.Outcome(), a.Failure())
	}
	return provider.Reference{OrderID: order, TransactionID: a.Result().Reference.TransactionID, ClientReference: uuid.NewString()}
}

func TestFollowUpsAgreeWithTheSandbox(t *testing.T) {
	t.Parallel()
	s := openSandbox(t)
	ref := s.paid("R1")
	part := s.refund(ref, 29)
	if r := part.Result(); part.Outcome() != provider.OutcomeApproved || r.Refunded.Units != 29 || r.Reference.TransactionID == "" || r.Reference.TransactionID == ref.TransactionID {
		t.Fatalf("refund: %v, %+v, %+v", part.Outcome(), part.Result(), part.Failure())
	}
	found := s.resolve(provider.KindRefund, ref)
	if f := found.Findings; f == nil || f.Captured.Units != 229 || f.Refunded.Units != 29 || len(f.Movements) != 1 ||
		f.Movements[0].ClientReference != ref.ClientReference || f.Movements[0].ID != part.Result().Reference.TransactionID {
		t.Errorf("after a refund: %+v, %+v", f, found.Failure)
	}
	if string(found.Native.Body) != string(part.Native().Body) {
		t.Errorf("the search gives back %s\nthe refund answered     %s", found.Native.Body, part.Native().Body)
	}
	rest := provider.Reference{OrderID: "R1", ClientReference: uuid.NewString()} // the transaction id is not known
	if a := s.refund(rest, 200); a.Outcome() != provider.OutcomeApproved {
		t.Errorf("the rest: %v, %+v", a.Outcome(), a.Failure())
	}
	if f := s.resolve(provider.KindRefund, rest).Findings; f == nil || f.Refunded.Units != f.Captured.Units {
		t.Errorf("after all: %+v", f)
	}
	if a := s.refund(provider.Reference{OrderID: "R1", TransactionID: ref.TransactionID, ClientReference: "more"}, 1); a.Outcome() != provider.OutcomeUnknown || a.Result().Code != "S411" {
		t.Errorf("more than was paid: %v, %+v", a.Outcome(), a.Result())
	}
	if got := s.ledger("R1"); got != "charge 229,refund 29,refund 200," {
		t.Errorf("ledger %s", got)
	}

	s.paid("V1")
	if a := s.void("V1"); a.Outcome() != provider.OutcomeApproved || s.ledger("V1") != "charge 229,void 229," {
		t.Errorf("void: %v, %+v, ledger %s", a.Outcome(), a.Failure(), s.ledger("V1"))
	}
	if f := s.resolve(provider.KindVoid, provider.Reference{OrderID: "V1"}).Findings; f == nil || f.Finding != provider.FindingEnded {
		t.Errorf("after a void: %+v", f)
	}
	if a := s.void("never"); a.Outcome() != provider.OutcomeApproved {
		t.Errorf("void of an order that never was: %v, %+v", a.Outcome(), a.Failure())
	}
	if late := s.pay("never", tillColumns); late.Outcome() != provider.OutcomeUnknown || late.Result().Code != "0006" || s.ledger("never") != "" {
		t.Errorf("the payment that lands late: %v, ledger %s", late.Outcome(), s.ledger("never"))
	}
	if f := s.resolve(provider.KindPay, provider.Reference{OrderID: "never"}).Findings; f == nil || f.Finding != provider.FindingEnded {
		t.Errorf("after the tombstone: %+v", f)
	}
	// What the gateway lets pass and a client must never do, such as an IV that is used twice.
	var wrong struct {
		Violations []json.RawMessage `json:"violations"`
	}
	if s.get("violations", &wrong); len(wrong.Violations) != 0 {
		t.Errorf("violations %s", wrong.Violations)
	}
}

// The answer that a lost payment would have had is the one that the search gives back.
func TestLostAnswersAreFoundAgain(t *testing.T) {
	t.Parallel()
	s := openSandbox(t)
	s.control("faults", `{"provider":"ipass","operation":"pay","order_id":"L1","fault":"drop_after_commit","times":1}`, nil)
	if a := s.pay("L1", tillColumns); a.Outcome() != provider.OutcomeUnknown {
		t.Fatalf("%v", a.Outcome())
	}
	seen := s.paid("L2")
	lost, kept := s.resolve(provider.KindPay, provider.Reference{OrderID: "L1", ClientReference: "op-1"}), s.resolve(provider.KindPay, seen)
	names := []string{
		"transaction_id", "transaction_date_time", "electronic_invoice_carrier", "payment_type", "amount", "order_number", "return_code", "return_msg", "req_id",
	}
	for _, raw := range []json.RawMessage{lost.Native.Body, kept.Native.Body} {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil || len(members) != len(names) {
			t.Errorf("%s: %v", raw, err)
		}
		for _, name := range names {
			if members[name] == nil {
				t.Errorf("no %s in %s", name, raw)
			}
		}
	}
	if !lost.Native.Sensitive {
		t.Error("the carrier is personal data")
	}
}

func TestHeldPayments(t *testing.T) {
	t.Parallel()
	s := openSandbox(t)
	var set map[string]any
	if err := json.Unmarshal(s.credential, &set); err != nil {
		t.Fatal(err)
	}
	set["separate_capture"] = true
	raw, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	s.credential = raw
	hold := func(order string) provider.Reference {
		var code struct {
			Code string `json:"code"`
		}
		s.control("codes", `{"provider":"ipass"}`, &code)
		a := s.Pay(t.Context(), provider.PayRequest{
			Call: s.call(tillColumns), Reference: provider.Reference{OrderID: order}, Amount: *twd(229), Code: provider.NewSecret(code.Code),
		})
		if a.Outcome() != provider.OutcomeApproved || a.Result().Captured != nil || a.Result().Authorized.Units != 229 {
			t.Fatalf("hold: %v, %+v, %+v", a.Outcome(), a.Result(), a.Failure())
		}
		return provider.Reference{OrderID: order, TransactionID: a.Result().Reference.TransactionID, ClientReference: uuid.NewString()}
	}
	taken := hold("H1")
	if f := s.resolve(provider.KindCapture, taken).Findings; f == nil || f.Authorized.Units != 229 || f.Captured.Units != 0 {
		t.Errorf("held: %+v", f)
	}
	if a := s.Capture(t.Context(), provider.CaptureRequest{Call: s.call(`{}`), Reference: taken, Amount: *twd(229)}); a.Outcome() != provider.OutcomeApproved || a.Result().Captured.Units != 229 {
		t.Errorf("capture: %v, %+v, %+v", a.Outcome(), a.Result(), a.Failure())
	}
	if f := s.resolve(provider.KindCapture, taken).Findings; f == nil || f.Captured.Units != 229 {
		t.Errorf("taken: %+v", f)
	}
	given := hold("H2")
	if a := s.void("H2"); a.Outcome() != provider.OutcomeApproved {
		t.Errorf("void: %v, %+v", a.Outcome(), a.Failure())
	}
	if f := s.resolve(provider.KindCapture, given).Findings; f == nil || f.Finding != provider.FindingEnded {
		t.Errorf("given back: %+v", f)
	}
	if got := s.ledger("H1") + s.ledger("H2"); got != "authorize 229,capture 229,authorize 229,void 229," {
		t.Errorf("ledger %s", got)
	}
}

// landing says what a fault does to the operation that it strikes, as the sandbox documents it.
type landing struct {
	lands, approved bool
	refundOnly      bool
}

// Whatever the fault, a refund and a void never say more than is true, and the search then settles it by
// what the ledger holds.
func TestSandboxFaultsOnFollowUps(t *testing.T) {
	t.Parallel()
	faults := map[string]landing{
		"drop_before_commit": {}, "http_500_before_commit": {}, "http_502_before_commit": {}, "http_504_before_commit": {},
		"reset_before_commit": {}, "9999_before_commit": {}, "code:9999": {}, "code:0042": {}, "hang": {},
		"drop_after_commit": {lands: true}, "http_500_after_commit": {lands: true}, "http_502_after_commit": {lands: true}, "http_504_after_commit": {lands: true},
		"reset_after_commit": {lands: true}, "9999_after_commit": {lands: true}, "hang_after_commit": {lands: true},
		"garbled": {lands: true}, "truncated": {lands: true}, "huge_body": {lands: true}, "endless_body": {lands: true},
		"garbage_base64": {lands: true}, "wrong_key": {lands: true}, "flipped_iv": {lands: true}, "foreign_req_id": {lands: true},
		"plain_text": {lands: true}, "wrong_order": {lands: true},
		"wrong_amount": {lands: true, refundOnly: true}, "empty_transaction_id": {lands: true, refundOnly: true},
		"pascal_case": {lands: true, approved: true}, "extra_fields": {lands: true, approved: true},
		"amount_as_string": {lands: true, approved: true, refundOnly: true}, "duplicate_delivery": {lands: true, approved: true},
	}
	for fault := range ipasssandbox.Dialect().Faults {
		if _, ok := faults[fault]; !ok && fault != "pay_status_9" {
			t.Errorf("no row for the fault %s", fault)
		}
	}
	for fault, l := range faults {
		for _, kind := range []provider.Kind{provider.KindRefund, provider.KindVoid} {
			if kind == provider.KindVoid && l.refundOnly {
				continue // a void's answer has neither amount nor id
			}
			t.Run(string(kind)+" "+fault, func(t *testing.T) {
				t.Parallel()
				s := openSandbox(t)
				ref := s.paid("F1")
				s.control("faults", fmt.Sprintf(`{"provider":"ipass","operation":%q,"fault":%q,"times":1}`, kind, fault), nil)
				var answer provider.Answer
				if kind == provider.KindRefund {
					answer = s.refund(ref, 29)
				} else {
					answer = s.void("F1")
				}
				want := provider.OutcomeUnknown
				if l.approved {
					want = provider.OutcomeApproved
				}
				if answer.Outcome() != want || s.fired(fault) != 1 {
					t.Errorf("outcome %v, want %v; result %+v, failure %+v; fired %d", answer.Outcome(), want, answer.Result(), answer.Failure(), s.fired(fault))
				}
				s.settled(kind, ref, l.lands)
			})
		}
	}
}

// settled compares what a search concludes with the ledger.
func (s sandboxed) settled(kind provider.Kind, ref provider.Reference, landed bool) {
	s.t.Helper()
	found := s.resolve(kind, ref)
	f := found.Findings
	if f == nil || !f.Complete {
		s.t.Fatalf("resolve: %+v, %+v", f, found.Failure)
	}
	ledger, want := s.ledger(ref.OrderID), "charge 229,"
	var concluded bool
	if kind == provider.KindRefund {
		concluded = f.Refunded != nil && f.Refunded.Units == 29 && len(f.Movements) == 1 && f.Movements[0].ClientReference == ref.ClientReference
		if landed {
			want += "refund 29,"
		}
	} else {
		concluded = f.Finding == provider.FindingEnded
		if landed {
			want += "void 229,"
		}
	}
	if ledger != want || concluded != landed || (len(found.Native.Body) > 0) != landed {
		s.t.Errorf("ledger %s, want %s; findings %+v, native %s", ledger, want, f, found.Native.Body)
	}
}

// The switches of what nobody knows about the real gateway: the plugin tells the truth under each.
func TestSandboxSwitches(t *testing.T) {
	t.Parallel()
	t.Run("void of an unknown order is refused", func(t *testing.T) {
		t.Parallel()
		s := openSandbox(t)
		s.options(`{"void_unknown":"not_found"}`)
		if a := s.void("U1"); a.Outcome() != provider.OutcomeUnknown || a.Result().Code != "S404" {
			t.Errorf("%v, %+v", a.Outcome(), a.Result())
		}
		s.paid("U1") // it blocks nothing
	})
	t.Run("void of a paid order is refused", func(t *testing.T) {
		t.Parallel()
		s := openSandbox(t)
		s.options(`{"void_paid":"refuse"}`)
		s.paid("P1")
		if a := s.void("P1"); a.Outcome() != provider.OutcomeUnknown || a.Result().Code != "S412" {
			t.Errorf("%v, %+v", a.Outcome(), a.Result())
		}
		if f := s.resolve(provider.KindVoid, provider.Reference{OrderID: "P1"}).Findings; f == nil || f.Finding != provider.FindingFound || f.Captured.Units != 229 {
			t.Errorf("%+v", f)
		}
	})
	for dedup, want := range map[string]string{"replay": "charge 229,refund 29,", "reject": "charge 229,refund 29,", "none": "charge 229,refund 29,refund 29,"} {
		t.Run("refund, "+dedup, func(t *testing.T) {
			t.Parallel()
			s := openSandbox(t)
			s.options(`{"refund_dedup":"` + dedup + `"}`)
			ref := s.paid("D1")
			s.refund(ref, 29)
			again := s.refund(ref, 29) // the platform never does that; the gateway may still see it
			if outcome := again.Outcome(); (outcome == provider.OutcomeApproved) == (dedup == "reject") {
				t.Errorf("again: %v, %+v", outcome, again.Result())
			}
			if got := s.ledger("D1"); got != want {
				t.Errorf("ledger %s, want %s", got, want)
			}
		})
	}
	t.Run("a search that lags", func(t *testing.T) {
		t.Parallel()
		s := openSandbox(t)
		s.options(`{"search_lag":20}`)
		ref := s.paid("S1")
		if f := s.resolve(provider.KindPay, ref).Findings; f == nil || f.Finding != provider.FindingNotFound {
			t.Errorf("at once: %+v", f)
		}
		s.control("clock", `{"advance":"21s"}`, nil)
		if f := s.resolve(provider.KindPay, ref).Findings; f == nil || f.Finding != provider.FindingFound {
			t.Errorf("later: %+v", f)
		}
	})
	t.Run("a status that is not listed", func(t *testing.T) {
		t.Parallel()
		s := openSandbox(t)
		ref := s.paid("N1")
		s.control("faults", `{"provider":"ipass","operation":"search","fault":"pay_status_9","times":1}`, nil)
		if f := s.resolve(provider.KindPay, ref).Findings; f == nil || f.Finding != provider.FindingInProgress || f.Complete || s.fired("pay_status_9") != 1 {
			t.Errorf("%+v", f)
		}
	})
}
