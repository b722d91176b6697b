package memory

import (
	"strings"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// check refuses what the constraints and triggers of a database refuse.
func (s *Store) check(c outbound.Change) error {
	p, o := c.Record.Payment, c.Record.Operation
	old, exists := s.payments[p.ID]
	for _, wrong := range []string{
		amounts(p, o), words(p, o), begins(p, o, exists, c.NewOperation), s.moves(c, old), s.unchanged(c, old),
	} {
		if wrong != "" {
			return refused(wrong)
		}
	}
	if m := c.Mandate; m != nil {
		// An id that another token has would be given away.
		if old, taken := s.mandates[m.ID]; taken && tokenOf(old) != tokenOf(*m) {
			return refused("the id of the mandate is taken")
		}
	}
	return s.transactions(c)
}

func refused(wrong string) error {
	return fault.New(fault.Internal, "ledger_refused", "a change breaks the rules of the ledger: "+wrong)
}

func amounts(p payment.Payment, o payment.Operation) string {
	switch {
	case p.Amount.Units <= 0 || o.Amount.Units <= 0:
		return "an amount is not positive"
	case p.Refunded < 0 || p.RefundReserved < 0:
		return "a refunded amount is negative"
	case p.Captured > p.Authorized:
		return "more is captured than authorized"
	// The difference cannot overflow where it counts: refunded is not negative.
	case p.Captured < 0 || p.RefundReserved > p.Captured-p.Refunded:
		return "more is refunded than captured"
	case o.Epoch < 1 || o.Checks < 0 || o.WatchedMS < 0 || o.Absences < 0 || o.AbsentMS < 0 || o.AbsentMS > o.WatchedMS:
		return "a counter is out of range"
	case o.Attempt < 0 || (o.Attempt > 0 && !o.Reversal):
		return "only a reversal counts its attempts"
	}
	return ""
}

func words(p payment.Payment, o payment.Operation) string {
	switch o.Kind {
	case payment.KindPay, payment.KindConfirm, payment.KindCapture, payment.KindVoid, payment.KindRefund:
	default:
		return "the kind of operation is unknown"
	}
	switch o.State {
	case payment.OperationSending, payment.OperationUnknown, payment.OperationSucceeded, payment.OperationFailed:
	default:
		return "the state of the operation is unknown"
	}
	switch {
	case !p.Environment.Valid():
		return "the environment is unknown"
	case p.OrderNumber == "":
		return "the order number is empty"
	case len(p.Amount.Currency) != 3 || p.Amount.Currency != money.Currency(strings.ToUpper(string(p.Amount.Currency))):
		return "the currency is no code"
	}
	return ""
}

func begins(p payment.Payment, o payment.Operation, exists, fresh bool) string {
	if !exists && p.State != payment.Sending {
		return "a payment begins as SENDING"
	}
	if fresh && o.State != payment.OperationSending {
		return "an operation begins as SENDING"
	}
	return ""
}

// moves holds the change against the transition table and the life of an operation.
func (s *Store) moves(c outbound.Change, old *held) string {
	if old == nil {
		return ""
	}
	if !s.allowed[[2]payment.State{old.payment.State, c.Record.Payment.State}] {
		return "the state machine has no such change"
	}
	i := old.find(c.Record.Operation.ID)
	if i < 0 {
		return ""
	}
	before, after := old.operations[i], c.Record.Operation
	switch {
	case after.State == payment.OperationSending && before.State != payment.OperationSending:
		return "an operation is sent once"
	case !before.Open() && after.Open():
		return "an operation is closed once"
	case after.Epoch < before.Epoch:
		return "an epoch never falls"
	}
	return ""
}

// unchanged keeps what a payment and an operation are.
func (s *Store) unchanged(c outbound.Change, old *held) string {
	if old == nil {
		return ""
	}
	a, b := old.payment, c.Record.Payment
	if a.Environment != b.Environment || orderOf(a) != orderOf(b) || a.Store != b.Store || a.Type != b.Type ||
		a.Wire != b.Wire || a.Amount != b.Amount || a.Capture != b.Capture || a.Attempt != b.Attempt ||
		a.ReturnURL != b.ReturnURL || a.CancelURL != b.CancelURL {
		return "what a payment is does not change"
	}
	if i := old.find(c.Record.Operation.ID); i >= 0 {
		x, y := old.operations[i].Operation, c.Record.Operation
		if x.Kind != y.Kind || x.Amount != y.Amount || x.OrderID != y.OrderID || x.Reversal != y.Reversal ||
			x.Attempt != y.Attempt {
			return "what an operation does is fixed before it is sent"
		}
	}
	return ""
}

// transactions ties a provider's transaction to one payment, and a provider's refund to one operation.
func (s *Store) transactions(c outbound.Change) error {
	p, o := c.Record.Payment, c.Record.Operation
	taken := fault.New(fault.Conflict, "provider_transaction_taken",
		"another payment already has the provider's transaction id; nothing was stored")
	if id, ok := s.charges[chargeOf(p)]; ok && p.ProviderTransaction != "" && id != p.ID {
		return taken
	}
	if h, ok := s.payments[p.ID]; ok && o.Kind == payment.KindRefund && o.ProviderTransaction != "" {
		for _, other := range h.operations {
			if other.ID != o.ID && other.Kind == payment.KindRefund && other.ProviderTransaction == o.ProviderTransaction {
				return taken
			}
		}
	}
	return nil
}

func chargeOf(p payment.Payment) chargeKey {
	return chargeKey{environment: p.Environment, provider: p.Provider, account: p.Account, transaction: p.ProviderTransaction}
}
