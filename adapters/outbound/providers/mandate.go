package providers

import (
	"context"

	"github.com/payrack/payrack/plugins/sdk/provider"
	"github.com/payrack/payrack/ports/outbound"
)

// Mandate asks about a stored approval, or ends it.
func (s *session) Mandate(ctx context.Context, q outbound.MandateQuestion) outbound.MandateAnswer {
	deadline, ok := ctx.Deadline()
	if !ok {
		return outbound.MandateAnswer{Reason: string(provider.ReasonInternal), Detail: "the call has no deadline"}
	}
	supported := s.held.ChecksMandates
	if q.End {
		supported = s.held.EndsMandates
	}
	if !supported {
		return outbound.MandateAnswer{Reason: string(provider.ReasonUnsupported), Detail: "this payment type has no such operation on stored approvals"}
	}
	call := provider.Call{
		PaymentType: s.held.Name, Environment: string(q.Environment), NotAfter: notAfter(deadline), CredentialRef: q.CredentialRef,
		Account: q.Account, Wire: q.Wire, Credential: provider.NewDocument(q.Credential), Columns: provider.NewDocument([]byte("{}")),
	}
	token := provider.NewSecret(q.Token)
	operation := provider.KindCheckMandate
	var answer provider.MandateAnswer
	if q.End {
		operation = provider.KindExpireMandate
		answer = s.lease.ExpireMandate(ctx, provider.ExpireMandateRequest{Call: call, MandateToken: token})
	} else {
		answer = s.lease.CheckMandate(ctx, provider.CheckMandateRequest{Call: call, MandateToken: token, AuthorizeCard: q.AuthorizeCard})
	}
	out := mandateToCore(answer)
	if f := answer.Failure; f != nil {
		s.failed(ctx, string(operation), *f)
	} else if !out.Known {
		s.failed(ctx, string(operation), provider.Failure{Reason: provider.Reason(out.Reason), Detail: out.Detail})
	}
	return out
}

// mandateToCore reads what a plugin said about a stored approval. What cannot be read finds nothing out.
func mandateToCore(a provider.MandateAnswer) outbound.MandateAnswer {
	unread := func(detail string) outbound.MandateAnswer {
		return outbound.MandateAnswer{Reason: string(provider.ReasonBadAnswer), Detail: detail}
	}
	if !nativeOK(a.Native.Body) {
		return unread("the plugin's native body is no JSON object of at most 64 KiB")
	}
	if f := a.Failure; f != nil {
		return outbound.MandateAnswer{Reason: string(f.Reason), Detail: forClient(f), Native: a.Native.Body}
	}
	if a.Mandate == nil {
		return unread("the plugin answered neither a stored approval nor a failure")
	}
	out := outbound.MandateAnswer{Known: true, Label: word(a.Mandate.Label), Expires: a.Mandate.Expires, Native: a.Native.Body}
	switch a.Mandate.State {
	case provider.MandateActive:
		return out
	case provider.MandateDead:
		out.Dead = true
		return out
	case provider.MandateUnspecified:
	}
	out.Known, out.Reason, out.Detail = false, string(provider.ReasonBadAnswer), "the plugin did not say whether the stored approval can be charged"
	return out
}
