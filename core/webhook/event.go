package webhook

import (
	"slices"

	"github.com/payrack/payrack/core/payment"
)

// Test is the type of the event that an operator sends to try an endpoint. It is never filtered out.
const Test = "webhook.test"

// The types of a follow-up that was refused: the payment is what it was before.
const (
	CaptureFailed = "payment.capture_failed"
	VoidFailed    = "payment.void_failed"
	RefundFailed  = "payment.refund_failed"
)

// Types lists the events that an endpoint can ask for.
func Types() []string {
	var all []string
	for _, s := range payment.States() {
		if t := typeOf(s); t != "" {
			all = append(all, t)
		}
	}
	return append(all, CaptureFailed, VoidFailed, RefundFailed)
}

// Known reports whether an endpoint can ask for the type.
func Known(typ string) bool { return slices.Contains(Types(), typ) }

// Change is what an entry of a payment's journal says about the payment.
type Change struct {
	State payment.State
	// Kind, Operation and Reversal are of the operation that the change is about.
	Kind      payment.Kind
	Operation payment.OperationState
	Reversal  bool
}

// Type is the event that a change is; empty if the change is no news to the company, such as a request that is on its way.
func (c Change) Type() string {
	typ := typeOf(c.State)
	if typ == "" || c.Reversal || c.Operation != payment.OperationFailed {
		return typ
	}
	switch c.Kind {
	case payment.KindCapture:
		if c.State == payment.Authorized {
			return CaptureFailed
		}
	case payment.KindVoid:
		if c.State == payment.Authorized || c.State == payment.Succeeded {
			return VoidFailed
		}
	case payment.KindRefund:
		if c.State == payment.Succeeded || c.State == payment.PartiallyRefunded {
			return RefundFailed
		}
	case payment.KindPay, payment.KindConfirm:
	}
	return typ
}

// Repeats reports whether payments stay in the state over several entries, of which only the first is news.
func Repeats(s payment.State) bool {
	return slices.Contains([]payment.State{
		payment.Unknown, payment.RequiresAction, payment.Authorized, payment.Reversing, payment.Mismatch,
	}, s)
}

// typeOf is the event of having reached a state, empty for a state that only says that something is on its way.
func typeOf(s payment.State) string {
	switch s {
	case payment.RequiresAction:
		return "payment.requires_action"
	case payment.Authorized:
		return "payment.authorized"
	case payment.Succeeded:
		return "payment.succeeded"
	case payment.Failed:
		return "payment.failed"
	case payment.Unknown:
		return "payment.unknown"
	case payment.Reversing:
		return "payment.reversing"
	case payment.Reversed:
		return "payment.reversed"
	case payment.Voided:
		return "payment.voided"
	case payment.Refunded:
		return "payment.refunded"
	case payment.PartiallyRefunded:
		return "payment.partially_refunded"
	case payment.Expired:
		return "payment.expired"
	case payment.Mismatch:
		return "payment.mismatch"
	case payment.Review:
		return "payment.review"
	case payment.Sending, payment.Capturing, payment.Voiding, payment.Refunding:
		return ""
	}
	return ""
}
