package host

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/payrack/payrack/plugins/internal/handshake"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// From the wire: what a plugin answered. A plugin is foreign code: whatever is missing, unheard of or
// contradicts itself reads as unknown, never as paid and never as declined.

const detailForeign = "the plugin's answer cannot be read"

func answerFromWire(a *providerv1.Answer) provider.Answer {
	native, ok := nativeFromWire(a.GetNative())
	if !ok {
		return provider.Unknown(provider.ReasonBadAnswer, "", "the native body is longer than 64 KiB or no JSON object")
	}
	switch known := a.GetKnown().(type) {
	case *providerv1.Answer_Result:
		return resultFromWire(known.Result, native)
	case *providerv1.Answer_Error:
		return failedFromWire(known.Error, native)
	default:
		return provider.Unknown(provider.ReasonBadAnswer, "", detailForeign)
	}
}

func resultFromWire(r *providerv1.Result, native provider.Native) provider.Answer {
	out := provider.Result{
		Reference:            referenceFromWire(r.GetReference()),
		Authorized:           moneyFromWire(r.GetAuthorized()),
		Captured:             moneyFromWire(r.GetCaptured()),
		Refunded:             moneyFromWire(r.GetRefunded()),
		Code:                 r.GetProviderCode(),
		DeclineCode:          r.GetDeclineCode(),
		Action:               actionFromWire(r.GetAction()),
		Mandate:              mandateFromWire(r.GetMandate()),
		ProviderTime:         timeFromWire(r.GetProviderTime()),
		AuthorizationExpires: timeFromWire(r.GetAuthorizationExpires()),
	}
	switch r.GetOutcome() {
	case providerv1.Outcome_OUTCOME_APPROVED:
		return provider.Approved(out, native)
	case providerv1.Outcome_OUTCOME_DECLINED:
		return provider.Declined(out, native)
	case providerv1.Outcome_OUTCOME_REQUIRES_ACTION:
		return provider.RequiresAction(out, native)
	case providerv1.Outcome_OUTCOME_UNKNOWN, providerv1.Outcome_OUTCOME_UNSPECIFIED:
		return provider.Undecided(out, native)
	default:
		return provider.Unknown(provider.ReasonBadAnswer, r.GetProviderCode(), detailForeign)
	}
}

func failedFromWire(e *providerv1.OpError, native provider.Native) provider.Answer {
	f := failureFromWire(e)
	var out provider.Answer
	if f.Effect == provider.EffectNone {
		out = provider.NotSent(f.Reason, f.Code, f.Detail)
	} else {
		out = provider.Unknown(f.Reason, f.Code, f.Detail)
	}
	return out.WithRetryAfter(f.RetryAfter).WithNative(native)
}

func failureFromWire(e *providerv1.OpError) *provider.Failure {
	out := &provider.Failure{
		Reason: reasons[e.GetReason()], // an unheard-of reason is ReasonUnspecified
		Code:   e.GetProviderCode(),
		Detail: e.GetDetail(),
	}
	if e.GetEffect() == providerv1.Effect_EFFECT_NONE {
		out.Effect = provider.EffectNone
	}
	if d := e.GetRetryAfter(); d.CheckValid() == nil && d.AsDuration() > 0 {
		out.RetryAfter = d.AsDuration()
	}
	return out
}

var reasons = map[providerv1.Reason]provider.Reason{
	providerv1.Reason_REASON_UNSPECIFIED:  provider.ReasonUnspecified,
	providerv1.Reason_REASON_INVALID:      provider.ReasonInvalid,
	providerv1.Reason_REASON_AUTH:         provider.ReasonAuth,
	providerv1.Reason_REASON_RATE_LIMITED: provider.ReasonRateLimited,
	providerv1.Reason_REASON_UNAVAILABLE:  provider.ReasonUnavailable,
	providerv1.Reason_REASON_TIMEOUT:      provider.ReasonTimeout,
	providerv1.Reason_REASON_BAD_ANSWER:   provider.ReasonBadAnswer,
	providerv1.Reason_REASON_UNSUPPORTED:  provider.ReasonUnsupported,
	providerv1.Reason_REASON_INTERNAL:     provider.ReasonInternal,
}

// nativeFromWire reports false for a body that no client may be shown.
func nativeFromWire(n *providerv1.Native) (provider.Native, bool) {
	if len(n.GetBody()) == 0 {
		return provider.Native{}, true
	}
	if len(n.GetBody()) > handshake.MaxNative || !isObject(n.GetBody()) {
		return provider.Native{}, false
	}
	return provider.Native{Body: n.GetBody(), Sensitive: n.GetSensitive()}, true
}

func referenceFromWire(r *providerv1.Reference) provider.Reference {
	return provider.Reference{
		OrderID:         r.GetOrderId(),
		TransactionID:   r.GetProviderTransactionId(),
		ClientReference: r.GetClientReference(),
	}
}

func moneyFromWire(m *providerv1.Money) *provider.Money {
	if m == nil {
		return nil
	}
	return &provider.Money{Units: m.GetUnits(), Currency: m.GetCurrency(), Exponent: int(m.GetExponent())}
}

