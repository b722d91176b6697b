package linepay

import (
	"context"
	"net/http"
	"net/url"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// The status of an online payment before and after its confirm stands in the return code.
const (
	statusWaiting   = codeOK // the payer has not approved yet: nothing is paid
	statusApproved  = "0110" // the payer approved: confirm
	statusCancelled = "0121" // cancelled by the payer, or 20 minutes are over
	statusFailed    = "0122"
	statusCompleted = "0123" // confirmed
)

// hasStatus reports whether LINE Pay can be asked how far the payer came: since v3, by transaction id.
func (s inquiry) hasStatus() bool {
	return s.call.PaymentType == TypeOnline && s.merchant.Version != v2 && s.asked.TransactionID != ""
}

// reserved settles the begin and the confirm of an online payment.
func (s inquiry) reserved(ctx context.Context) sight {
	seen := s.status(ctx)
	if seen.answer.ReturnCode != statusCompleted {
		return seen
	}
	if seen = s.recorded(ctx, false); seen.missing() {
		return sight{}.notYet() // confirmed, and no record shows it yet
	}
	return seen
}

// status asks how far the payer came. Confirmed is "in progress" here: the records have the amounts.
func (s inquiry) status(ctx context.Context) sight {
	e, failure := s.exchange(ctx, s.call, s.merchant, request{
		method:   http.MethodGet,
		path:     "/payments/requests/" + url.PathEscape(s.asked.TransactionID) + "/check",
		template: "/payments/requests/{transactionId}/check",
	})
	if failure != nil {
		return sight{Failure: failure}
	}
	f := provider.Findings{Complete: true, Reference: provider.Reference{TransactionID: s.asked.TransactionID}}
	switch e.ReturnCode {
	case statusWaiting:
		f.Finding = provider.FindingAwaitingPayer
	case statusApproved:
		f.Finding = provider.FindingPayerApproved
	case statusCancelled, statusFailed:
		f.Finding = provider.FindingEnded
	case statusCompleted:
		f.Finding, f.Complete = provider.FindingInProgress, false
	default:
		return refused(e, codes[e.ReturnCode])
	}
	return found(e, f)
}
