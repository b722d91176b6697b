package providers_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/payrack/payrack/adapters/outbound/providers"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// The host drops such bodies; this side does not rely on it, because an approved payment would be read
// from them.
func TestUnreadableBodies(t *testing.T) {
	t.Parallel()
	exact := `{"a":"` + strings.Repeat("x", 64<<10-8) + `"}`
	for _, c := range []struct {
		body string
		ok   bool
	}{
		{`{}`, true},
		{`{"a":1}`, true},
		{exact, true},
		{exact[:8] + "x" + exact[8:], false},
		{`[]`, false},
		{`null`, false},
		{`"x"`, false},
		{` {}`, false},
		{`{} x`, false},
		{`{"a":}`, false},
		{`<html>`, false},
		{"{\"a\":\"\xff\"}", false},
	} {
		n := provider.Native{Body: json.RawMessage(c.body)}
		a := providers.AnswerToCore(provider.Approved(provider.Result{}, n))
		if ok := a.Known == payment.KnownApproved; ok != c.ok || (!ok && (a.Native != nil || a.Reason != "bad_answer")) {
			t.Errorf("%.20s: %+v", c.body, a.Known)
		}
		f := providers.FindingsToCore(provider.SearchAnswer{Findings: &provider.Findings{Finding: provider.FindingNotFound}, Native: n})
		if f.Failed == c.ok {
			t.Errorf("%.20s: found %+v", c.body, f.Finding)
		}
	}
}

// Without the provider's words nobody can be told that a payment was made; other outcomes need none.
func TestApprovedNeedsABody(t *testing.T) {
	t.Parallel()
	none := provider.Native{}
	if a := providers.AnswerToCore(provider.Approved(provider.Result{}, none)); a.Known != payment.KnownNothing || a.Reason != "bad_answer" {
		t.Errorf("approved without a body: %+v", a)
	}
	if a := providers.AnswerToCore(provider.Declined(provider.Result{}, none)); a.Known != payment.KnownDeclined {
		t.Errorf("declined without a body: %+v", a)
	}
	if f := providers.FindingsToCore(provider.SearchAnswer{Findings: &provider.Findings{Finding: provider.FindingNotFound}}); f.Failed {
		t.Errorf("a finding without a body: %+v", f)
	}
}

// PostgreSQL takes no NUL and no long text into an index: an outcome with one could never be written down there. An id is
// kept as it is or not at all, of other words what is readable.
func TestWordsThatNoLedgerKeeps(t *testing.T) {
	t.Parallel()
	said := provider.Native{Body: json.RawMessage(`{}`)}
	id := func(s string) provider.Reference { return provider.Reference{TransactionID: s} }
	for text, kept := range map[string]string{
		"0000": "0000", "付款成功": "付款成功", "00\x0000": "0000", "a\nb\u0085": "ab", "\xff0": "0", "": "",
		strings.Repeat("x", 201): strings.Repeat("x", 200), strings.Repeat("付", 67): strings.Repeat("付", 66),
	} {
		a := providers.AnswerToCore(provider.Approved(provider.Result{
			Code: text, DeclineCode: text, Mandate: &provider.Mandate{Token: provider.NewSecret("t"), Label: text},
		}, said))
		if a.Known != payment.KnownApproved || a.Evidence.Code != kept || a.Evidence.DeclineCode != kept || a.Approval.Label != kept {
			t.Errorf("%q: %+v, label %q", text, a.Evidence, a.Approval.Label)
		}
		if f := providers.AnswerToCore(provider.Unknown(provider.ReasonBadAnswer, text, "")); f.Evidence.Code != kept {
			t.Errorf("%q failed: %+v", text, f.Evidence)
		}
	}
	for _, text := range []string{"1\x002", "1\n", "\xff", strings.Repeat("x", 513)} {
		if a := providers.AnswerToCore(provider.Approved(provider.Result{Reference: id(text)}, said)); a.Known != payment.KnownNothing {
			t.Errorf("the transaction %.10q: %+v", text, a)
		}
		for _, f := range []provider.Findings{
			{Finding: provider.FindingFound, Reference: id(text)},
			{Finding: provider.FindingFound, Movements: []provider.Movement{{Kind: provider.KindRefund, ID: text}}},
		} {
			if got := providers.FindingsToCore(provider.SearchAnswer{Findings: &f}); !got.Failed || got.NotSent {
				t.Errorf("the transaction %.10q: %+v", text, got)
			}
		}
	}
}

