package payment

import "sync"

// Transition is one allowed change of a payment's state.
type Transition struct {
	From, To State
	// Why names who makes it and on what condition.
	Why string
}

// Transitions is the table of allowed changes. The reducer refuses everything else, and so do triggers in
// the database. A pair of equal states is a change that keeps the state: a check, an epoch, an amount.
func Transitions() []Transition {
	return []Transition{
		{Sending, Succeeded, "the provider took the money as asked"},
		{Sending, Authorized, "the provider holds the money as asked"},
		{Sending, RequiresAction, "the provider waits for the payer"},
		{Sending, Failed, "declined for certain, or no byte was sent"},
		{Sending, Unknown, "anything else, or the process that sent it died"},
		{Sending, Mismatch, "money moved, but not as asked"},
		{Sending, Reversing, "the company cancelled while the outcome was open"},

		{Unknown, Unknown, "a search did not settle it"},
		{Unknown, Succeeded, "a search found the money taken"},
		{Unknown, Authorized, "a search found the money held"},
		{Unknown, Failed, "a search proved that no money moved"},
		{Unknown, Mismatch, "a search found money, but not as asked"},
		{Unknown, Reversing, "the policy decided, or the company cancelled"},
		{Unknown, Review, "checks used up, or contradicting evidence"},

		{RequiresAction, RequiresAction, "a check while the payer has not acted"},
		{RequiresAction, Sending, "the payer approved: confirm"},
		{RequiresAction, Expired, "the provider says cancelled or expired"},
		{RequiresAction, Failed, "the provider says failed"},
		{RequiresAction, Reversing, "the company cancelled before the payer acted"},

		{Authorized, Authorized, "a check whether the authorization still stands"},
		{Authorized, Capturing, "the company captures"},
		{Authorized, Voiding, "the company voids"},
		{Authorized, Expired, "the provider says the authorization lapsed"},

		{Capturing, Capturing, "the outcome of the capture is unknown"},
		{Capturing, Succeeded, "captured"},
		{Capturing, Authorized, "the capture was declined or not sent"},
		{Capturing, Failed, "a search shows that the provider cancelled the authorization"},
		{Capturing, Reversed, "a search shows that the provider gave the money back"},
		{Capturing, Mismatch, "another amount was captured"},
		{Capturing, Review, "checks used up, or contradicting evidence"},

		{Voiding, Voiding, "the outcome of the void is unknown"},
		{Voiding, Voided, "voided"},
		{Voiding, Authorized, "the void was declined or not sent"},
		{Voiding, Succeeded, "the void of a captured payment was declined or not sent"},
		{Voiding, Review, "checks used up, or contradicting evidence"},

		{Succeeded, Refunding, "the company refunds"},
		{Succeeded, Voiding, "the company voids a capture that is not settled"},
		{PartiallyRefunded, Refunding, "the company refunds more"},

		{Refunding, Refunding, "the outcome of the refund is unknown"},
		{Refunding, Refunded, "all of it was given back"},
		{Refunding, PartiallyRefunded, "part of it was given back"},
		{Refunding, Succeeded, "the only refund was declined or not sent"},
		{Refunding, Review, "checks used up, or contradicting evidence"},

		{Mismatch, Mismatch, "a check before it is reversed"},
		{Mismatch, Reversing, "always: the company did not ask for this"},
		{Mismatch, Review, "contradicting evidence"},

		{Reversing, Reversing, "search, void or refund, until proven"},
		{Reversing, Reversed, "a search shows the money back in full"},
		{Reversing, Failed, "a search proved that no money moved"},
		{Reversing, Review, "checks used up, or contradicting evidence"},

		{Failed, Sending, "not sent before: the same request runs again as a new operation"},
		{Failed, Reversing, "a late charge was found after \"not charged\", or what was never sent was cancelled"},

		{Review, Succeeded, "two people, with evidence"},
		{Review, Authorized, "two people, with evidence"},
		{Review, Failed, "two people, with evidence"},
		{Review, Reversed, "two people, with evidence"},
		{Review, Voided, "two people, with evidence"},
		{Review, Refunded, "two people, with evidence"},
		{Review, PartiallyRefunded, "two people, with evidence"},
		{Review, Expired, "two people, with evidence"},
	}
}

// Allowed reports whether the table has the change.
func Allowed(from, to State) bool {
	_, ok := allowed()[[2]State{from, to}]
	return ok
}

// allowed is the table to look changes up in: every change of every payment is.
var allowed = sync.OnceValue(func() map[[2]State]struct{} { //nolint:gochecknoglobals // a constant table
	all := make(map[[2]State]struct{})
	for _, t := range Transitions() {
		all[[2]State{t.From, t.To}] = struct{}{}
	}
	return all
})
