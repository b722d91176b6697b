package linepay

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Search answers a client with payment details, and the platform with what became of a payment.
func (p *Provider) Search(ctx context.Context, r provider.SearchRequest) provider.SearchAnswer {
	ctx, cancel := within(ctx, p.timeouts.Search)
	defer cancel()
	m, err := merchantOf(r.Call)
	if err != nil {
		return provider.SearchAnswer{Failure: provider.NothingSent(provider.ReasonAuth, err)}
	}
	if r.Reference.OrderID == "" && r.Reference.TransactionID == "" {
		return provider.SearchAnswer{Failure: provider.NothingSent(provider.ReasonInvalid, errors.New("neither orderId nor transactionId is given"))}
	}
	s := inquiry{Provider: p, call: r.Call, merchant: m, asked: r.Reference, about: r.About}
	if r.Purpose == provider.PurposeClient {
		return s.forClient(ctx)
	}
	if s.about == "" {
		s.about = provider.KindPay
	}
	seen := s.resolve(ctx)
	return provider.SearchAnswer{Findings: seen.Findings, Failure: seen.Failure, Native: s.native(seen)}
}

const (
	detailsPath        = "/payments"
	authorizationsPath = "/payments/authorizations"
)

// inquiry is one search: who asks for what.
type inquiry struct {
	*Provider

	call     provider.Call
	merchant merchant
	asked    provider.Reference
	about    provider.Kind
}

// sight is what one request of a search brought.
type sight struct {
	Findings *provider.Findings
	Failure  *provider.Failure
	// answer as it came; its zero value if there was none.
	answer envelope
	// written is the payment's record in LINE Pay's own words, if there is one.
	written written
}

func (s sight) missing() bool {
	return s.Findings != nil && s.Findings.Finding == provider.FindingNotFound
}

// notYet is a payment that must be there and is not shown: nothing can be concluded from it.
func (s sight) notYet() sight {
	s.Findings = &provider.Findings{Finding: provider.FindingInProgress}
	return s
}

// forClient is the client's search: LINE Pay's record in its own shape. Details show what was taken, authorizations
// what is only held, and before the confirm of an online payment LINE Pay has no record at all.
func (s inquiry) forClient(ctx context.Context) provider.SearchAnswer {
	seen := s.records(ctx, detailsPath)
	if seen.missing() && s.hasAuthorizations() {
		if held := s.records(ctx, authorizationsPath); held.Findings == nil {
			seen.Findings.Complete = false // nobody knows what it would have shown
		} else if !held.missing() {
			seen = held
		}
	}
	if seen.missing() && s.hasStatus() {
		// The client still reads "no such record", and the platform how far the payer came.
		if state := s.status(ctx); state.Findings != nil {
			seen.Findings = state.Findings
		}
	}
	return provider.SearchAnswer{Findings: seen.Findings, Failure: seen.Failure, Native: seen.answer.body()}
}

// resolve settles an operation in doubt with as few requests as give a certain answer.
func (s inquiry) resolve(ctx context.Context) sight {
	begins := s.about == provider.KindPay || s.about == provider.KindConfirm
	switch {
	case !begins:
		// The payment was there before: a follow-up changed its record, or did not.
		if seen := s.recorded(ctx, s.about == provider.KindVoid); !seen.missing() {
			return seen
		}
		return sight{}.notYet()
	case s.call.PaymentType == TypeQRCode && s.asked.OrderID != "":
		return s.checked(ctx)
	case s.hasStatus():
		return s.reserved(ctx)
	case s.call.PaymentType == TypeOnline && s.about == provider.KindPay && s.asked.TransactionID != "":
		// v2 has no status: a payer who has not come back and one who never will look alike.
		seen := s.recorded(ctx, false)
		if seen.missing() {
			seen.Findings = &provider.Findings{Finding: provider.FindingAwaitingPayer}
		}
		return seen
	default:
		return s.recorded(ctx, false)
	}
}

