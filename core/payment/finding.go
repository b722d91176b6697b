package payment

// Finding is the state of a payment at the provider. The zero value concludes nothing.
type Finding uint8

// The findings.
const (
	FindingNothing Finding = iota
	// FindingFound: the payment exists with the amounts given.
	FindingFound
	// FindingNotFound: the provider does not know it. Final only by Judge.
	FindingNotFound
	// FindingInProgress: known and not finished.
	FindingInProgress
	// FindingAwaitingPayer: the payer has not acted yet.
	FindingAwaitingPayer
	// FindingPayerApproved: the payer approved; confirm may be sent.
	FindingPayerApproved
	// FindingEnded: declined, cancelled, expired or voided; no money is held or taken.
	FindingEnded
)
