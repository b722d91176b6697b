package providers_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/payrack/payrack/adapters/outbound/providers"
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
