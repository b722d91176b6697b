package linepay

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Search answers a client with payment details, and the platform with what became of a payment.
func (p *Provider) Search(ctx context.Context, r provider.SearchRequest) provider.SearchAnswer {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.timeouts.Search))
	defer cancel()
	m, err := merchantOf(r.Call)
	if err != nil {
		return provider.SearchAnswer{Failure: provider.NothingSent(provider.ReasonAuth, err)}
	}
	if r.Reference.OrderID == "" && r.Reference.TransactionID == "" {
		return provider.SearchAnswer{Failure: provider.NothingSent(provider.ReasonInvalid, errors.New("neither orderId nor transactionId is given"))}
	}
	s := search{Provider: p, call: r.Call, merchant: m, asked: r.Reference}
	if r.Purpose == provider.PurposeClient {
		return s.details(ctx)
	}
	if r.Reference.OrderID == "" {
		return s.recorded(ctx)
	}
	return s.resolve(ctx)
}

const (
	detailsPath        = "/payments"
	authorizationsPath = "/payments/authorizations"
)

// search is one search: who asks for what.
type search struct {
	*Provider

	call     provider.Call
	merchant merchant
	asked    provider.Reference
}

// details is the client's search: LINE Pay's record in its own shape.
func (s search) details(ctx context.Context) provider.SearchAnswer {
	return s.records(ctx, detailsPath)
}

// resolve settles a payment by its order number. The check tells how far it came, even while it is under
// way; the records tell whether it was taken or only authorized, and what was given back.
func (s search) resolve(ctx context.Context) provider.SearchAnswer {
	e, failure := s.exchange(ctx, s.call, s.merchant, request{
		method:   http.MethodGet,
		path:     "/payments/orders/" + url.PathEscape(s.asked.OrderID) + "/check",
		template: "/payments/orders/{orderId}/check",
	})
	if failure != nil {
		return provider.SearchAnswer{Failure: failure}
	}
	if c := codes[e.ReturnCode]; c.class != success {
		return refused(e, c)
	}
	var info paidInfo
	if err := e.info(&info); err != nil {
		return provider.SearchAnswer{Failure: provider.BadAnswer(err)}
	}
	if info.OrderID != "" && info.OrderID != s.asked.OrderID {
		return provider.SearchAnswer{Failure: provider.BadAnswer(errOtherPayment)}
	}
	switch info.Status {
	case "COMPLETE", "REFUND":
		return s.recorded(ctx)
	case "CANCEL", "FAIL":
		return found(e, provider.Findings{Finding: provider.FindingEnded, Complete: true, Reference: s.reference(info)})
	default:
		// AUTH_READY, and every status that nobody documented.
		return found(e, provider.Findings{Finding: provider.FindingInProgress, Reference: s.reference(info)})
	}
}

// recorded reads what was taken, and if nothing was taken, what is only authorized.
func (s search) recorded(ctx context.Context) provider.SearchAnswer {
	if s.asked.OrderID != "" {
		s.asked.TransactionID = "" // one id is enough, and the platform compares the other
	}
	answer := s.records(ctx, detailsPath)
	if answer.Findings == nil || answer.Findings.Finding != provider.FindingNotFound {
		return answer
	}
	answer = s.records(ctx, authorizationsPath)
	if answer.Findings != nil && answer.Findings.Finding == provider.FindingNotFound && s.asked.OrderID != "" {
		// The check called it complete and no record shows it yet: it is there, and not to be concluded from.
		answer.Findings.Finding, answer.Findings.Complete = provider.FindingInProgress, false
	}
	return answer
}

// records asks for payment details or authorization details.
func (s search) records(ctx context.Context, path string) provider.SearchAnswer {
	query := url.Values{}
	if s.asked.OrderID != "" {
		query.Set("orderId", s.asked.OrderID)
	}
	if s.asked.TransactionID != "" {
		query.Set("transactionId", s.asked.TransactionID)
	}
	e, failure := s.exchange(ctx, s.call, s.merchant, request{method: http.MethodGet, path: path, template: path, query: query})
	if failure != nil {
		return provider.SearchAnswer{Failure: failure}
	}
	if c := codes[e.ReturnCode]; c.class != success {
		return refused(e, c)
	}
	var records []record
	if err := e.info(&records); err != nil {
		return provider.SearchAnswer{Failure: provider.BadAnswer(err)}
	}
	if path == authorizationsPath {
		for i := range records {
			records[i].authorized = true
		}
	}
	findings, err := s.read(records)
	if err != nil {
		return provider.SearchAnswer{Failure: provider.BadAnswer(err)}
	}
	return found(e, findings)
}

func found(e envelope, f provider.Findings) provider.SearchAnswer {
	return provider.SearchAnswer{Findings: &f, Native: e.body()}
}

// refused is an answer with another code than success: not found is a finding, all else is a failure that
// keeps LINE Pay's answer for the client.
func refused(e envelope, c code) provider.SearchAnswer {
	if c.class == missing {
		return found(e, provider.Findings{Finding: provider.FindingNotFound, Complete: true})
	}
	return provider.SearchAnswer{
		Failure: &provider.Failure{
			Effect: provider.EffectPossible, Reason: c.class.reason(), Code: e.ReturnCode,
			Detail: "LINE Pay refused the search",
		},
		Native: e.body(),
	}
}

// reference falls back to what was asked where the answer is silent.
func (s search) reference(info paidInfo) provider.Reference {
	ref := provider.Reference{OrderID: info.OrderID}
	if id, err := info.TransactionID.id(); err == nil {
		ref.TransactionID = id
	}
	return ref
}
