package providers

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/plugins/sdk/provider"
	"github.com/payrack/payrack/ports/outbound"
)

// maxNative bounds the body that is stored and shown.
const maxNative = 64 << 10

// Bounds of what is kept of a provider's words, in bytes: what no database takes, or only one of ours, would leave an outcome
// that can never be written down.
const (
	maxWord = 200
	maxID   = 512
)

// answerToCore says how much an answer settles. Whatever is not clear settles nothing.
func answerToCore(a provider.Answer) outbound.Answer {
	native := a.Native()
	if !nativeOK(native.Body) {
		return unreadable("the plugin's native body is no JSON object of at most 64 KiB")
	}
	out := outbound.Answer{Native: native.Body, Sensitive: native.Sensitive}
	if f := a.Failure(); f != nil {
		out.Reason, out.Detail, out.Evidence.Code = string(f.Reason), forClient(f), word(f.Code)
		if f.Effect == provider.EffectNone {
			out.Known = payment.KnownNotSent
		}
		return out
	}
	r := a.Result()
	if r == nil {
		if a.Outcome() == provider.OutcomeUnknown {
			return out
		}
		return unreadable("the plugin answered an outcome without a result")
	}
	evidence, ok := evidenceOf(r)
	if !ok {
		return unreadable("the plugin answered an amount in a unit that is not the currency's, or an id that is none")
	}
	out.Evidence = evidence
	dead := r.Mandate != nil && r.Mandate.State == provider.MandateDead
	switch a.Outcome() {
	case provider.OutcomeApproved:
		if len(native.Body) == 0 {
			// The client is shown the provider's own words for "paid"; without them nobody can be told.
			return unreadable("the plugin answered approved without the provider's body")
		}
		out.Known, out.Approval, out.MandateDead = payment.KnownApproved, approvalOf(r.Mandate), dead
	case provider.OutcomeDeclined:
		out.Known, out.MandateDead = payment.KnownDeclined, dead
	case provider.OutcomeRequiresAction:
		if r.Action == nil {
			return unreadable("the plugin answered that the payer must act, and not how")
		}
		out.Known, out.WebURL, out.AppURL, out.ActionExpires = payment.KnownAction, r.Action.WebURL, r.Action.AppURL, r.Action.Expires
	case provider.OutcomeUnknown:
	}
	return out
}

// approvalOf is a stored approval that can be kept: one without a token cannot be charged, and is none.
func approvalOf(m *provider.Mandate) *outbound.Approval {
	if m == nil || m.Token.Empty() {
		return nil
	}
	return &outbound.Approval{Token: m.Token.Reveal(), Label: word(m.Label), Dead: m.State == provider.MandateDead, Expires: m.Expires}
}

// forClient is what of a failure's text may go on to the client: what it can change in its request. All other
// texts are for the operator, and stay in the log of this adapter.
func forClient(f *provider.Failure) string {
	switch f.Reason {
	case provider.ReasonInvalid, provider.ReasonUnsupported:
		return f.Detail
	case provider.ReasonUnspecified, provider.ReasonAuth, provider.ReasonRateLimited, provider.ReasonUnavailable,
		provider.ReasonTimeout, provider.ReasonBadAnswer, provider.ReasonInternal:
		return ""
	}
	return ""
}

// unreadable is an answer that says nothing: bytes may have left.
func unreadable(detail string) outbound.Answer {
	return outbound.Answer{Known: payment.KnownNothing, Reason: string(provider.ReasonBadAnswer), Detail: detail}
}

func nativeOK(body json.RawMessage) bool {
	if len(body) == 0 {
		return true
	}
	return len(body) <= maxNative && body[0] == '{' && utf8.Valid(body) && json.Valid(body)
}

func evidenceOf(r *provider.Result) (payment.Evidence, bool) {
	e := payment.Evidence{
		OrderID: r.Reference.OrderID, ProviderTransaction: r.Reference.TransactionID, Code: word(r.Code), DeclineCode: word(r.DeclineCode),
		ProviderTime: r.ProviderTime, AuthorizationEnds: r.AuthorizationExpires,
	}
	ok := amounts(&e, r.Authorized, r.Captured, r.Refunded)
	return e, ok && isID(e.ProviderTransaction)
}

// word is what is kept of a text that is shown and decides nothing.
func word(s string) string {
	if len(s) <= maxWord && !strings.ContainsFunc(s, unicode.IsControl) && utf8.ValidString(s) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.ToValidUTF8(s[:min(len(s), maxWord)], "")
}

// isID reports whether a provider's id can be kept as it is; none can.
func isID(s string) bool {
	return len(s) <= maxID && !strings.ContainsFunc(s, unicode.IsControl) && utf8.ValidString(s)
}

// amounts takes over what the provider named. A named zero keeps its currency: "nothing was taken" is not the same
// as not a word about it.
func amounts(e *payment.Evidence, authorized, captured, refunded *provider.Money) bool {
	for _, x := range []struct {
		from *provider.Money
		to   *money.Amount
	}{{authorized, &e.Authorized}, {captured, &e.Captured}, {refunded, &e.Refunded}} {
		if x.from == nil {
			continue
		}
		currency := money.Currency(x.from.Currency)
		exponent, err := currency.Exponent()
		if err != nil || exponent != x.from.Exponent || x.from.Units < 0 {
			return false
		}
		*x.to = money.Amount{Units: x.from.Units, Currency: currency}
	}
	return true
}

// findingsToCore reads a search. What cannot be read finds nothing out.
func findingsToCore(a provider.SearchAnswer) outbound.Findings {
	failed := func(detail string) outbound.Findings {
		return outbound.Findings{Failed: true, Reason: string(provider.ReasonBadAnswer), Detail: detail}
	}
	if !nativeOK(a.Native.Body) {
		return failed("the plugin's native body is no JSON object of at most 64 KiB")
	}
	if f := a.Failure; f != nil {
		return outbound.Findings{
			Failed: true, NotSent: f.Effect == provider.EffectNone, Reason: string(f.Reason), Detail: forClient(f),
			Evidence: payment.Evidence{Code: word(f.Code)}, Native: a.Native.Body,
		}
	}
	f := a.Findings
	if f == nil {
		return failed("the plugin answered neither findings nor a failure")
	}
	finding, ok := findingToCore(f.Finding)
	out := outbound.Findings{
		Finding: finding, Complete: f.Complete, Native: a.Native.Body,
		Evidence: payment.Evidence{OrderID: f.Reference.OrderID, ProviderTransaction: f.Reference.TransactionID},
	}
	if !ok || !isID(f.Reference.TransactionID) || !amounts(&out.Evidence, f.Authorized, f.Captured, f.Refunded) {
		return failed("the plugin found something that cannot be read")
	}
	for _, m := range f.Movements {
		if !isID(m.ID) {
			return failed("the plugin found something that cannot be read")
		}
		if m.Kind == provider.KindRefund && m.ID != "" {
			out.Evidence.RefundIDs = append(out.Evidence.RefundIDs, m.ID)
		}
	}
	return out
}

func findingToCore(f provider.Finding) (payment.Finding, bool) {
	switch f {
	case provider.FindingFound:
		return payment.FindingFound, true
	case provider.FindingNotFound:
		return payment.FindingNotFound, true
	case provider.FindingInProgress:
		return payment.FindingInProgress, true
	case provider.FindingAwaitingPayer:
		return payment.FindingAwaitingPayer, true
	case provider.FindingPayerApproved:
		return payment.FindingPayerApproved, true
	case provider.FindingEnded:
		return payment.FindingEnded, true
	}
	return payment.FindingNothing, false
}