func TestUnclearAnswersSettleNothing(t *testing.T) {
	t.Parallel()
	twd := func(units int64, exponent int) *provider.Money {
		return &provider.Money{Units: units, Currency: "TWD", Exponent: exponent}
	}
	said := provider.Native{Body: json.RawMessage(`{}`)}
	for name, a := range map[string]provider.Answer{
		"the zero answer":           {},
		"an action without a way":   provider.RequiresAction(provider.Result{}, provider.Native{}),
		"a negative amount":         provider.Approved(provider.Result{Captured: twd(-1, 0)}, said),
		"a wrong exponent":          provider.Approved(provider.Result{Authorized: twd(1, 2)}, said),
		"a declined wrong exponent": provider.Declined(provider.Result{Refunded: twd(1, 2)}, provider.Native{}),
		"an unknown currency":       provider.Approved(provider.Result{Captured: &provider.Money{Units: 1, Currency: "XXX"}}, said),
	} {
		if got := providers.AnswerToCore(a); got.Known != payment.KnownNothing {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, f := range map[string]provider.Findings{
		"a finding from the future": {Finding: 99}, "a wrong exponent": {Finding: provider.FindingFound, Captured: twd(1, 2)},
	} {
		if got := providers.FindingsToCore(provider.SearchAnswer{Findings: &f}); !got.Failed || got.NotSent {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// "Nothing was taken" is not the same as not a word about it.
func TestKnownZero(t *testing.T) {
	t.Parallel()
	zero := &provider.Money{Currency: "USD", Exponent: 2}
	f := providers.FindingsToCore(provider.SearchAnswer{Findings: &provider.Findings{Finding: provider.FindingFound, Captured: zero}})
	if f.Failed || f.Evidence.Captured.IsZero() || f.Evidence.Captured != (money.Amount{Currency: money.USD}) || !f.Evidence.Refunded.IsZero() {
		t.Errorf("%+v", f.Evidence)
	}
	a := providers.AnswerToCore(provider.Declined(provider.Result{Captured: zero}, provider.Native{}))
	if a.Known != payment.KnownDeclined || a.Evidence.Captured.IsZero() || !a.Evidence.Authorized.IsZero() {
		t.Errorf("%+v", a)
	}
}

// Only refunds count as refunds, and one without an id cannot be told from another.
func TestRefundIDs(t *testing.T) {
	t.Parallel()
	one := provider.Money{Units: 1, Currency: "TWD"}
	f := providers.FindingsToCore(provider.SearchAnswer{Findings: &provider.Findings{Finding: provider.FindingFound, Movements: []provider.Movement{
		{Kind: provider.KindRefund, ID: "R1", Amount: one},
		{Kind: provider.KindRefund, Amount: one},
		{Kind: provider.KindVoid, ID: "V1", Amount: one},
		{Kind: provider.KindRefund, ID: "R2", Amount: one},
	}}})
	if !slices.Equal(f.Evidence.RefundIDs, []string{"R1", "R2"}) {
		t.Errorf("%+v", f.Evidence)
	}
}

// Only a settled answer says something about a stored approval.
func TestApprovals(t *testing.T) {
	t.Parallel()
	said := provider.Native{Body: json.RawMessage(`{}`)}
	with := func(token string, s provider.MandateState) provider.Result {
		return provider.Result{Mandate: &provider.Mandate{Token: provider.NewSecret(token), State: s}, Action: &provider.Action{}}
	}
	for name, c := range map[string]struct {
		answer         provider.Answer
		approval, dead bool
	}{
		"approved":               {provider.Approved(with("RK1", provider.MandateActive), said), true, false},
		"approved, no state":     {provider.Approved(with("RK1", provider.MandateUnspecified), said), true, false},
		"approved, dead":         {provider.Approved(with("RK1", provider.MandateDead), said), true, true},
		"approved, no token":     {provider.Approved(with("", provider.MandateActive), said), false, false},
		"declined, dead":         {provider.Declined(with("", provider.MandateDead), said), false, true},
		"declined, active":       {provider.Declined(with("RK1", provider.MandateActive), said), false, false},
		"undecided, dead":        {provider.Undecided(with("RK1", provider.MandateDead), said), false, false},
		"the payer must act yet": {provider.RequiresAction(with("RK1", provider.MandateActive), said), false, false},
	} {
		a := providers.AnswerToCore(c.answer)
		if (a.Approval != nil) != c.approval || a.MandateDead != c.dead || (a.Approval != nil && a.Approval.Dead != c.dead) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestMandateAnswers(t *testing.T) {
	t.Parallel()
	said := provider.Native{Body: json.RawMessage(`{}`)}
	for name, c := range map[string]struct {
		answer      provider.MandateAnswer
		known, dead bool
		reason      string
		native      bool
	}{
		"active":          {provider.MandateAnswer{Mandate: &provider.Mandate{State: provider.MandateActive}, Native: said}, true, false, "", true},
		"dead":            {provider.MandateAnswer{Mandate: &provider.Mandate{State: provider.MandateDead}}, true, true, "", false},
		"unspecified":     {provider.MandateAnswer{Mandate: &provider.Mandate{}, Native: said}, false, false, "bad_answer", true},
		"from the future": {provider.MandateAnswer{Mandate: &provider.Mandate{State: 9}, Native: said}, false, false, "bad_answer", true},
		"failure":         {provider.MandateAnswer{Failure: &provider.Failure{Reason: provider.ReasonTimeout}, Native: said}, false, false, "timeout", true},
		"both":            {provider.MandateAnswer{Mandate: &provider.Mandate{State: provider.MandateDead}, Failure: &provider.Failure{Reason: provider.ReasonAuth}}, false, false, "auth", false},
		"nothing":         {provider.MandateAnswer{}, false, false, "bad_answer", false},
		"a list": {
			provider.MandateAnswer{Mandate: &provider.Mandate{State: provider.MandateActive}, Native: provider.Native{Body: json.RawMessage(`[]`)}},
			false, false, "bad_answer", false,
		},
	} {
		a := providers.MandateToCore(c.answer)
		if a.Known != c.known || a.Dead != c.dead || a.Reason != c.reason || (len(a.Native) > 0) != c.native {
			t.Errorf("%s: %+v", name, a)
		}
	}
}
