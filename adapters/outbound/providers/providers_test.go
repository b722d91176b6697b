package providers_test

import (
	"context"
	"encoding/json"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
	"github.com/payrack/payrack/ports/outbound/outboundtest"
)

func twd(units int64) money.Amount { return money.Amount{Units: units, Currency: money.TWD} }

func TestContract(t *testing.T) {
	t.Parallel()
	outboundtest.Providers(t, func(t *testing.T) outboundtest.ProvidersCase {
		t.Helper()
		p := newPlatform(t)
		p.activate(t, binary(t, alpha()))
		no := false
		return outboundtest.ProvidersCase{
			Providers: p, Type: "ALPHA_PAY",
			Pay: []byte(`{"order":"O-1","amount":229,"currency":"TWD","code":"ok","till":"7","about":"茶","reference":"r","capture":false}`),
			Form: outbound.Form{
				Amount: twd(229), OrderNumber: "O-1", Code: "ok", Description: "茶", RequestID: "r", Capture: &no,
			},
			Incomplete: []byte(`{"order":"O-1","amount":229,"currency":"TWD"}`), Missing: "code",
			Instruction: instruction(payment.KindPay, "ok"),
			Question:    outbound.Question{Environment: "test", Account: "A1", OrderID: "O-1/1"},
			Values: catalogue.Values{
				Amount: twd(229), OrderNumber: "O-1", Code: "ok", Description: "茶", RequestID: "r", Capture: &no, Columns: []byte(`{"till":"7"}`),
			},
			Mandate:    outbound.MandateQuestion{Environment: "test", Account: "A1", Token: "RK1"},
			Set:        []byte(`{"secret":"s","account_id":"A1"}`),
			Credential: outbound.CredentialForm{Provider: "alpha", Account: "A1", Wire: "two"},
			Stop: func() {
				if err := p.host.Slot("alpha").Disable(t.Context()); err != nil {
					t.Error(err)
				}
			},
		}
	})
}

func instruction(kind payment.Kind, code string) outbound.Instruction {
	return outbound.Instruction{
		Kind: kind,
		Payment: payment.Payment{
			Environment: "test", Account: "A1", Wire: "one", Amount: twd(229), Capture: true, ProviderTransaction: "T0", Type: "ALPHA_PAY",
		},
		Operation:  payment.Operation{ID: "op-1", Kind: kind, Amount: twd(200), OrderID: "O-1/1", RequestID: "req-1", RefundIDsSeen: []string{"R0"}},
		Credential: []byte(`{"account_id":"A1","secret":"s"}`), CredentialRef: "cred/1",
		Form:     outbound.Form{Code: code, Description: "茶", Columns: []byte(`{"till":"7"}`)},
		NotAfter: time.Now().Add(time.Hour), // a test may wait long for its turn
	}
}