// checked settles a payment in a store by its order number. The check tells how far it came, even while it is under
// way; the records tell whether it was taken or only authorized, and what was given back.
func (s inquiry) checked(ctx context.Context) sight {
	e, failure := s.exchange(ctx, s.call, s.merchant, request{
		method:   http.MethodGet,
		path:     "/payments/orders/" + url.PathEscape(s.asked.OrderID) + "/check",
		template: "/payments/orders/{orderId}/check",
	})
	if failure != nil {
		return sight{Failure: failure}
	}
	if c := codes[e.ReturnCode]; c.class != success {
		return refused(e, c)
	}
	var info paidInfo
	if err := e.info(&info); err != nil {
		return sight{Failure: provider.BadAnswer(err)}
	}
	if info.OrderID != "" && info.OrderID != s.asked.OrderID {
		return sight{Failure: provider.BadAnswer(errOtherPayment)}
	}
	ref := provider.Reference{OrderID: info.OrderID}
	if id, err := info.TransactionID.id(); err == nil {
		ref.TransactionID = id
	}
	switch info.Status {
	case "COMPLETE", "REFUND":
		if seen := s.recorded(ctx, false); !seen.missing() {
			return seen
		}
		return sight{}.notYet()
	case "CANCEL", "FAIL":
		return found(e, provider.Findings{Finding: provider.FindingEnded, Complete: true, Reference: ref})
	default:
		// AUTH_READY, and every status that nobody documented.
		return found(e, provider.Findings{Finding: provider.FindingInProgress, Reference: ref})
	}
}

// recorded reads what was taken and, if nothing was taken, what is or was only held; the other way round if a hold
// is what is asked about.
func (s inquiry) recorded(ctx context.Context, heldFirst bool) sight {
	if s.asked.OrderID != "" && (s.call.PaymentType == TypeQRCode || s.asked.TransactionID == "") {
		s.asked.TransactionID = "" // one id is enough, and the platform compares the other
	} else {
		s.asked.OrderID = "" // online the transaction is the payment: an order may have had several
	}
	one, other := detailsPath, authorizationsPath
	if heldFirst {
		one, other = other, one
	}
	if !s.hasAuthorizations() {
		return s.records(ctx, detailsPath)
	}
	if seen := s.records(ctx, one); !seen.missing() {
		return seen
	}
	return s.records(ctx, other)
}

// hasAuthorizations reports whether what is only held has records of its own. Online they are among the details
// since v3.
func (s inquiry) hasAuthorizations() bool {
	return s.call.PaymentType == TypeQRCode || s.merchant.Version == v2
}

// records asks for payment details or authorization details.
func (s inquiry) records(ctx context.Context, path string) sight {
	query := url.Values{}
	if s.asked.OrderID != "" {
		query.Set("orderId", s.asked.OrderID)
	}
	if s.asked.TransactionID != "" {
		query.Set("transactionId", s.asked.TransactionID)
	}
	e, failure := s.exchange(ctx, s.call, s.merchant, get(path, query))
	if failure != nil {
		return sight{Failure: failure}
	}
	if c := codes[e.ReturnCode]; c.class != success {
		return refused(e, c)
	}
	var records []record
	if err := e.info(&records); err != nil {
		return sight{Failure: provider.BadAnswer(err)}
	}
	if path == authorizationsPath {
		for i := range records {
			records[i].authorized = true
		}
	}
	findings, at, err := s.read(records)
	if err != nil {
		return sight{Failure: provider.BadAnswer(err)}
	}
	seen := found(e, findings)
	seen.written = writtenAt(e, at)
	return seen
}

func found(e envelope, f provider.Findings) sight { return sight{Findings: &f, answer: e} }

// refused is an answer with another code than success: not found is a finding, all else is a failure that
// keeps LINE Pay's answer for the client.
func refused(e envelope, c code) sight {
	if c.class == missing {
		return found(e, provider.Findings{Finding: provider.FindingNotFound, Complete: true})
	}
	return sight{
		Failure: &provider.Failure{
			Effect: provider.EffectPossible, Reason: c.class.reason(), Code: e.ReturnCode,
			Detail: "LINE Pay refused the search",
		},
		answer: e,
	}
}
