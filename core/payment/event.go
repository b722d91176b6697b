package payment

import (
	"time"

	"github.com/payrack/payrack/core/money"
)

// Event is a fact that changes a payment. The set is closed.
type Event interface{ happened() time.Time }

// Known says how much an answer of the provider settles. The zero value settles nothing.
type Known uint8

// What an answer can settle.
const (
	KnownNothing Known = iota
	KnownApproved
	KnownDeclined
	KnownAction
	KnownNotSent
)

// Answered says that the owner of the operation's epoch has the provider's answer, or knows that there will be none.
type Answered struct {
	At time.Time
	// Operation and Epoch name the owner's call: every new operation begins with epoch one again.
	Operation OperationID
	Epoch     int64
	Known     Known
	Evidence  Evidence
}

// Fenced says that the resolver took the operation of a process that died or overran its deadline.
type Fenced struct {
	At    time.Time
	Boot  string
	Epoch int64
}

// Verdict is what a search proves.
type Verdict uint8

// The verdicts. When "not found" counts as VerdictNotCharged is the resolver's rule, not the reducer's.
const (
	// VerdictOpen: nothing is proven, ask again.
	VerdictOpen Verdict = iota
	// VerdictDone: the operation in doubt took effect; Evidence says with what.
	VerdictDone
	// VerdictNotDone: it is final that the operation in doubt had no effect and will have none.
	VerdictNotDone
	// VerdictGone: what was held or taken has been given back in full.
	VerdictGone
	// VerdictLapsed: the provider says cancelled or expired.
	VerdictLapsed
)

// Searched says that a search of the resolver brought a verdict on the payment.
type Searched struct {
	At        time.Time
	Operation OperationID
	Epoch     int64
	Verdict   Verdict
	Evidence  Evidence
	// WatchedMS is the time that this check adds to what was really watched.
	WatchedMS int64
	// Absent counts this check as one of those that did not find the operation after all must have landed. Any other
	// check begins the count anew.
	Absent bool
	// KeepAbsences leaves the count as it is: the check came too soon after the last one to count.
	KeepAbsences bool
	// Pulled says that somebody asked before the check was due: it does not use up one of the schedule.
	Pulled bool
	// Blind says that nothing was found out. That uses up none of the schedule either: after an outage of the provider
	// the truth must not lie in the tail.
	Blind bool
	// NextIn is when to look again if nothing is settled; zero leaves it to the schedule.
	NextIn time.Duration
}

// Observed is a look at the provider while no operation is open, as for a payer who has not acted or an
// authorization that may have lapsed. VerdictGone and VerdictLapsed change the payment, VerdictOpen plans
// the next look.
type Observed struct {
	At       time.Time
	Verdict  Verdict
	Evidence Evidence
	// NextAt is the next look, zero for none.
	NextAt time.Time
}

// ReverseWanted says that the policy decided at its time, or the company cancelled. From its commit on the client is
// told "not paid".
type ReverseWanted struct {
	At time.Time
	// By is "policy" or "company".
	By string
}

// Begun says that an operation begins on an existing payment: a follow-up, a reversal, or a retry of what was never
// sent.
type Begun struct {
	At        time.Time
	Operation Operation
}

// GaveUp says that the resolver has used up its checks or met a contradiction; a person decides.
type GaveUp struct {
	At        time.Time
	Operation OperationID
	Epoch     int64
	Reason    string
}

// Reviewed says that two people decided, with evidence.
type Reviewed struct {
	At       time.Time
	To       State
	Captured money.Amount
	Refunded money.Amount
	Actor    string
	Approver string
	Evidence string
}

// OrphanFound says that money was found for a payment that was told "not paid": by reconciliation, or by the release that
// checks one on trial.
type OrphanFound struct {
	At       time.Time
	Evidence Evidence
}

func (e Answered) happened() time.Time      { return e.At }
func (e Fenced) happened() time.Time        { return e.At }
func (e Searched) happened() time.Time      { return e.At }
func (e Observed) happened() time.Time      { return e.At }
func (e ReverseWanted) happened() time.Time { return e.At }
func (e Begun) happened() time.Time         { return e.At }
func (e GaveUp) happened() time.Time        { return e.At }
func (e Reviewed) happened() time.Time      { return e.At }
func (e OrphanFound) happened() time.Time   { return e.At }