func session(t *testing.T, p platform) outbound.Session {
	t.Helper()
	s, err := p.Open(t.Context(), outbound.Route{Type: "ALPHA_PAY"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// Every field of an instruction and of a question arrives at the plugin process as what it is.
func TestWhatThePluginHears(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.activate(t, binary(t, alpha()))
	s := session(t, p)
	hear := func(native []byte) heard {
		var h heard
		if err := json.Unmarshal(native, &h); err != nil {
			t.Fatalf("%s: %v", native, err)
		}
		return h
	}
	for _, kind := range []payment.Kind{payment.KindPay, payment.KindConfirm, payment.KindCapture, payment.KindVoid, payment.KindRefund} {
		i := instruction(kind, "ok")
		a := s.Send(within(t, 10*time.Second), i)
		if a.Known != payment.KnownApproved || !a.Sensitive {
			t.Fatalf("%s: %+v", kind, a)
		}
		want := heard{
			Operation: string(kind), Label: "from the settings", Columns: json.RawMessage(`{"till":"7"}`),
			Credential: json.RawMessage(`{"account_id":"A1","secret":"s"}`), Order: "O-1/1", Transaction: "T0", Reference: "op-1",
			NotAfterUnix: i.NotAfter.Unix(),
			Call: map[string]string{
				"operation_id": "op-1", "type": "ALPHA_PAY", "environment": "test", "credential_ref": "cred/1", "account": "A1", "wire": "one", "request_id": "req-1",
			},
		}
		want.Units, want.Currency = 200, "TWD"
		switch kind {
		case payment.KindPay:
			want.Capture, want.Description, want.Code = true, "茶", "ok"
		case payment.KindVoid:
			want.Units, want.Currency = 0, ""
		case payment.KindRefund:
			want.Seen = []string{"R0"}
		case payment.KindConfirm, payment.KindCapture:
		}
		if diff := cmp.Diff(want, hear(a.Native)); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
	}

	mandate := instruction(payment.KindPay, "")
	mandate.Form.Mandate, mandate.Operation.RequestID, mandate.Form.RequestID = "RK1", "", "form-1"
	if h := hear(s.Send(within(t, 10*time.Second), mandate).Native); h.Mandate != "RK1" || h.Code != "" || h.Call["request_id"] != "form-1" {
		t.Errorf("%+v", h)
	}

	wallet := instruction(payment.KindPay, "")
	wallet.Form.ReturnURL, wallet.Form.CancelURL = "https://shop.example/ok", "https://shop.example/no"
	if h := hear(s.Send(within(t, 10*time.Second), wallet).Native); h.Back != "https://shop.example/ok" || h.Away != "https://shop.example/no" {
		t.Errorf("the client's own addresses: %+v", h)
	}
	wallet.ReturnURL, wallet.CancelURL = "https://pay.example/back", "https://pay.example/away"
	if h := hear(s.Send(within(t, 10*time.Second), wallet).Native); h.Back != "https://pay.example/back" || h.Away != "https://pay.example/away" {
		t.Errorf("the platform's addresses: %+v", h)
	}
	wallet.Form.Code = "ok"
	if h := hear(s.Send(within(t, 10*time.Second), wallet).Native); h.Code != "ok" || h.Back != "" {
		t.Errorf("a payer at a till is sent nowhere: %+v", h)
	}

	f := s.Ask(within(t, 10*time.Second), outbound.Question{
		Resolve: true, Environment: "live", Account: "A2", Wire: "two", Credential: []byte(`{"account_id":"A2"}`), CredentialRef: "cred/2",
		OrderID: "O-2", TransactionID: "T2", RequestID: "req-2", About: payment.KindRefund, Form: outbound.Form{Columns: []byte(`{"till":"8"}`)},
	})
	got := hear(f.Native)
	if got.NotAfterUnix <= time.Now().Unix() {
		t.Errorf("not_after %d", got.NotAfterUnix)
	}
	got.NotAfterUnix = 0
	want := heard{
		Operation: "search", Label: "from the settings", Columns: json.RawMessage(`{"till":"8"}`), Credential: json.RawMessage(`{"account_id":"A2"}`),
		Order: "O-2", Transaction: "T2", About: "refund",
		Call: map[string]string{"operation_id": "", "type": "ALPHA_PAY", "environment": "live", "credential_ref": "cred/2", "account": "A2", "wire": "two", "request_id": "req-2"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.activate(t, binary(t, alpha()))
	s := session(t, p)
	for _, c := range []struct {
		code   string
		known  payment.Known
		reason string
		native bool
	}{
		{"ok", payment.KnownApproved, "", true},
		{"decline", payment.KnownDeclined, "", true},
		{"action", payment.KnownAction, "", true},
		{"approval", payment.KnownApproved, "", true},
		{"dead", payment.KnownDeclined, "", true},
		{"undecided", payment.KnownNothing, "", true},
		{"not sent", payment.KnownNotSent, "invalid", false},
		{"unknown", payment.KnownNothing, "timeout", true},
		{"exponent", payment.KnownNothing, "bad_answer", false},
		{"list", payment.KnownNothing, "bad_answer", false},
		{"long", payment.KnownNothing, "bad_answer", false},
	} {
		a := s.Send(within(t, 10*time.Second), instruction(payment.KindPay, c.code))
		if a.Known != c.known || a.Reason != c.reason || (len(a.Native) > 0) != c.native {
			t.Errorf("%s: %+v", c.code, a)
		}
		if (a.Approval != nil) != (c.code == "approval") || a.MandateDead != (c.code == "dead") {
			t.Errorf("%s: approval %+v, dead %t", c.code, a.Approval, a.MandateDead)
		}
		switch c.code {
		case "ok":
			want := payment.Evidence{
				OrderID: "O-1/1", ProviderTransaction: "T1", Captured: twd(200), Code: "0000",
				ProviderTime: time.Unix(1, 0).UTC(), AuthorizationEnds: time.Unix(2, 0).UTC(),
			}
			if diff := cmp.Diff(want, a.Evidence); diff != "" {
				t.Error(diff)
			}
		case "decline":
			if a.Evidence.DeclineCode != "insufficient_funds" || !a.Evidence.Captured.IsZero() {
				t.Errorf("%+v", a.Evidence)
			}
		case "action":
			if a.WebURL != "https://wallet.example.com/1" || a.AppURL != "wallet://1" || !a.ActionExpires.Equal(time.Unix(4, 0)) {
				t.Errorf("%+v", a)
			}
		case "approval":
			want := &outbound.Approval{Token: "RK1", Label: "card 1111", Expires: time.Unix(3, 0).UTC()}
			if diff := cmp.Diff(want, a.Approval); diff != "" || a.MandateDead {
				t.Errorf("%v %s", a.MandateDead, diff)
			}
		case "dead":
			if !a.MandateDead || a.Approval != nil {
				t.Errorf("%+v", a)
			}
		case "not sent":
			if a.Detail != "the amount is odd" || a.Evidence.Code != "E1" {
				t.Errorf("%+v", a)
			}
		}
	}
	if a := s.Send(within(t, time.Second), instruction(payment.KindPay, "hang")); a.Known != payment.KnownNothing || a.Reason != "timeout" {
		t.Errorf("a hanging plugin: %+v", a)
	}
	foreign := instruction(payment.KindPay, "ok")
	foreign.Operation.Amount.Currency = "XXX"
	if a := s.Send(within(t, 10*time.Second), foreign); a.Known != payment.KnownNotSent {
		t.Errorf("a currency that is not charged: %+v", a)
	}
	unnamed := instruction("teleport", "ok")
	if a := s.Send(within(t, 10*time.Second), unnamed); a.Known != payment.KnownNotSent || a.Reason != "unsupported" {
		t.Errorf("an unknown kind: %+v", a)
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.activate(t, binary(t, alpha()))
	s := session(t, p)
	ask := func(order string) outbound.Findings {
		return s.Ask(within(t, 10*time.Second), outbound.Question{Environment: "test", Account: "A1", OrderID: order})
	}
	for order, want := range map[string]payment.Finding{
		"in progress": payment.FindingInProgress, "not found": payment.FindingNotFound, "awaiting": payment.FindingAwaitingPayer,
		"approved": payment.FindingPayerApproved, "ended": payment.FindingEnded, "x": payment.FindingFound,
	} {
		if f := ask(order); f.Finding != want || f.Failed || len(f.Native) == 0 {
			t.Errorf("%s: %+v", order, f)
		}
	}
	f := ask("x")
	want := payment.Evidence{OrderID: "x", ProviderTransaction: "T1", Authorized: twd(3), Captured: twd(2), Refunded: twd(1), RefundIDs: []string{"R1"}}
	if diff := cmp.Diff(want, f.Evidence); diff != "" || !f.Complete {
		t.Errorf("%v %s", f.Complete, diff)
	}
	for _, c := range []struct {
		order, reason string
		notSent       bool
	}{
		{"failure", "timeout", false},
		{"failure before", "unavailable", true},
		{"list", "bad_answer", false},
		{"exponent", "bad_answer", false},
		{"nothing", "", false},
	} {
		f := ask(c.order)
		if !f.Failed || f.NotSent != c.notSent || f.Finding != payment.FindingNothing || f.Complete || (c.reason != "" && f.Reason != c.reason) {
			t.Errorf("%s: %+v", c.order, f)
		}
	}
}

// A plugin that dies in a call leaves the outcome open, and the next call succeeds.
func TestDeadPlugin(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.activate(t, binary(t, alpha()))
	s := session(t, p)
	if a := s.Send(within(t, 10*time.Second), instruction(payment.KindPay, "die")); a.Known != payment.KnownNothing {
		t.Errorf("%+v", a)
	}
	if a := session(t, p).Send(within(t, 10*time.Second), instruction(payment.KindPay, "ok")); a.Known != payment.KnownApproved {
		t.Errorf("the next call: %+v", a)
	}
	before := p.Instances("alpha")
	if len(before) == 0 {
		t.Fatal("no instance")
	}
	if err := syscall.Kill(before[len(before)-1].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if a := session(t, p).Send(within(t, 10*time.Second), instruction(payment.KindPay, "ok")); a.Known == payment.KnownDeclined {
		t.Errorf("after a kill: %+v", a)
	}
}
