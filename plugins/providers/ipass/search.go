package ipass

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Search answers a client with iPASS's record of an order, and the platform with what became of a payment.
func (p *Provider) Search(ctx context.Context, r provider.SearchRequest) provider.SearchAnswer {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.timeouts.Search))
	defer cancel()
	c, err := credentialOf(r.Call)
	if err != nil {
		return failed(provider.NothingSent(provider.ReasonAuth, err))
	}
	if r.Reference.OrderID == "" {
		return failed(provider.NothingSent(provider.ReasonInvalid, errors.New("order_number is missing: iPASS finds a payment by it only")))
	}
	// Only the client's own search is the request that the client's iv and req_id were made for; they have
	// served already when the platform searches.
	iv, reqID := freshIV(), strings.ToUpper(uuid.NewString())
	if r.Purpose == provider.PurposeClient {
		reqID = requestID(r.Call)
		if iv, err = c.clientIV(); err != nil {
			return failed(provider.NothingSent(provider.ReasonInvalid, err))
		}
	}
	clear, err := p.clearSearch(reqID, r.Reference.OrderID)
	if err != nil {
		return failed(provider.NothingSent(provider.ReasonInvalid, err))
	}
	a, refused, failure := p.exchange(ctx, r.Call, c, iv, p.wire.Paths.Search, clear)
	if failure != nil {
		return failed(failure)
	}
	if err := a.isAbout(reqID, r.Reference.OrderID); err != nil {
		return failed(provider.BadAnswer(err))
	}
	switch class := p.wire.class(a.ReturnCode).Class; {
	case class == classSuccess && !refused && a.ReqID == "":
		return failed(provider.BadAnswer(errors.New("success without our req_id")))
	case class == classSuccess && !refused:
		f, err := p.findings(a)
		if err != nil {
			return failed(provider.BadAnswer(err))
		}
		return provider.SearchAnswer{Findings: &f, Native: a.body()}
	case class == classNotFound && !refused:
		return provider.SearchAnswer{Findings: &provider.Findings{Finding: provider.FindingNotFound, Complete: true}, Native: a.body()}
	}
	reason := provider.ReasonUnavailable
	if refused {
		reason = provider.ReasonAuth
	}
	return provider.SearchAnswer{
		Failure: &provider.Failure{
			Effect: provider.EffectPossible, Reason: reason, Code: a.ReturnCode, Detail: "iPASS refused the search",
		},
		Native: a.body(),
	}
}

func failed(f *provider.Failure) provider.SearchAnswer { return provider.SearchAnswer{Failure: f} }

// findings says what a record means. The amounts are reported as they are; the platform compares them.
func (p *Provider) findings(a answer) (provider.Findings, error) {
	amount, err := a.Amount.units()
	if err != nil {
		return provider.Findings{}, err
	}
	refunded, err := a.RefundedAmount.units()
	if err != nil {
		return provider.Findings{}, err
	}
	id := a.TransactionID
	if id == "" {
		id = a.OriginalTransactionID
	}
	f := provider.Findings{
		Finding:   provider.FindingInProgress,
		Reference: provider.Reference{OrderID: string(a.OrderNumber), TransactionID: string(id)},
	}
	switch p.wire.PayStatus[string(a.PayStatus)] {
	case statusPaid, statusPartlyRefunded:
		f.Finding, f.Complete, f.Captured, f.Refunded = provider.FindingFound, true, amount, refunded
	case statusRefunded:
		if refunded == nil {
			refunded = amount
		}
		f.Finding, f.Complete, f.Captured, f.Refunded = provider.FindingFound, true, amount, refunded
	case statusReversed, statusFailed:
		f.Finding, f.Complete = provider.FindingEnded, true
	}
	return f, nil
}
