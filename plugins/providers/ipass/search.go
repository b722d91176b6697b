package ipass

import (
	"context"
	"errors"
	"time"

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
	q, iv := question{call: r.Call, reqID: newRequestID(), order: r.Reference.OrderID}, freshIV()
	if r.Purpose == provider.PurposeClient {
		q.reqID = requestID(r.Call, "")
		if iv, err = c.clientIV(); err != nil {
			return failed(provider.NothingSent(provider.ReasonInvalid, err))
		}
	}
	found, failure := p.look(ctx, q, c, iv)
	if failure != nil {
		return failed(failure)
	}
	if r.Purpose == provider.PurposeClient {
		return p.forClient(found, r, c)
	}
	return p.forPlatform(found, r, c)
}

func failed(f *provider.Failure) provider.SearchAnswer { return provider.SearchAnswer{Failure: f} }

// recordState says what a search brought.
type recordState uint8

const (
	recordRefused    recordState = iota // a code that tells nothing about the order
	recordUnreadable                    // refused in clear: iPASS did not take the search
	recordNone
	recordFound
)

// record is iPASS's answer to a search.
type record struct {
	answer

	state recordState
}

// transaction is the payment's id, under either name.
func (r record) transaction() text {
	if r.TransactionID != "" {
		return r.TransactionID
	}
	return r.OriginalTransactionID
}

// look asks for the record of an order.
func (p *Provider) look(ctx context.Context, q question, c credential, iv [ivSize]byte) (record, *provider.Failure) {
	clear, err := whole([]member{p.quoted("req_id", q.reqID), p.quoted("order_number", q.order)})
	if err != nil {
		return record{}, provider.NothingSent(provider.ReasonInvalid, err)
	}
	a, refused, failure := p.exchange(ctx, q.call, c, iv, p.wire.Paths.Search, clear)
	if failure != nil {
		return record{}, failure
	}
	if err := a.isAbout(q); err != nil {
		return record{}, provider.BadAnswer(err)
	}
	switch class := p.wire.class(a.ReturnCode).Class; {
	case refused:
		return record{a, recordUnreadable}, nil
	case class == classSuccess && a.ReqID == "":
		return record{}, provider.BadAnswer(errors.New("success without our req_id"))
	case class == classSuccess:
		return record{a, recordFound}, nil
	case class == classNotFound:
		return record{a, recordNone}, nil
	default:
		return record{a, recordRefused}, nil
	}
}

// forClient passes the record through as it is.
func (p *Provider) forClient(found record, r provider.SearchRequest, c credential) provider.SearchAnswer {
	out := p.conclude(found, r, c)
	if out.Failure == nil || found.state != recordFound {
		out.Native = found.body()
	}
	return out
}

// forPlatform concludes, and gives in place of the record the answer that the operation in doubt would have
// brought.
func (p *Provider) forPlatform(found record, r provider.SearchRequest, c credential) provider.SearchAnswer {
	out := p.conclude(found, r, c)
	if out.Findings != nil && found.state == recordFound {
		out.Native = p.wire.asAnswered(found, r, *out.Findings)
	}
	return out
}

// conclude says what a record means.
func (p *Provider) conclude(found record, r provider.SearchRequest, c credential) provider.SearchAnswer {
	reason := provider.ReasonUnavailable
	switch found.state {
	case recordFound:
		f, err := p.findings(found, r, c)
		if err != nil {
			return failed(provider.BadAnswer(err))
		}
		return provider.SearchAnswer{Findings: &f}
	case recordNone:
		return provider.SearchAnswer{Findings: &provider.Findings{Finding: provider.FindingNotFound, Complete: true}}
	case recordUnreadable:
		reason = provider.ReasonAuth
	case recordRefused:
	}
	return failed(&provider.Failure{
		Effect: provider.EffectPossible, Reason: reason, Code: found.ReturnCode, Detail: "iPASS refused the search",
	})
}