func timeFromWire(t *timestamppb.Timestamp) time.Time {
	if t.CheckValid() != nil {
		return time.Time{}
	}
	return t.AsTime()
}

func actionFromWire(a *providerv1.Action) *provider.Action {
	if a == nil {
		return nil
	}
	return &provider.Action{
		WebURL: a.GetWebUrl(), AppURL: a.GetAppUrl(), Expires: timeFromWire(a.GetExpires()), Token: secretFromWire(a.GetToken()),
	}
}

func secretFromWire(s string) provider.Secret {
	if s == "" {
		return provider.Secret{}
	}
	return provider.NewSecret(s)
}

func mandateFromWire(m *providerv1.Mandate) *provider.Mandate {
	if m == nil {
		return nil
	}
	out := &provider.Mandate{Token: secretFromWire(m.GetToken()), Label: m.GetLabel(), Expires: timeFromWire(m.GetExpires())}
	switch m.GetState() {
	case providerv1.MandateState_MANDATE_STATE_ACTIVE:
		out.State = provider.MandateActive
	case providerv1.MandateState_MANDATE_STATE_DEAD:
		out.State = provider.MandateDead
	case providerv1.MandateState_MANDATE_STATE_UNSPECIFIED:
		out.State = provider.MandateUnspecified
	}
	return out
}

func searchFromWire(r *providerv1.SearchResponse) provider.SearchAnswer {
	native, ok := nativeFromWire(r.GetNative())
	if !ok {
		return provider.SearchAnswer{Failure: badAnswer("the native body is longer than 64 KiB or no JSON object")}
	}
	switch known := r.GetKnown().(type) {
	case *providerv1.SearchResponse_Findings:
		findings, ok := findingsFromWire(known.Findings)
		if !ok {
			return provider.SearchAnswer{Failure: badAnswer(detailForeign), Native: native}
		}
		return provider.SearchAnswer{Findings: findings, Native: native}
	case *providerv1.SearchResponse_Error:
		return provider.SearchAnswer{Failure: failureFromWire(known.Error), Native: native}
	default:
		return provider.SearchAnswer{Failure: badAnswer(detailForeign)}
	}
}

func badAnswer(detail string) *provider.Failure {
	return &provider.Failure{Reason: provider.ReasonBadAnswer, Detail: detail}
}

func findingsFromWire(f *providerv1.Findings) (*provider.Findings, bool) {
	finding, ok := findings[f.GetFinding()]
	if !ok {
		return nil, false
	}
	out := &provider.Findings{
		Finding:    finding,
		Complete:   f.GetComplete(),
		Reference:  referenceFromWire(f.GetReference()),
		Authorized: moneyFromWire(f.GetAuthorized()),
		Captured:   moneyFromWire(f.GetCaptured()),
		Refunded:   moneyFromWire(f.GetRefunded()),
		Mandate:    mandateFromWire(f.GetMandate()),
	}
	for _, m := range f.GetMovements() {
		kind, ok := kinds[m.GetKind()]
		if !ok || m.GetAmount() == nil {
			return nil, false // a movement that cannot be understood must not be left out of a sum
		}
		out.Movements = append(out.Movements, provider.Movement{
			Kind: kind, ID: m.GetId(), ClientReference: m.GetClientReference(),
			Amount: *moneyFromWire(m.GetAmount()), At: timeFromWire(m.GetAt()),
		})
	}
	return out, true
}

var findings = map[providerv1.Finding]provider.Finding{
	providerv1.Finding_FINDING_UNSPECIFIED:    provider.FindingInProgress,
	providerv1.Finding_FINDING_IN_PROGRESS:    provider.FindingInProgress,
	providerv1.Finding_FINDING_FOUND:          provider.FindingFound,
	providerv1.Finding_FINDING_NOT_FOUND:      provider.FindingNotFound,
	providerv1.Finding_FINDING_AWAITING_PAYER: provider.FindingAwaitingPayer,
	providerv1.Finding_FINDING_PAYER_APPROVED: provider.FindingPayerApproved,
	providerv1.Finding_FINDING_ENDED:          provider.FindingEnded,
}

func mandateAnswerFromWire(m *providerv1.Mandate, e *providerv1.OpError, n *providerv1.Native) provider.MandateAnswer {
	native, ok := nativeFromWire(n)
	switch {
	case !ok:
		return provider.MandateAnswer{Failure: badAnswer("the native body is longer than 64 KiB or no JSON object")}
	case m != nil:
		return provider.MandateAnswer{Mandate: mandateFromWire(m), Native: native}
	case e != nil:
		return provider.MandateAnswer{Failure: failureFromWire(e), Native: native}
	default:
		return provider.MandateAnswer{Failure: badAnswer(detailForeign)}
	}
}

func notificationFromWire(r *providerv1.ParseNotificationResponse) provider.NotificationAnswer {
	out := provider.NotificationAnswer{Status: int(r.GetStatus())}
	if native, ok := nativeFromWire(r.GetReply()); ok {
		out.Reply = native
	}
	for _, a := range r.GetAbout() {
		out.About = append(out.About, referenceFromWire(a))
	}
	return out
}
