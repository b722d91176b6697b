package payment

import (
	"time"

	"github.com/payrack/payrack/core/fault"
)

// Begin makes the record of a new payment whose intent is about to become durable: SENDING, version 1. p and
// o carry identity, amounts and deadlines; everything that follows from the state is set here.
func Begin(p Payment, o Operation, at time.Time) (Record, error) {
	if p.Amount.Units <= 0 {
		return Record{}, fault.New(fault.Invalid, "out_of_range", "amount must be at least one charge unit")
	}
	if o.Kind != KindPay || o.Amount != p.Amount || o.Payment != p.ID {
		return Record{}, fault.New(fault.Internal, "bad_intent", "a payment begins with a pay operation of its own amount")
	}
	p.State, p.Version, p.Failure = Sending, 1, ""
	p.Authorized, p.Captured, p.Refunded, p.RefundReserved = 0, 0, 0, 0
	p.CreatedAt, p.UpdatedAt = at, at
	return Record{Payment: p, Operation: sending(o, at)}, nil
}

func sending(o Operation, at time.Time) Operation {
	o.State, o.Failure, o.Epoch = OperationSending, "", 1
	o.NextCheckAt = o.SendDeadline
	o.Checks, o.WatchedMS = 0, 0
	o.CreatedAt, o.UpdatedAt = at, at
	return o
}

// begun starts an operation on an existing payment.
func begun(r Record, e Begun) (Record, error) {
	if r.Operation.Open() {
		return Record{}, fault.New(fault.Conflict, "operation_open", "another operation of this payment is still open")
	}
	p, o := r.Payment, e.Operation
	if o.Payment != p.ID || o.Amount.Currency != p.Amount.Currency {
		return Record{}, fault.New(fault.Internal, "bad_intent", "the operation does not belong to the payment")
	}
	if err := follow(&p, o); err != nil {
		return Record{}, err
	}
	if o.Amount.Units <= 0 {
		return Record{}, exceeds("left")
	}
	return Record{Payment: p, Operation: sending(o, e.At)}, nil
}

// follow moves the payment into the state of an operation that begins, and reserves what a refund would give
// back.
func follow(p *Payment, o Operation) error {
	from := p.State
	if !begins(*p, o) {
		return refused(from, o.Kind)
	}
	switch o.Kind {
	case KindPay, KindConfirm:
		p.State, p.Failure = Sending, ""
	case KindCapture:
		if o.Amount.Units > p.Authorized {
			return exceeds("authorized")
		}
		p.State = Capturing
	case KindVoid:
		if !o.Reversal {
			p.State = Voiding
		}
	case KindRefund:
		if o.Amount.Units > p.Captured-p.Refunded-p.RefundReserved {
			return exceeds("captured and not yet refunded")
		}
		p.RefundReserved += o.Amount.Units
		if !o.Reversal {
			p.State = Refunding
		}
	}
	return nil
}

// begins reports whether an operation of this kind may begin in the payment's state.
func begins(p Payment, o Operation) bool {
	if o.Reversal {
		return p.State == Reversing && (o.Kind == KindVoid || o.Kind == KindRefund)
	}
	switch o.Kind {
	case KindPay:
		return p.State == Failed && p.Failure == NotSent && o.Amount == p.Amount
	case KindConfirm:
		return p.State == RequiresAction && o.Amount == p.Amount
	case KindCapture:
		return p.State == Authorized
	case KindVoid:
		return p.State == Authorized || p.State == Succeeded
	case KindRefund:
		return p.State == Succeeded || p.State == PartiallyRefunded
	}
	return false
}

func refused(s State, k Kind) error {
	return fault.New(fault.Conflict, "not_allowed_in_state",
		"a payment in state "+string(s)+" cannot "+string(k))
}

func exceeds(what string) error {
	return fault.New(fault.Conflict, "amount_exceeds_remaining", "the amount is more than what is "+what)
}
