package payment

import (
	"time"

	"github.com/payrack/payrack/core/money"
)

// Evidence is what a provider said about a payment. An absent member is no difference; a present different
// one is a mismatch.
type Evidence struct {
	OrderID             string
	ProviderTransaction string
	// Authorized, Captured and Refunded are zero values where the provider did not say.
	Authorized        money.Amount
	Captured          money.Amount
	Refunded          money.Amount
	Code              string
	DeclineCode       string
	ProviderTime      time.Time
	AuthorizationEnds time.Time
	// RefundIDs are the provider's ids of refunds that it lists.
	RefundIDs []string
}
